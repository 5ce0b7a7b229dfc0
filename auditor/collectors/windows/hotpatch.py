r"""Is the host set up for hotpatches, updates that need no restart and bring lower builds than the cumulative update of their month?

Windows Server 2022 Azure Edition and Server 2025: the enrolment package names itself below DynamicInstalled\Hotpatch.amd64, and virtualization-based
security is on (learn.microsoft.com/windows-server/get-started/enable-hotpatch-azure-edition). Windows 11 24H2 and later: the policy
AllowRebootlessUpdates (Policy CSP, Update). Older builds take none.
"""

from __future__ import annotations

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import build_of, number, text
from auditor.collectors.windows.queries import CONTROL, NT, QuerySet, RegistryQuery, WindowsCollector
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_SINCE = 20348  # the first build line that has hotpatches
_VBS = rf"{CONTROL}\DeviceGuard#EnableVirtualizationBasedSecurity"
_ENROLLED = rf"{NT}\Update\TargetingInfo\DynamicInstalled\Hotpatch.amd64#Name"
_POLICY = r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\Update#AllowRebootlessUpdates"
_ASKS = QuerySet(values=tuple(RegistryQuery(what, since=_SINCE) for what in (_VBS, _ENROLLED, _POLICY)))


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`hotpatch`. FactUnavailable where a value that would decide could not be read."""
    build = build_of(data)
    if build is not None and build < _SINCE:
        return CollectorResult({"hotpatch": False})
    enrolled, policy = text(data, _ENROLLED), number(data, _POLICY)
    if not (enrolled or policy == 1):
        return CollectorResult({"hotpatch": False})
    return CollectorResult({"hotpatch": number(data, _VBS) == 1})


COLLECTOR = WindowsCollector(name="hotpatch", queries=lambda requirements: _ASKS, parse=parse)
