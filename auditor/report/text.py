"""A run as plain text, for a terminal and a pipe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from auditor.foundation.sanitize import counted, one_line
from auditor.model.finding import SEVERITIES, VERDICTS, Finding
from auditor.model.run import Run, TargetResult
from auditor.report.figures import figures, knowledge, particular, sentence, settle, state, system
from auditor.report.grouping import Bundle, by_obligation

SHORT = {"noncompliant": "MISSING", "pending": "PENDING", "unknown": "UNKNOWN", "compliant": "ok", "not_applicable": "n/a"}


def to_text(run: Run) -> bytes:
    """The whole report; hosts that could not be assessed come first."""
    return ("\n".join(_lines(run)) + "\n").encode("utf-8", "replace")


def _lines(run: Run) -> Iterator[str]:
    n = figures(run)
    yield sentence(run, n)
    counts = ", ".join(f"{n.verdicts.get(v, 0)} {v.replace('_', ' ')}" for v in VERDICTS)
    yield f"Findings: {counts}" + (f"; {n.waived} waived" if n.waived else "")
    if n.compliance is not None:
        told = " and advisories" if any(r.fulfilled for r in run.results) else ""
        yield f"Of the required findings{told} that could be judged, {n.compliance:.0%} are compliant."
    for remark in run.remarks:
        yield f"Note: {one_line(remark)}"
    if n.overdue:
        yield f"{n.overdue} of them are overdue by the deadlines of the inventory."
    if n.relaxed:
        yield f"Relaxed by the operator: {'; '.join(n.relaxed)}"
    for zone in run.zones:
        yield f"Zone {one_line(zone.sentence, 500)}"
    yield ""
    first: dict[int, str] = {}
    for r in sorted(run.results, key=lambda r: (r.outcome in ("assessed", "partial"), r.target.name)):
        yield from _target(run, r, first.get(id(r.findings), "") if r.findings else "")
        first.setdefault(id(r.findings), r.target.name)
        yield ""
    if n.actions:
        yield "What to do first"
        for number, a in enumerate(n.actions[:5], 1):
            yield f"  {number}. {one_line(a.title)} ({counted(len(a.targets), 'host')}, {a.effect}): {one_line(a.remediation, 400)}"
        yield ""
    yield f"Rules: {run.rulebook.rules}, rulebook {run.rulebook.digest[:12]}, {knowledge(run)}; auditor {run.auditor}; run {run.id}"


def _target(run: Run, r: TargetResult, like: str) -> Iterator[str]:
    """One host; `like` is the one before it that has just the same findings."""
    platform = r.facts.platform if r.facts else None
    what = "".join(f", {one_line(part)}" for part in (system(platform), state(platform)) if part)
    yield f"{one_line(r.target.name)}: {r.outcome}{what} ({r.seconds:.1f} s)"
    if r.held:
        yield f"  held against the advisories of {', '.join(r.held)}; {r.fulfilled:,} of them about flaws are fulfilled"
    if r.error:
        yield f"  {r.error.kind}: {one_line(r.error.message, 500)}"
        return
    if like:
        yield f"  the same {counted(len(r.findings), 'finding')} as {one_line(like)}"
        return
    order = {s: i for i, s in enumerate(SEVERITIES)}
    rest: list[Finding] = []
    about = [f for f in r.findings if f.verdict != "not_applicable"]
    for together, alone in by_obligation(about).values():
        rest += alone
        for b in together:
            yield from _bundle(b)
    shown = [f for f in rest if not (f.generated and f.verdict == "compliant")]
    for f in sorted(shown, key=lambda f: (VERDICTS.index(f.verdict), order[f.severity], not f.security, f.rule)):
        yield from _finding(f)
    others = [f for f in r.findings if f.verdict == "not_applicable"]
    for word, count in (("ok", len(rest) - len(shown)), ("n/a", sum(f.generated for f in others))):
        if count:
            yield f"  {word:8} {count} {'advisory' if count == 1 else 'advisories'} of the archives (auditor explain HOST ID, or --format json, has each)"
    if skipped := [f.rule for f in others if not f.generated]:
        yield f"  n/a      {', '.join(skipped)}"
    count, line = particular(run, r)
    if count:
        yield f"  not judged: {count} fixes for particular problems (auditor advisories search situational {line}; --situational judges them)"
    for o in r.facts.outcomes if r.facts else ():
        if o.outcome not in ("ok", "skipped"):
            yield f"  read {o.outcome}: {one_line(o.name)}: {one_line(o.reason)}"
    if best := settle(r):
        yield f"  To settle {best.rules} unknown {'finding' if best.rules == 1 else 'findings'}: {one_line(best.what)}"


def _bundle(b: Bundle) -> Iterator[str]:
    """What one step settles, with the rules' ids."""
    mark = "" if b.obligation == "required" else f" ({b.obligation})"
    of_packages = b.remedy.kind == "package"
    some = "all" if b.open == len(b.findings) else str(b.open)
    sure = f", {some} of them only if the part they are about is there" if b.open and not of_packages else ""
    yield f"  {SHORT[b.verdict]:8} {one_line(b.what)}{mark}: {b.settles}{sure}"
    if not of_packages or "; " in b.observed:
        yield f"           found:    {one_line(b.observed, 240)}"
    if b.why:
        yield f"           why:      {one_line(b.why, 400)}"
    if of_packages and len(b.by_severity) > 1:
        for severity, found in b.by_severity:
            yield from _ids(f"{severity}: {', '.join(f.rule for f in found)}")
        return
    yield from _ids(b.rules)


def _ids(text: str) -> Iterator[str]:
    yield from (f"           {line}" for line in textwrap.wrap(one_line(text, 100_000), 108))


def _finding(f: Finding) -> Iterator[str]:
    mark = "" if f.obligation == "required" else f" ({f.obligation})"
    waived = f" [waived by {one_line(f.waiver.owner)}: {one_line(f.waiver.reason)}]" if f.waiver else ""
    yield f"  {SHORT[f.verdict]:8} {f.rule}{mark}: {one_line(f.title)}{waived}"
    if f.verdict != "compliant":
        yield f"           found:    {one_line(f.observed, 240)}"
        yield f"           required: {one_line(f.required)}"
        yield f"           why:      {one_line(f.why, 400)}"
