"""What came before a run: how its hosts developed, and what changed on them since the run before."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ChangeKind = Literal["new", "came back", "changed", "fixed", "became unknown", "known again", "gone", "waived", "waiver ended",
                     "waiver changed", "new host", "renamed", "host removed", "not assessed", "assessed again", "another machine",
                     "facts changed"]  # fmt: skip


class Change(Struct, frozen=True):
    """One difference between two states of the fleet. `before` and `after` are a finding's verdicts or a host's outcomes, ""
    for none; `was` and `now` say in words what was found, who answers for a waiver, why a host was not assessed. Where facts
    changed, `title` names the section, and `now` each item from and to."""

    kind: ChangeKind
    host: str
    rule: str = ""
    title: str = ""
    severity: str = ""
    obligation: str = ""
    before: str = ""
    after: str = ""
    was: str = ""
    now: str = ""

    @property
    def what(self) -> str:
        """From what to what, in one sentence."""
        if self.kind == "facts changed":
            return f"{self.title}: {self.now}"
        ends = [_end(self.before, self.was), _end(self.after, self.now)]
        if ends == ["", ""]:
            return ""
        return " → ".join(end or "nothing" for end in ends)


def _end(state: str, words: str) -> str:
    state = state.replace("_", " ")
    return f"{state} ({words})" if state and words else state or words


class Point(Struct, frozen=True):
    """The fleet after one run, a host that was not assessed as it was last known. `compliance`: the share of required
    findings that are met among those that could be judged, None where there were none; `open` are required findings missing
    or pending, by severity."""

    run: str
    started: str
    hosts: int
    unassessed: int
    compliance: float | None
    open: dict[str, int]
    unknown: int


class Compared(Struct, frozen=True):
    """How the required findings that a run could judge stood after an earlier one: of `judged` that could be judged then too,
    `met` were met then, and `met_now` are in the run itself. Same hosts, same machines, same rules on both sides."""

    run: str
    started: str
    judged: int
    met: int
    met_now: int

    @property
    def share(self) -> float | None:
        """The share that was met then, from 0 to 1; None where nothing could be judged."""
        return self.met / self.judged if self.judged else None

    @property
    def share_now(self) -> float | None:
        """The share of the same findings that is met now."""
        return self.met_now / self.judged if self.judged else None


class Past(Struct, frozen=True):
    """`before` is when the run before began: the newest that had a host of this one. `points` are the newest runs that had
    one, each compared with this one, which is the last."""

    before: str
    changes: tuple[Change, ...]
    points: tuple[Compared, ...]

    @property
    def last(self) -> Compared | None:
        """The run before, compared with this one."""
        return self.points[-2] if len(self.points) > 1 else None
