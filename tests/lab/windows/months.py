"""Microsoft's monthly documents, posed: the numbers, builds and counts of the real ones (months.tsv), the flaws' own numbers invented.

After the last real row the months go on to any day, by release information as far as that goes and then by made-up numbers, so that a posed fleet can
be up to date on the day on which somebody looks at it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from auditor.model.update_line import last_release, second_tuesday
from auditor.versions.windows_revisions import revisions
from tests.lab.windows.host import RegValue, WindowsHost

_TABLE = Path(__file__).with_name("months.tsv")
_NAMES = {
    "windows-server-2012-r2": ("Windows Server 2012 R2", "Windows Server 2012 R2 (Server Core installation)"),
    "windows-server-2019": ("Windows Server 2019", "Windows Server 2019 (Server Core installation)"),
    "windows-server-2022": ("Windows Server 2022", "Windows Server 2022 (Server Core installation)"),
    "windows-server-2025": ("Windows Server 2025", "Windows Server 2025 (Server Core installation)"),
    "windows-10-22h2": ("Windows 10 Version 22H2 for x64-based Systems",),
    "windows-11-24h2": ("Windows 11 Version 24H2 for x64-based Systems",),
}
_LINES = {
    "windows-server-2019": 17763,
    "windows-server-2022": 20348,
    "windows-server-2025": 26100,
    "windows-10-22h2": 19045,
    "windows-11-24h2": 26100,
}
_FAMILY = {19045: 19041}
_NS = 'xmlns:cvrf="http://www.icasi.org/CVRF/schema/cvrf/1.1" xmlns:prod="http://www.icasi.org/CVRF/schema/prod/1.1" xmlns:vuln="http://www.icasi.org/CVRF/schema/vuln/1.1"'


class PosedUpdate(NamedTuple):
    """A row of the table. `product`: our id of a Windows, or another product's name in the documents."""

    month: date
    product: str
    kb: int
    build: str
    subtype: str
    supersedes: int
    first: int
    flaws: int
    exploited: int

    @property
    def revision(self) -> int:
        last = self.build.rpartition(".")[2]
        return int(last) if last.isdecimal() else 0


def _table() -> Iterator[PosedUpdate]:
    for row in _TABLE.read_text("utf-8").splitlines():
        if not row.startswith("#"):
            when, _, product, kb, build, subtype, *numbers = row.split("\t")
            yield PosedUpdate(date.fromisoformat(f"{when}-01"), product, int(kb), build, subtype, *map(int, numbers))


def updates(until: date) -> list[PosedUpdate]:
    """All of them, to the last month whose updates have come by a day."""
    found = list(_table())
    month = max(u.month for u in found)
    while month < last_release(until):
        month = (month + timedelta(days=32)).replace(day=1)
        for product, line in _LINES.items():
            before = max(
                (u for u in found if u.product == product and u.first == 0 and "otpatch" not in u.subtype),
                key=lambda u: u.revision,
            )
            told = next(
                (
                    (kb, r.revision)
                    for kb, r in revisions(_FAMILY.get(line, line)).items()
                    if r.day == second_tuesday(month) and (r.revision >= 30_000) == (product == "windows-server-2025")
                ),
                None,
            )
            made = 9_000_000 + (month.year - 2026) * 1200 + month.month * 100 + list(_LINES).index(product)
            kb, revision = told or (made, before.revision + 120)
            found.append(
                PosedUpdate(month, product, kb, f"10.0.{line}.{revision}", "Security Update", before.kb, 0, 30, month.month % 3)
            )
    return [u for u in found if u.month <= last_release(until)]


def documents(until: date) -> dict[str, bytes]:
    """The documents by their files' names."""
    by_month: defaultdict[date, list[PosedUpdate]] = defaultdict(list)
    for u in updates(until):
        by_month[u.month].append(u)
    return {f"{month:%Y-%b}.xml": _document(month, of) for month, of in sorted(by_month.items())}


