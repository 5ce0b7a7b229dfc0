"""The main flow: reach the host, collect, evaluate. One host with `scan`, many with `scan_all`."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from datetime import UTC, date, datetime
from queue import SimpleQueue
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from auditor import secrets
from auditor.applies import may_apply
from auditor.collectors.ask import Answer, Posix
from auditor.collectors.ask import ask as ask_host
from auditor.collectors.permitted import Permitted
from auditor.errors import HostError
from auditor.evaluate import NEVER, NO_POLICY, States
from auditor.model.asked import Asked
from auditor.model.facts import HostFacts, Platform
from auditor.model.finding import Attestation, Waiver
from auditor.model.policy import Policy
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.rulebook import Rulebook
from auditor.transports import open_session
from auditor.transports.deadline import Deadline, Stop


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
    `seen`: by target, since when it is known to lack what a rule asks for."""

    rulebook: Rulebook
    clock: Callable[[], datetime]
    marker: Callable[[], str]
    attestations: tuple[Attestation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    policy: Policy = NO_POLICY
    seen: Mapping[str, Mapping[str, date]] = field(default_factory=dict)
    deep: bool = False
    states: States = field(default_factory=States)
    wishes: Wishes = field(default_factory=Wishes)


Told = TypeVar("Told", HostFacts, TargetError)

# Reading an answer is pure computing: under one interpreter lock, hosts taken one at a time are done as soon, and only
# one answer is held unpacked in memory, however many arrive together.
_TURN = threading.Lock()


def scan(target: Target, audit: Audit, stop: Stop) -> TargetResult:
    """Reach one host, read its facts, hold them against the rules. Never raises for what a host does."""
    started = time.monotonic()
    try:
        answer = ask(target, audit, stop)
    except HostError as e:
        error = _without_secrets(TargetError(e.kind, str(e)), target)
        return TargetResult(target=target, outcome="unreachable", error=error, seconds=time.monotonic() - started)
    with _TURN:
        told = answer.facts(target=target.name, way=way(target), now=answer.when or audit.clock())
        facts = _without_secrets(told, target)
        judged = judge_facts(facts, target, audit, answer.cut)
    return TargetResult(
        target=target,
        outcome=judged.outcome,
        error=judged.error,
        facts=facts,
        findings=judged.findings,
        seconds=round(time.monotonic() - started, 3),
        known_login=answer.known_login,
        relaxed=answer.relaxed,
    )


def ask(target: Target, audit: Audit, stop: Stop, *, raw: bool = False) -> Answer:
    """Ask the host everything that the rules want to know. `raw`: for recordings. HostError where there is no session."""
    deadline = Deadline(target.timeouts.total, f"reading {target.name}", stop)
    password, sudo = b"", "none"
    if target.become:
        sudo = "sudo-password" if target.become.password else "sudo"
        password = f"{secrets.resolve(target.become.password)}\n".encode() if target.become.password else b""

    def wishes(platform: Platform) -> Asked:
        return audit.wishes.of(platform, audit.rulebook)

    with open_session(target, deadline, audit.wishes.permitted(audit.rulebook)) as session:
        posix = Posix(deep=audit.deep, sudo=sudo, password=password, raw=raw)
        return ask_host(session, wishes, audit.marker(), posix, missing_updates=target.missing_updates)


def secrets_of(target: Target) -> tuple[str | None, ...]:
    """The references of what the host, or one on the way to it, is given."""
    hops = [h.password for h in target.jump]
    return (target.password, target.become.password if target.become else None, *hops)


def _without_secrets(told: Told, target: Target) -> Told:
    """What a host said, without what it was given to log in or for sudo, should it have said that back."""
    given = secrets_of(target)
    if not any(given):
        return told
    text = msgspec.json.encode(told)
    clean = secrets.without(text, given)
    return told if clean == text else msgspec.json.decode(clean, type=type(told))


def judge_facts(facts: HostFacts, target: Target, audit: Audit, cut: TargetError | None = None) -> TargetResult:
    """Facts against rules: `failed` where not even the platform is known, `partial` where a collector did not tell."""
    if facts.platform.family is None:
        reason = next((o.reason for o in facts.outcomes if o.name == "platform"), "the facts name no platform")
        error = cut or TargetError("protocol", f"there was a session, but no platform could be read: {reason}")
        return TargetResult(target=target, outcome="failed", error=error, facts=facts)
    findings = audit.states.evaluate(
        facts,
        audit.rulebook.rules,
        today=audit.clock().date(),
        groups=target.groups,
        attestations=audit.attestations,
        waivers=audit.waivers,
        policy=audit.policy,
        seen=audit.seen.get(target.name, NEVER),
    )
    whole = all(o.outcome in ("ok", "skipped") for o in facts.outcomes)
    return TargetResult(target=target, outcome="assessed" if whole else "partial", facts=facts, findings=findings)


def scan_all(
    targets: Iterable[Target], audit: Audit, executor: Executor, stop: Stop, per_jump: int | None = None
) -> Iterator[TargetResult]:
    """Many targets over an executor, each result as it arrives, at most `per_jump` at a time through one jump host. After
    `stop` the rest comes as `interrupted`."""
    done: SimpleQueue[tuple[Target, Future[TargetResult]]] = SimpleQueue()
    waiting: dict[str, deque[Target]] = defaultdict(deque)
    through: Counter[str] = Counter()

    def submit(target: Target) -> None:
        executor.submit(_guarded, target, audit, stop).add_done_callback(lambda future: done.put((target, future)))

    left = 0
    for target in targets:
        left += 1
        jump = _first_jump(target)
        if per_jump and jump and through[jump] >= per_jump:
            waiting[jump].append(target)
        else:
            through[jump] += 1
            submit(target)
    for _ in range(left):
        target, future = done.get()
        if following := waiting[_first_jump(target)]:
            submit(following.popleft())
        yield future.result()


def _first_jump(target: Target) -> str:
    return target.jump[0].name if target.jump else ""


def _guarded(target: Target, audit: Audit, stop: Stop) -> TargetResult:
    """A fault of our own must cost one target, not the run."""
    if stop.asked.is_set():
        error = TargetError("interrupted", "the run was stopped before this host's turn; run it again")
        return TargetResult(target=target, outcome="unreachable", error=error)
    try:
        return scan(target, audit, stop)
    except Exception as e:
        error = TargetError("internal", f"a fault of auditor itself, please report it: {type(e).__name__}: {e}")
        return TargetResult(target=target, outcome="unreachable", error=error)


def way(target: Target) -> str:
    """How the facts were read, for the evidence."""
    through = f" through {', '.join(h.name for h in target.jump)}" if target.jump else ""
    return f"{target.connection}{through}"


def utc_now() -> datetime:
    """The clock of real runs, in milliseconds, which is what the history keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
