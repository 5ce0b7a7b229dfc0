"""A reader that never comes back, in the whole product: it costs its host, and signals are answered meanwhile.

No reader of ours is known that can be held up so; the one here is made so, by a pattern whose backtracking never ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor.history import maintenance, outbox
from auditor.history.store import Store
from tests.agent.test_process import RECORDING, recorded, results, states, until, write
from tests.mail.server import odd
from tests.places import ROOT

# `python -c` with the words of a command line: the host called `frozen` is read by a pattern that holds the interpreter.
FROZEN = """
import re, sys
from auditor.audit import isolated
from auditor.cli import main

real = isolated.assess

def read(response, context):
    if response.target.name == "frozen":
        open("frozen-now", "w").close()
        re.fullmatch("(a+)+b", "a" * 60)
    return real(response, context)

isolated.assess = read
sys.argv[0] = "auditor"
main()
"""


@contextmanager
def auditor(home: Path, *words: str, program: str = FROZEN) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def hosts(total: float) -> str:
    return f"{recorded(5)}  frozen: {{connection: replay, path: {RECORDING}, timeouts: {{connect: 1, total: {total}}}}}\n"


def inventory(home: Path, total: float) -> None:
    (home / "inventory.yaml").write_text(f"hosts:\n{hosts(total)}")


def test_it_costs_one_host(home: Path) -> None:
    inventory(home, 2)
    with auditor(home, "audit", "--format", "json", "--no-report") as process:
        told = json.loads(process.communicate(timeout=60)[0])
    outcomes = {t["name"]: t["outcome"] for t in told["targets"]}
    assert outcomes.pop("frozen") == "failed"
    assert set(outcomes.values()) <= {"assessed", "partial"}
    assert next(t["error"]["kind"] for t in told["targets"] if t["name"] == "frozen") == "limit"
    assert process.returncode in (1, 3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_scan_answers_signals_while_it_reads(home: Path, number: signal.Signals) -> None:
    inventory(home, 600)
    with auditor(home, "audit", "--format", "json", "--no-report") as process:
        until(lambda: (home / "frozen-now").exists() and (home / "auditor.db").exists() and _stored(home) == 5)
        began = time.monotonic()
        process.send_signal(number)
        told = json.loads(process.communicate(timeout=30)[0])
        assert time.monotonic() - began < 10
    assert told["run"]["interrupted"]
    assert {t["name"]: (t["error"] or {}).get("kind") for t in told["targets"]}["frozen"] == "interrupted"
    assert sum(t["outcome"] in ("assessed", "partial") for t in told["targets"]) == 5
    assert process.returncode in (1, 3)


def _stored(home: Path) -> int:
    with Store(home / "auditor.db", create=False) as store:
        return int(store.db.execute("select count(*) from results").fetchone()[0])


def test_the_agent_answers_signals_while_it_reads_and_goes_on(home: Path) -> None:
    write(home, hosts(600))
    with auditor(home, "agent", "run") as process:
        until(lambda: (home / "frozen-now").exists() and results(home) == 5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - began < 10
    assert states(home) == [("running", "")]


def test_the_agents_night_ends_with_a_frozen_host(home: Path) -> None:
    write(home, hosts(2))
    with auditor(home, "agent", "run") as process:
        until(lambda: states(home) == [("done", "")])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert results(home) == 6


# What else may hang: a mail server, a heartbeat's command, a command that is asked for a secret.


@pytest.mark.parametrize("what", ["mail", "heartbeat", "secret"])
def test_sigterm_ends_whatever_the_agent_waits_for(home: Path, what: str) -> None:
    with odd(lambda c: time.sleep(30)) as port:
        mail = f"mail: {{server: 127.0.0.1, port: {port}, security: none, sender: a@example.com, to: [b@example.com]}}\n"
        beat = "agent: {heartbeat: [sh, -c, 'touch begun; sleep 60; true']}\n"
        asks = "  asks: {address: 127.0.0.1, port: 1, user: a, password: \"command:sh -c 'touch begun; sleep 60; true'\"}\n"
        write(home, recorded(2) + (asks if what == "secret" else ""), {"mail": mail, "heartbeat": beat, "secret": ""}[what])
        with auditor(home, "agent", "run") as process:
            until(lambda: states(home) == [("done", "")] if what == "mail" else (home / "begun").exists())
            time.sleep(0.5)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert time.monotonic() - began < 8  # and not by the last resort
    if what == "mail":
        with Store(home / "a.db", create=False) as store:
            (row,) = outbox.listed(store.db)
            assert (row["sent"], row["error"]) == (None, f"it was stopped while 127.0.0.1:{port} was asked")


def test_the_last_resort(home: Path) -> None:
    """Something of which nobody thought: the agent ends all the same, and the next one goes on."""
    write(home, recorded(2))
    stuck = FROZEN.replace(
        "isolated.assess = read",
        "from auditor.agent import scheduler\nscheduler._prune = lambda setting: __import__('time').sleep(60)",
    )
    with auditor(home, "agent", "run", program=stuck) as process:
        until(lambda: states(home) == [("done", "")])
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert 8 < time.monotonic() - began < 10.5
    write(home, recorded(2))
    with Store(home / "a.db", create=False) as store:
        assert list(maintenance.faults(store.db)) == []
