"""The history: what goes in comes out; whatever happens to the file, it has a run or has it not."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlite_utils import Database

from auditor.errors import HistoryError
from auditor.evaluation.evaluate import evaluate
from auditor.history import maintenance, outbox, scheduled_runs
from auditor.history.schema import TABLES, migrations
from auditor.history.store import Store
from auditor.history.writing import Writer
from auditor.model.facts import HostFacts, Setting, Volatile
from auditor.model.finding import Waiver
from auditor.model.run import RulebookSummary, Run, TargetError, TargetResult
from auditor.model.target import Target
from tests.given import IDS, LINUX, NODE, RULES, WHEN
from tests.places import ROOT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def run_of(*results: TargetResult, number: int = 1) -> Run:
    return Run(
        id=f"r{number}",
        started=WHEN.replace(minute=number),
        finished=WHEN.replace(minute=number + 1),
        auditor="0",
        rulebook=RulebookSummary("d", 13, "2026-01-01"),
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
        s.begin(run, IDS)
        for r in run.results:
            s.add(run, [r])
        if finish:
            s.finish(run)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    lost = TargetResult(target=Target(name="db1"), outcome="unreachable", error=TargetError("timeout", "no answer"))
    run = run_of(result(LINUX), result(NODE, "node-b"), lost)
    store(tmp_path / "a.db", run)
    with Store(tmp_path / "a.db", create=False) as s:
        assert s.run("r1") == run_in_order(run)
        assert s.latest() == "r1"
        assert s.latest_with("web1") == "r1"
        assert s.runs()[0]["targets"] == 3
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600


def run_in_order(run: Run) -> Run:
    """As the history keeps it: the lists of facts in the order of their text."""
    return replace(run, results=tuple(replace(r, facts=in_order(r.facts)) for r in run.results))


def in_order(facts: HostFacts | None) -> HostFacts | None:
    if facts is None:
        return None
    lists = {
        name: tuple(sorted(value, key=msgspec.json.encode))
        for name in HostFacts.__struct_fields__
        if name != "outcomes" and isinstance(value := getattr(facts, name), tuple)
    }
    return replace(facts, **lists)


def counts(path: Path, *tables: str) -> list[int]:
    db = sqlite3.connect(path)
    found = [db.execute(f"select count(*) from {table}").fetchone()[0] for table in tables]
    db.close()
    return found


def test_a_night_without_change_adds_one_small_row(tmp_path: Path) -> None:
    path, tables = tmp_path / "a.db", ("contents", "findings", "results", "latest")
    for number in (1, 3):
        facts = replace(LINUX, collected_at=WHEN.replace(minute=number), volatile=Volatile(uptime=float(number)))
        store(path, run_of(result(facts), number=number))
        if number == 1:
            before = counts(path, *tables)
    assert [b - a for a, b in zip(before, counts(path, *tables), strict=True)] == [0, 0, 1, 0]
    with Store(path) as s:
        volatile = [r.facts.volatile for n in ("r1", "r3") for r in s.run(n).results if r.facts]
    assert volatile == [None, Volatile(uptime=3.0)]  # only the latest readings are kept


def changed(facts: HostFacts) -> HostFacts:
    return replace(
        facts, settings=facts.settings and {**facts.settings, "sysctl:net.core.somaxconn": Setting("present", "128")}
    )


def test_findings_are_intervals(tmp_path: Path) -> None:
    """One finding changes and changes back: each run is read as it was, and what did not change has one row."""
    path = tmp_path / "a.db"
    runs = [run_of(result(changed(LINUX) if n == 3 else LINUX), number=n) for n in (1, 3, 5)]
    for run in runs:
        store(path, run)
    with Store(path) as s:
        assert [[r.findings for r in s.run(run.id).results] for run in runs] == [
            [r.findings for r in run.results] for run in runs
        ]
    db = sqlite3.connect(path)
    rows = db.execute("select rule, count(*) from findings group by rule having count(*) > 1").fetchall()
    assert [n for _, n in rows] == [3] * len(rows)
    assert 0 < len(rows) < 5
    assert db.execute("select count(*) from open_findings").fetchone()[0] == sum(
        f.verdict in ("noncompliant", "pending", "unknown") for f in runs[2].results[0].findings
    )
    db.close()


def test_a_host_that_was_not_assessed_keeps_its_findings(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, run_of(result(LINUX)))
    lost = TargetResult(target=Target(name="web1"), outcome="unreachable", error=TargetError("timeout", "no answer"))
    store(path, run_of(lost, number=3))
    assert counts(path, "findings where until is not null") == [0]
    with Store(path) as s:
        assert s.run("r3").results[0].findings == ()


def test_another_rulebook_closes_nothing_of_this_one(tmp_path: Path) -> None:
    path, few = tmp_path / "a.db", RULES[:1]
    store(path, run_of(result(LINUX)))
    one = replace(result(LINUX), findings=evaluate(LINUX, few, today=WHEN.date()))
    run = replace(run_of(one, number=3), rulebook=RulebookSummary("few", 1, "2026-01-01"))
    with Store(path) as s:
        s.begin(run, [r.id for r in few])
        s.add(run, [one])
        s.finish(run)
        assert [f.rule for f in s.run("r3").results[0].findings] == [f.rule for f in one.findings]
    assert counts(path, "findings where until is not null") == [sum(bool(f.waiver) for f in result(LINUX).findings[:1])]


def test_another_machine_under_the_same_name_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for number, machine in ((1, "m1"), (3, "m2")):
        store(path, run_of(result(replace(LINUX, machine_id=machine)), number=number))
    one = len(result(LINUX).findings)
    assert counts(path, "findings where until is not null", "findings where until is null", "machines") == [one, one, 2]


def test_a_host_that_left_the_inventory_is_closed_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for number, kept in ((1, ("web1", "web2")), (3, ("web1",)), (5, ("web1", "web2"))):
        run = run_of(*[result(LINUX, name) for name in kept], number=number)
        with Store(path) as s:
            s.begin(run, IDS)
            for r in run.results:
                s.add(run, [r], listed=[r.target.name])
            s.finish(run, kept)
        assert counts(path, "targets where removed is not null") == [2 - len(kept)]


def test_a_history_of_the_first_form_is_carried_over(tmp_path: Path) -> None:
    """Written as the first release wrote it; every run is read as before."""
    path = tmp_path / "a.db"
    runs = [run_of(result(changed(LINUX) if n == 3 else LINUX), result(NODE, "node-b"), number=n) for n in (1, 3)]
    in_first_form(path, runs)
    with pytest.raises(HistoryError, match="another version"):
        Store(path, create=False)
    with Store(path) as s:
        for run in runs:
            found = s.run(run.id)
            assert [r.findings for r in found.results] == [r.findings for r in run.results]
            assert [r.facts and r.facts.packages for r in found.results] == [
                r and r.packages for r in (in_order(r.facts) for r in run.results)
            ]
            assert found.started == run.started
            assert found.rulebook == run.rulebook
        assert s.report("r1") == b"<html>"
    assert counts(path, "sqlite_master where name like 'old%'") == [0]


_UNDONE = {
    "no_logins": [
        "create table logins (target integer primary key references targets(n), login text, server text, host_key text, kex text)"
    ],
    "nights": ["drop table nights"],
    "replacements": ["drop table replacements"],
    "unanswered_mails": [f"alter table mails drop column {column}" for column in ("unanswered", "under_way")],
    "mails_and_remarks": ["drop table mails", "alter table runs drop column remarks"],
}


@pytest.mark.parametrize("back", range(1, 6))
def test_a_history_of_every_form_since_then_is_brought_up_to_date(tmp_path: Path, back: int) -> None:
    path = tmp_path / "a.db"
    for number, machine in ((1, "m1"), (3, "m1"), (5, "m2")):
        store(path, run_of(result(replace(LINUX, machine_id=machine)), number=number))
    with closing(sqlite3.connect(path)) as db, db:
        for name in list(_UNDONE)[:back]:
            for statement in _UNDONE[name]:
                db.execute(statement)
            assert db.execute(f"delete from {migrations.migrations_table} where name=?", (name,)).rowcount == 1
    with pytest.raises(HistoryError, match="another version"):
        Store(path, create=False)
    with Store(path) as s:
        assert s.db.execute("select result from replacements").fetchall() == [(3,)]
        assert scheduled_runs.listed(s.db) == []
        outbox.queue(s.db, "r5", ("kim@example.com",), WHEN)
        assert outbox.listed(s.db)[0]["unanswered"] == 0
        assert len(s.run("r5").results) == 1
        assert s.run("r5").remarks == ()
    store(path, run_of(result(LINUX), number=7))


def test_a_history_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, run_of(result(LINUX)))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            f"insert into {migrations.migrations_table} (migration_set, name, applied_at) values ('auditor', 'of_2031', '')"
        )
    for create in (True, False):
        with pytest.raises(HistoryError, match=r"was written by a newer auditor \(of_2031\)"):
            Store(path, create=create)


def test_a_full_disk_while_carrying_over_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    in_first_form(path, [run_of(result(LINUX))])
    before = path.read_bytes()
    real = Writer.add

    def full(*arguments: Any, **more: Any) -> None:
        real(*arguments, **more)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Writer, "add", full)
    with pytest.raises(HistoryError, match="the disk is full"):
        Store(path)
    monkeypatch.undo()
    assert counts(path, "findings", "results") == [len(result(LINUX).findings), 1]
    with Store(path) as s:
        assert len(s.run("r1").results) == 1
    assert before


def in_first_form(path: Path, runs: list[Run]) -> None:
    db = Database(sqlite3.connect(path, isolation_level=None))
    migrations.apply(db, stop_before="intervals")
    for run in runs:
        r, when = run.rulebook, run.started.isoformat(timespec="milliseconds")
        db.execute("insert into runs values (?,?,?,0,?,?,?,?)", (run.id, when, when, run.auditor, r.digest, r.rules, r.newest))
        db.execute("insert into reports values (?,?,?)", (run.id, when, zstd.compress(b"<html>")))
        for x in run.results:
            assert x.facts
            stable = msgspec.json.encode(
                replace(x.facts, target="", collected_at=WHEN.replace(year=1970), volatile=None, outcomes=())
            )
            digest, name = hashlib.sha256(stable).hexdigest(), x.target.name
            db.execute("insert or ignore into targets values (?,?,?,?)", (name, None, "ssh", when))
            db.execute("insert or ignore into facts values (?,?)", (digest, zstd.compress(stable)))
            record = msgspec.json.encode(x.target).decode()
            row = (run.id, name, x.outcome, None, None, 1.5, when, digest, "null", "[]", record)
            db.execute(f"insert into results values ({','.join('?' * 11)})", row)
            for f in x.findings:
                body = msgspec.json.encode(f).decode()
                db.execute(
                    "insert into findings values (?,?,?,?,?,?,?)",
                    (run.id, name, f.rule, f.verdict, f.severity, f.obligation, body),
                )
    db.close()


def test_a_run_that_was_killed_is_no_run(tmp_path: Path) -> None:
    """Its results lie there and no question about the latest run is answered from them."""
    store(tmp_path / "a.db", run_of(result(LINUX)))
    store(tmp_path / "a.db", run_of(result(LINUX), number=5), finish=False)
    with Store(tmp_path / "a.db") as s:
        assert s.latest() == "r1"
        assert s.run("r5").interrupted
        assert s.runs()[0]["finished"] is None


KILLER = """
import os, random, signal, sqlite3, sys, time
from tests.history.test_store import *
from auditor.history import maintenance
path, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
results = [result(LINUX, f"h{i}") for i in range(5)]
findings = len(results[0].findings)
whole = half = 0
store(path, run_of(*results))
began = time.monotonic()
store(path, run_of(*results, number=3))
once = time.monotonic() - began
for moment in range(int(sys.argv[3])):
    if moment % 20 == 0:
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            name.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        n = 0
        while True:
            n += 1
            if n % 2:
                now = [replace(r, findings=r.findings[:3]) for r in results]
            else:
                now = results
            store(path, replace(run_of(*now), id=f"k{moment:04}-{n:04}"))
    time.sleep(chance.uniform(0.1, 6) * once)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not path.exists() or path.stat().st_size == 0:
        continue
    with Store(path) as s:
        assert list(maintenance.faults(s.db)) == [], list(maintenance.faults(s.db))
        for r in s.runs(10_000):
            stored = s.run(r["id"])
            whole += bool(r["finished"])
            half += not r["finished"]
            assert stored.interrupted or len(stored.results) == 5
            assert all(len(x.findings) in (3, findings) for x in stored.results)
