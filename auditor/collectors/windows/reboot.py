r"""Does the host wait for a restart? Several signals, told apart by what they prove.

Strong: the servicing stack's RebootPending and Windows Update's RebootRequired keys (Vista and later), and a number above 0
in UpdateExeVolatile, which the older update installers leave until the restart. Weak: PendingFileRenameOperations, which
updates use, and so do many other programs: before Vista it leaves the question open where it is the only one.
"""

from __future__ import annotations

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import build_of, found, is_there
from auditor.collectors.windows.queries import CONTROL, VISTA, QuerySet, RegistryQuery, WindowsCollector
from auditor.errors import FactUnavailable
from auditor.model.facts import Reboot
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_CBS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
_UPDATE = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired"
_VOLATILE = r"HKLM\SOFTWARE\Microsoft\Updates#UpdateExeVolatile"
_RENAMES = rf"{CONTROL}\Session Manager#PendingFileRenameOperations"
_ASKS = QuerySet(
    values=(RegistryQuery(_VOLATILE, since=2195, before=VISTA), RegistryQuery(_RENAMES)),
    keys=(RegistryQuery(_CBS, since=VISTA), RegistryQuery(_UPDATE, since=2195)),
)


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`reboot`: do Windows' own marks say that it waits for a restart?"""
    build = build_of(data)
    strong, unread = [], []
    for ask, signal in ((_CBS, "servicing stack"), (_UPDATE, "Windows Update"), (_VOLATILE, "update installer")):
        if not next(a for a in (*_ASKS.keys, *_ASKS.values) if a.what == ask).of(build):
            continue
        try:
            if "#" not in ask:
                is_set = is_there(data, ask)
            else:
                value = found(data, ask)
                is_set = value is not None and value.data not in (0, "0", "")
        except FactUnavailable as e:
            unread.append(str(e))
            continue
        if is_set:
            strong.append(signal)
    weak: tuple[str, ...] = ()
    try:
        renames = found(data, _RENAMES)
        if renames is not None and any(renames.data if isinstance(renames.data, tuple) else (renames.data,)):
            weak = ("PendingFileRenameOperations",)
    except FactUnavailable as e:
        unread.append(str(e))
    # From Vista on the strong signals tell of every update; before, an installer may have left nothing but the weak one.
    doubtful = bool(weak) and (build is None or build < VISTA)
    required = True if strong else None if doubtful or unread else False
    reboot = Reboot(required, tuple(strong), ("Session Manager",), weak)
    return CollectorResult({"reboot": reboot}, partial="; ".join(unread))


COLLECTOR = WindowsCollector(name="reboot", queries=lambda requirements: _ASKS, parse=parse)
