"""Ctrl-C: wherever a scan hangs, it ends within a second and says that it was interrupted."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.context import AuditContext
from auditor.audit.executor import scan_all
from auditor.audit.scan import scan
from auditor.foundation.deadline import Stop
from auditor.model.run import TargetResult
from auditor.model.target import Target
from tests.lab.hostile import BANNER, Host, Serve, black_hole, listening, relay, says, trickles

LONG = (60.0, 60.0, 60.0)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "host") as h:
        yield h


def stopped(target: Target, audit: AuditContext, when: Callable[[], object]) -> tuple[TargetResult, float]:
    """A scan that the operator ends at a moment, and how long it took to end from then on."""
    stop, asked = Stop(), list[float]()

    def operator() -> None:
        when()
        asked.append(time.monotonic())
        stop.now()

    thread = threading.Thread(target=operator)
    thread.start()
    result = scan(target, audit, stop)
    ended = time.monotonic()
    thread.join()
    return result, ended - asked[0]


def interrupted(result: TargetResult, took: float, outcome: str = "unreachable") -> None:
    assert result.error
    assert (result.outcome, result.error.kind, result.findings) == (outcome, "interrupted", ()), result.error
    assert took < 1


def tells(serve: Serve, accepted: threading.Event) -> Serve:
    def serving(c: socket.socket, over: threading.Event) -> None:
        accepted.set()
        serve(c, over)

    return serving


def silent_after(host: Host) -> dict[str, Serve]:
    real = (host.address, host.port)
    return {
        "banner": says(b""),
        "lines": trickles(b"hello\r\n"),
        "kexinit": says(BANNER),
        "key-exchange": relay(real, 1000),
        "login": relay(real, 1700),
    }


@pytest.mark.parametrize("jump", [False, True], ids=["direct", "through-a-jump-host"])
@pytest.mark.parametrize("phase", ["banner", "lines", "kexinit", "key-exchange", "login"])
def test_in_the_middle_of_a_login(host: Host, audit: AuditContext, phase: str, jump: bool) -> None:
    accepted = threading.Event()
    with listening(tells(silent_after(host)[phase], accepted)) as (_, port):
        # The relay shows the real server's key under the port of its own.
        known = host.known.with_name("known_too")
        known.write_text(host.known_hosts_line() + host.known_hosts_line().replace(str(host.port), str(port)))
        more: dict[str, Any] = {"known_hosts": (str(known),), "times": LONG}
        through = (host.target(name="hop", **more),) if jump else ()
        interrupted(*stopped(host.target(port=port, jump=through, **more), audit, lambda: accepted.wait(20)))


def test_while_connecting(host: Host, audit: AuditContext) -> None:
    with black_hole() as (_, port):
        # No event tells that a SYN is being sent again and again.
        interrupted(*stopped(host.target(port=port, times=LONG), audit, lambda: threading.Event().wait(0.1)))


@pytest.mark.parametrize("jump", [False, True], ids=["direct", "through-a-jump-host"])
def test_while_the_command_hangs(host: Host, audit: AuditContext, tmp_path: Path, jump: bool) -> None:
    host.forces("exec sleep 1000")
    with contextlib.ExitStack() as stack:
        through = (stack.enter_context(Host(tmp_path / "hop")).target(name="hop"),) if jump else ()
        result, took = stopped(host.target(times=LONG, jump=through), audit, host.wait_for_command)
    interrupted(result, took, "failed")


def test_before_it_begins(host: Host, audit: AuditContext) -> None:
    stop = Stop()
    stop.now()
    start = time.monotonic()
    with listening(says(b"")) as (_, port):
        result = scan(host.target(port=port, times=LONG), audit, stop)
    interrupted(result, time.monotonic() - start)


def test_a_fleet(host: Host, audit: AuditContext) -> None:
    """Those under way end, those to come are not contacted, and every one is told of."""
    stop, accepted = Stop(), list[int]()

    def count(c: socket.socket, over: threading.Event) -> None:
        accepted.append(1)
        if len(accepted) == 3:
            stop.now()
        over.wait()

    with listening(count) as (_, port), ThreadPoolExecutor(3) as executor:
        targets = [host.target(name=f"t{n}", port=port, times=LONG) for n in range(20)]
        start = time.monotonic()
        results = [r for batch in scan_all(targets, audit, executor, stop) for r in batch]
    assert time.monotonic() - start < 15
    assert {r.target.name for r in results} == {t.name for t in targets}
    assert {r.error.kind for r in results if r.error} == {"interrupted"}
    assert len(accepted) == 3
