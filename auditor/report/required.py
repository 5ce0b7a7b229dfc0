"""What is required of hosts, and how it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from auditor.model.finding import Finding
from auditor.model.run import TargetResult
from auditor.model.target import NETWORKED

_SEVERAL = 3


def states(results: Iterable[TargetResult]) -> Iterable[tuple[tuple[Finding, ...], list[str]]]:
    """The findings of hosts, those that share them together: hosts in the same state were judged once."""
    found: dict[int, tuple[tuple[Finding, ...], list[str]]] = {}
    for r in results:
        found.setdefault(id(r.findings), (r.findings, []))[1].append(r.target.name)
    return found.values()


def required_open(findings: Iterable[Finding]) -> list[Finding]:
    """The required findings that have a verdict and that no waiver covers."""
    return [f for f in findings if f.verdict != "not_applicable" and f.obligation == "required" and not f.waiver]


Standing = Literal["lacking", "open", "met", "nothing"]


class Required(Struct, frozen=True):
    """The required findings of an assessed host without those that are waived: how many are met, missing (pending ones
    among them), open. `standing` is `nothing` where no required rule applied to it, which is no good news: it was not
    judged."""

    met: int
    noncompliant: int
    pending: int
    open: int
    standing: Standing

    @property
    def missing(self) -> int:
        """Required findings that are not met: noncompliant and pending ones."""
        return self.noncompliant + self.pending


def required(findings: Sequence[Finding]) -> Required:
    """Count the required findings of a host."""
    n = Counter(f.verdict for f in required_open(findings))
    applied = any(f.obligation == "required" and f.verdict != "not_applicable" for f in findings)
    stand: Standing = "met" if applied else "nothing"
    if n["unknown"]:
        stand = "open"
    if n["noncompliant"] + n["pending"]:
        stand = "lacking"
    return Required(n["compliant"], n["noncompliant"], n["pending"], n["unknown"], stand)


def network_down(results: Sequence[TargetResult]) -> bool:
    """Could not one of at least three hosts be reached, for want of an answer or of a name? That is one thing to say of the
    network, and nothing of the hosts."""
    networked = [r for r in results if r.target.connection in NETWORKED]
    return len(networked) >= _SEVERAL and all(r.error and r.error.kind in ("resolve", "timeout") for r in networked)
