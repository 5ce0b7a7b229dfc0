"""YAML into records: every fault at once, with its line, whatever the file holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from msgspec import Struct

from auditor.foundation.yaml_file import FaultList, read


class Leaf(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    size: int = 0
    when: date | None = None
    on: bool = False
    tags: tuple[str, ...] = ()


class Tree(Struct, frozen=True, forbid_unknown_fields=True):
    leaf: Leaf
    more: dict[str, Leaf] = {}


def load(tmp_path: Path, text: str | bytes) -> tuple[Tree | None, list[str]]:
    path = tmp_path / "t.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    faults = FaultList("t.yaml")
    return read(path, Tree, faults), faults.texts()


def test_scalars_stay_what_was_written(tmp_path: Path) -> None:
    """YAML 1.1's typing would make 1.1, 90, false and a date of these."""
    tree, faults = load(tmp_path, "leaf: {name: 1.10, tags: [1:30, no, 2026-01-01, ~]}")
    assert not faults
    assert tree
    assert (tree.leaf.name, tree.leaf.tags) == ("1.10", ("1:30", "no", "2026-01-01", "~"))


def test_every_fault_at_once_with_its_line(tmp_path: Path) -> None:
    text = "leaf:\n  name: a\n  size: big\n  nam: b\n  when: tomorrow\n  on: maybe\n  name: c\nmore:\n  x: []\nextra: 1\n"
    tree, faults = load(tmp_path, text)
    assert tree is None
    assert faults == [
        "t.yaml:3: must be a whole number, not 'big'",
        "t.yaml:4: unknown key 'nam'; did you mean name?",
        "t.yaml:5: 'tomorrow' is no ISO date (2026-01-31)",
        "t.yaml:6: must be true or false, not 'maybe'",
        "t.yaml:7: duplicate key 'name', first given in line 2",
        "t.yaml:9: this must be a mapping (key: value), not a list",
        "t.yaml:10: unknown key 'extra'",
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [" + ",".join([f"*{chr(97 + n)}"] * 10) + "]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("leaf: {name: [}", "t.yaml:1: is not YAML"),
        (b"leaf:\n  name: \xff\xfe", "t.yaml:2: is not UTF-8 (byte 0xff)"),
        (BOMB, "expands to more than"),
        ("[" * 200_000, "t.yaml:1: is nested more than 60 levels deep"),
        ("leaf: " + "{a: " * 900 + "1" + "}" * 900, "t.yaml:1: is nested more than"),
        ("", "t.yaml:1: is empty"),
        ("leaf: {}", "t.yaml:1: is missing name"),
        ("just text", "must be a mapping"),
        ("a: 1\n--- \nb: 2\n", "is not YAML"),
        (b"\x00\x01\x02", "is not YAML"),
    ],
)
def test_what_is_no_tree(tmp_path: Path, text: str | bytes, says: str) -> None:
    tree, faults = load(tmp_path, text)
    assert tree is None
    assert any(says in f for f in faults), faults


def test_ten_megabytes_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    tree, faults = load(tmp_path, "leaf: {name: " + "x" * 10_000_000 + "}")
    assert tree is None
    assert faults == ["t.yaml:1: is 10.0 MB; at most 8 MB are read"]


def test_no_file(tmp_path: Path) -> None:
    faults = FaultList("gone.yaml")
    assert read(tmp_path / "gone.yaml", Tree, faults) is None
    assert faults.texts() == ["gone.yaml:1: cannot be read: No such file or directory"]
