"""Reading a Windows host by its remote registry, and its services by the service manager over the same connection."""

from __future__ import annotations

from collections.abc import Callable

from auditor.collectors.windows.host_facts import all_queries, first_queries, platform_of
from auditor.collectors.windows.lookup import build_of
from auditor.collectors.windows.queries import SERVICES, UNINSTALL, QuerySet
from auditor.model.facts import Platform
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData
from auditor.transports.session import RemoteRegistry

METHOD = "remote registry over SMB"


def read(session: RemoteRegistry, requirements_of: Callable[[Platform], DataRequirements]) -> WindowsRawData:
    """Ask the first questions, then those that make sense. HostError where there is no session."""
    first = _told(session, first_queries(DataRequirements()), None)
    wanted = all_queries(requirements_of(platform_of(first)))
    rest = _told(session, wanted, build_of(first))
    tables: dict[str, Table] = {SERVICES: session.services()}
    if wanted.programs:
        tables |= {key: _programs(session, key) for key in UNINSTALL}
    return WindowsRawData(method=METHOD, values=first.values | rest.values, keys=first.keys | rest.keys, tables=tables)


def _told(session: RemoteRegistry, requirements: QuerySet, build: int | None) -> WindowsRawData:
    values = {a.what: session.value(*_split(a.what)) for a in requirements.values if a.of(build)}
    no_files = "the remote registry does not tell file versions"
    values |= {f"file-version:{p}": Value("unreadable", reason=no_files) for p in requirements.files}
    keys = {a.what: _below(session, a.what, 3 if a.deep else 1) for a in requirements.keys if a.of(build)}
    return WindowsRawData(method=METHOD, values=values, keys=keys)


_MOST_KEYS = 3000  # below one key; each costs a round trip


def _below(session: RemoteRegistry, key: str, levels: int) -> Subkeys:
    found = session.subkeys(key)
    if found.state != "present" or levels == 1:
        return found
    names = list(found.names)
    for name in found.names:
        below = _below(session, rf"{key}\{name}", levels - 1)
        if below.state == "unreadable":
            return below
        names += [rf"{name}\{n}" for n in below.names]
        if len(names) > _MOST_KEYS:
            return Subkeys(
                "unreadable", reason=f"more than {_MOST_KEYS} keys lie below it, the limit up to which they are read"
            )
    return Subkeys("present", tuple(names))


def _programs(session: RemoteRegistry, key: str) -> Table:
    found = session.subkeys(key)
    if found.state == "unreadable":
        return Table("unreadable", reason=found.reason)
    rows: list[dict[str, Cell]] = []
    for name in found.names:
        said = {n: session.value(rf"{key}\{name}", n) for n in ("DisplayName", "DisplayVersion")}
        unread = next((v.reason for v in said.values() if v.state == "unreadable"), "")
        if unread:
            return Table("unreadable", reason=f"{name}: {unread}")
        rows.append({n: str(v.data) for n, v in said.items() if v.state == "present"})
    return Table("present", tuple(rows))


def _split(what: str) -> tuple[str, str]:
    key, _, name = what.partition("#")
    return key, name
