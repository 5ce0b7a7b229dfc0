"""Licences for extended security updates, of the releases that get such: SoftwareLicensingProduct names them "…, Client-ESU-Year1 add-on for …".

Only WMI tells. Azure and Arc bring extended updates without such a licence, so that none proves nothing.
"""

from __future__ import annotations

import re

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import cell
from auditor.collectors.windows.queries import LICENCES, QuerySet, WindowsCollector
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_EXTENDED = re.compile(r"\bESU\b|-ESU-", re.I)
_LICENSED = "1"  # LicenseStatus


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`extended_updates`: the names of such licences; None where they were not asked for."""
    table = data.tables.get(LICENCES)
    if table is None or table.state != "present":
        return CollectorResult({"extended_updates": None})
    names = (cell(r, "Name") for r in table.rows if cell(r, "LicenseStatus") == _LICENSED)
    return CollectorResult({"extended_updates": tuple(sorted({n[:200] for n in names if _EXTENDED.search(n)}))})


COLLECTOR = WindowsCollector(name="licences", queries=lambda requirements: QuerySet(tables=(LICENCES,)), parse=parse)
