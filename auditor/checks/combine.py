"""One judgement of several (docs/contracts.md, verdicts): the first verdict in the order that some child has decides."""

from __future__ import annotations

from auditor.checks.judgement import Judgement
from auditor.model.finding import Verdict

ANY_OF: tuple[Verdict, ...] = ("compliant", "unknown", "pending", "noncompliant")
ALL_OF: tuple[Verdict, ...] = ("noncompliant", "unknown", "pending", "compliant")


def combine(children: list[Judgement], order: tuple[Verdict, ...], word: str) -> Judgement:
    """One judgement of several: children that are not applicable are left out; none left: not applicable."""
    rest = [c for c in children if c.verdict != "not_applicable"]
    if not rest:
        return children[0]
    verdict = next(v for v in order if any(c.verdict == v for c in rest))
    deciding = [c for c in rest if c.verdict == verdict]
    return Judgement(
        verdict,
        "; ".join(dict.fromkeys(c.observed for c in (deciding if verdict == "compliant" else rest))),
        word.join(dict.fromkeys(c.required for c in rest)),
        "; ".join(dict.fromkeys(c.why for c in deciding)),
        resolved_by="; ".join(dict.fromkeys(c.resolved_by for c in deciding if c.resolved_by)),
        evidence=tuple(dict.fromkeys(e for c in rest for e in c.evidence)),
        offending=tuple(dict.fromkeys(i for c in deciding for i in (c.offending or (c.observed,))))
        if any(c.offending for c in deciding)
        else (),
        remedy=None if verdict == "compliant" else next((c.remedy for c in rest if c.remedy), None),
    )
