r"""Exported registry files: `REGEDIT4` (Windows NT 4.0, 95, 98: ANSI) and `Windows Registry Editor Version 5.00` (UTF-16).

An export holds a key with everything below it, so below its first key what is not in the file is absent; anywhere else it is
not known. A line `; auditor kept: NAME NAME` says that only lines of these values were kept, and then nothing is known of
others, nor of a value that went on in a line that is gone. `; auditor none: KEY` says that regedit exported nothing for a key. Paths keep the form `HKLM\…`; they and value names are compared without regard to case.
"""

from __future__ import annotations

import re

from msgspec import Struct

from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.windows import Value

_TYPES = {
    "": "REG_BINARY",
    "0": "REG_NONE",
    "1": "REG_SZ",
    "2": "REG_EXPAND_SZ",
    "4": "REG_DWORD",
    "7": "REG_MULTI_SZ",
    "b": "REG_QWORD",
}
_HEAD = re.compile(r"(REGEDIT4|Windows Registry Editor Version 5\.00)\s*")
_KEY = re.compile(r"\[(?:\\\\[^\\\]]+\\)?HKEY_LOCAL_MACHINE\\(.+)\]\s*")
_ENTRY = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|(@))\s*=\s*(.*)', re.DOTALL)
_HEX = re.compile(r"hex(?:\(([0-9a-f]{1,8})\))?:([0-9a-fA-F,\s]*)")


class RegFile(Struct, frozen=True):
    """`keys`: values by name (lower case) of each key by path (lower case); `names` has the paths as written. `root` is the
    first key's path (lower case); `none` are keys that were asked for and not there (lower case); `whole` is False where
    the file lacks its closing empty line, and may have been cut off between two lines; `kept` are the only value names that were kept (lower case), None where all were."""

    root: str
    keys: dict[str, dict[str, Value]]
    names: dict[str, str]
    kept: frozenset[str] | None
    none: frozenset[str] = frozenset()
    whole: bool = True


def parse(content: bytes, codepage: str = "cp1252") -> RegFile:
    """Read one export. `codepage` is the ANSI code page of REGEDIT4 files. Raises FactUnavailable where it is none, or where a
    line of it cannot be read: a damaged file must not look like an empty one."""
    text = _text(content, codepage)
    lines = _joined(text)
    if lines and all(not line.strip() or line.startswith("; auditor ") for _, line in lines):
        return RegFile("", {}, {}, None)  # our script found nothing to keep
    if not lines or not (head := _HEAD.fullmatch(lines[0][1])):
        raise FactUnavailable("it does not begin with REGEDIT4 or Windows Registry Editor Version 5.00")
    wide = head[1] != "REGEDIT4"
    keys: dict[str, dict[str, Value]] = {}
    names: dict[str, str] = {}
    kept: frozenset[str] | None = None
    none: set[str] = set()
    root, values = "", dict[str, Value]()
    for number, line in lines[1:]:
        if not line.strip() or line.startswith(";"):
            if line.startswith("; auditor kept:"):
                kept = frozenset(line.removeprefix("; auditor kept:").lower().split())
            if line.startswith("; auditor none: HKEY_LOCAL_MACHINE\\"):
                none.add(f"hklm\\{line.partition(chr(92))[2].strip().lower()}")
        elif line.startswith("["):
            key = _KEY.fullmatch(line)
            path = f"HKLM\\{key[1]}" if key else ""  # another hive's keys are passed over
            values = keys.setdefault(path.lower(), {})
            names.setdefault(path.lower(), path)
            root = root or path.lower()
        elif entry := _ENTRY.fullmatch(line):
            name = "" if entry[2] else _unescaped(entry[1])
            values.setdefault(name.lower(), _value(entry[3].strip(), wide, codepage, number))
        else:
            raise FactUnavailable(f"line {number} is none of an exported registry: {one_line(line, 60)}")
    whole = kept is not None or text.replace("\r", "").endswith("\n\n")
    return RegFile(root, keys, names, kept, frozenset(none), whole)


def _text(content: bytes, codepage: str) -> str:
    if content.startswith(b"\xff\xfe"):
        return content.decode("utf-16", "replace")
    if content.startswith((b"R\0", b"W\0")):
        return content.decode("utf-16-le", "replace")  # its mark was lost
    if content.startswith(b"\xef\xbb\xbf"):
        return content.decode("utf-8-sig", "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode(codepage, "replace")


def _joined(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers; those that end in a backslash go on in the next, and a text value may span lines."""
    out: list[tuple[int, str]] = []
    held: list[str] = []
    start, size, in_text = 0, 0, False

    def flush() -> None:
        out.append((start, "".join(held)))
        held.clear()

    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        goes_on = bool(held) and not in_text
        if goes_on and not line.startswith("  "):
            flush()  # its other lines are gone: _value says so
            goes_on = False
        if not held:
            start, size = number, 0
        size += len(line)
        if size > _MAX_VALUE or number - start > _MAX_LINES:
            raise FactUnavailable(f"the value that begins in line {start} does not end")
        if in_text:
            held.append(f"\n{line}")
            in_text = not _CLOSES.match(line)
        elif goes_on:
            held[-1] = held[-1].removesuffix("\\")
            held.append(line.lstrip())
        else:
            held.append(line)
            opened = _OPENS.match(line)
            in_text = bool(opened) and not _CLOSES.match(line[opened.end() :] if opened else "")
        if in_text or (held[-1].endswith("\\") and "hex" in held[0][:600]):
            continue
        flush()
    if held or (out and not text.endswith("\n") and not text.endswith(('"', "]"))):  # dword:0000001 may have been 00000010
        raise FactUnavailable(f"it ends in the middle of line {start if held else out[-1][0]}: it was cut off")
    return out


_MAX_VALUE, _MAX_LINES = 1_000_000, 20_000  # characters and lines of one value
_OPENS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|@)\s*="')
_CLOSES = re.compile(r'(?:[^"\\]|\\.)*"')


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _value(data: str, wide: bool, codepage: str, line: int) -> Value:
    if data.endswith("\\"):
        return Value("unreadable", reason=f"line {line} goes on in a line that is gone")
    if data.startswith('"') and data.endswith('"') and len(data) > 1:
        return Value("present", "REG_SZ", _unescaped(data[1:-1]))
    if re.fullmatch(r"dword:[0-9a-fA-F]{1,8}", data):
        return Value("present", "REG_DWORD", int(data[6:], 16))
    found = _HEX.fullmatch(data)
    if not found:
        raise FactUnavailable(f"line {line} holds no value of a known form: {one_line(data, 60)}")
    kind = _TYPES.get(found[1] or "", f"REG_TYPE_{found[1]}")
    digits = re.sub(r"[\s,]", "", found[2])
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise FactUnavailable(f"line {line} holds half a byte") from None
    return typed(kind, raw, "utf-16-le" if wide else codepage)


def typed(kind: str, raw: bytes, encoding: str = "utf-16-le") -> Value:
    """A value from its bytes, as the registry keeps them; texts end at their first NUL."""
    if kind in ("REG_DWORD", "REG_QWORD"):
        return Value("present", kind, int.from_bytes(raw, "little"))
    if kind in ("REG_SZ", "REG_EXPAND_SZ"):
        return Value("present", kind, raw.decode(encoding, "replace").partition("\0")[0])
    if kind == "REG_MULTI_SZ":
        return Value("present", kind, tuple(t for t in raw.decode(encoding, "replace").split("\0") if t))
    return Value("present", kind, raw.hex())
