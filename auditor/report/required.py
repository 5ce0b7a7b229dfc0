"""What is required of hosts, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

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


def standing(findings: Sequence[Finding]) -> Standing:
    """How an assessed host stands; `nothing` where no required rule applied to it, which is no good news: it was not judged."""
    verdicts = {f.verdict for f in required_open(findings)}
    if verdicts & {"noncompliant", "pending"}:
        return "lacking"
    if "unknown" in verdicts:
        return "open"
    applied = any(f.obligation == "required" and f.verdict != "not_applicable" for f in findings)
    return "met" if applied else "nothing"


def network_down(results: Sequence[TargetResult]) -> bool:
    """Could not one of at least three hosts be reached, for want of an answer or of a name? That is one thing to say of the
    network, and nothing of the hosts."""
    networked = [r for r in results if r.target.connection in NETWORKED]
    return len(networked) >= _SEVERAL and all(r.error and r.error.kind in ("resolve", "timeout") for r in networked)
