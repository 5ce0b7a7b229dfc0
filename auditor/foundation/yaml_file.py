"""YAML files read into typed records, every fault at once as `file:line: message`.

PyYAML composes the file into nodes with every scalar left as the text that was written: YAML 1.1's own typing would
turn version `1.10` into 1.1 and `1:30` into 90. The records' annotations (read through msgspec) say what each scalar
is to be. Files are data of people who make mistakes: size, depth and alias expansion are bounded.
"""

from __future__ import annotations

import datetime
import difflib
import itertools
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect as mi

MAX_BYTES = 8_000_000
_SHOWN = 60  # characters of a value that a fault repeats
MAX_DEPTH = 60
MAX_NODES = 400_000  # about four times what the largest permitted file holds without aliases
T = TypeVar("T")


class FaultList:
    """Collects `file:line: message` lines; `place` is a node or a line number."""

    def __init__(self, path: Path | str) -> None:
        self.path, self.lines = str(path), list[tuple[int, str]]()

    def add(self, place: yaml.Node | int, message: str) -> None:
        """Note a fault at a node, or at a line."""
        line = place if isinstance(place, int) else place.start_mark.line + 1
        self.lines.append((line, message))

    def __bool__(self) -> bool:
        return bool(self.lines)

    def texts(self) -> list[str]:
        """The faults as `file:line: message`."""
        return [f"{self.path}:{line}: {message}" for line, message in sorted(set(self.lines))]