print(whole, half)
"""


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """A writer is killed at random moments: 40, or as many as AUDITOR_KILLS says (`make soak`: 200). After each the file opens and is sound, every finished run is whole, and
    every result that is there is whole; some runs must have been caught in the middle for this to say anything."""
    kills = int(os.environ.get("AUDITOR_KILLS", "40"))
    command = [sys.executable, "-c", KILLER, str(tmp_path / "a.db"), "7", str(kills)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    whole, half = map(int, done.stdout.split())
    assert whole > kills / 2
    assert half > kills / 10


TELLER = """
import sys
from tests.history.test_store import *
from auditor.audit.service import AuditRequest, AuditRun
from auditor.foundation.deadline import Stop
from auditor.inventory.inventory import Inventory
from auditor.rulebook.loader import load

class Endless:
    def run(self, targets, context, stop):
        for n in range(100_000):
            yield [result(LINUX, f"h{n}-{i}") for i in range(1 + n % 40)]

request = AuditRequest(inventory=Inventory(), rulebook=load(()), targets=(), history=Path(sys.argv[1]))
with AuditRun(request) as audited:
    for r in audited.results(Endless(), Stop()):
        print(r.target.name, flush=True)
"""


def test_what_was_told_is_stored(tmp_path: Path) -> None:
    """Results that arrive together are one transaction, and none of them is told before it is over."""
    for count in (1, 50, 333):
        path = tmp_path / f"{count}.db"
        teller = subprocess.Popen([sys.executable, "-c", TELLER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert teller.stdout
        told = [teller.stdout.readline().strip() for _ in range(count)]
        teller.kill()
        told += teller.stdout.read().split("\n")[:-1]
        teller.stdout.close()
        teller.wait()
        with Store(path) as s:
            assert list(maintenance.faults(s.db)) == []
            assert all(told)
            assert set(told) <= {r.target.name for r in s.run(s.runs()[0]["id"]).results}


def test_one_that_cannot_be_stored_costs_none_before_it(tmp_path: Path) -> None:
    results = [result(LINUX, f"h{n}") for n in range(6)]
    run = run_of(*results)
    with Store(tmp_path / "a.db") as s:
        s.begin(run, IDS)
        s.add(run, [result(LINUX, "first")])
        s.db.execute("create trigger full before insert on targets when new.name='h4' begin select raise(abort, 'no'); end")
        with pytest.raises(HistoryError):
            s.add(run, results)
        s.db.execute("drop trigger full")
        s.add(run, [replace(results[5], findings=results[5].findings[:3])])
        stored = s.run("r1").results
        assert {r.target.name for r in stored} == {"first", "h0", "h1", "h2", "h3", "h5"}
        assert [len(r.findings) for r in stored if r.target.name == "h3"] == [len(results[3].findings)]
        assert list(maintenance.faults(s.db)) == []


WRITER = """
import sys, time
from tests.history.test_store import *
path, name = Path(sys.argv[1]), sys.argv[2]
for n in range(12):
    results = [result(changed(LINUX) if (n + k) % 3 else LINUX, f"h{k}") for k in range(4)]
    run = replace(run_of(*results), id=f"{name}-{n:02}")
    with Store(path) as s:
        s.begin(run, IDS)
        for r in results:
            time.sleep(0.004)
            s.add(run, [r])
        s.finish(run)
