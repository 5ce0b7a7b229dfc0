"""Names of running programs, only where a rule looks for one."""

from __future__ import annotations

from auditor.collectors.collector import Reading
from auditor.collectors.windows.lookup import cell, rows
from auditor.collectors.windows.queries import PROCESSES, Questions, WindowsCollector
from auditor.errors import CannotTell
from auditor.model.requirements import Asked
from auditor.model.windows import Readings


def parse(readings: Readings, asked: Asked) -> Reading:
    if not asked.processes:
        return Reading({})
    names = {cell(r, "Name") for r in rows(readings, PROCESSES)} - {""}
    if not names:
        raise CannotTell("the list of processes is empty: this account may not see them")
    return Reading({"processes": tuple(sorted(names))})


COLLECTOR = WindowsCollector(
    name="processes", asks=lambda asked: Questions(tables=(PROCESSES,) if asked.processes else ()), parse=parse
)
