"""Reading by WMI: how values are asked for, and how several connections share the questions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import pytest

from auditor.collectors.windows.queries import OS, QFE, WQL, QuerySet, RegistryQuery
from auditor.collectors.windows.readers import wmi
from auditor.errors import HostError, Refused
from auditor.model.windows import Cell, Value, WindowsRawData
from auditor.transports.command import Command, CommandResult
from auditor.transports.session import LiveSession, SessionKind, Wmi
from auditor.transports.session import WmiConnection as AnyConnection

KEY = r"HKLM\SOFTWARE\Lab"
ScriptOutput = Mapping[tuple[str, str, str | None], Mapping[str, Cell]]
ABSENT, NO_KEY, DENIED, WRONG = ({"ReturnValue": str(n)} for n in (1, 2, 5, 2147749893))


class WmiConnection:
    """ScriptOutput from a table; `before` is called first and may raise."""

    def __init__(self, answers: ScriptOutput, before: Callable[[], object] = lambda: None) -> None:
        self.answers, self.before, self.asked = answers, before, list[str]()

    def rows(self, wql: str) -> tuple[dict[str, Cell], ...]:
        self.before()
        self.asked.append(wql)
        return ({"Version": "5.2.3790", "BuildNumber": "3790", "WindowsDirectory": r"C:\W"},) if OS in wql else ()

    def registry(self, method: str, key: str, name: str | None = None) -> Mapping[str, Cell]:
        self.before()
        self.asked.append(f"{method} {key}#{name}")
        return self.answers.get((method, key, name), ABSENT)


class Session(LiveSession):
    """Hands out the lanes it was given, in their order."""

    kind: SessionKind = "wmi"

    def __init__(self, *connections: WmiConnection, round_trip: float = 0.0) -> None:
        self.given, self.max_connections, self.round_trip = list(connections), len(connections), round_trip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def connection(self) -> AnyConnection:
        return self.given.pop(0)

    def run(self, command: Command) -> CommandResult:
        raise AssertionError(command)


def value(name: str, *answers: tuple[str, Mapping[str, Cell]]) -> tuple[Value, list[str]]:
    """What is read of one value, and by which methods."""
    connection = WmiConnection({(method, r"SOFTWARE\Lab", name): said for method, said in answers})
    read = wmi._value(f"{KEY}#{name}", connection)
    return read, [line.partition(" ")[0] for line in connection.asked]


OK = {"ReturnValue": "0"}
MISMATCH = [
    (m, WRONG) for m in ("GetDWORDValue", "GetStringValue", "GetExpandedStringValue", "GetMultiStringValue", "GetBinaryValue")
]


@pytest.mark.parametrize(
    ("name", "answers", "read"),
    [
        ("N", [("GetDWORDValue", OK | {"uValue": "4294967295"})], Value("present", "REG_DWORD", 4294967295)),
        ("N", [("GetDWORDValue", ABSENT)], Value("absent")),
        ("N", [("GetDWORDValue", NO_KEY)], Value("absent")),
        ("N", [("GetDWORDValue", DENIED)], Value("unreadable", reason="access denied")),
        ("N", [("GetDWORDValue", {"ReturnValue": "6"})], Value("unreadable", reason="StdRegProv answered with 6")),
        ("N", [("GetDWORDValue", OK | {"uValue": None})], Value("unreadable", reason="StdRegProv told no number")),
        ("N", [("GetDWORDValue", OK | {"uValue": "many"})], Value("unreadable", reason="StdRegProv told something that is no REG_DWORD")),
        ("N", [("GetDWORDValue", OK | {"uValue": "9" * 5000})], Value("unreadable", reason="StdRegProv told something that is no REG_DWORD")),
        ("N", [*MISMATCH[:1], ("GetStringValue", OK | {"sValue": "x"})], Value("present", "REG_SZ", "x")),
        ("N", [*MISMATCH[:2], ("GetExpandedStringValue", OK | {"sValue": None})], Value("present", "REG_EXPAND_SZ", "")),
        ("N", [*MISMATCH[:3], ("GetMultiStringValue", OK | {"sValue": ("a", "", "b")})], Value("present", "REG_MULTI_SZ", ("a", "b"))),
        ("N", [*MISMATCH[:3], ("GetMultiStringValue", OK | {"sValue": "a"})], Value("present", "REG_MULTI_SZ", ("a",))),
        ("N", [*MISMATCH[:4], ("GetBinaryValue", OK | {"uValue": ("0", "255")})], Value("present", "REG_BINARY", "00ff")),
        ("N", [*MISMATCH[:4], ("GetBinaryValue", OK | {"uValue": ("x",)})], Value("unreadable", reason="StdRegProv told something that is no REG_BINARY")),
        ("N", [*MISMATCH, ("GetQWORDValue", OK | {"uValue": "4294967296"})], Value("present", "REG_QWORD", 4294967296)),
        ("N", [*MISMATCH, ("GetQWORDValue", WRONG)], Value("unreadable", reason="it is of a type that StdRegProv does not read")),
        ("CSDVersion", [("GetStringValue", OK | {"sValue": "Service Pack 6"})], Value("present", "REG_SZ", "Service Pack 6")),
    ],
)  # fmt: skip
def test_values(name: str, answers: list[tuple[str, Mapping[str, Cell]]], read: Value) -> None:
    """The usual type first, the next one where it does not fit, and no question more."""
    assert value(name, *answers) == (read, [method for method, _ in answers])


def test_an_answer_without_a_return_value() -> None:
    for said in ({}, {"ReturnValue": None}, {"ReturnValue": "x"}):
        with pytest.raises(Refused):
            value("N", ("GetDWORDValue", said))


def test_keys() -> None:
    def names(*found: str) -> dict[str, Cell]:
        return {**OK, "sNames": found if len(found) != 1 else found[0]}

    connection = WmiConnection({
        ("EnumKey", "A", None): names("b", "c"), ("EnumKey", r"A\b", None): names("d"),
        ("EnumKey", r"A\c", None): OK | {"sNames": None}, ("EnumKey", r"A\b\d", None): names("e"),
        ("EnumKey", "Denied", None): DENIED, ("EnumKey", "None", None): NO_KEY, ("EnumKey", "Below", None): names("x"),
        ("EnumKey", r"Below\x", None): DENIED, ("EnumKey", "Many", None): names(*(f"k{n}" for n in range(400))),
    })  # fmt: skip
    assert wmi._subkeys(r"HKLM\A", 1, connection).names == ("b", "c")
    assert wmi._subkeys(r"HKLM\A", 3, connection).names == ("b", "c", r"b\d", r"b\d\e")
    assert wmi._subkeys(r"HKLM\None", 1, connection).state == "absent"
    assert wmi._subkeys(r"HKLM\Denied", 1, connection).reason == "access denied"
    assert wmi._subkeys(r"HKLM\Below", 3, connection).reason == "x access denied"
    assert "more than 300 keys" in wmi._subkeys(r"HKLM\Many", 3, connection).reason


ASKS = tuple(RegistryQuery(f"{KEY}#{n}") for n in range(40))


def shared(*connections: WmiConnection, round_trip: float = 1.0) -> WindowsRawData:
    session: Wmi = Session(*connections, round_trip=round_trip)
    reader = wmi.WmiReader(session)
    return reader.rest(reader.first(QuerySet(tables=(OS,))), QuerySet(values=ASKS, tables=(QFE,)))


def read_all(data: WindowsRawData) -> bool:
    return len(data.values) == 40 and all(v.state == "absent" for v in data.values.values())


def slow() -> None:
    time.sleep(0.002)


def test_lanes_share_the_questions_where_the_way_is_far() -> None:
    connections = [WmiConnection({}, slow) for _ in range(3)]
    assert read_all(shared(*connections))
    assert all(connection.asked for connection in connections)
    assert sorted(q for connection in connections for q in connection.asked) == sorted(
        [WQL[OS], WQL[QFE], *(f"GetDWORDValue SOFTWARE\\Lab#{n}" for n in range(40))]
    )


def test_one_lane_where_it_is_near() -> None:
    connections = [WmiConnection({}) for _ in range(3)]
    assert read_all(shared(*connections, round_trip=0.0001))
    assert [bool(connection.asked) for connection in connections] == [True, False, False]


def breaks_at(question: int) -> Callable[[], None]:
    asked = list[int]()

    def before() -> None:
        slow()
        asked.append(1)
        if len(asked) >= question:
            raise HostError("protocol", "it is over")

    return before


@pytest.mark.parametrize("at", [1, 5])
def test_a_spare_lane_that_fails_gives_its_question_back(at: int) -> None:
    assert read_all(shared(WmiConnection({}, slow), WmiConnection({}, breaks_at(at)), WmiConnection({}, breaks_at(at))))


def test_a_spare_lane_that_fails_last() -> None:
    """The first lane has run out of questions when the spare one gives its own back."""
    waiting = threading.Event()

    def fails_late() -> None:
        waiting.wait(0.3)
        raise HostError("timeout", "too late")

    assert read_all(shared(WmiConnection({}), WmiConnection({}, fails_late)))


def test_a_session_that_ends_in_the_middle() -> None:
    """What was read stays, the rest is unreadable with the reason; no value is taken for absent."""
    data = shared(WmiConnection({}, breaks_at(10)), round_trip=0)
    states = [v.state for v in data.values.values()]
    assert (states.count("absent"), states.count("unreadable")) == (7, 33)
    assert {v.reason for v in data.values.values() if v.state == "unreadable"} == {"it is over"}


def test_one_refusal_costs_one_value() -> None:
    asked = list[Any]()

    def refuses_once() -> None:
        asked.append(1)
        if len(asked) == 5:
            raise Refused("access-denied", "not this")

    data = shared(WmiConnection({}, refuses_once), round_trip=0)
    assert [v.reason for v in data.values.values() if v.state == "unreadable"] == ["not this"]


def test_a_first_question_that_is_refused() -> None:
    def refuses() -> None:
        raise Refused("access-denied", "no WMI for you")

    with pytest.raises(Refused):
        shared(WmiConnection({}, refuses))
