"""What was read from a Windows host, whatever the method: registry values and keys, tables, texts.

Every method (WMI, a shell, exported files, the remote registry) fills the same record, and the collectors read nothing else.
What is not in it was not asked.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

ReadState = Literal["present", "absent", "unreadable"]
Cell = str | int | bool | tuple[str, ...] | None


class Value(Struct, frozen=True):
    """One registry value. `type` is REG_SZ, REG_DWORD …; `data` an int for REG_DWORD and REG_QWORD, a tuple for
    REG_MULTI_SZ, lower-case hex digits for every binary type. `reason` says why it is unreadable."""

    state: ReadState
    type: str = ""
    data: str | int | tuple[str, ...] = ""
    reason: str = ""


class Subkeys(Struct, frozen=True):
    """The names of a key's subkeys; `absent`: there is no such key."""

    state: ReadState
    names: tuple[str, ...] = ()
    reason: str = ""


class Table(Struct, frozen=True):
    """The rows of one WMI class, or of a command that lists the same; `reason` says why there are none to see."""

    state: Literal["present", "unreadable"]
    rows: tuple[dict[str, Cell], ...] = ()
    reason: str = ""


class WindowsRawData(Struct, frozen=True, kw_only=True):
    """`values` by `KEY#NAME`, `keys` by `KEY`, both as they were asked (HKLM\\…); `tables` by WMI class; `texts` by command.
    `method` names how they were read, `notes` what else a report should say of it."""

    method: str = field(name="way")
    values: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, Subkeys] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
