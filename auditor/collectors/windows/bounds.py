"""What is read of a Windows host's answers at the most, before any collector looks at them. What passes a limit is unreadable:
a part of it would look like the whole. Honest hosts stay far below."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData

MAX_ROWS = 20_000  # of a table; a large server has 500 services and 2,000 programs
MAX_NAMES = 20_000  # subkeys of a key
MAX_VALUE = 64_000  # characters of a registry value
MAX_CELL = 4_000
MAX_TEXT = 4_000


def bounded(data: WindowsRawData) -> WindowsRawData:
    """The same readings, without what is larger than anything honest."""
    return replace(
        data,
        values={name: _value(v) for name, v in data.values.items()},
        keys={name: _keys(k) for name, k in data.keys.items()},
        tables={name: _table(t) for name, t in data.tables.items()},
        texts={name: text[:MAX_TEXT] for name, text in data.texts.items()},
        notes=tuple(note[:MAX_TEXT] for note in data.notes[:50]),
    )


def _value(value: Value) -> Value:
    size = sum(map(len, value.data)) if isinstance(value.data, tuple) else len(value.data) if isinstance(value.data, str) else 0
    large = size > MAX_VALUE or (isinstance(value.data, int) and value.data.bit_length() > 64)
    return Value("unreadable", reason=f"the value is longer than {MAX_VALUE:,} characters") if large else value


def _keys(keys: Subkeys) -> Subkeys:
    if len(keys.names) > MAX_NAMES or any(len(name) > MAX_CELL for name in keys.names):
        return Subkeys("unreadable", reason=f"it has more than {MAX_NAMES:,} subkeys, or one with an endless name")
    return keys


def _table(table: Table) -> Table:
    if len(table.rows) > MAX_ROWS or any(_long(cell) for row in table.rows for cell in row.values()):
        return Table("unreadable", reason=f"it has more than {MAX_ROWS:,} rows, or a cell of more than {MAX_CELL:,} characters")
    return table


def _long(cell: Cell) -> bool:
    return (sum(map(len, cell)) if isinstance(cell, tuple) else len(cell) if isinstance(cell, str) else 0) > MAX_CELL