def _document(month: date, of: list[PosedUpdate]) -> bytes:
    names = [*(name for product in _NAMES for name in _NAMES[product]), *sorted({u.product for u in of} - _NAMES.keys())]
    tree = "".join(
        f'<prod:FullProductName ProductID="{n}">{escape(name)}</prod:FullProductName>' for n, name in enumerate(names, 1)
    )
    fixes: defaultdict[int, list[str]] = defaultdict(list)
    attacked = set[int]()
    for u in of:
        for n in range(u.first, u.first + u.flaws):
            for name in _NAMES.get(u.product, (u.product,))[
                : 1 if n % 5 == 4 else 2
            ]:  # each fifth flaw is none of Server Core's
                fixes[n].append(_fix(u, names.index(name) + 1))
        attacked |= set(range(u.first, u.first + u.exploited))
    flaws = "".join(
        _flaw(f"CVE-{month.year}-9{month.month:02}{n:03}", of_one, n in attacked) for n, of_one in sorted(fixes.items())
    )
    day = second_tuesday(month)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><cvrf:cvrfdoc {_NS}><cvrf:DocumentTracking><cvrf:Identification><cvrf:ID>{month:%Y-%b}</cvrf:ID></cvrf:Identification>'
        f"<cvrf:InitialReleaseDate>{day}T08:00:00</cvrf:InitialReleaseDate><cvrf:CurrentReleaseDate>{day}T08:00:00</cvrf:CurrentReleaseDate></cvrf:DocumentTracking>"
        f"<prod:ProductTree>{tree}</prod:ProductTree>{flaws}</cvrf:cvrfdoc>"
    ).encode()


def _fix(u: PosedUpdate, product: int) -> str:
    return (
        f'<vuln:Remediation Type="Vendor Fix"><vuln:Description>{u.kb}</vuln:Description><vuln:Supercedence>{u.supersedes or ""}</vuln:Supercedence>'
        f"<vuln:ProductID>{product}</vuln:ProductID><vuln:SubType>{u.subtype}</vuln:SubType><vuln:FixedBuild>{u.build}</vuln:FixedBuild></vuln:Remediation>"
    )


def _flaw(cve: str, fixes: list[str], attacked: bool) -> str:
    return (
        f'<vuln:Vulnerability><vuln:CVE>{cve}</vuln:CVE><vuln:Threats><vuln:Threat Type="Severity"><vuln:Description>{"Critical" if cve[-1] == "0" else "Important"}</vuln:Description></vuln:Threat>'
        f'<vuln:Threat Type="Exploit Status"><vuln:Description>Publicly Disclosed:No;Exploited:{"Yes" if attacked else "No"}</vuln:Description></vuln:Threat></vuln:Threats>'
        f"<vuln:Remediations>{''.join(fixes)}</vuln:Remediations></vuln:Vulnerability>"
    )


def cumulative(product: str, until: date) -> list[PosedUpdate]:
    """The cumulative update of each month, the oldest first."""
    found = [
        u
        for u in updates(until)
        if u.product == product and u.first == 0 and u.subtype in ("Security Update", "Monthly Rollup") and u.flaws > 9
    ]
    return sorted(found, key=lambda u: (u.month, u.revision))


_NT = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_PENDING = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"


def at(host: WindowsHost, ubr: int | None, *listed: int, restart: bool = False) -> WindowsHost:
    """A posed host at another patch level: its UBR (None: it has none), the updates that it lists, and whether it waits for a restart."""
    values = host.registry[_NT]
    if ubr is None:
        values.pop("UBR", None)
    else:
        values["UBR"] = RegValue("REG_DWORD", ubr)
    rows = host.wmi["Win32_QuickFixEngineering"]
    host.wmi["Win32_QuickFixEngineering"] = [{**rows[0], "HotFixID": f"KB{kb}"} for kb in listed]
    if restart:
        host.registry.setdefault(_PENDING, type(host.registry)())
    return host
