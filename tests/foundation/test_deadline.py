"""Time limits that hold from outside: who is closed, when, how often, and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from auditor.foundation.deadline import Deadline, Stop

SOON = 10.0


class Closer:
    """Counts its calls; `called` is set by the first."""

    def __init__(self) -> None:
        self.times, self.called = 0, threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self.called.set()


def test_a_closer_is_called_when_the_time_is_up_and_only_once() -> None:
    closer, start = Closer(), time.monotonic()
    deadline = Deadline(0.05, "waiting").watch(closer)
    assert (closer.times, deadline.over) == (0, "")
    assert closer.called.wait(SOON)
    assert time.monotonic() - start >= 0.05
    assert deadline.over == "timeout"
    deadline.expire("timeout")
    deadline.expire("interrupted")
    assert (closer.times, deadline.over) == (1, "timeout")


def test_every_closer_is_called() -> None:
    closers = [Closer() for _ in range(5)]
    deadline = Deadline(0.05, "waiting")
    for closer in closers:
        deadline.watch(closer)
    assert all(closer.called.wait(SOON) for closer in closers)


def test_a_closer_that_comes_late_is_called_at_once_and_only_once() -> None:
    deadline = Deadline(60, "waiting", Stop()).watch(lambda: None)
    deadline.expire("timeout")
    late = Closer()
    deadline.watch(late)
    assert late.times == 1
    deadline.expire("interrupted")
    assert (late.times, deadline.over) == (1, "timeout")


def test_a_deadline_that_has_passed_before_it_is_watched() -> None:
    closer, deadline = Closer(), Deadline(-1, "waiting")
    deadline.watch(closer)
    assert closer.called.wait(SOON)


def test_done_prevents() -> None:
    closer, other = Closer(), Closer()
    deadline = Deadline(0.05, "waiting").watch(closer)
    deadline.done()
    Deadline(0.1, "waiting").watch(other)
    assert other.called.wait(SOON)  # the watchdog has been past ours
    assert (closer.times, deadline.over) == (0, "")


def test_done_prevents_a_stop_too() -> None:
    closer, stop = Closer(), Stop()
    deadline = Deadline(60, "waiting", stop).watch(closer)
    deadline.done()
    stop.now()
    assert (closer.times, deadline.over) == (0, "")


def test_the_soonest_comes_first_whatever_the_order_they_were_made_in() -> None:
    """A watchdog that sleeps for a later one must be woken for a sooner one."""
    order: list[str] = []
    end = threading.Event()

    def say(name: str) -> Callable[[], None]:
        return lambda: order.append(name)

    kept = [Deadline(s, "waiting").watch(say(f"{s}")) for s in (0.3, 0.1, 0.2)]
    kept.append(Deadline(0.4, "waiting").watch(end.set))
    assert end.wait(SOON)
    assert order == ["0.1", "0.2", "0.3"]


@pytest.mark.parametrize("fault", [EOFError, OSError, ValueError])
def test_a_closer_that_fails_costs_no_other_its_limit(fault: type[Exception]) -> None:
    """One thread serves all: if it died, no host would have a time limit any more."""

    def fails() -> None:
        raise fault

    beside, later = Closer(), Closer()
    Deadline(0.05, "waiting").watch(fails).watch(beside)
    assert beside.called.wait(2)
    Deadline(0.05, "waiting").watch(later)
    assert later.called.wait(2)


def test_stop_ends_what_is_under_way_and_what_comes_later() -> None:
    stop, present, future = Stop(), Closer(), Closer()
    now = Deadline(60, "connecting", stop).watch(present)
    stop.now()
    assert (present.times, now.over) == (1, "interrupted")
    later = Deadline(60, "connecting", stop)
    later.watch(future)
    assert (future.times, later.over) == (1, "interrupted")
    limit = later.limit(5, "logging in")
    limit.watch(future)
    assert (future.times, limit.over) == (2, "interrupted")
    assert stop.requested.is_set()
    stop.now()
    assert (present.times, future.times) == (1, 2)


def test_stop_after_a_time_out_changes_nothing() -> None:
    stop, closer = Stop(), Closer()
    deadline = Deadline(0.05, "waiting", stop).watch(closer)
    assert closer.called.wait(SOON)
    stop.now()
    assert (closer.times, deadline.over, deadline.error().kind) == (1, "timeout", "timeout")


def test_stop_and_many_beginnings_at_once() -> None:
    """However a beginning and the stop fall together, every closer is called, and once."""
    for _ in range(50):
        stop, closers = Stop(), [Closer() for _ in range(8)]
        gate = threading.Barrier(len(closers) + 1)

        def begin(closer: Closer, stop: Stop = stop, gate: threading.Barrier = gate) -> None:
            gate.wait()
            Deadline(60, "connecting", stop).watch(closer)

        threads = [threading.Thread(target=begin, args=(c,)) for c in closers]
        for t in threads:
            t.start()
        gate.wait()
        stop.now()
        for t in threads:
            t.join()
        assert [c.times for c in closers] == [1] * len(closers)


@pytest.mark.parametrize(("parent", "child", "wanted"), [(10.0, 3.0, 3.0), (3.0, 10.0, 3.0), (5.0, 5.0, 5.0), (-1.0, 5.0, 0.0)])
def test_a_limit_never_exceeds_its_parent(parent: float, child: float, wanted: float) -> None:
    whole = Deadline(parent, "reading web1")
    limit = whole.limit(child, "connecting")
    assert limit.at <= whole.at
    assert wanted - 1 < limit.left <= max(wanted, 0.001)
    assert limit.limit(child, "logging in").at <= limit.at + 0.01
    assert ("connecting" in str(limit.error())) == (child < parent)  # the one that was too short is named
    assert f"{min(child, parent):g} s" in str(limit.error())


def test_a_limit_belongs_to_its_parents_stop_but_not_to_its_closers() -> None:
    stop, outer, inner = Stop(), Closer(), Closer()
    whole = Deadline(60, "reading web1", stop).watch(outer)
    limit = whole.limit(0.05, "connecting").watch(inner)
    assert inner.called.wait(SOON)
    assert (outer.times, whole.over, limit.over) == (0, "", "timeout")
    whole.done()


def test_what_is_left_can_serve_as_a_time_out() -> None:
    assert Deadline(-5, "waiting").left == 0.001
    assert 59 < Deadline(60, "waiting").left <= 60


@pytest.mark.parametrize(
    ("why", "words"), [("timeout", "no end within 7 s while connecting"), ("interrupted", "stopped by the operator")]
)
def test_the_error_says_what_was_going_on_and_what_to_do(why: Any, words: str) -> None:
    deadline = Deadline(7, "connecting").watch(lambda: None)
    deadline.expire(why)
    error = deadline.error()
    assert error.kind == why
    assert words in str(error)
    assert "connecting" in str(error)
    assert (deadline.truncated().kind, deadline.truncated().message) == (why, str(error))