"""


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Two programs store runs of the same hosts at the same time: every run is whole, and no time is told twice."""
    path = tmp_path / "a.db"
    started = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=ROOT) for name in ("a", "b")]
    assert [p.wait(120) for p in started] == [0, 0]
    with Store(path, create=False) as s:
        assert list(maintenance.faults(s.db)) == []
        runs = [s.run(f"{name}-{n:02}") for name in "ab" for n in range(12)]
        assert all(r.finished and len(r.results) == 4 for r in runs)
        assert all(len(x.findings) == len(runs[0].results[0].findings) for r in runs for x in r.results)
        order = [run for (run,) in s.db.execute("select run from results order by n").fetchall()]
        switches = sum(a != b for a, b in pairwise(order))
        assert switches > 23  # they did write at the same time


def test_what_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but long enough to look at " * 40)
    with pytest.raises(HistoryError, match="it is not a SQLite database, or was overwritten; name another file"):
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
        s.begin(run_of(number=7), IDS)
    other.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny file system, and being somebody else, need root")
def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "none", str(disk)], check=True)
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
        with pytest.raises(HistoryError, match="mounted read-only"):
            store(disk / "a.db", run_of(number=3))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_damaged_facts_are_said_to_be_damaged(tmp_path: Path) -> None:
    store(tmp_path / "a.db", run_of(result(LINUX)))
    db = sqlite3.connect(tmp_path / "a.db")
    db.execute("update contents set body = ? where kind = 'facts'", (b"nonsense",))
    db.commit()
    db.close()
    with Store(tmp_path / "a.db") as s, pytest.raises(HistoryError, match="is damaged"):
        s.run("r1")


def test_the_data_dictionary_is_that_of_the_tables(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as s:
        real = {t: [c.name for c in s.db.table(t).columns] for t in s.db.table_names() if not t.startswith(("_", "sqlite_"))}
        assert real == {table: list(columns) for table, columns in TABLES.items()}
        assert {c for t in s.db.table_names() for f in s.db.table(t).foreign_keys for c in [f.other_table]} <= set(TABLES)
        for view in ("host_results", "finding_history", "open_findings"):
            assert list(s.db.query(f"select * from {view}")) == []


def test_what_another_program_drops_meanwhile_is_stored_again(tmp_path: Path) -> None:
    """Hosts in one state share their findings, and these are stored once; unless a pruning comes in between."""
    path = tmp_path / "a.db"
    first = result(NODE, "a")
    second = replace(first, target=replace(first.target, name="b"), facts=None)
    run = run_of(first, second)
    with Store(path) as s:
        s.begin(run, IDS)
        s.add(run, [first])
        with Store(path) as other, other.guard("written"):
            maintenance.forget(other.db, "a")
        s.add(run, [second])
        s.finish(run)
        assert list(maintenance.faults(s.db)) == []
        assert len(s.run(run.id).results[0].findings) == len(first.findings)
