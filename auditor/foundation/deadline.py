"""Time limits that hold from outside: whatever a peer does, its socket is closed when the time is up.

A read time-out is per read, so a peer that trickles a byte a second never meets it. Here one watchdog thread closes
what belongs to a deadline that has passed; the blocked call then fails in its own thread, which asks `expired` why.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Literal

from auditor.errors import HostError
from auditor.foundation import secret_refs
from auditor.model.run import TargetError

Closer = Callable[[], object]


class Deadline:
    """One target's time. `limit` narrows it for one step (connecting, one command) and returns a Deadline of its own.

    Seconds of the monotonic clock; `what` names the step in messages."""

    def __init__(self, seconds: float, what: str, stop: Stop | None = None, at: float | None = None) -> None:
        self.seconds, self.what, self.stop = seconds, what, stop
        self.at = time.monotonic() + seconds if at is None else at
        self._closers: list[Closer] = []
        self._lock = threading.Lock()
        self._over: Literal["", "timeout", "interrupted"] = ""

    def limit(self, seconds: float, what: str) -> Deadline:
        """The sooner of this deadline and `seconds` from now."""
        at = time.monotonic() + seconds
        return Deadline(seconds, what, self.stop, at) if at < self.at else Deadline(self.seconds, self.what, self.stop, self.at)

    @property
    def left(self) -> float:
        """Seconds left, at least a millisecond, so that it can serve as a time-out."""
        return max(0.001, self.at - time.monotonic())

    @property
    def over(self) -> Literal["", "timeout", "interrupted"]:
        """Why this deadline ended what it guarded, or ""."""
        return self._over

    def watch(self, closer: Closer) -> Deadline:
        """Call `closer` when the time is up or the run is stopped; at once if that has been."""
        with self._lock:
            over = self._over
            if not over:
                self._closers.append(closer)
            first = len(self._closers) == 1
        if over:
            _close(closer)
        elif first:
            _WATCHDOG.add(self)
            if self.stop:
                self.stop.add(self)
        return self

    def done(self) -> None:
        """The guarded step is over; nothing is closed any more."""
        with self._lock:
            self._closers.clear()
        if self.stop:
            self.stop.discard(self)

    def expire(self, why: Literal["timeout", "interrupted"]) -> None:
        """Close everything watched."""
        with self._lock:
            closers, self._closers = self._closers, []
            if closers and not self._over:
                self._over = why
        for closer in closers:
            _close(closer)

    def truncated(self) -> TargetError:
        """The same as `error`, as a record."""
        error = self.error()
        return TargetError(error.kind, str(error))

    def error(self) -> HostError:
        """The error of a step that this deadline ended."""
        if self._over == "interrupted":
            return HostError("interrupted", f"stopped by the operator while {self.what}; run it again")
        return HostError("timeout", f"no end within {self.seconds:g} s while {self.what}; see `timeouts` in the inventory")


def _close(closer: Closer) -> None:
    try:
        closer()
    except Exception:  # noqa: S110  # it may be closed already; whatever it is, the other closers have to be called
        pass


class Stop:
    """The operator's Ctrl-C: ends every deadline that is under way, and those that begin later."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._live: set[Deadline] = set()
        self._lock = threading.Lock()

    def add(self, deadline: Deadline) -> None:
        """Let a stop end this time limit too; at once where it was asked for before."""
        with self._lock:
            self._live.add(deadline)
        if self.requested.is_set():
            deadline.expire("interrupted")

    def discard(self, deadline: Deadline) -> None:
        """Forget a time limit that is done."""
        with self._lock:
            self._live.discard(deadline)

    def now(self) -> None:
        """Stop everything."""
        self.requested.set()
        secret_refs.end_commands()
        with self._lock:
            live = list(self._live)
        for deadline in live:
            deadline.expire("interrupted")


class _Watchdog:
    """One daemon thread for all deadlines, started with the first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deadline]] = []
        self._turn = threading.Condition()
        self._count = count()
        self._thread: threading.Thread | None = None

    def add(self, deadline: Deadline) -> None:
        with self._turn:
            heapq.heappush(self._heap, (deadline.at, next(self._count), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is deadline:
                self._turn.notify()

    def _run(self) -> None:
        while True:
            with self._turn:
                while not self._heap or self._heap[0][0] > time.monotonic():
                    self._turn.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                deadline = heapq.heappop(self._heap)[2]
            deadline.expire("timeout")


_WATCHDOG = _Watchdog()
