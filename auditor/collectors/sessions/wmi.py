"""Reading a Windows host by WMI; where WMI refuses everything, and for what only a shell tells, by a shell."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.collectors.collection import RawCollection, Request
from auditor.collectors.windows.host_facts import all_queries, first_queries, more_queries, platform_of
from auditor.collectors.windows.queries import UNINSTALL, QuerySet
from auditor.collectors.windows.readers import shell, wmi
from auditor.errors import HostError, Refused
from auditor.model.facts import Platform
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Table, WindowsRawData
from auditor.transports.session import Wmi

_ROUNDS = 3  # the name of an instance leads to its key, and that to its build


def read(session: Wmi, request: Request) -> RawCollection:
    """Which Windows it is comes first and decides what else is asked. HostError where there is no session, or where both ways
    refuse."""
    reader = wmi.WmiReader(session)
    try:
        first = reader.first(first_queries(DataRequirements()))
    except Refused as e:
        if e.kind not in ("access-denied", "protocol", "timeout"):
            raise
        return _by_shell(session, request, e)
    requirements = request.requirements_of(platform_of(first))
    wanted = all_queries(requirements)
    data = reader.rest(first, wanted)
    for _ in range(_ROUNDS):
        extra = more_queries(data)
        if not (extra.values or extra.files):
            break
        data = reader.rest(data, extra)
    refused = [q for q in wanted.values if (v := data.values.get(q.what)) and v.state == "unreadable"]
    if wanted.programs or (refused and len(refused) == len([q for q in wanted.values if q.what in data.values])):
        keys = tuple(k for k in wanted.keys if (s := data.keys.get(k.what)) and s.state == "unreadable")
        missing = QuerySet(values=tuple(refused), keys=keys, programs=wanted.programs)
        data = _filled(session, data, missing, request.marker)
    return RawCollection(marker=request.marker, requirements=requirements, data=data)


def _by_shell(session: Wmi, request: Request, why: Refused) -> RawCollection:
    requirements = request.requirements_of(Platform(family="windows"))
    try:
        result = session.run(shell.command(all_queries(requirements), request.marker))
    except HostError as e:
        raise HostError(why.kind, f"WMI: {why}; a shell: {e}") from None
    data = shell.read(result, request.marker, all_queries(requirements))
    data = replace(data, notes=(*data.notes, f"because WMI refused: {why}"))
    return RawCollection(marker=request.marker, requirements=requirements, data=data, data_truncated=result.truncated)


def _filled(session: Wmi, data: WindowsRawData, missing: QuerySet, marker: str) -> WindowsRawData:
    """What WMI does not tell or was not allowed to, by a shell; where that is refused too, the reason."""
    try:
        told = shell.read(session.run(shell.command(missing, marker)), marker, missing)
    except HostError as e:
        tables = {key: Table("unreadable", reason=f"only a shell lists programs: {e}") for key in UNINSTALL}
        return replace(data, tables=data.tables | (tables if missing.programs else {}))
    what = "installed programs" if missing.programs and not missing.values else "what WMI did not give"
    return replace(
        data,
        values=data.values | {k: v for k, v in told.values.items() if v.state != "unreadable"},
        keys=data.keys | {k: v for k, v in told.keys.items() if v.state != "unreadable"},
        tables=data.tables | told.tables,
        notes=(*data.notes, f"{what} by {shell.METHOD}"),
    )
