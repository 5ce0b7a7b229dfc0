"""Names of running programs, only where a rule looks for one."""

from __future__ import annotations

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import cell, rows
from auditor.collectors.windows.queries import PROCESSES, QuerySet, WindowsCollector
from auditor.errors import FactUnavailable
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`processes`: the names of running programs."""
    if not requirements.processes:
        return CollectorResult({})
    names = {cell(r, "Name") for r in rows(data, PROCESSES)} - {""}
    if not names:
        raise FactUnavailable("the list of processes is empty: this account may not see them")
    return CollectorResult({"processes": tuple(sorted(names))})


COLLECTOR = WindowsCollector(
    name="processes", queries=lambda requirements: QuerySet(tables=(PROCESSES,) if requirements.processes else ()), parse=parse
)
