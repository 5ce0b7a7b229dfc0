"""The HTML report: one self-contained file, no script, everything of a host escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from markupsafe import Markup
from msgspec import Struct

from auditor.collectors.linux.script import DIGEST
from auditor.foundation import resources
from auditor.model.facts import CollectorOutcome
from auditor.model.finding import SEVERITIES, VERDICTS, Finding, Verdict
from auditor.model.past import Past
from auditor.model.run import Run, TargetResult
from auditor.report.curve import curve
from auditor.report.deduplicate import fold
from auditor.report.figures import Settle, figures, knowledge, particular, sentence, settle, state, system
from auditor.report.grouping import Bundle, by_obligation
from auditor.report.required import Required, required
from auditor.report.templates import template
from auditor.report.wording import STANDING_TONE, STANDING_WORDS
from auditor.rulebook.rule import Rule

_MANY_HOSTS = 40  # from more on, findings are told once by rule, and the hosts' own sections only name them


class HostView(Struct, frozen=True, kw_only=True):
    """One host, as the template shows it."""

    name: str
    system: str
    state: str
    method: str
    labels: str
    seconds: float
    tone: str
    verdict: str
    open: bool
    required_counts: Required
    applicable: int
    judged: int
    containers: bool
    settle: Settle | None
    held: str
    fulfilled: int
    particular: tuple[int, str]
    bundles: list[Bundle]
    required: list[Finding]
    others: list[tuple[str, list[Bundle], list[Finding]]]
    fine: list[Finding]
    fine_generated: int
    not_applicable: list[Finding]
    not_applicable_generated: int
    unread: list[CollectorOutcome]


def html(run: Run, rules: Iterable[Rule], past: Past | None = None) -> bytes:
    """The report of a run; `rules` are those it was judged by, `past` what came before."""
    n = figures(run)
    assessed = [_host(run, r) for r in run.results if r.outcome in ("assessed", "partial")]
    assessed.sort(key=lambda h: (-h.required_counts.noncompliant, -h.required_counts.pending, -h.required_counts.open, h.name))
    # Of the thousands of generated rules only those that are not met are explained on the page.
    seen = {
        f.rule
        for r in run.results
        for f in r.findings
        if not f.generated or f.verdict in ("noncompliant", "pending", "unknown")
    }
    fleet = len(assessed) > _MANY_HOSTS
    total = sum(n.verdicts.values())
    text = template("report.html.j2").render(
        run=run,
        n=n,
        sentence=sentence(run, n),
        assessed=assessed,
        unassessed=[r for r in run.results if r.outcome not in ("assessed", "partial")],
        rules=[r for r in rules if r.id in seen],
        total=total,
        fleet=fleet,
        folded=fold(run) if fleet else [],
        past=past,
        curve=curve(past.points) if past else None,
        changed=sorted(Counter(c.kind for c in past.changes).items()) if past else [],
        shares=_shares(n.verdicts, total),
        knowledge=knowledge(run),
        script=DIGEST,
        css=Markup((resources.folder("reports") / "report.css").read_text(encoding="utf-8")),  # our own file
    )
    return text.encode("utf-8", "replace")


def _host(run: Run, r: TargetResult) -> HostView:
    facts, order = r.facts, {s: n for n, s in enumerate(SEVERITIES)}
    platform = facts.platform if facts else None
    ranked = sorted(
        r.findings, key=lambda f: (f.waiver is not None, VERDICTS.index(f.verdict), order[f.severity], not f.security, f.rule)
    )
    telling = [f for f in ranked if f.verdict in ("noncompliant", "pending", "unknown")]
    applicable = [f for f in r.findings if f.verdict != "not_applicable"]
    told = by_obligation(telling)
    together, alone = told["required"]
    others = [("Advised", *told["advised"]), ("In certain situations", *told["situational"])]
    folded = Counter(f.verdict for f in ranked if f.generated)
    counts = required(r.findings)
    return HostView(
        name=r.target.name,
        system=system(platform),
        state=state(platform),
        method=(facts.method or "facts as given") if facts else "",
        labels=", ".join(f"{k} {v}" for k, v in r.target.labels.items()),
        seconds=r.seconds,
        held=", ".join(r.held),
        fulfilled=r.fulfilled,
        particular=particular(run, r),
        tone=STANDING_TONE[counts.standing],
        verdict=_said(counts),
        open=counts.standing in ("lacking", "open"),
        required_counts=counts,
        applicable=len(applicable),
        judged=sum(1 for f in applicable if f.verdict != "unknown"),
        containers=bool(facts and facts.containers),
        settle=settle(r),
        bundles=together,
        required=alone,
        others=[(name, several, found) for name, several, found in others if several or found],
        fine=[f for f in ranked if f.verdict == "compliant" and not f.generated],
        fine_generated=folded["compliant"],
        not_applicable=[f for f in ranked if f.verdict == "not_applicable" and not f.generated],
        not_applicable_generated=folded["not_applicable"],
        unread=[o for o in facts.outcomes if o.outcome not in ("ok", "skipped")] if facts else [],
    )


def _said(counts: Required) -> str:
    """How a host stands, in words."""
    words = STANDING_WORDS[counts.standing]
    return f"{words}, leaves a required question open" if counts.standing == "lacking" and counts.open else words


def _shares(verdicts: dict[Verdict, int], total: int) -> list[tuple[Verdict, int, tuple[float, float]]]:
    """(verdict, count, (x, width) of 1000) of the bar, in the order of VERDICTS."""
    shares, x = [], 0.0
    for v in VERDICTS:
        count = verdicts.get(v, 0)
        if count:
            width = 1000 * count / total
            shares.append((v, count, (round(x, 2), round(width, 2))))
            x += width
    return shares
