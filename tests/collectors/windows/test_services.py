"""Services: the manager's list proves presence, the registry's names prove absence, and half a proof is none."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY
from auditor.collectors.windows.services import parse
from auditor.errors import FactUnavailable
from auditor.model.facts import Service
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Subkeys, Table
from tests.collectors.windows.reading import data

CLOSED_TABLE, CLOSED_KEY = Table("unreadable", reason="access denied"), Subkeys("unreadable", reason="access denied")
REQUIREMENTS = DataRequirements(services=("ClusSvc", "Lotus Domino Server*"))


def row(name: Any, state: str | None = "Running", start: str | None = "Auto") -> dict[str, Any]:
    return {"Name": name, "State": state, "StartMode": start}


def told(table: Any, names: Any, requirements: DataRequirements = REQUIREMENTS) -> tuple[tuple[Service, ...], str]:
    found = parse(
        data(keys={} if names == "-" else {SERVICES_KEY: names}, tables={} if table == "-" else {SERVICES: table}),
        requirements,
    )
    return found.facts["services"], found.partial


def test_both_lists() -> None:
    services, partial = told([row("W3SVC"), row("Alerter", "Stopped", "Disabled")], ("AFD", "Alerter", "Tcpip", "w3svc"))
    assert services == (Service("Alerter", "stopped", "disabled"), Service("W3SVC", "running", "auto"))
    assert partial == ""


def test_what_the_manager_hides_and_a_rule_looks_for_is_there_without_its_state() -> None:
    """It leaves out what the account may not query, and says nothing."""
    services, _ = told([row("W3SVC")], ("CLUSSVC", "W3SVC", "Lotus Domino Server (D)", "Other"))
    assert services == (Service("CLUSSVC"), Service("Lotus Domino Server (D)"), Service("W3SVC", "running", "auto"))


def test_without_a_list_all_names_of_the_registry_are_there() -> None:
    without: tuple[str | Table | list[dict[str, Any]], ...] = ("-", CLOSED_TABLE, [])
    for table in without:
        services, partial = told(table, ("AFD", "ClusSvc"))
        assert services == (Service("AFD"), Service("ClusSvc"))
        assert "states not known" in partial


def test_without_the_registry_absence_cannot_be_told() -> None:
    for names in ("-", CLOSED_KEY):
        with pytest.raises(FactUnavailable, match="whether all"):
            told([row("W3SVC")], names)
        with pytest.raises(FactUnavailable):
            told(CLOSED_TABLE, names)


def test_no_windows_is_without_services() -> None:
    for names in ((), None):
        with pytest.raises(FactUnavailable, match="no service"):
            told([], names)


def test_a_list_beside_a_registry_without_services_proves_nothing() -> None:
    for names in ((), None):
        with pytest.raises(FactUnavailable, match="no service"):
            told([row("Spooler", "Running", "Auto")], names)


def test_rows_that_lack_something() -> None:
    services, _ = told([row("A", None, None), row(""), row(None), {}, {"name": "B", "state": "Paused"}], ("A", "B"))
    assert services == (Service("A"), Service("B", "paused"))
