r"""What is asked of a Windows host: the words of the one list behind `auditor commands`.

A registry value is `HKLM\KEY#NAME`, a key (its subkeys' names) `HKLM\KEY`, a table the name of a WMI class. How they are
asked is the business of each method (wmi.py, shell.py, powershell.py, offline.py, readers/remote_registry.py); what they mean, of the collectors.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from auditor.collectors.collector import CollectorResult
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
SERVICES_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services"
UNINSTALL = (
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKLM\SOFTWARE\Wow6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)

OS, QFE, SERVICES, PROCESSES = "Win32_OperatingSystem", "Win32_QuickFixEngineering", "Win32_Service", "Win32_Process"
LICENCES = "SoftwareLicensingProduct"
UPDATES = "Microsoft.Update.Session"  # the Windows Update Agent, which only PowerShell asks
# Win32_OperatingSystem has other properties in every version, and a query that names one too many fails as a whole.
WQL: dict[str, str] = {
    OS: f"SELECT * FROM {OS}",
    QFE: f"SELECT HotFixID, ServicePackInEffect FROM {QFE}",
    SERVICES: f"SELECT Name, State, StartMode FROM {SERVICES}",
    PROCESSES: f"SELECT Name FROM {PROCESSES}",
    LICENCES: f"SELECT Name, LicenseStatus FROM {LICENCES} WHERE LicenseStatus = 1",
}
# A table that only some build lines are asked for: those that get extended security updates. Reading it takes a host seconds.
ONLY_OF: dict[str, tuple[int, ...]] = {LICENCES: (6002, 6003, 7601, 9200, 9600, 14393, 19045)}
FILE_WQL = "SELECT Name, Version FROM CIM_DataFile WHERE Name = '{path}'"

VISTA, WINDOWS_10 = 6000, 10240  # the builds from which things are kept elsewhere


def concerns(table: str, build: int | None) -> bool:
    """Is a build line asked for a table?"""
    return table not in ONLY_OF or build in ONLY_OF[table]


class RegistryQuery(Struct, frozen=True):
    """One value or key, and the builds that may have it: a method that knows the build leaves out the others. `unless`: a
    table that tells the same, for methods that have read it. `deep`: a key's subkeys three levels down, as relative paths."""

    what: str
    since: int = 0
    before: int = 1_000_000
    unless: str = ""
    deep: bool = False

    def of(self, build: int | None) -> bool:
        """Does a build have it? None is a build that is not known, which may."""
        return build is None or self.since <= build < self.before


class QuerySet(Struct, frozen=True):
    """All that is asked of a host. `files` are paths as rules write them; `programs`: the Uninstall keys too."""

    values: tuple[RegistryQuery, ...] = ()
    keys: tuple[RegistryQuery, ...] = ()
    tables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    programs: bool = False


class WindowsCollector(Struct, frozen=True, kw_only=True):
    """`queries` says what it wants read, given what rules ask for; `parse` reads it and raises FactUnavailable where the data
    do not say. `first`: its answer decides what else is worth asking. `more`: what the answers call for beside them, for methods that can ask again."""

    name: str
    queries: Callable[[DataRequirements], QuerySet]
    parse: Callable[[WindowsRawData, DataRequirements], CollectorResult]
    first: bool = False
    more: Callable[[WindowsRawData], QuerySet] | None = None


def merged(several: list[QuerySet]) -> QuerySet:
    """One set of questions, each asked once."""
    return QuerySet(
        values=tuple(dict.fromkeys(a for q in several for a in q.values)),
        keys=tuple(dict.fromkeys(a for q in several for a in q.keys)),
        tables=tuple(dict.fromkeys(t for q in several for t in q.tables)),
        files=tuple(dict.fromkeys(f for q in several for f in q.files)),
        programs=any(q.programs for q in several),
    )
