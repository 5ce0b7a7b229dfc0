"""Facts against rules: pure. The same facts, rules, attestations, waivers and date give the same findings.

What is not known never becomes a good verdict: where applicability is open, only a check that is compliant by itself
gives compliant, everything else unknown (docs/contracts.md, verdicts).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import partial
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from auditor.checks.judgement import Case, Judgement
from auditor.checks.support import Support, SupportCheck
from auditor.evaluation.applicability import Applies, Host, applies, is_about
from auditor.evaluation.knowledge import Knowledge
from auditor.model.advisory import Coverage
from auditor.model.facts import HostFacts
from auditor.model.finding import Attestation, Finding, Obligation, Waiver, WaiverNote
from auditor.model.policy import Policy
from auditor.rulebook.rule import Rule

T = TypeVar("T")
NO_POLICY = Policy()
NEVER: Mapping[str, date] = {}


def evaluate(
    facts: HostFacts,
    rules: Sequence[Rule],
    *,
    today: date,
    groups: Sequence[str] = (),
    attestations: Sequence[Attestation] = (),
    waivers: Sequence[Waiver] = (),
    policy: Policy = NO_POLICY,
    failing_since: Mapping[str, date] = NEVER,
    knowledge: Knowledge | None = None,
    share: Share | None = None,
) -> tuple[Finding, ...]:
    """One finding for each rule of the host's family (of all families where it is not known), in the rules' order.

    `groups` are the target's, for attestations and waivers that name `@group`; `failing_since` says since when the host is known
    to lack what a rule asks for; `share` gives what was found on another host that says the same. Rules about particular problems are left out unless the policy asks for them. `knowledge`: the advisories of the
    host's distribution; of these only what is not fulfilled becomes a finding, and a loaded rule of the same id stands for one."""
    family, host, share = facts.platform.family, Host(facts), share or _anew
    support = _support(rules, host) if knowledge else None
    by = _Circumstances(facts.target, today, groups, attestations, waivers, policy, failing_since, None, support)
    of_advisories: tuple[Finding, ...] = ()
    if knowledge:
        own = {rule.id for rule in rules}

        def open_ones(known: Knowledge, by: _Circumstances) -> tuple[Knowledge, tuple[Finding, ...]]:
            judged = (_finding(host, rule, Applies(True, "", rule.branches), by) for rule in known.rules if rule.id not in own)
            return known, tuple(f for f in judged if f.verdict in ("noncompliant", "pending", "unknown"))

        dates = tuple(sorted(failing_since.items()))
        # The answer holds the knowledge, so that no other one gets its place in memory while it is known by that.
        asked = ("advisories", id(knowledge), support, dates)
        of_advisories = share(asked, host.facts, partial(open_ones, knowledge, by))[1]
        open_ = len(of_advisories) if family == "linux" else sum(1 for f in of_advisories if f.obligation == "required")
        by = replace(by, coverage=replace(knowledge.coverage, open=open_, max_age=policy.max_age))
    found = []
    for rule in rules:
        if family is None or rule.family == family:
            asked_of = (rule.id, by.coverage, support, failing_since.get(rule.id))
            if made := share(asked_of, host.facts, partial(_found, host, rule, by)):
                found.append(made)
    return (*found, *of_advisories)


class Share(Protocol):
    """Who may know an answer already (shared.py): `asked` is the question, with all that the answer depends on beside the facts."""

    def __call__(self, asked: Hashable, seen: HostFacts, work: Callable[[], T]) -> T:
        """`work()`, or what it would give."""
        ...


def _anew(asked: Hashable, seen: HostFacts, work: Callable[[], T]) -> T:
    return work()


def _found(host: Host, rule: Rule, by: _Circumstances) -> Finding | None:
    """The finding of a loaded rule; None where the rule has nothing to say of such a host."""

    def wanted(obligation: Obligation) -> bool:
        return obligation != "situational" or by.policy.situational

    if not wanted(rule.obligation) or not is_about(rule, host):
        return None
    applicable = applies(rule, host)
    return _finding(host, rule, applicable, by) if wanted(_obligation(rule, applicable)) else None


class _Circumstances(Struct, frozen=True):
    """What a verdict depends on beside the host's facts and the rule."""

    target: str
    today: date
    groups: Sequence[str]
    attestations: Sequence[Attestation]
    waivers: Sequence[Waiver]
    policy: Policy
    failing_since: Mapping[str, date]
    coverage: Coverage | None
    support: Support | None


def _support(rules: Sequence[Rule], host: Host) -> Support | None:
    """Until when a host's release gets fixes, by the rule that tells; None where none does."""
    product = (host.facts.platform.product or "").lower()
    for rule in rules:
        if rule.family == host.facts.platform.family and isinstance(rule.branches[0].check, SupportCheck):
            checks = [b.check for b in applies(rule, host).branches]
            return next((c.products[product] for c in checks if isinstance(c, SupportCheck) and product in c.products), None)
    return None


