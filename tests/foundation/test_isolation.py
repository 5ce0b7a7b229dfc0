"""Computing that can be ended: what takes too long or too much memory is killed, and nothing else suffers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditor.errors import HostError
from auditor.foundation import isolation
from auditor.foundation.deadline import Deadline, Stop
from auditor.foundation.isolation import Guard
from tests.lab.hostile import no_leaks


def work(given: bytes) -> bytes:
    """Does what it is told, as a reader may that met what nobody thought of."""
    match given:
        case b"regex":  # holds the interpreter, hears no signal
            re.fullmatch(r"(a+)+b", "a" * 60)
        case b"loop":
            while True:
                pass
        case b"memory":
            return b"x" * (len([bytes(1000) for _ in range(2_000_000)]) and 1)
        case b"one block":
            return bytes(10_000_000_000)
        case b"deep":
            return work(b"deep")
        case b"fault":
            raise KeyError("what is this")
        case b"dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"gone":
            os._exit(0)
        case b"huge":
            return bytes(isolation.MAX_RESULT + 1)
        case b"files":
            return " ".join(sorted(os.listdir("/proc/self/fd"))).encode()
    return given[::-1]


def soon(seconds: float = 1.0, stop: Stop | None = None) -> Deadline:
    return Deadline(seconds, "reading", stop)


@pytest.fixture
def guarded() -> Iterator[Guard]:
    with no_leaks(), Guard(work, 2) as it:
        yield it


@pytest.mark.parametrize(
    ("given", "kind", "word"),
    [
        (b"regex", "limit", "longer than 0.5 s"),
        (b"loop", "limit", "longer than 0.5 s"),
        (b"memory", "limit", "512 MB of memory"),
        (b"one block", "limit", "512 MB of memory"),
        (b"deep", "limit", "nested"),
        (b"huge", "limit", "larger than 48 MB"),
        (b"fault", "internal", "what is this"),
        (b"dies", "worker-lost", "ended without a word"),
        (b"gone", "worker-lost", "ended without a word"),
    ],
)
def test_what_cannot_be_done_costs_one_task(guarded: Guard, given: bytes, kind: str, word: str) -> None:
    seconds = 0.5 if kind == "limit" and given in (b"regex", b"loop") else 20.0
    for _ in range(3):
        with pytest.raises(HostError, match=word) as caught:
            guarded.compute(given, soon(seconds))
        assert caught.value.kind == kind
    assert guarded.compute(b"abc", soon(20)) == b"cba"


def test_others_go_on_beside_one_that_hangs(guarded: Guard) -> None:
    with ThreadPoolExecutor(9) as pool:
        hung = pool.submit(guarded.compute, b"regex", soon(3))
        done = [pool.submit(guarded.compute, str(n).encode() * 50_000, soon(20)) for n in range(8)]
        assert [f.result(2.5) for f in done] == [str(n).encode() * 50_000 for n in range(8)]
        assert not hung.done()
        with pytest.raises(HostError):
            hung.result()


def test_a_run_that_is_stopped(guarded: Guard) -> None:
    stop = Stop()
    threading.Timer(0.3, stop.now).start()
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        all_ = [pool.submit(guarded.compute, b"regex", soon(60, stop)) for _ in range(4)]  # two of them wait for a turn
        kinds = []
        for f in all_:
            with pytest.raises(HostError) as caught:
                f.result()
            kinds.append(caught.value.kind)
    assert kinds == ["interrupted"] * 4
    assert time.monotonic() - began < 5


def test_children_hold_nothing_of_their_parent(guarded: Guard, tmp_path: Path) -> None:
    with (tmp_path / "x").open("w"):
        assert guarded.compute(b"files", soon(20)) == b"0 1 2 3 4"  # its link, and the folder that it lists


def test_children_end_with_their_parent() -> None:
    """However it ends, and whatever they do."""
    program = """
        import os, sys, threading, time
        from tests.foundation.test_isolation import Guard, soon, work
        with Guard(work, 2) as it:
            for _ in range(2):
                threading.Thread(target=it.compute, args=(b"regex", soon(60)), daemon=True).start()
            time.sleep(0.5)
            print(os.getpid(), flush=True)
            time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    parent.stdout.readline()
    family = _descendants(parent.pid)
    assert len(family) == 3  # the nursery and two children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while any(_alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in family if _alive(pid)]


def _descendants(pid: int) -> list[int]:
    children = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [g for c in children for g in _descendants(c)]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
