"""What is required of hosts, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.finding import Finding
from auditor.model.run import TargetResult


def states(results: Iterable[TargetResult]) -> Iterable[tuple[tuple[Finding, ...], list[str]]]:
    """The findings of hosts, those that share them together: hosts in the same state were judged once."""
    found: dict[int, tuple[tuple[Finding, ...], list[str]]] = {}
    for r in results:
        found.setdefault(id(r.findings), (r.findings, []))[1].append(r.target.name)
    return found.values()


def required_open(findings: Iterable[Finding]) -> list[Finding]:
    """The required findings that have a verdict and that no waiver covers."""
    return [f for f in findings if f.verdict != "not_applicable" and f.obligation == "required" and not f.waiver]


def fails(required: Iterable[Finding]) -> bool:
    return any(f.verdict in ("noncompliant", "pending") for f in required)


def leaves_open(required: Iterable[Finding]) -> bool:
    return any(f.verdict == "unknown" for f in required)
