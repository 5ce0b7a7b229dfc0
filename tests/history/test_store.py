"""The history: what goes in comes out; whatever happens to the file, it has a run or has it not."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import HistoryError
from auditor.evaluate import evaluate
from auditor.history.store import Store
from auditor.model.facts import HostFacts, Volatile
from auditor.model.finding import Waiver
from auditor.model.run import Rulebook, Run, TargetError, TargetResult
from auditor.model.target import KnownLogin, Target
from tests.given import LINUX, NODE, RULES, WHEN


def run_of(*results: TargetResult, number: int = 1) -> Run:
    return Run(
        id=f"r{number}",
        started=WHEN.replace(minute=number),
        finished=WHEN.replace(minute=number + 1),
        auditor="0",
        rulebook=Rulebook("d", 13, "2026-01-01"),
        results=results,
    )


def result(facts: HostFacts, name: str = "web1") -> TargetResult:
    waiver = Waiver(rules=("*somaxconn",), targets=("*",), owner="o", reason="r", permanent=True)
    findings = evaluate(facts, RULES, today=WHEN.date(), waivers=(waiver,))
    return TargetResult(
        target=Target(name=name, address="10.0.0.1", password="env:PW"),
        outcome="assessed",
        facts=replace(facts, target=name),
        findings=findings,
        seconds=1.5,
    )


def store(path: Path, run: Run, finish: bool = True) -> None:
    with Store(path) as s:
        s.begin(run)
        for r in run.results:
            s.add(run, r)
        if finish:
            s.finish(run)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    lost = TargetResult(target=Target(name="db1"), outcome="unreachable", error=TargetError("timeout", "no answer"))
    run = run_of(result(LINUX), result(NODE, "node-b"), lost)
    store(tmp_path / "a.db", run)
    with Store(tmp_path / "a.db", create=False) as s:
        assert s.run("r1") == run
        assert s.latest() == "r1"
        assert s.latest_with("web1") == "r1"
        assert s.runs()[0]["targets"] == 3
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600


def test_stable_facts_are_kept_once_volatile_ones_with_each_run(tmp_path: Path) -> None:
    for number in (1, 3):
        facts = replace(LINUX, collected_at=WHEN.replace(minute=number), volatile=Volatile(uptime=float(number)))
        store(tmp_path / "a.db", run_of(result(facts), number=number))
    db = sqlite3.connect(tmp_path / "a.db")
    assert db.execute("select count(*) from facts").fetchone() == (1,)
    assert db.execute("select count(*) from results").fetchone() == (2,)
    db.close()
    with Store(tmp_path / "a.db") as s:
        volatile = [r.facts.volatile for n in ("r1", "r3") for r in s.run(n).results if r.facts]
    assert [v.uptime for v in volatile if v] == [1.0, 3.0]


def test_a_run_that_was_killed_is_no_run(tmp_path: Path) -> None:
    """Its results lie there and no question about the latest run is answered from them."""
    store(tmp_path / "a.db", run_of(result(LINUX)))
    store(tmp_path / "a.db", run_of(result(LINUX), number=5), finish=False)
    with Store(tmp_path / "a.db") as s:
        assert s.latest() == "r1"
        assert s.run("r5").interrupted
        assert s.runs()[0]["finished"] is None


WRITER = """
import sys; from pathlib import Path
from tests.history.test_store import *
n = 0
print("go", flush=True)
while True:
    n += 1
    store(Path(sys.argv[1]), replace(run_of(*[result(LINUX, f"h{i}") for i in range(5)]), id=f"k{n:04}"))
"""


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """Ten writers are killed somewhere; after each the file opens, and every finished run is whole."""
    path = tmp_path / "a.db"
    for delay in range(10):
        path.unlink(missing_ok=True)
        root = Path(__file__).parents[2]
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=root, stdout=subprocess.PIPE, text=True)
        assert child.stdout
        child.stdout.readline()
        try:
            child.wait(0.05 + 0.03 * delay)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with Store(path) as s:
            finished = [r for r in s.runs() if r["finished"]]
            assert all(len(s.run(r["id"]).results) == 5 for r in finished)
        db = sqlite3.connect(path)
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert db.execute(
            "select count(*) from findings where (run, target) not in (select run, target from results)"
        ).fetchone() == (0,)
        db.close()


def test_what_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but long enough to look at " * 40)
    with pytest.raises(HistoryError, match="it is not a SQLite database; name another file with --history"):
        Store(tmp_path / "text.db")
    with pytest.raises(HistoryError, match="there is no history"):
        Store(tmp_path / "none.db", create=False)
    with pytest.raises(HistoryError, match="cannot be opened"):
        Store(tmp_path / "no-folder" / "a.db")


def test_locked_by_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path / "a.db", run_of())
    real = sqlite3.connect
    monkeypatch.setattr("auditor.history.store.sqlite3.connect", lambda p, **k: real(p, **(k | {"timeout": 0.1})))
    other = real(tmp_path / "a.db", isolation_level=None)
    other.execute("begin exclusive")
    with Store(tmp_path / "a.db", create=False) as s, pytest.raises(HistoryError, match="another run holds it"):
        s.begin(run_of(number=7))
    other.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny file system, and being somebody else, need root")
def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)], check=True)
    try:
        store(disk / "a.db", run_of(result(LINUX)))
        noise = os.urandom(200_000).hex()
        many = [result(replace(LINUX, machine_id=noise[n * 4000 : n * 4000 + 4000]), f"h{n}") for n in range(100)]
        with pytest.raises(HistoryError, match="full"):
            store(disk / "a.db", run_of(*many, number=5))
        with Store(disk / "a.db", create=False) as s:
            assert s.latest() == "r1"
            assert len(s.run("r1").results) == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(
    os.geteuid() != 0, reason="root writes to whatever is not on a read-only file system, and mounting one needs root"
)
def test_a_read_only_history_is_said_to_be(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)], check=True)
    try:
        store(disk / "a.db", run_of(result(LINUX)))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(HistoryError, match="may not be written"):
            store(disk / "a.db", run_of(number=3))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_a_login_taught_is_for_the_same_way_only(tmp_path: Path) -> None:
    known = KnownLogin("SSH-2.0-x", "SHA256:y", "k")
    run = run_of(replace(result(LINUX), known_login=known))
    store(tmp_path / "a.db", run)
    target = run.results[0].target
    with Store(tmp_path / "a.db") as s:
        same, other = s.with_known_logins([target, replace(target, port=2222)])
    assert (same.known_login, other.known_login) == (known, None)


def test_damaged_facts_are_said_to_be_damaged(tmp_path: Path) -> None:
    store(tmp_path / "a.db", run_of(result(LINUX)))
    db = sqlite3.connect(tmp_path / "a.db")
    db.execute("update facts set body = ?", (b"nonsense",))
    db.commit()
    db.close()
    with Store(tmp_path / "a.db") as s, pytest.raises(HistoryError, match="is damaged"):
        s.run("r1")
