"""What came before a run: how the fleet developed, and what changed since the run before."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ChangeKind = Literal["new", "came back", "fixed", "became unknown", "known again", "gone", "new host", "renamed", "host removed",
                     "not assessed", "assessed again", "another machine", "facts changed"]  # fmt: skip


class Change(Struct, frozen=True):
    """One difference between two states of the fleet."""

    kind: ChangeKind
    host: str
    rule: str = ""
    title: str = ""
    severity: str = ""
    before: str = ""
    after: str = ""


class Point(Struct, frozen=True):
    """The fleet after one run. `compliance`: the share of required findings that are met among those that could be
    judged, None where there were none; `open` are required findings missing or pending, by severity."""

    run: str
    started: str
    hosts: int
    unassessed: int
    compliance: float | None
    open: dict[str, int]
    unknown: int


class Past(Struct, frozen=True):
    """`before` is when the run before began; `points` are the fleet after each of the newest runs, this one last."""

    before: str
    changes: tuple[Change, ...]
    points: tuple[Point, ...]