def _finding(host: Host, rule: Rule, applicable: Applies, by: _Circumstances) -> Finding:
    """The one finding of one rule on one host; `applicable` says whether it applies there."""
    facts = host.facts
    attestation = _attestation(rule, by.target, by.groups, by.attestations)
    case = Case(facts, attestation, by.today, host.packages, host.sources, host.articles, by.coverage, by.support)
    judged = _aged(_judge(applicable, case), rule, by.policy, by.today)
    monthly = judged.remedy is not None and judged.remedy.kind == "update"
    return Finding(
        rule=rule.id,
        title=rule.title,
        severity=rule.severity,
        obligation=_obligation(rule, applicable),
        verdict=judged.verdict,
        observed=_bounded(judged.observed),
        required=_bounded(judged.required),
        why=_bounded(judged.why),
        remediation=judged.remediation or rule.remediation,
        waiver=_waiver(rule, judged.observed, by.target, by.groups, by.waivers, by.today) or _accepted(rule, judged, by.policy),
        evidence=(
            *judged.evidence,
            facts.method or "facts as given",
            rule.provenance.source + ("" if rule.provenance.reviewed else ", not reviewed: the importer was not sure"),
        ),
        resolved_by=judged.resolved_by,
        remedy=judged.remedy,
        generated=rule.generated,
        offending=judged.offending[:_MOST_ITEMS],
        cves=rule.cves,
        exploited=rule.exploited,
        security=rule.security,
        packages=judged.packages[:_MOST_ITEMS],
        url=rule.references[0].url if (judged.packages or monthly) and rule.references else "",
        due=_due(rule, judged, by.policy, by.groups, by.failing_since.get(rule.id, by.today)),
    )


def _obligation(rule: Rule, applicable: Applies) -> Obligation:
    """The branch's own where one product line is in question and it has another than the rule's."""
    own = {b.obligation or rule.obligation for b in applicable.branches}
    return own.pop() if len(own) == 1 else rule.obligation


_MOST_ITEMS = 500  # of what offends; comparing two nights needs no more
_MOST = 64_000  # characters of a text; what five hundred packages lack takes half of it


def _bounded(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}… ({len(text) - _MOST:,} characters more)"


def _aged(judged: Judgement, rule: Rule, policy: Policy, today: date) -> Judgement:
    """Nothing is compliant by what was known too long ago: there may be a newer fix that the rule knows nothing of."""
    read = rule.provenance.retrieved
    if judged.verdict != "compliant" or policy.max_age is None or today - read <= policy.max_age:
        return judged
    why = f"the rule was read from its source on {read}, longer ago than the {policy.max_age.days} days that the policy allows; by it: {judged.why}"
    return Judgement("unknown", judged.observed, judged.required, why, "a newer rulebook", judged.evidence, judged.remedy)


def _due(rule: Rule, judged: Judgement, policy: Policy, groups: Sequence[str], first_seen: date) -> date | None:
    if rule.obligation != "required" or judged.verdict not in ("noncompliant", "pending"):
        return None
    span = policy.deadline(rule.severity, groups)
    return None if span is None else (rule.published or first_seen) + span


def _judge(applicable: Applies, case: Case) -> Judgement:
    if applicable.known is False:
        return Judgement("not_applicable", applicable.why, "nothing of this host", applicable.why)
    if not applicable.branches:
        return Judgement("unknown", applicable.why, "not known", applicable.why, applicable.resolved_by)
    judgements = [branch.check.judge(case) for branch in applicable.branches]
    judged = next((j for j in judgements if j.verdict != "compliant"), judgements[0])
    if applicable.known or judged.verdict == "compliant":
        return judged
    why = f"{applicable.why}; if it applies: {judged.why}"
    resolved_by = applicable.resolved_by or judged.resolved_by
    return Judgement("unknown", judged.observed, judged.required, why, resolved_by, judged.evidence, judged.remedy)


def _attestation(rule: Rule, target: str, groups: Sequence[str], given: Sequence[Attestation]) -> Attestation | None:
    """The newest one; of two given on one day, the one further down in the file."""
    if not given:
        return None
    fitting = [a for a in given if a.rule == rule.id and matches(a.targets, target, groups)]
    return max(reversed(fitting), key=lambda a: a.date, default=None)


def _waiver(
    rule: Rule, observed: str, target: str, groups: Sequence[str], given: Sequence[Waiver], today: date
) -> WaiverNote | None:
    for w in given:
        in_force = (w.expires is None or w.expires >= today) and w.observed in (None, observed)
        if in_force and any(fnmatchcase(rule.id, p) for p in w.rules) and matches(w.targets, target, groups):
            return WaiverNote(w.owner, w.reason, w.expires)
    return None


def _accepted(rule: Rule, judged: Judgement, policy: Policy) -> WaiverNote | None:
    """What the inventory's policy says of an unknown; it is shown as a waiver is, and never of anything that is known."""
    reason = policy.accepted.get(rule.id) if judged.verdict == "unknown" else None
    return WaiverNote("the inventory's policy", reason, None) if reason else None


def matches(patterns: Iterable[str], target: str, groups: Sequence[str]) -> bool:
    """Does a target fit any shell pattern, or any `@group`?"""
    return any(p[1:] in groups if p.startswith("@") else fnmatchcase(target, p) for p in patterns)
