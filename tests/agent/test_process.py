"""The agent as a process: its signals, kill -9 at random moments, what systemd hears, its log."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.history import maintenance, scheduled_runs
from auditor.history.store import Store
from tests.conftest import Run as Auditor
from tests.mail.server import odd
from tests.places import RECORDINGS, ROOT

RECORDING = RECORDINGS / "debian-12-root"
HOSTS = 1000  # of the audit that is killed: enough for some seconds


def write(home: Path, hosts: str, more: str = "") -> None:
    """An inventory with an audit that has been due since midnight, as the history has it."""
    (home / "inventory.yaml").write_text(f'hosts:\n{hosts}schedule:\n  nightly: {{at: "00:00"}}\nhistory: a.db\n{more}')
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with closing(Store(home / "a.db")) as store:
        scheduled_runs.note(store.db, "nightly", [yesterday], "known", "", yesterday)


def recorded(count: int) -> str:
    return "".join(f"  r{n:02}: {{connection: replay, path: {RECORDING}}}\n" for n in range(count))


@contextmanager
def agent(home: Path, *words: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}
    command = [sys.executable, "-m", "auditor", "agent", "run", *words]
    process = subprocess.Popen(command, cwd=home, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        if process.stderr:
            process.stderr.close()


def until(what: Any, seconds: float = 40.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "that did not happen in time"
        time.sleep(0.05)


def states(home: Path) -> list[tuple[str, str]]:
    with closing(Store(home / "a.db", create=False)) as store:
        return [(r["state"], r["reason"] or "") for r in scheduled_runs.listed(store.db)]


def results(home: Path) -> int:
    with closing(Store(home / "a.db", create=False)) as store:
        return int(store.db.execute("select count(*) from results").fetchone()[0])


def test_sigterm_ends_it_within_ten_seconds_and_the_next_one_goes_on(home: Path) -> None:
    """One host hangs; what is gathered is kept, nobody is told yet, and the next agent asks only the one that is left."""
    with odd(lambda c: time.sleep(30)) as port:
        hanging = f"  hangs: {{address: 127.0.0.1, port: {port}, host_key_checking: accept-new, timeouts: {{connect: 60, total: 90}}}}\n"
        write(home, recorded(5) + hanging)
        with agent(home) as process:
            until(lambda: results(home) == 5)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert time.monotonic() - began < 10
    with closing(Store(home / "a.db")) as store:
        (row,) = store.runs(10)
        left = store.run(row["id"])
        assert (left.interrupted, bool(left.finished), len(left.results)) == (True, True, 5)
    assert states(home) == [("running", "")]
    write(home, recorded(5) + "  hangs: {connection: replay, path: " + str(RECORDING) + "}\n")
    with agent(home) as process:
        until(lambda: states(home) == [("done", "")])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr
        assert f"continuing {left.id}" in process.stderr.read()
    with closing(Store(home / "a.db")) as store:
        (row,) = store.runs(10)
        whole = store.run(row["id"])
        assert (whole.id, whole.interrupted, len(whole.results)) == (left.id, False, 6)
        assert store.report(whole.id)


def test_killed_at_random_moments(home: Path) -> None:
    """Eight kills, every other one with some hosts done; whatever they hit, the night ends as one whole run, and the file
    is sound after each."""
    chance = random.Random(5)

    def stored() -> int:
        with closing(Store(home / "a.db", create=False)) as store:
            return int(store.db.execute("select count(*) from results").fetchone()[0])

    write(home, recorded(HOSTS), "agent: {jobs: 2}\n")
    with closing(Store(home / "a.db")) as store:
        assert list(maintenance.faults(store.db)) == []
    caught = 0
    for n in range(8):
        before = stored()
        with agent(home) as process:
            if n % 2 and before < HOSTS - 50:
                until(lambda before=before: stored() > before)
            else:
                time.sleep(chance.uniform(0.3, 1.5))
            process.kill()
        with closing(Store(home / "a.db", create=False)) as store:
            assert list(maintenance.faults(store.db)) == []
        caught += 0 < stored() < HOSTS
    with agent(home) as process:
        until(lambda: states(home) == [("done", "")])
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert caught > 0
    with closing(Store(home / "a.db", create=False)) as store:
        assert [len(store.run(r["id"]).results) for r in store.runs(10)] == [HOSTS]
        assert list(maintenance.faults(store.db)) == []


def test_sighup_reads_the_files_anew(home: Path) -> None:
    write(home, recorded(2))
    with agent(home) as process:
        until(lambda: states(home) == [("done", "")])
        (home / "inventory.yaml").write_text("hosts: [nonsense]\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr
        lines: list[str] = []
        while not any("not reloaded" in line for line in lines):
            lines.append(process.stderr.readline())
        assert any("inventory.yaml:1: " in line for line in lines)
        write(home, recorded(3))
        process.send_signal(signal.SIGHUP)
        while not any("reloaded: 3 hosts" in line for line in lines):
            lines.append(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_what_systemd_hears(home: Path) -> None:
    write(home, recorded(1))
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(home / "notify"))
        manager.settimeout(30)
        with agent(home, env={"NOTIFY_SOCKET": str(home / "notify"), "WATCHDOG_USEC": "400000"}) as process:
            heard = [manager.recv(100)]
            while heard.count(b"WATCHDOG=1") < 3:
                heard.append(manager.recv(100))
            process.send_signal(signal.SIGHUP)
            while b"RELOADING=1" not in heard or heard[-1] != b"READY=1":
                heard.append(manager.recv(100))
            process.send_signal(signal.SIGTERM)
            while heard[-1] != b"STOPPING=1":
                heard.append(manager.recv(100))
            assert process.wait(20) == 0
    assert b"READY=1" in heard[:3]


def test_a_log_for_machines_and_a_second_agent(home: Path, auditor: Auditor) -> None:
    write(home, recorded(1) + "  gone: {address: 127.0.0.1, port: 1, timeouts: {connect: 2}}\n")
    with agent(home, "--log-format", "json") as process:
        until(lambda: states(home) == [("done", "")])
        second = auditor("agent", "run")
        assert second.returncode == 3
        assert f"an agent with this history is under way already, as process {process.pid}" in second.stderr
        running = auditor("agent", "status")
        assert (running.returncode, f"the agent runs as process {process.pid}" in running.stdout) == (0, True)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert process.stderr
        entries = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert {"time", "level", "message"} <= entries[0].keys()
    (lost,) = [e for e in entries if e.get("target") == "gone"]
    assert lost["level"] == "warning"
    assert lost["message"].startswith("not assessed: refused: ")
    assert lost["audit"] == "nightly"
    assert lost["run"]
    after = auditor("agent", "status")
    assert (after.returncode, after.stdout.splitlines()[0]) == (3, "the agent is not running")


def test_no_space_for_the_log_costs_nothing_else(home: Path) -> None:
    write(home, recorded(1))
    with open("/dev/full", "w") as full:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "auditor", "agent", "run"], cwd=home, env=env, stdin=subprocess.DEVNULL, stderr=full
        )
        until(lambda: states(home) == [("done", "")])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_once_check_and_next(home: Path, auditor: Auditor) -> None:
    write(home, recorded(2))
    done = auditor("agent", "once", "nightly")
    assert done.returncode in (0, 1, 3), done.stderr
    assert states(home)[0] == ("done", "")
    assert "the schedule has no audit 'weekly'; it has nightly" in auditor("agent", "once", "weekly").stderr
    checked = auditor("agent", "check")
    assert checked.returncode == 0
    assert "nightly: 2 hosts, " in checked.stdout
    assert "note: the inventory has no `mail:`" in checked.stdout
    assert len(auditor("agent", "next", "--count", "3").stdout.splitlines()) == 3
    (home / "inventory.yaml").write_text("hosts: {a: {address: 192.0.2.1}}\n")
    assert "has no `schedule:`; for example: schedule: {nightly:" in auditor("agent", "check").stderr


def test_an_inventory_that_cannot_be_read_at_the_start(home: Path, auditor: Auditor) -> None:
    (home / "inventory.yaml").write_bytes(b"\xff\xfe\x00")
    refused = auditor("agent", "run")
    assert refused.returncode == 2
    assert "inventory.yaml:1: " in refused.stderr


def test_an_audit_by_hand_waits_for_no_other(home: Path, auditor: Auditor) -> None:
    from auditor.history.lock import only_one, run_lock

    write(home, recorded(1))
    with only_one(run_lock(home / "a.db"), "an audit with this history"):
        refused = auditor("audit", "--quiet")
    assert refused.returncode == 3
    assert "an audit with this history is under way already" in refused.stderr
    assert auditor("audit", "--quiet").returncode in (0, 1, 3)


@pytest.mark.parametrize("form", ["text", "json"])
def test_status_before_there_is_anything(home: Path, auditor: Auditor, form: str) -> None:
    (home / "inventory.yaml").write_text('hosts: {a: {address: 192.0.2.1}}\nschedule: {n: {at: "02:00"}}\n')
    told = auditor("agent", "status", "--format", form)
    assert told.returncode == 3
    assert "the agent is not running" in told.stdout if form == "text" else json.loads(told.stdout)["process"] is None
