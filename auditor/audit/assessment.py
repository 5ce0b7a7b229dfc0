"""From what a host answered to its findings. No network, no disk."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
from msgspec import Struct

from auditor.audit.context import AuditContext
from auditor.audit.redaction import redacted_facts
from auditor.audit.section_decoder import SectionDecoder
from auditor.collectors.collection import RawCollection
from auditor.evaluation.evaluate import NEVER
from auditor.model.encoded_facts import EncodedFacts
from auditor.model.facts import HostFacts
from auditor.model.run import Outcome, TargetError, TargetResult
from auditor.model.target import Target


class HostResponse(Struct, frozen=True, kw_only=True):
    """What one host answered. `method` says how it was asked, `now` when the answer is read, `secrets` which secrets the host
    was given and may repeat."""

    target: Target
    collection: RawCollection
    method: str
    now: datetime
    secrets: tuple[str, ...] = ()


class HostSections(Struct, frozen=True, kw_only=True):
    """What a worker of another place read of one host: its facts' JSON by section. `error`: why there is less than all."""

    target: Target
    sections: EncodedFacts
    error: TargetError | None
    now: datetime


def assess_sections(given: HostSections, context: AuditContext, decoder: SectionDecoder) -> TargetResult:
    """Evaluate the facts that a worker read. `decoder`: one for all hosts, which have most sections in common."""
    try:
        facts = decoder.decode(given.sections)
    except msgspec.MsgspecError as e:
        error = TargetError("protocol", f"what its worker sent is no host's facts: {e}")
        return TargetResult(target=given.target, outcome="failed", error=error)
    return evaluate_facts(facts, given.target, context, given.error, given.now.date(), given.sections)


def assess(response: HostResponse, context: AuditContext) -> TargetResult:
    """Read the facts of a response and evaluate them."""
    collection = response.collection
    facts = collection.facts(target=response.target.name, method=response.method, now=collection.recorded_at or response.now)
    facts, encoded = redacted_facts(facts, response.secrets)
    return evaluate_facts(facts, response.target, context, collection.truncated, response.now.date(), encoded)


def evaluate_facts(
    facts: HostFacts,
    target: Target,
    context: AuditContext,
    truncated: TargetError | None = None,
    today: date | None = None,
    encoded: EncodedFacts | None = None,
) -> TargetResult:
    """Hold facts against the rules. The outcome is `failed` where not even the platform is known, `partial` where a collector
    gave no fact, or only part of it. `encoded`: the facts' JSON, where it is there already."""
    if facts.platform.family is None:
        reason = next((o.reason for o in facts.outcomes if o.name == "platform"), "the facts name no platform")
        error = truncated or TargetError("protocol", f"there was a session, but no platform could be read: {reason}")
        return TargetResult(target=target, outcome="failed", error=error, facts=facts, encoded=encoded)
    evaluation = context.evaluations.evaluate(
        facts,
        context.rulebook.of(facts.platform.family),
        today=today or context.clock().date(),
        groups=target.groups,
        attestations=context.attestations,
        waivers=context.waivers,
        policy=context.policy,
        failing_since=context.failing_since.get(target.name, NEVER),
        encoded=encoded,
        known=context.advisories.about if context.advisories else None,
    )
    whole = all(o.outcome in ("ok", "skipped") for o in facts.outcomes)
    outcome: Outcome = "assessed" if whole else "partial"
    return TargetResult(
        target=target,
        outcome=outcome,
        facts=facts,
        findings=evaluation.findings,
        encoded=encoded,
        held=evaluation.held,
        fulfilled=evaluation.fulfilled,
    )
