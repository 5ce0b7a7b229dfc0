r"""Hotfixes, from every place of the version, each with its source.

Windows NT 4.0: …\Windows NT\CurrentVersion\HotFix\Qnnnnnn with Installed = 1. 2000 to 2003 also …\Microsoft\Updates\
PRODUCT\SPn\KBnnnnnn. Later versions only answer by WMI, Win32_QuickFixEngineering, whose rows on XP and 2003 may read
`File 1` with the number in ServicePackInEffect. Registry entries are claims: they stay when old files come back (Q196269,
Q165709), and a hotfix copied by hand leaves none (Q238552). `Q147222` is put there by service packs by design (Q249907).
"""

from __future__ import annotations

import re

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import build_of, cell, found, rows, subkeys
from auditor.collectors.windows.queries import NT, QFE, VISTA, QuerySet, RegistryQuery, WindowsCollector
from auditor.errors import FactUnavailable
from auditor.model.facts import Hotfix
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_HOTFIX = rf"{NT}\HotFix"
_UPDATES = r"HKLM\SOFTWARE\Microsoft\Updates"
_2000 = 2195
# KB2536276-v2, KB982632-IE8, KB952069_WM9; Vista leaves the letters out: 943729.
_ID = re.compile(r"(Q|KB|)(\d{5,7})(?![\dA-F])", re.IGNORECASE)
_ARTEFACT = "Q147222"


def _asks(requirements: DataRequirements) -> QuerySet:
    entries = tuple(RegistryQuery(_entry(i), before=VISTA) for i in requirements.hotfixes)
    keys = (RegistryQuery(_HOTFIX, before=VISTA), RegistryQuery(_UPDATES, since=_2000, before=VISTA, deep=True))
    return QuerySet(values=entries, keys=keys, tables=(QFE,))


def _entry(ident: str) -> str:
    return rf"{_HOTFIX}\{ident}#Installed"


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`hotfixes`, each with the place that names it."""
    build = build_of(data)
    hotfixes: dict[tuple[str, str], Hotfix] = {}
    unread: list[str] = []
    if build is None or build < VISTA:
        places = [(_HOTFIX, "registry claim: HotFix")]
        if build is None or build >= _2000:
            places.append((_UPDATES, "registry claim: Updates"))
        for key, source in places:
            try:
                _add(hotfixes, [name.rpartition("\\")[2] for name in subkeys(data, key) or ()], source)
            except FactUnavailable as e:
                unread.append(str(e))
        _drop_uninstalled(hotfixes, data, requirements)
    try:
        listed = rows(data, QFE)
        _add(hotfixes, [_number(cell(r, "HotFixID"), cell(r, "ServicePackInEffect")) for r in listed], QFE)
        if not listed and (build is None or build >= VISTA):
            unread.append(f"{QFE} is empty, which it also is where the servicing stack cannot be asked")
    except FactUnavailable as e:
        if build is None or build >= VISTA:
            unread.append(str(e))
    if unread:
        raise FactUnavailable("; ".join(unread))
    return CollectorResult({"hotfixes": tuple(hotfixes[k] for k in sorted(hotfixes))})


def _add(hotfixes: dict[tuple[str, str], Hotfix], names: list[str], source: str) -> None:
    for name in names:
        if found := _ID.match(name):
            ident = f"{found[1].upper() or 'KB'}{found[2]}"
            if ident != _ARTEFACT:
                hotfixes[ident, source] = Hotfix(ident, source)


def _number(ident: str, in_effect: str) -> str:
    """XP and 2003 list some updates file by file, as `File 1`, with the number beside it."""
    return in_effect if ident.lower().startswith("file ") else ident


def _drop_uninstalled(hotfixes: dict[tuple[str, str], Hotfix], data: WindowsRawData, requirements: DataRequirements) -> None:
    """An entry that rules ask for counts only with Installed = 1."""
    for ident in requirements.hotfixes:
        entry = (ident.upper(), "registry claim: HotFix")
        if entry in hotfixes and _entry(ident) in data.values:
            value = found(data, _entry(ident))
            if value is None or value.data not in (1, "1"):
                del hotfixes[entry]


COLLECTOR = WindowsCollector(name="hotfixes", queries=_asks, parse=parse)
