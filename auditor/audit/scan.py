"""The main flow: reach the host, collect, evaluate. One host with `scan`, many with `scan_all`."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from queue import SimpleQueue

from msgspec.structs import replace

from auditor.audit.context import Audit, Heard, read
from auditor.audit.redaction import blotted
from auditor.collectors.reader import Answer, Posix
from auditor.collectors.reader import ask as ask_host
from auditor.errors import HostError
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.facts import Platform
from auditor.model.requirements import Asked
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.transports import open_session
from auditor.transports.ssh.config import resolved


def scan(target: Target, audit: Audit, stop: Stop) -> TargetResult:
    """Reach one host, read its facts, hold them against the rules. Never raises for what a host does."""
    started = time.monotonic()
    try:
        answer = ask(target, audit, stop)
    except HostError as e:
        error = blotted(TargetError(e.kind, str(e)), secret_refs.given(secrets_of(target)))
        return TargetResult(target=target, outcome="unreachable", error=error, seconds=time.monotonic() - started)
    now = audit.clock()
    given = secret_refs.given(secrets_of(target))
    heard = Heard(target=target, answer=answer, way=way(target), now=now, today=now.date(), given=given)
    left = target.timeouts.total - (time.monotonic() - started)
    result = audit.guarded.read(heard, left, stop) if audit.guarded else read(heard, audit)
    seconds = round(time.monotonic() - started, 3)
    return replace(result, seconds=seconds, known_login=answer.known_login, relaxed=answer.relaxed)


def prepared(target: Target, audit: Audit, stop: Stop) -> Target:
    """A target with what ssh_config says of it, and what its last login taught. HostError where ssh_config says of this host
    what cannot be honoured."""
    if target.fault:
        raise HostError("resolve", target.fault)
    found = resolved(target, Deadline(target.timeouts.total, f"reading what ssh_config says of {target.name}", stop))
    return replace(found, known_login=audit.known_logins.get((found.name, found.way_in)))


def ask(target: Target, audit: Audit, stop: Stop, *, raw: bool = False) -> Answer:
    """Ask the host everything that the rules want to know. `raw`: for recordings. HostError where there is no session."""
    deadline = Deadline(target.timeouts.total, f"reading {target.name}", stop)
    password, sudo = b"", "none"
    if target.become:
        sudo = "sudo-password" if target.become.password else "sudo"
        password = f"{secret_refs.resolve(target.become.password)}\n".encode() if target.become.password else b""

    def wishes(platform: Platform) -> Asked:
        return audit.wishes.of(platform, audit.rulebook)

    with open_session(target, deadline, audit.wishes.permitted(audit.rulebook)) as session:
        posix = Posix(deep=audit.deep, sudo=sudo, password=password, raw=raw)
        return ask_host(session, wishes, audit.marker(), posix, missing_updates=target.missing_updates)


def secrets_of(target: Target) -> tuple[str | None, ...]:
    """The references of what the host, or one on the way to it, is given."""
    hops = [h.password for h in target.jump]
    return (target.password, target.become.password if target.become else None, *hops)


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

    ready = executor.map(lambda target: _ready(target, audit, stop), targets)
    left = 0
    for target in list(ready):
        if isinstance(target, TargetResult):
            yield target
            continue
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


def _ready(target: Target, audit: Audit, stop: Stop) -> Target | TargetResult:
    """A target that can be scanned, or its result where it cannot."""
    try:
        return target if stop.asked.is_set() else prepared(target, audit, stop)
    except HostError as e:
        return TargetResult(target=target, outcome="unreachable", error=TargetError(e.kind, str(e)))
    except Exception as e:
        error = TargetError("internal", f"a fault of auditor itself, please report it: {type(e).__name__}: {e}")
        return TargetResult(target=target, outcome="unreachable", error=error)


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
