"""Looking things up in what a host told: absent is None, everything else that is not there is FactUnavailable."""

from __future__ import annotations

import re

from auditor.collectors.windows.queries import NT, OS
from auditor.errors import FactUnavailable
from auditor.model.windows import Cell, Value, WindowsRawData


def found(data: WindowsRawData, what: str) -> Value | None:
    """A registry value, None where it is absent. Raises FactUnavailable where it was not asked or may not be read."""
    value = data.values.get(what)
    if value is None:
        raise FactUnavailable(f"{what} was not read by this way")
    if value.state == "unreadable":
        raise FactUnavailable(f"{what}: {value.reason}")
    return value if value.state == "present" else None


def text(data: WindowsRawData, what: str) -> str | None:
    """A value as text, REG_MULTI_SZ joined by spaces; None where it is absent."""
    value = found(data, what)
    return None if value is None else as_text(value)


def number(data: WindowsRawData, what: str) -> int | None:
    """A value as a number; None where it is absent. Raises FactUnavailable where it is none."""
    value = found(data, what)
    if value is not None and not isinstance(value.data, int):
        raise FactUnavailable(f"{what} is {value.type}, not a number")
    return None if value is None else int(value.data)  # type: ignore[arg-type]  # checked above


def as_text(value: Value) -> str:
    """A value as text; the strings of REG_MULTI_SZ are joined by spaces."""
    return " ".join(value.data) if isinstance(value.data, tuple) else str(value.data)


def is_there(data: WindowsRawData, key: str) -> bool:
    """Does a registry key exist? FactUnavailable where that could not be read."""
    return subkeys(data, key) is not None


def subkeys(data: WindowsRawData, key: str) -> tuple[str, ...] | None:
    """The names of a key's subkeys, None where there is no such key."""
    names = data.keys.get(key)
    if names is None:
        raise FactUnavailable(f"{key} was not read by this way")
    if names.state == "unreadable":
        raise FactUnavailable(f"{key}: {names.reason}")
    return names.names if names.state == "present" else None


def rows(data: WindowsRawData, table: str) -> tuple[dict[str, Cell], ...]:
    """The rows of a table; FactUnavailable where it could not be read."""
    said = data.tables.get(table)
    if said is None:
        raise FactUnavailable(f"{table} was not read by this way")
    if said.state == "unreadable":
        raise FactUnavailable(f"{table}: {said.reason}")
    return said.rows


def cell(row: dict[str, Cell], name: str) -> str:
    """One cell as text, "" where it is null or missing; WMI's names do not differ by case."""
    value = row.get(name)
    if value is None:
        value = next((v for k, v in row.items() if k.lower() == name.lower()), None)
    return "" if value is None else " ".join(value) if isinstance(value, tuple) else str(value).strip()


def build_of(data: WindowsRawData) -> int | None:
    """The build line: CurrentBuildNumber (CurrentBuild says "obsolete data, do not use" on Windows NT 4.0), else WMI's
    BuildNumber, else the digits that `ver` prints; None where none of them told."""
    for read in (
        lambda: text(data, f"{NT}#CurrentBuildNumber"),
        lambda: cell(rows(data, OS)[0], "BuildNumber"),
        lambda: re.findall(r"(?<!\d)\d{1,3}\.\d{1,3}\.(\d{1,6})", data.texts["ver"][:300])[0],
    ):
        try:
            said = read() or ""
        except (FactUnavailable, IndexError, KeyError):
            continue
        if re.fullmatch(r"\d{1,6}", said):
            return int(said)
    return None
