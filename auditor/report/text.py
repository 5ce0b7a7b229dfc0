"""A run as plain text, for a terminal and a pipe."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import VERDICTS, Finding
from auditor.model.rule import SEVERITIES
from auditor.model.run import Run, TargetResult
from auditor.printable import one_line
from auditor.report.figures import figures, sentence, settle, state, system

SHORT = {"noncompliant": "MISSING", "pending": "PENDING", "unknown": "UNKNOWN", "compliant": "ok", "not_applicable": "n/a"}


def text(run: Run) -> str:
    """The whole report; hosts that could not be assessed come first."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    n = figures(run)
    yield sentence(run, n)
    counts = ", ".join(f"{n.verdicts.get(v, 0)} {v.replace('_', ' ')}" for v in VERDICTS)
    yield f"Findings: {counts}" + (f"; {n.waived} waived" if n.waived else "")
    if n.compliance is not None:
        yield f"Of the required findings that could be judged, {n.compliance:.0%} are compliant."
    if n.relaxed:
        yield f"Relaxed by the operator: {'; '.join(n.relaxed)}"
    yield ""
    for r in sorted(run.results, key=lambda r: (r.outcome in ("assessed", "partial"), r.target.name)):
        yield from _target(r)
        yield ""
    if n.actions:
        yield "What to do first"
        for number, a in enumerate(n.actions[:5], 1):
            yield f"  {number}. Not met: {one_line(a.title)} ({len(a.targets)} {'host' if len(a.targets) == 1 else 'hosts'}): {one_line(a.remediation, 400)}"
        yield ""
    yield f"Rules: {run.rulebook.rules}, rulebook {run.rulebook.digest[:12]}, newest source read {run.rulebook.newest}; auditor {run.auditor}; run {run.id}"


def _target(r: TargetResult) -> Iterator[str]:
    platform = r.facts.platform if r.facts else None
    what = "".join(f", {one_line(part)}" for part in (system(platform), state(platform)) if part)
    yield f"{one_line(r.target.name)}: {r.outcome}{what} ({r.seconds:.1f} s)"
    if r.error:
        yield f"  {r.error.kind}: {one_line(r.error.message, 500)}"
        return
    order = {s: i for i, s in enumerate(SEVERITIES)}
    for f in sorted(r.findings, key=lambda f: (VERDICTS.index(f.verdict), order[f.severity], f.rule)):
        if f.verdict != "not_applicable":
            yield from _finding(f)
    skipped = [f.rule for f in r.findings if f.verdict == "not_applicable"]
    if skipped:
        yield f"  n/a      {', '.join(skipped)}"
    for o in r.facts.outcomes if r.facts else ():
        if o.outcome not in ("ok", "skipped"):
            yield f"  read {o.outcome}: {one_line(o.name)}: {one_line(o.reason)}"
    if best := settle(r):
        yield f"  To settle {best.rules} unknown {'finding' if best.rules == 1 else 'findings'}: {one_line(best.what)}"


def _finding(f: Finding) -> Iterator[str]:
    mark = "" if f.obligation == "required" else f" ({f.obligation})"
    waived = f" [waived by {one_line(f.waiver.owner)}: {one_line(f.waiver.reason)}]" if f.waiver else ""
    yield f"  {SHORT[f.verdict]:8} {f.rule}{mark}: {one_line(f.title)}{waived}"
    if f.verdict != "compliant":
        yield f"           found:    {one_line(f.observed, 240)}"
        yield f"           required: {one_line(f.required)}"
        yield f"           why:      {one_line(f.why, 400)}"
