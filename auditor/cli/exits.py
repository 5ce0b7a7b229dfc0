"""The exit codes (docs/contracts.md): 1 wins over 3, and 3 over 0, so a broken scan is never green."""

from __future__ import annotations

from collections.abc import Collection

from auditor.errors import UsageFault
from auditor.model.finding import SEVERITIES
from auditor.model.run import Run
from auditor.report.required import required_open, states

ALL_WELL, FAILED, USAGE, INCOMPLETE, INTERNAL = range(5)

OVERDUE = "overdue"


def severities(fail_on: str | None) -> frozenset[str]:
    """`--fail-on`: each named severity means that and above; default everything, unrated included. `overdue` among them:
    only what is overdue."""
    if not fail_on:
        return frozenset(SEVERITIES)
    if OVERDUE in (words := [word.strip() for word in fail_on.split(",")]):
        rest = ",".join(word for word in words if word != OVERDUE)
        return severities(rest) | {OVERDUE}
    named = [word.strip() for word in fail_on.split(",")]
    for word in named:
        if word not in SEVERITIES:
            raise UsageFault(f"--fail-on: {word!r} is no severity; one of {', '.join(SEVERITIES)}, or {OVERDUE}")
    lowest = max(SEVERITIES.index(word) for word in named)
    return frozenset(SEVERITIES[: lowest + 1])


def code(run: Run, fail_on: Collection[str]) -> int:
    """The exit code of a run."""
    required = [f for findings, _ in states(run.results) for f in required_open(findings)]
    late = [f for f in required if OVERDUE not in fail_on or f.overdue(run.started.date())]
    if any(f.verdict in ("noncompliant", "pending") and f.severity in fail_on for f in late):
        return FAILED
    unassessed = any(r.outcome in ("unreachable", "failed") for r in run.results)
    if run.interrupted or unassessed or any(f.verdict == "unknown" for f in required):
        return INCOMPLETE
    return ALL_WELL


def delivered(exit_code: int, kept: bool) -> int:
    """A run whose evidence could not be kept, or whose document could not be written, is incomplete."""
    return INCOMPLETE if exit_code == ALL_WELL and not kept else exit_code
