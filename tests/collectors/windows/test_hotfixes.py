"""Hotfixes from every place, each with its source; an incomplete list is no list."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.windows.hotfixes import parse
from auditor.collectors.windows.queries import NT, QFE
from auditor.errors import FactUnavailable
from auditor.model.facts import Hotfix
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Subkeys, Table, Value
from tests.collectors.windows.reading import data

HOTFIX, UPDATES = rf"{NT}\HotFix", r"HKLM\SOFTWARE\Microsoft\Updates"
CLOSED = Subkeys("unreadable", reason="access denied")
CLAIM, UPDATED = "registry claim: HotFix", "registry claim: Updates"


def told(
    build: str | None, keys: dict[str, Any], qfe: Any = None, requirements: tuple[str, ...] = (), **values: Any
) -> list[Hotfix]:
    """`values`: Installed by id."""
    read = {f"{NT}#CurrentBuildNumber": build} if build else {}
    read |= {rf"{HOTFIX}\{k}#Installed": v for k, v in values.items()}
    tables = {} if qfe is None else {QFE: qfe}
    found = parse(data(read, keys, tables), DataRequirements(hotfixes=requirements)).facts["hotfixes"]
    return list(found)


def row(ident: str, in_effect: str = "") -> dict[str, Any]:
    return {"HotFixID": ident, "ServicePackInEffect": in_effect}


# ---------------------------------------------------------------------------------------------------------- the registry
def test_windows_nt_40() -> None:
    keys = {HOTFIX: ("Q246009", "q299444")}
    assert told("1381", keys) == [Hotfix("Q246009", CLAIM), Hotfix("Q299444", CLAIM)]
    assert told("1381", {HOTFIX: ()}) == []
    assert told("1381", {HOTFIX: None}) == []  # no such key: nothing was ever installed


def test_only_installed_1_counts_where_rules_look() -> None:
    keys, requirements = {HOTFIX: ("Q246009", "Q238009", "Q246467")}, ("Q238009", "Q246009", "Q246467")
    installed = told("1381", keys, requirements=requirements, Q246009=1, Q238009=0, Q246467=None)
    assert installed == [Hotfix("Q246009", CLAIM)]
    assert told("1381", keys, requirements=requirements, Q246009="1", Q238009="0", Q246467="") == [Hotfix("Q246009", CLAIM)]


def test_an_entry_that_may_not_be_looked_at_is_unknown() -> None:
    with pytest.raises(FactUnavailable):
        told("1381", {HOTFIX: ("Q246009",)}, requirements=("Q246009",), Q246009=Value("unreadable", reason="access denied"))


def test_an_entry_that_was_asked_under_other_letters() -> None:
    assert told("1381", {HOTFIX: ("q246009",)}, requirements=("Q246009",), Q246009=0) == []


def test_windows_2000_to_2003_have_two_places() -> None:
    keys = {
        HOTFIX: ("Q147222", "KB823182"),
        UPDATES: ("Windows 2000", r"Windows 2000\SP5", r"Windows 2000\SP5\KB823182", r"Windows 2000\SP5\KB329115-v2"),
    }
    assert told("2195", keys) == [Hotfix("KB329115", UPDATED), Hotfix("KB823182", CLAIM), Hotfix("KB823182", UPDATED)]
    for place in (HOTFIX, UPDATES):
        with pytest.raises(FactUnavailable, match="denied"):
            told("2195", keys | {place: CLOSED})
        with pytest.raises(FactUnavailable, match="not read"):
            told("2195", {k: v for k, v in keys.items() if k != place})
    assert told("1381", {HOTFIX: ("Q1472220",)}) == [Hotfix("Q1472220", CLAIM)]  # not the artefact


@pytest.mark.parametrize(
    ("name", "ident"),
    [
        ("KB2536276-v2", "KB2536276"),
        ("KB982632-IE8", "KB982632"),
        ("KB952069_WM9", "KB952069"),
        ("KB2803821-v2_WM9", "KB2803821"),
        ("kb915800-v9", "KB915800"),
        ("Q238009", "Q238009"),
        ("Q147222", None),
        ("q147222", None),
        ("{7A061C72-0000-0000-0000-000000000000}", None),
        ("SP5", None),
        ("SP10", None),
        ("Windows XP", None),
        ("Q12", None),
        ("KB", None),
        ("KB123456789", None),
        ("", None),
    ],
)
def test_names(name: str, ident: str | None) -> None:
    assert [h.id for h in told("2600", {HOTFIX: (name,), UPDATES: None}, [row(name)])] == ([ident] * 2 if ident else [])


# ------------------------------------------------------------------------------------------------------------------- WMI
def test_file_1_rows_have_the_number_elsewhere() -> None:
    rows = [
        row("File 1", "KB950974"),
        row("File 1", "KB958644"),
        row("File 2", "KB958644"),
        row("KB958644", "SP4"),
        row("Q147222"),
    ]
    assert told("2600", {HOTFIX: None, UPDATES: None}, rows) == [Hotfix("KB950974", QFE), Hotfix("KB958644", QFE)]


def test_servicepackineffect_is_no_hotfix() -> None:
    assert told("2600", {HOTFIX: None, UPDATES: None}, [row("KB958644", "KB111111"), row("File 1", "SP3")]) == [
        Hotfix("KB958644", QFE)
    ]


def test_vista_leaves_the_letters_out() -> None:
    rows = [row("943729"), row("940157"), row("{7A061C72-0000-0000-0000-000000000000}"), row("KB968930")]
    assert [h.id for h in told("6002", {}, rows)] == ["KB940157", "KB943729", "KB968930"]


def test_from_vista_on_only_wmi_has_the_list() -> None:
    assert told("20348", {}, [row("KB5035857")]) == [Hotfix("KB5035857", QFE)]
    with pytest.raises(FactUnavailable):
        told("20348", {HOTFIX: (), UPDATES: ()})
    with pytest.raises(FactUnavailable, match="denied"):
        told("20348", {}, Table("unreadable", reason="access denied"))


def test_an_empty_list_from_vista_on_is_no_list() -> None:
    """It also is empty where the servicing stack cannot be asked."""
    for build in ("6002", "7601", "20348", None):
        with pytest.raises(FactUnavailable, match="empty"):
            told(build, {HOTFIX: (), UPDATES: ()}, [])
    assert told("2600", {HOTFIX: (), UPDATES: None}, []) == []


def test_before_vista_wmi_only_adds() -> None:
    keys = {HOTFIX: ("KB958644",), UPDATES: None}
    assert len(told("2600", keys)) == len(told("2600", keys, Table("unreadable", reason="access denied"))) == 1
    with pytest.raises(FactUnavailable):
        told("2600", {HOTFIX: CLOSED, UPDATES: None}, [row("KB958644")])  # what WMI lists is not all


def test_rows_without_a_number() -> None:
    rows = [{"HotFixID": None, "ServicePackInEffect": None}, {}, {"HotFixID": 958644}, row("KB958645")]
    assert [h.id for h in told("6002", {}, rows)] == ["KB958644", "KB958645"]


def test_without_a_build_every_place_must_be_read() -> None:
    assert told(None, {HOTFIX: ("Q246009",), UPDATES: None}, [row("Q246009")])
    with pytest.raises(FactUnavailable):
        told(None, {HOTFIX: ("Q246009",), UPDATES: None})
