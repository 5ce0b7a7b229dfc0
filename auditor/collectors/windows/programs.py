r"""Installed programs, only where a rule looks for one: both Uninstall keys, and vendors' own keys under HKLM\SOFTWARE.

A program of the 1990s often has no Uninstall entry, and its vendor's key is all that shows it: HKLM\SOFTWARE\Lotus\Notes
is listed as "Lotus Notes".
"""

from __future__ import annotations

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import build_of, cell, rows, subkeys
from auditor.collectors.windows.queries import UNINSTALL, QuerySet, RegistryQuery, WindowsCollector
from auditor.model.facts import Program
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_FIRST_64_BIT = 3790  # Windows XP x64 Edition and Server 2003: before, there is no Wow6432Node
_SOFTWARE = "HKLM\\SOFTWARE\\"


def _asks(requirements: DataRequirements) -> QuerySet:
    return QuerySet(
        keys=tuple(RegistryQuery(_SOFTWARE + vendor) for vendor in requirements.vendors), programs=requirements.programs
    )


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`programs` by their Uninstall keys, and vendors' keys that rules ask for."""
    if not requirements.programs and not requirements.vendors:
        return CollectorResult({})
    found = []
    build = build_of(data)
    for key in UNINSTALL if build is None or build >= _FIRST_64_BIT else UNINSTALL[:1]:
        for row in rows(data, key):
            if cell(row, "DisplayName"):
                found.append(Program(cell(row, "DisplayName"), cell(row, "DisplayVersion") or None, "Uninstall"))
    for vendor in requirements.vendors:
        for name in subkeys(data, _SOFTWARE + vendor) or ():
            found.append(Program(f"{vendor} {name}", None, rf"{_SOFTWARE}{vendor}\{name}"))
    return CollectorResult({"programs": tuple(sorted(dict.fromkeys(found), key=lambda p: (p.name.lower(), p.version or "")))})


COLLECTOR = WindowsCollector(name="programs", queries=_asks, parse=parse)
