"""Months of Microsoft's updates, told together: "Windows Server 2022: 14 monthly updates missing since January 2025; KB… brings all"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from auditor.foundation.sanitize import counted
from auditor.model.finding import Finding, Remedy, Verdict
from auditor.model.update_line import month_of
from auditor.versions.product_label import label

_SOME = 24  # months that are named one by one


def what(remedy: Remedy, findings: Sequence[Finding], verdict: Verdict) -> str:
    """The step in words."""
    months = _months(findings)
    if not months:
        return label(remedy.line)
    count, since = len(months), f"since {months[0]:%B %Y}"
    if verdict == "unknown":
        if count == 1:
            return f"{label(remedy.line)}: whether the monthly update of {months[0]:%B %Y} is installed is not known"
        return f"{label(remedy.line)}: which of {count} monthly updates {since} are installed is not known"
    build = f" (build {remedy.of})" if remedy.of else ""
    brings = "it" if count == 1 else "both" if count == 2 else "all"
    missing = (
        f"the monthly update of {months[0]:%B %Y} is missing" if count == 1 else f"{count} monthly updates missing {since}"
    )
    return f"{label(remedy.line)}: {missing}; {remedy.level}{build} brings {brings}"


def settles(findings: Sequence[Finding]) -> str:
    """How many flaws, and how many of them are known to have been attacked."""
    flaws, attacked = {c for f in findings for c in f.cves}, {c for f in findings for c in f.exploited}
    return f"{counted(len(flaws), 'CVE')}" + (f", {len(attacked)} of them exploited" if attacked else "")


def names(findings: Sequence[Finding]) -> str:
    """The months in their order; of very many the first and the last, and how many."""
    shown = [f.rule for f in in_order(findings)]
    return ", ".join(shown) if len(shown) <= _SOME else f"{shown[0]} to {shown[-1]}, {len(shown)} in all"


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Month by month, the oldest first."""
    return sorted(findings, key=lambda f: month_of(f.rule) or date.min)


def _months(findings: Sequence[Finding]) -> list[date]:
    return sorted(m for f in findings if (m := month_of(f.rule)))
