"""Everything that can be asked of a Windows host, as data: what `auditor commands` prints, and what the tests hold against
everything that reached the lab.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

from auditor.collectors.windows import products
from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.queries import FILE_WQL, UNINSTALL, WQL
from auditor.collectors.windows.readers import powershell, shell, wmi
from auditor.model.requirements import DataRequirements

RIGHTS = (
    "WMI (the usual way): membership in the group Remote Management Users (before Windows 8 and Server 2012:",
    "  WinRMRemoteWMIUsers__, and Read and Execute in `winrm configSDDL default`); Enable Account, Execute Methods and",
    "  Remote Enable on the WMI namespaces root\\cimv2 and root\\default. No administrator, no write right, no shell.",
    "Registry: what every user may read by default; below Services, Uninstall and Updates too.",
    "Services: the state of a service needs SERVICE_QUERY_STATUS on it; without, its name is known and its state is not.",
    "Shell (where WMI is refused, and for lists of programs): the right to open a WinRS shell (RootSDDL), or an SSH login.",
    "Remote registry (`connection: winreg`): an account that ...\\Control\\SecurePipeServers\\winreg lets in.",
    "docs/windows.md has the steps.",
)


class Listing(Struct, frozen=True):
    """`wql`: queries on root\\cimv2, `{path}` for a file that a rule names, or Exchange's setup; `registry`: values `KEY#NAME` and keys, asked
    by `methods` of root\\default:StdRegProv or over SMB, `KEY\\...` with the keys below it; `shell`: the lines for `cmd /q /d`, MARKER for a random word;
    `powershell`: the command that gets one constant script on stdin, only with `missing_updates: true`."""

    wql: tuple[str, ...]
    methods: tuple[str, ...]
    registry: tuple[str, ...]
    shell: tuple[str, ...]
    powershell: tuple[str, ...]
    powershell_sha256: str
    rights: tuple[str, ...] = RIGHTS


def listing(requirements: DataRequirements) -> Listing:
    """All that the loaded rules may make us ask."""
    wanted = all_queries(requirements)
    programs = {wmi.PROGRAM_FILES, *(f"{key}\\..." for key in UNINSTALL if wanted.programs)}
    return Listing(
        wql=(*(WQL[t] for t in wanted.tables), FILE_WQL),
        methods=wmi.METHODS,
        registry=tuple(
            sorted(
                {f"{a.what}\\..." if a.deep else a.what for a in (*wanted.values, *wanted.keys)}
                | programs
                | set(products.LISTED)
            )
        ),
        shell=tuple(shell.lines(wanted, "MARKER").values()),
        powershell=powershell.ARGV,
        powershell_sha256=hashlib.sha256(powershell.SCRIPT.encode()).hexdigest(),
    )