def compose(path: Path, faults: FaultList) -> yaml.Node | None:
    """The root node of a YAML file; None where there is none or a fault was added."""
    try:
        if path.stat().st_size > MAX_BYTES:
            faults.add(1, f"is {path.stat().st_size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
            return None
        text = path.read_bytes().decode("utf-8-sig")
        if len(re.findall(r"^%", text, re.MULTILINE)) > 10:
            faults.add(1, "has more than ten directives (lines that begin with %)")
            return None
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        if deep := _too_deep(text, loader):
            faults.add(deep, f"is nested more than {MAX_DEPTH} levels deep")
            return None
        root = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as e:
        faults.add(e.object.count(b"\n", 0, e.start) + 1, f"is not UTF-8 (byte {e.object[e.start]:#04x}); save it as UTF-8")
    except OSError as e:
        faults.add(1, f"cannot be read: {e.strerror or e}")
    except (yaml.YAMLError, ValueError) as e:
        mark = getattr(e, "problem_mark", None) or getattr(e, "context_mark", None)
        problem = getattr(e, "problem", None) or str(e)
        faults.add(mark.line + 1 if mark else 1, f"is not YAML: {problem}")
    else:
        if root is None or _count(root) <= MAX_NODES:
            return root
        faults.add(1, f"expands to more than {MAX_NODES:,} entries (aliases of aliases?); write them out")
    return None


def _too_deep(text: str, loader: Any) -> int:
    """The line where the nesting passes MAX_DEPTH, or 0. Composing recurses in C and would end the process there;
    events do not recurse."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                return (event.start_mark.line if event.start_mark else 0) + 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
    return 0


def _count(root: yaml.Node) -> int:
    """How many nodes the file expands to, aliases included; stops counting past the limit."""
    seen, stack = 0, [root]
    while stack and seen + len(stack) <= MAX_NODES + 1:
        node = stack.pop()
        seen += 1
        if isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            stack.extend(part for pair in node.value for part in pair)
    return seen + len(stack)


def pairs(node: yaml.Node, faults: FaultList, what: str = "") -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """(key, key node, value node) of a mapping; duplicate keys and other kinds of node are faults."""
    if not isinstance(node, yaml.MappingNode):
        if not (isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")):
            faults.add(node, f"{what or 'this'} must be a mapping (key: value), not {_kind(node)}")
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            faults.add(key, "a key must be plain text")
        elif key.value in seen:
            faults.add(key, f"duplicate key {key.value!r}, first given in line {seen[key.value]}")
        else:
            seen[key.value] = key.start_mark.line + 1
            yield key.value, key, value


def read(path: Path, record: type[T], faults: FaultList) -> T | None:
    """A whole file as one record; None where faults were added."""
    root = compose(path, faults)
    if root is None:
        if not faults:
            faults.add(1, "is empty")
        return None
    return bind(root, record, faults)


def bind(node: yaml.Node, record: type[T], faults: FaultList, ignore: frozenset[str] = frozenset()) -> T | None:
    """The node as a record; faults are added for whatever does not fit, and then the result is None.

    Keys in `ignore` are left to the caller."""
    before = len(faults.lines)
    plain = _plain(node, _type_info(record), faults, ignore)  # type: ignore[arg-type]  # a class is hashable
    if len(faults.lines) > before:
        return None
    try:
        return msgspec.convert(plain, record, strict=True)
    except msgspec.ValidationError as e:
        faults.add(node, str(e))
        return None


@lru_cache(maxsize=64)
def _type_info(record: type) -> mi.Type:
    return mi.type_info(record)


def _plain(node: yaml.Node, kind: mi.Type, faults: FaultList, ignore: frozenset[str] = frozenset()) -> Any:
    """The node as plain data that msgspec converts to `kind`, faults noted with their lines on the way."""
    if isinstance(kind, mi.UnionType):
        return _union(node, kind, faults)
    if isinstance(kind, mi.StructType):
        return _struct(node, kind, faults, ignore)
    if isinstance(kind, (mi.VarTupleType, mi.ListType)):
        if isinstance(node, yaml.SequenceNode):
            return [_plain(item, kind.item_type, faults) for item in node.value]
        if isinstance(kind.item_type, mi.StrType) and isinstance(node, yaml.ScalarNode) and node.value:
            return [_scalar(node, kind.item_type, faults)]  # `groups: web` for `groups: [web]`
        return faults.add(node, f"must be a list, not {_kind(node)}")
    if isinstance(kind, mi.DictType):
        return {key: _plain(value, kind.value_type, faults) for key, _, value in pairs(node, faults)}
    return _scalar(node, kind, faults)


def _union(node: yaml.Node, kind: mi.UnionType, faults: FaultList) -> Any:
    structs = [t for t in kind.types if isinstance(t, mi.StructType)]
    if not (structs and structs[0].tag_field):
        if isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~") and not node.style:
            return None
        return _plain(node, next(t for t in kind.types if not isinstance(t, mi.NoneType)), faults)
    tags = {str(t.tag): t for t in structs}
    found = {key: value for key, _, value in pairs(node, FaultList("")) if isinstance(node, yaml.MappingNode)}
    tag = found.get(str(structs[0].tag_field))
    if tag is None or tag.value not in tags:
        said = f"{tag.value!r} is none" if tag is not None else f"has no `{structs[0].tag_field}`"
        return faults.add(tag or node, f"{said}; one of {', '.join(sorted(tags))}")
    return {structs[0].tag_field: tag.value} | _struct(node, tags[tag.value], faults, frozenset({str(structs[0].tag_field)}))


def _struct(node: yaml.Node, kind: mi.StructType, faults: FaultList, ignore: frozenset[str]) -> Any:
    fields = {f.encode_name: f for f in kind.fields}
    out = {}
    for key, where, value in pairs(node, faults, "this"):
        if key in ignore:
            continue
        if key not in fields:
            faults.add(where, f"unknown key {key!r}{did_you_mean(key, fields)}")
        else:
            out[key] = _plain(value, fields[key].type, faults)
    missing = [f.encode_name for f in kind.fields if f.required and f.encode_name not in out and f.encode_name not in ignore]
    if missing and isinstance(node, yaml.MappingNode) and not any(k.value in missing for k, _ in node.value):
        faults.add(node, f"is missing {', '.join(missing)}")
    return out


def _scalar(node: yaml.Node, kind: mi.Type, faults: FaultList) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        return faults.add(node, f"must be {_wanted(kind)}, not {_kind(node)}")
    text: str = node.value
    if isinstance(kind, (mi.StrType, mi.AnyType)):
        pattern = getattr(kind, "pattern", None)
        if pattern and not re.search(pattern, text):
            faults.add(node, f"{text!r} does not have the form {pattern}")
        return text
    if isinstance(kind, mi.BoolType) and text in ("true", "false"):
        return text == "true"
    if isinstance(kind, mi.IntType) and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    if isinstance(kind, mi.FloatType) and re.fullmatch(r"-?\d{1,18}(\.\d+)?", text):
        return float(text)
    if isinstance(kind, mi.LiteralType):
        if text in kind.values:
            return text
        return faults.add(node, f"{text!r} is not one of {', '.join(map(str, kind.values))}{did_you_mean(text, kind.values)}")
    if isinstance(kind, (mi.DateType, mi.DateTimeType)):
        try:
            return (datetime.date if isinstance(kind, mi.DateType) else datetime.datetime).fromisoformat(text)
        except ValueError:
            return faults.add(node, f"{text!r} is no ISO date (2026-01-31)")
    return faults.add(node, f"must be {_wanted(kind)}, not {text!r}")


def _wanted(kind: mi.Type) -> str:
    names: Mapping[type, str] = {mi.StrType: "text", mi.BoolType: "true or false", mi.IntType: "a whole number",
                                 mi.FloatType: "a number", mi.DateType: "an ISO date"}  # fmt: skip
    return names.get(type(kind), "one of " + ", ".join(map(str, getattr(kind, "values", ()))))


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        # A whole file in the place of one with keys may be a secret key: what it is is said, not what it holds.
        return repr(node.value) if 0 < len(node.value) <= _SHOWN else "text" if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def did_you_mean(word: str, known: Any) -> str:
    """`; did you mean …?` or nothing, as for words longer than anybody writes and lists longer than anybody reads."""
    known = [str(k) for k in itertools.islice(known, 5000)]
    if len(str(word)) > 100 or any(len(k) > 400 for k in known):
        return ""
    close = difflib.get_close_matches(str(word), known, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""
