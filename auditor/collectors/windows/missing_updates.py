"""Updates that the Windows Update Agent knows to be missing, only where the inventory asks for it (`missing_updates`)."""

from __future__ import annotations

from datetime import date

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import cell, rows
from auditor.collectors.windows.queries import UPDATES, QuerySet, WindowsCollector
from auditor.model.facts import MissingUpdate
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_RESTART = {"True": True, "False": False}  # the agents of Windows 2000 and XP do not tell


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`missing_updates`, and the day of the agent's last search."""
    if UPDATES not in data.tables:
        return CollectorResult({})
    found = {
        MissingUpdate(cell(r, "KB"), cell(r, "Severity") or None, _RESTART.get(cell(r, "Restart"))) for r in rows(data, UPDATES)
    }
    listed = tuple(sorted(found, key=lambda u: (u.kb, u.severity or "", str(u.restart))))
    searched = data.texts.get(UPDATES, "")
    return CollectorResult({"missing_updates": listed, "updates_searched": date.fromisoformat(searched) if searched else None})


# No method but PowerShell has it, and whether that is asked is not the rules' to say.
COLLECTOR = WindowsCollector(name="missing_updates", queries=lambda requirements: QuerySet(), parse=parse)
