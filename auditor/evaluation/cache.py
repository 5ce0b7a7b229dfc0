"""`evaluate` for many hosts: hosts in the same state, by what a verdict can depend on, are evaluated once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import msgspec
from msgspec import Struct

from auditor.evaluation.evaluate import NEVER, NO_POLICY, evaluate, matches
from auditor.evaluation.knowledge import Knowledge
from auditor.evaluation.shared import Shared, watched
from auditor.model.advisory import Coverage
from auditor.model.encoded_facts import EncodedFacts, encode_facts
from auditor.model.facts import HostFacts, Volatile
from auditor.model.finding import Attestation, Finding, Waiver
from auditor.model.policy import Policy
from auditor.rulebook.rule import Rule


class Evaluation(Struct, frozen=True):
    """The findings of a host. `held`: the releases whose advisories it was held against, none where no feed covers it; `fulfilled`: how
    many of these advisories about flaws are fulfilled, which are no findings."""

    findings: tuple[Finding, ...]
    held: tuple[str, ...] = ()
    fulfilled: int = 0


class EvaluationCache:
    """`evaluate` for many hosts by the same rules: hosts in the same state, by what it may look at, are judged once."""

    _MOST_STATES = 256  # a fleet has fewer states than hosts; each keeps its findings once

    def __init__(self) -> None:
        self._rules: dict[str | None, Sequence[Rule]] = {}  # by the family that they are for
        self._findings: dict[bytes, Evaluation] = {}
        self._shared = Shared()

    def evaluate(
        self,
        facts: HostFacts,
        rules: Sequence[Rule],
        *,
        today: date,
        groups: Sequence[str] = (),
        attestations: Sequence[Attestation] = (),
        waivers: Sequence[Waiver] = (),
        policy: Policy = NO_POLICY,
        failing_since: Mapping[str, date] = NEVER,
        encoded: EncodedFacts | None = None,
        known: Callable[[HostFacts], Knowledge] | None = None,
    ) -> Evaluation:
        """The findings of one host, as the function gives them, and what it was held against. `encoded`: its facts, where somebody has encoded them.
        `known`: what the run's advisory database says of a host."""
        family = facts.platform.family
        if rules is not self._rules.setdefault(family, rules):
            self._rules, self._findings, self._shared = {family: rules}, {}, Shared()
        attested = [a for a in attestations if matches(a.targets, facts.target, groups)]
        waived = [w for w in waivers if matches(w.targets, facts.target, groups)]
        late = (groups if policy.groups else (), failing_since if policy.deadlines or policy.groups else NEVER)
        encoded = encoded or encode_facts(facts)
        by = hashlib.sha256(_encode((attested, waived, today, policy, late[0]))).digest()
        digest = _state(facts, encoded)
        digest.update(by + _encode(late[1]))
        key = digest.digest()
        found = self._findings.get(key)
        if found is None:
            if len(self._findings) >= self._MOST_STATES:
                self._findings.pop(next(iter(self._findings)), None)  # another thread may have been quicker
            share = self._shared.host(facts, encoded, by)
            knowledge = share(("knowledge",), seen := watched(facts), lambda: known(seen)) if known and family else None
            findings = evaluate(
                facts,
                rules,
                today=today,
                groups=groups,
                attestations=attested,
                waivers=waived,
                policy=policy,
                failing_since=late[1],
                knowledge=knowledge,
                share=share,
            )
            found = _evaluation(findings, facts, knowledge.coverage if knowledge else None)
            self._findings[key] = found
        return found


def _evaluation(findings: tuple[Finding, ...], facts: HostFacts, coverage: Coverage | None) -> Evaluation:
    if coverage and coverage.fulfilled is not None:
        return Evaluation(findings, coverage.releases, coverage.fulfilled)
    if coverage is None or facts.packages is None:
        return Evaluation(findings)
    open_ones = sum(1 for f in findings if f.packages and f.obligation == "required")
    return Evaluation(findings, coverage.releases, max(0, coverage.security - open_ones))


_encode = msgspec.json.Encoder().encode


_APART = ("target", "collected_at", "volatile", "machine_id", "outcomes")  # a verdict depends on parts of these at most


def _state(facts: HostFacts, encoded: EncodedFacts) -> hashlib._Hash:
    """What a verdict can depend on: no name, no time, and of Windows' readings only how old the list of updates is."""
    digest = hashlib.sha256()
    for name, body in encoded.items():
        if name not in _APART:
            digest.update(body)
            digest.update(b"\0")
    volatile = facts.volatile
    if volatile and facts.platform.family == "windows":
        volatile = Volatile(updates_searched=volatile.updates_searched)
    digest.update(_encode((volatile, [(o.name, o.outcome, o.reason) for o in facts.outcomes])))
    return digest
