"""The Windows Update Agent's view of a host, which only PowerShell tells, added to what another method read."""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace

from auditor.collectors.collection import RawCollection
from auditor.collectors.windows.queries import OS, QFE, UPDATES, QuerySet
from auditor.collectors.windows.readers import powershell
from auditor.errors import HostError
from auditor.model.windows import Table, WindowsRawData
from auditor.transports.session import Session, SessionKind, Shell

_RUN_COMMANDS: tuple[SessionKind, ...] = ("shell", "wmi")


def added(session: Session, collection: RawCollection) -> RawCollection:
    """The missing updates, and with them what the first method could not tell: the list of hotfixes of Vista and later, where
    that was a shell. A failure costs nothing else."""
    data = collection.windows_data()
    wanted = QuerySet(tables=(OS, QFE))
    try:
        if session.kind not in _RUN_COMMANDS:
            raise HostError("protocol", "this way runs no command, and only PowerShell asks the Windows Update Agent")
        result = cast(Shell, session).run(powershell.command(wanted, collection.marker, True))
        told = powershell.read(result, collection.marker, wanted, True)
    except HostError as e:
        reason = f"PowerShell was not run: {e}"
        told = WindowsRawData(method=powershell.METHOD, tables={UPDATES: Table("unreadable", reason=reason)})
    known = {name for name, table in data.tables.items() if table.state == "present"}
    found = {name: t for name, t in told.tables.items() if t.state == "present" and name not in known}
    filled = tuple(f"{name} by PowerShell" for name in found if name != UPDATES)
    data = replace(
        data,
        tables=told.tables | data.tables | found,
        texts=told.texts | data.texts,
        notes=(*data.notes, *told.notes, *filled),
    )
    return replace(collection, data=data, result=None, data_truncated=collection.truncated)
