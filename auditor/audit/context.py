"""From what a host said to its findings: reading and judging. Pure, and so done by a child process that can be ended."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import TracebackType

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from auditor.audit.redaction import blotted
from auditor.collectors.permitted import Permitted
from auditor.collectors.reader import Answer
from auditor.errors import HostError
from auditor.evaluation.applicability import may_apply
from auditor.evaluation.evaluate import NEVER, NO_POLICY, States
from auditor.foundation.deadline import Deadline, Stop
from auditor.foundation.isolation import Guard
from auditor.model.facts import HostFacts, Platform
from auditor.model.finding import Attestation, Finding, Waiver
from auditor.model.policy import Policy
from auditor.model.requirements import Asked
from auditor.model.run import Outcome, TargetError, TargetResult
from auditor.model.target import KnownLogin, Target
from auditor.rulebook.loader import Rulebook

READING_SECONDS = 20.0  # what reading one answer may take at the most; the largest honest ones take less than one
_SOON = 5.0  # and what it gets at least, where a host has used up its own time limit


class Wishes:
    """What the rules want to know of a platform, and all that they can lead to; told once for the hosts of a run."""

    def __init__(self) -> None:
        self._asked: dict[Platform, Asked] = {}
        self._permitted: Permitted | None = None

    def of(self, platform: Platform, rulebook: Rulebook) -> Asked:
        if platform not in self._asked:
            self._asked[platform] = rulebook.asked(may_apply(platform))
        return self._asked[platform]

    def permitted(self, rulebook: Rulebook) -> Permitted:
        if self._permitted is None:
            self._permitted = Permitted(rulebook.asked())
        return self._permitted


class Audit(Struct, frozen=True, kw_only=True):
    """What all targets of a run have in common. `clock` and `marker` are the outside world's: time and randomness.
    `seen`: by target, since when it is known to lack what a rule asks for; `known_logins`: by its name and way in, what the last
    login taught. `guarded`: who reads answers where that can be
    ended; None = here and now."""

    rulebook: Rulebook
    clock: Callable[[], datetime]
    marker: Callable[[], str]
    attestations: tuple[Attestation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    policy: Policy = NO_POLICY
    seen: Mapping[str, Mapping[str, date]] = field(default_factory=dict)
    known_logins: Mapping[tuple[str, str], KnownLogin] = field(default_factory=dict)
    deep: bool = False
    states: States = field(default_factory=States)
    wishes: Wishes = field(default_factory=Wishes)
    guarded: Guarded | None = None


class Heard(Struct, frozen=True, kw_only=True):
    """What one host said: `way` is how it was asked, `now` when it was read, `given` the secrets that it may say back."""

    target: Target
    answer: Answer
    way: str
    now: datetime
    today: date
    given: tuple[str, ...] = ()


def read(heard: Heard, audit: Audit) -> TargetResult:
    """Read the facts, hold them against the rules."""
    answer = heard.answer
    told = answer.facts(target=heard.target.name, way=heard.way, now=answer.when or heard.now)
    return judge_facts(blotted(told, heard.given), heard.target, audit, answer.cut, heard.today)


def judge_facts(
    facts: HostFacts, target: Target, audit: Audit, cut: TargetError | None = None, today: date | None = None
) -> TargetResult:
    """Facts against rules: `failed` where not even the platform is known, `partial` where a collector did not tell."""
    if facts.platform.family is None:
        reason = next((o.reason for o in facts.outcomes if o.name == "platform"), "the facts name no platform")
        error = cut or TargetError("protocol", f"there was a session, but no platform could be read: {reason}")
        return TargetResult(target=target, outcome="failed", error=error, facts=facts)
    findings = audit.states.evaluate(
        facts,
        audit.rulebook.rules,
        today=today or audit.clock().date(),
        groups=target.groups,
        attestations=audit.attestations,
        waivers=audit.waivers,
        policy=audit.policy,
        seen=audit.seen.get(target.name, NEVER),
    )
    whole = all(o.outcome in ("ok", "skipped") for o in facts.outcomes)
    return TargetResult(target=target, outcome="assessed" if whole else "partial", facts=facts, findings=findings)


class _Result(Struct, frozen=True):
    """A result on its way between processes; `findings` stay as they are until somebody wants those of this state."""

    outcome: Outcome
    error: TargetError | None
    facts: HostFacts | None
    findings: Raw


class Guarded:
    """Reading and judging in child processes (guard.py), for one run. A context, whose value is the audit to work with."""

    _KEPT = 256  # states of a fleet's hosts; each keeps its findings once

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._guard = Guard(self._in_child)
        self._findings: dict[bytes, tuple[Finding, ...]] = {}

    def __enter__(self) -> Audit:
        self._guard.__enter__()
        return replace(self._audit, guarded=self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._guard.__exit__(kind, error, trace)

    def read(self, heard: Heard, left: float, stop: Stop) -> TargetResult:
        """The result of `read`; a host whose answer passed a limit of time or memory is `failed`. `left`: seconds of the
        host's own time limit; waiting for a turn costs it nothing."""
        seconds = min(READING_SECONDS, max(left, min(_SOON, heard.target.timeouts.total)))
        try:
            said = self._guard.compute(pickle.dumps(heard), Deadline(seconds, "reading its answer", stop, at=_FAR))
            found = _decode(said)
        except HostError as e:
            return TargetResult(target=heard.target, outcome="failed", error=TargetError(e.kind, str(e)))
        except msgspec.MsgspecError as e:
            error = TargetError("limit", f"a field that was read of its answer passes a limit: {e}")
            return TargetResult(target=heard.target, outcome="failed", error=error)
        return TargetResult(
            target=heard.target,
            outcome=found.outcome,
            error=found.error,
            facts=found.facts,
            findings=self._shared(bytes(found.findings)),
        )

    def _in_child(self, given: bytes) -> bytes:
        heard: Heard = pickle.loads(given)  # the parent's own
        result = read(heard, self._audit)
        return _encode(_Result(result.outcome, result.error, result.facts, Raw(_encode(result.findings))))

    def _shared(self, encoded: bytes) -> tuple[Finding, ...]:
        """Findings, held once for all hosts in the same state."""
        key = hashlib.sha256(encoded).digest()
        found = self._findings.get(key)
        if found is None:
            if len(self._findings) >= self._KEPT:
                self._findings.pop(next(iter(self._findings)), None)  # another thread may have been quicker
            found = self._findings[key] = _decode_findings(encoded)
        return found


_FAR = float("inf")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Result).decode
_decode_findings = msgspec.msgpack.Decoder(tuple[Finding, ...]).decode
