"""Many hosts at once: who scans which host when. Another executor may spread them over several machines."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from auditor.audit.context import AuditContext
from auditor.audit.isolated import IsolatedAssessor
from auditor.audit.scan import Assessor, prepared, scan
from auditor.errors import ErrorKind, FileFaults, HostError
from auditor.foundation.deadline import Stop
from auditor.foundation.memory import share_one_heap
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target

# What may pass by itself a little later; everything else needs somebody to change something.
PASSING: frozenset[ErrorKind] = frozenset(("resolve", "refused", "timeout", "protocol", "jump-failed", "quota"))


MOST_TOGETHER, LONGEST_WAIT = 32, 1.0  # results that are given together, and the seconds that the first of them waits at most
Batch = list[TargetResult]


class TargetExecutor(Protocol):
    """Scans targets and gives their results as they arrive, exactly one for every target; those that arrive within a second
    together, since the history stores them as one."""

    def run(self, targets: Sequence[Target], context: AuditContext, stop: Stop) -> Iterator[Batch]:
        """Scan the targets. After `stop` the rest arrives as `interrupted`."""
        ...


class LocalExecutor(Struct, frozen=True):
    """Scans from this machine: `jobs` hosts at a time, `per_jump` of them through one jump host."""

    jobs: int = 32
    per_jump: int | None = None

    def run(self, targets: Sequence[Target], context: AuditContext, stop: Stop) -> Iterator[Batch]:
        share_one_heap()
        with IsolatedAssessor(context) as assessor:
            yield from self.scan(targets, context, stop, assessor)

    def scan(self, targets: Sequence[Target], context: AuditContext, stop: Stop, assessor: IsolatedAssessor) -> Iterator[Batch]:
        """The same with an assessor that others use too."""
        workers = max(1, min(self.jobs, len(targets)))
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="host") as pool:
            yield from scan_all(targets, context, pool, stop, self.per_jump, assessor.assess)


class RetryingExecutor(Struct, frozen=True):
    """Gives hosts that failed by a passing fault a second try at the end, in what their own time limit leaves. So a bad host
    costs a run its time limit once, however often it is tried. `on_try` is called after every try."""

    executor: TargetExecutor
    on_try: Callable[[], None]

    def run(self, targets: Sequence[Target], context: AuditContext, stop: Stop) -> Iterator[Batch]:
        again: dict[str, TargetResult] = {}
        for batch in self.executor.run(targets, context, stop):
            self.on_try()
            passing = {r.target.name: r for r in batch if _may_pass(r)} if not stop.requested.is_set() else {}
            again |= passing
            yield [r for r in batch if r.target.name not in passing]
        if stop.requested.is_set():
            yield list(again.values())
        elif again:
            for batch in self.executor.run([_with_seconds_left(r) for r in again.values()], context, stop):
                self.on_try()
                yield [_second(again[r.target.name], r) for r in batch]


def _may_pass(result: TargetResult) -> bool:
    """Is it worth a second try?"""
    return result.error is not None and result.error.kind in PASSING and _seconds_left(result) > 0 and result.asks == 1


def _second(first: TargetResult, result: TargetResult) -> TargetResult:
    return replace(result, target=first.target, seconds=round(first.seconds + result.seconds, 3))


def _seconds_left(result: TargetResult) -> float:
    """What a host's own time limit leaves for a second try; 0 where that would not do for reaching it."""
    limits = result.target.timeouts
    left = limits.total - result.seconds
    return left if left >= limits.connect else 0.0


def _with_seconds_left(result: TargetResult) -> Target:
    target = result.target
    return replace(target, timeouts=replace(target.timeouts, total=_seconds_left(result)))


def scan_all(
    targets: Iterable[Target],
    context: AuditContext,
    pool: Executor,
    stop: Stop,
    per_jump: int | None = None,
    assessor: Assessor | None = None,
) -> Iterator[Batch]:
    """Many targets over a pool, results as they arrive, at most `per_jump` at a time through one jump host. After `stop`
    the rest arrives as `interrupted`."""
    done: SimpleQueue[tuple[Target, Future[TargetResult]]] = SimpleQueue()
    waiting: dict[str, deque[Target]] = defaultdict(deque)
    through: Counter[str] = Counter()

    def submit(target: Target) -> None:
        pool.submit(_scan_safely, target, context, stop, assessor).add_done_callback(lambda future: done.put((target, future)))

    ready = pool.map(lambda target: _prepare_safely(target, stop), targets)
    left, failed = 0, Batch()
    for target in list(ready):
        if isinstance(target, TargetResult):
            failed.append(target)
            continue
        left += 1
        jump = _first_jump(target)
        if per_jump and jump and through[jump] >= per_jump:
            waiting[jump].append(target)
        else:
            through[jump] += 1
            submit(target)
    if failed:
        yield failed
    while left:
        batch, until = Batch(), float("inf")
        while len(batch) < min(left, MOST_TOGETHER):
            try:
                target, future = done.get(timeout=max(0.0, until - time.monotonic()) if batch else None)
            except Empty:
                break
            if following := waiting[_first_jump(target)]:
                submit(following.popleft())
            until = until if batch else time.monotonic() + LONGEST_WAIT
            batch.append(future.result())
        left -= len(batch)
        yield batch


def _first_jump(target: Target) -> str:
    return target.jump[0].name if target.jump else ""


def _prepare_safely(target: Target, stop: Stop) -> Target | TargetResult:
    """A target that can be scanned, or its result where it cannot."""
    try:
        return target if stop.requested.is_set() else prepared(target, stop)
    except HostError as e:
        return TargetResult(target=target, outcome="unreachable", error=TargetError(e.kind, str(e)))
    except Exception as e:
        return _own_fault(target, e)


def _scan_safely(target: Target, context: AuditContext, stop: Stop, assessor: Assessor | None) -> TargetResult:
    """A fault of our own must cost one target, not the run."""
    if stop.requested.is_set():
        error = TargetError("interrupted", "the run was stopped before this host's turn; run it again")
        return TargetResult(target=target, outcome="unreachable", error=error)
    try:
        return scan(target, context, stop, assessor)
    except FileFaults as e:  # of rules that are read only when a host of their family is met
        message = f"the rules for this host cannot be read: {e.faults[0]}; `auditor rules lint` tells every fault"
        return TargetResult(target=target, outcome="unreachable", error=TargetError("internal", message))
    except Exception as e:
        return _own_fault(target, e)


def _own_fault(target: Target, e: Exception) -> TargetResult:
    error = TargetError("internal", f"a fault of auditor itself, please report it: {type(e).__name__}: {e}")
    return TargetResult(target=target, outcome="unreachable", error=error)
