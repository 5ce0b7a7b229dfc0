"""Installed programs: two lists and vendors' own keys, only where a rule looks."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.windows.processes import parse as parse_processes
from auditor.collectors.windows.programs import COLLECTOR, parse
from auditor.collectors.windows.queries import PROCESSES, UNINSTALL
from auditor.errors import FactUnavailable
from auditor.model.facts import Program
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Subkeys, Table
from tests.collectors.windows.reading import data

BOTH: dict[str, Any] = {UNINSTALL[0]: [], UNINSTALL[1]: []}
LOTUS = r"HKLM\SOFTWARE\Lotus"
PROGRAMS = DataRequirements(programs=True)
CLOSED = Table("unreadable", reason="access denied")


def told(
    tables: dict[str, Any], keys: dict[str, Any] | None = None, requirements: DataRequirements = PROGRAMS
) -> tuple[Program, ...]:
    found: tuple[Program, ...] = parse(data(keys=keys or {}, tables=tables), requirements).facts["programs"]
    return found


def row(name: str | None, version: str | None = None) -> dict[str, Any]:
    return {"DisplayName": name, "DisplayVersion": version}


def test_not_asked_is_not_known() -> None:
    assert parse(data(), DataRequirements()).facts == {}
    assert not COLLECTOR.queries(DataRequirements()).programs


def test_both_lists_and_no_doubles() -> None:
    tables = {
        UNINSTALL[0]: [row("Lotus Domino R5", "5.0"), row("b"), row(None), row(""), {}],
        UNINSTALL[1]: [row("A"), row("b")],
    }
    assert told(tables) == (
        Program("A", None, "Uninstall"),
        Program("b", None, "Uninstall"),
        Program("Lotus Domino R5", "5.0", "Uninstall"),
    )


def test_a_list_that_was_not_read_leaves_it_unknown() -> None:
    incomplete: list[dict[str, Any]] = [{UNINSTALL[0]: []}, {UNINSTALL[1]: []}, BOTH | {UNINSTALL[1]: CLOSED}, {}]
    for tables in incomplete:
        with pytest.raises(FactUnavailable):
            told(tables)


def test_a_vendors_own_key() -> None:
    """A program of those days often has no entry in the list."""
    requirements = DataRequirements(programs=True, vendors=("Lotus",))
    assert COLLECTOR.queries(requirements).keys[0].what == LOTUS
    assert told(BOTH, {LOTUS: ("Notes", "Domino")}, requirements) == (
        Program("Lotus Domino", None, rf"{LOTUS}\Domino"),
        Program("Lotus Notes", None, rf"{LOTUS}\Notes"),
    )
    assert told(BOTH, {LOTUS: None}, requirements) == ()
    with pytest.raises(FactUnavailable):
        told(BOTH, {LOTUS: Subkeys("unreadable", reason="access denied")}, requirements)
    with pytest.raises(FactUnavailable):
        told(BOTH, {}, requirements)


def test_processes() -> None:
    requirements = DataRequirements(processes=True)
    rows = [{"Name": "nserver.exe"}, {"Name": "System"}, {"Name": "nserver.exe"}]
    assert parse_processes(data(tables={PROCESSES: rows}), requirements).facts["processes"] == ("System", "nserver.exe")
    assert parse_processes(data(), DataRequirements()).facts == {}
    for nothing in ([], [{"Name": None}], CLOSED):
        with pytest.raises(FactUnavailable):
            parse_processes(data(tables={PROCESSES: nothing}), requirements)
    with pytest.raises(FactUnavailable):
        parse_processes(data(), requirements)
