"""Nights of an agent whose clock the test sets: what runs, once, and what is said of what does not."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.agent import night
from auditor.agent.lock import only_one, run_lock
from auditor.agent.log import start
from auditor.agent.loop import Agent, World
from auditor.cli.agent import read
from auditor.errors import FileFaults, HistoryError, UsageFault
from auditor.history import nights
from auditor.history.store import Store
from auditor.mail.message import subject
from auditor.model.run import Run, TargetError, TargetResult
from auditor.model.target import Target
from auditor.scan import Audit
from auditor.transports.deadline import Stop
from tests.given import LINUX

BEGIN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NIGHTLY = 'nightly: {at: "02:00", window: 4h}'
Scan = Callable[[Target, Audit, Stop], TargetResult]


def good(target: Target, audit: Audit, stop: Stop) -> TargetResult:
    facts = replace(LINUX, target=target.name, collected_at=audit.clock(), machine_id=target.name)
    return TargetResult(target=target, outcome="assessed", facts=facts, seconds=0.01)


def bad(kind: str) -> Scan:
    return lambda target, audit, stop: TargetResult(target=target, outcome="unreachable", error=TargetError(kind, "no"))  # type: ignore[arg-type]


class House:
    """An agent in a folder, whose hosts are what `scans` says (by name; else they are well)."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.now = folder, BEGIN
        self.ticks = 0.0  # the monotonic clock, which nobody sets
        self.scans: dict[str, Scan] = {}
        self.asked: list[str] = []
        self.said: list[str] = []
        monkeypatch.setattr("auditor.scan.scan", self._scan)
        monkeypatch.chdir(folder)
        self.log = start("text")
        self.log.handlers[:] = [_Told(self.said)]

    def _scan(self, target: Target, audit: Audit, stop: Stop) -> TargetResult:
        self.asked.append(target.name)
        return self.scans.get(target.name, good)(target, audit, stop)

    def write(self, schedule: str = NIGHTLY, hosts: int = 3, more: str = "") -> None:
        names = "".join(f"  h{n}: {{address: 192.0.2.{n + 1}}}\n" for n in range(hosts))
        (self.folder / "inventory.yaml").write_text(f"hosts:\n{names}schedule:\n  {schedule}\nhistory: a.db\n{more}")

    def agent(self) -> Agent:
        def again(beat: Callable[[], None]) -> Any:
            return replace(read(None, None, self.said.append, beat), clock=lambda: self.now)

        return Agent(World(lambda: self.now, again, monotonic=lambda: self.ticks), self.log)

    def looks(self, agent: Agent, until: datetime, step: timedelta = timedelta(hours=1)) -> None:
        while self.now < until:
            agent.look()
            self.now += step
            self.ticks += step.total_seconds()

    def nights(self) -> list[tuple[str, str, str]]:
        with closing(Store(self.folder / "a.db")) as store:
            return [(r["due"][:16], r["state"], r["reason"] or "") for r in reversed(nights.listed(store.db, 1000))]

    def runs(self) -> list[Run]:
        with closing(Store(self.folder / "a.db")) as store:
            return [store.run(r["id"]) for r in reversed(store.runs(1000))]


class _Told(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def test_ten_nights(house: House) -> None:
    house.write()
    house.looks(house.agent(), BEGIN + timedelta(days=10))
    assert house.nights() == [(f"2026-11-{n:02}T02:00", "done", "") for n in range(2, 12)]
    assert [(len(r.results), r.interrupted, bool(r.finished)) for r in house.runs()] == [(3, False, True)] * 10


def test_what_was_missed_is_caught_up_with_once(house: House) -> None:
    house.write()
    house.looks(house.agent(), BEGIN + timedelta(days=1))
    house.now += timedelta(days=4)
    house.looks(house.agent(), BEGIN + timedelta(days=6))
    why = "the agent was not running, or was busy, at that time"
    assert house.nights() == [
        ("2026-11-02T02:00", "done", ""),
        *[(f"2026-11-{n:02}T02:00", "missed", why) for n in (3, 4, 5)],
        ("2026-11-06T02:00", "done", ""),
        ("2026-11-07T02:00", "done", ""),
    ]


def test_what_was_missed_is_only_noted_where_the_plan_says_so(house: House) -> None:
    house.write('nightly: {at: "02:00", catch_up: false}')
    house.looks(house.agent(), BEGIN + timedelta(days=1), timedelta(minutes=10))
    house.now += timedelta(days=2)
    house.looks(house.agent(), BEGIN + timedelta(days=4), timedelta(minutes=10))
    assert [(due[8:10], state) for due, state, _ in house.nights()] == [
        ("02", "done"),
        ("03", "missed"),
        ("04", "missed"),
        ("05", "done"),
    ]


def test_two_audits_at_the_same_time_run_one_after_another(house: House) -> None:
    house.write('nightly: {at: "02:00"}\n  pulse: {every: 12h, targets: [h1]}')
    house.looks(house.agent(), BEGIN + timedelta(days=1, hours=2))
    assert [(len(r.results), r.started.hour) for r in house.runs()] == [(1, 0), (3, 2), (1, 12)]


def test_a_run_that_was_cut_short_is_gone_on_with(house: House) -> None:
    """Killed after two of five hosts: the next agent asks the other three, and the night has one run."""
    house.write(hosts=5, more="agent: {jobs: 1}\n")
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    class Killed(BaseException):
        pass

    def killed(*_: object) -> TargetResult:
        raise Killed

    house.scans["h2"] = killed
    with pytest.raises(Killed):
        house.looks(agent, BEGIN + timedelta(hours=15))
    (run,) = house.runs()
    assert (run.finished, len(run.results)) == (None, 2)
    house.scans.clear()
    house.asked.clear()
    house.now += timedelta(minutes=5)
    house.agent().look()
    assert sorted(house.asked) == ["h2", "h3", "h4"]
    (run,) = house.runs()
    assert (bool(run.finished), run.interrupted, len(run.results)) == (True, False, 5)
    assert house.nights() == [("2026-11-02T02:00", "done", "")]


def test_a_run_that_was_cut_short_too_long_ago_is_closed(house: House) -> None:
    house.write(hosts=3, more="agent: {jobs: 1}\nmail: {server: 127.0.0.1, port: 1, security: none, sender: a@b, to: [k@b]}\n")
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    class Killed(BaseException):
        pass

    def killed(*_: object) -> TargetResult:
        raise Killed

    house.scans["h1"] = killed
    with pytest.raises(Killed):
        agent.look()
    house.scans.clear()
    house.now += timedelta(hours=5)
    house.agent().look()
    (run,) = house.runs()
    assert run.finished
    assert run.interrupted
    why = "it was cut short, and its time was over when the agent came back"
    assert house.nights() == [("2026-11-02T02:00", "done", why)]
    assert [(r.target.name, r.outcome) for r in run.results] == [
        ("h0", "assessed"),
        ("h1", "unreachable"),
        ("h2", "unreachable"),
    ]
    assert all(r.error and r.error.message == f"this host had no turn: {why}" for r in run.results[1:])
    assert subject(run, None) == "auditor: stopped early, 2 of 3 hosts not assessed"
    with closing(Store(house.folder / "a.db")) as store:
        assert store.db.execute("select count(*) from mails").fetchone() == (1,)
        assert b"2 could not be assessed" in store.report(run.id)


def killed_in(house: House, host: str) -> Agent:
    """An agent that dies while it asks a host, at 02:00."""
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    class Killed(BaseException):
        pass

    def killed(*_: object) -> TargetResult:
        raise Killed

    house.scans[host] = killed
    with pytest.raises(Killed):
        agent.look()
    house.scans.clear()
    return agent


def test_a_plan_without_mail_is_not_mailed_when_it_is_closed(house: House) -> None:
    house.write(NIGHTLY.replace("}", ", mail: false}"), more="agent: {jobs: 1}\nmail: {server: 127.0.0.1, port: 1, security: none, sender: a@b, to: [k@b]}\n")  # fmt: skip
    killed_in(house, "h1")
    house.now += timedelta(hours=5)
    house.agent().look()
    with closing(Store(house.folder / "a.db")) as store:
        assert store.db.execute("select count(*) from mails").fetchone() == (0,)


def test_an_audit_that_somebody_runs_by_hand_is_left_alone(house: House) -> None:
    house.write(more="agent: {jobs: 1}\n")
    killed_in(house, "h1")
    house.now += timedelta(hours=5)
    with only_one(run_lock(house.folder / "a.db"), "an audit with this history"):
        house.agent().look()
        assert [state for _, state, _ in house.nights()] == ["running"]
    assert any("under way already" in text for text in house.said)
    house.agent().look()
    assert [state for _, state, _ in house.nights()] == ["done"]


def test_a_run_that_cannot_be_read_stands_in_nobodys_way(house: House) -> None:
    house.write('nightly: {at: "02:00", window: 4h}\n  later: {at: "03:00", targets: [h0]}', more="agent: {jobs: 1}\n")
    killed_in(house, "h1")
    with closing(Store(house.folder / "a.db")) as store, store.transaction():
        store.db.execute("update contents set body=x'00' where kind='target'")
    house.now += timedelta(minutes=5)
    house.looks(house.agent(), BEGIN + timedelta(hours=16))
    assert [state for _, state, _ in house.nights()] == ["done", "done"]
    assert house.nights()[0][2].startswith("it was cut short, and cannot be read: the history")
    assert any(text.startswith("the run ") and "is given up" in text for text in house.said)
    assert [(r["finished"] is not None, r["interrupted"]) for r in Store(house.folder / "a.db").runs(5)] == [
        (True, 0),
        (True, 1),
    ]


def test_an_audit_that_fails_as_a_whole_stands_in_nobodys_way(house: House) -> None:
    house.write('alpha: {at: "02:00"}\n  beta: {at: "02:00", targets: [h0]}')
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=13))
    del agent.setting.rulebooks["alpha"]
    house.looks(agent, BEGIN + timedelta(hours=15), timedelta(seconds=20))
    assert house.asked == ["h0"]
    said = [text for text in house.said if "fault of auditor itself" in text or "tried again" in text]
    assert said[:3] == [
        "a fault of auditor itself, please report it: KeyError: 'alpha'",
        "alpha of 2026-11-02 02:00 UTC is tried again in 1 min",
        "alpha of 2026-11-02 02:00 UTC is tried again in 2 min",
    ]
    assert len(said) < 10


def test_what_cannot_be_kept_is_not_asked_at_every_look(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write(hosts=10, more='agent: {heartbeat: [sh, -c, "echo $AUDITOR_OUTCOME >> beats"]}\n')
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    def full(*_: object, **__: object) -> None:
        raise HistoryError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", full)
        house.looks(agent, house.now + timedelta(minutes=10), timedelta(seconds=20))
    assert len(house.asked) == 40  # at once, after one minute, two more, four more
    house.looks(agent, house.now + timedelta(minutes=10), timedelta(seconds=20))
    assert len(house.asked) == 50
    (run,) = house.runs()
    assert (len(run.results), run.interrupted) == (10, False)
    assert (house.folder / "beats").read_text().split("\n") == ["not kept"] * 4 + ["done", ""]


def test_a_clock_that_is_briefly_behind_changes_nothing(house: House) -> None:
    """A machine whose clock is in local time, until the network sets it."""
    house.write()
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=16))
    before = house.nights()
    house.now -= timedelta(hours=8)
    house.looks(house.agent(), house.now + timedelta(minutes=20), timedelta(minutes=1))
    house.now += timedelta(hours=8)
    house.looks(house.agent(), house.now + timedelta(hours=1), timedelta(minutes=5))
    assert house.nights() == before == [("2026-11-02T02:00", "done", "")]
    assert len(house.asked) == 3


def test_a_night_that_comes_just_after_the_clock_was_put_right(house: House) -> None:
    """Ten days ahead until ten minutes before it is due: what that clock called missed is run."""
    house.write()
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=13))
    house.now += timedelta(days=10)
    house.looks(agent, house.now + timedelta(minutes=30), timedelta(minutes=1))
    house.now = BEGIN + timedelta(hours=13, minutes=50)
    house.looks(agent, house.now + timedelta(hours=2), timedelta(minutes=1))
    assert ("2026-11-02T02:00", "done", "") in house.nights()


def test_a_clock_far_ahead_prunes_nothing(house: House) -> None:
    house.write(more="retention: {nightly: 90d, monthly: 3y}\n")
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(days=12))
    house.now += timedelta(days=3650)
    agent.look()
    assert len(house.runs()) == 13
    with closing(Store(house.folder / "a.db")) as store:
        assert all(store.report(run.id) for run in house.runs())


def test_a_reload_that_fails_leaves_the_agent_as_it_was(house: House) -> None:
    house.write()
    agent = house.agent()
    (house.folder / "a.db").write_bytes(b"no database" * 1000)
    agent.reload()
    assert house.said[-1] == "not reloaded: the settings of before stay in force"
    assert agent.setting.opened.plans


def test_a_daily_heartbeat_comes_daily(house: House) -> None:
    """On nights on which nothing changed, and although each mail is queued some minutes after its run began."""
    house.write(more="mail: {server: 127.0.0.1, port: 1, security: none, sender: a@b, to: [k@b], policy: on-change, heartbeat: 1d}\n")  # fmt: skip
    agent = house.agent()

    def slow(target: Target, audit: Audit, stop: Stop) -> TargetResult:
        house.now += timedelta(minutes=7)
        return good(target, audit, stop)

    house.scans = {f"h{n}": slow for n in range(3)}
    house.looks(agent, BEGIN + timedelta(days=6))
    with closing(Store(house.folder / "a.db")) as store:
        assert store.db.execute("select count(*) from mails").fetchone() == (len(house.runs()),) == (6,)


def test_a_run_that_is_stopped_by_hand_does_not_blame_its_window(house: House) -> None:
    house.write(NIGHTLY.replace(", window: 4h", ""), hosts=3)
    setting = house.agent().setting
    stop = Stop()
    stop.now()
    run = night.audit(setting.opened.plans[0], house.now, setting, stop, lambda: False).run
    assert run.remarks[0] == "it was stopped; 3 of 3 hosts had not been assessed"


def test_several_audits_write_files_of_their_own(house: House) -> None:
    house.write('alpha: {at: "02:00"}\n  beta: {at: "02:00", targets: [h0]}', more='agent: {report: "r-{audit}.html", metrics: "m-{audit}.prom"}\n')  # fmt: skip
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert {p.name for p in house.folder.glob("[rm]-*")} == {"r-alpha.html", "r-beta.html", "m-alpha.prom", "m-beta.prom"}
    series = [line for line in (house.folder / "m-beta.prom").read_text().splitlines() if not line.startswith("#")]
    assert all('audit="beta"' in line for line in series)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's locks could lock a service out")
def test_a_lock_that_root_makes_is_the_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with only_one(tmp_path / "a.db.lock", "an audit"):
        pass
    assert (tmp_path / "a.db.lock").stat().st_uid == 65534


def test_other_rules_are_not_mixed_into_a_run(house: House) -> None:
    house.write(hosts=2, more="agent: {jobs: 1}\n")
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    class Killed(BaseException):
        pass

    def killed(*_: object) -> TargetResult:
        raise Killed

    house.scans["h1"] = killed
    with pytest.raises(Killed):
        agent.look()
    house.scans.clear()
    rule = "- {id: own, title: T, severity: low, obligation: required, family: linux, branches: [{products: [linux], check: {kind: kernel}}], remediation: r, meaning: m, matters: m, references: [{title: t}], provenance: {source: s, retrieved: 2026-01-01}}\n"
    (house.folder / "own.yaml").write_text(rule)
    house.write(NIGHTLY.replace("}", ", rules: [own.yaml]}"), hosts=2)
    house.agent().look()
    assert [(state, reason) for _, state, reason in house.nights()] == [
        ("done", "it was cut short, and the rules are others since then")
    ]


def test_the_window_ends_a_run_with_what_it_has(house: House) -> None:
    house.write(hosts=4, more="agent: {jobs: 1}\n")
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    def slow(target: Target, audit: Audit, stop: Stop) -> TargetResult:
        if not stop.asked.wait(20):
            return good(target, audit, stop)
        return bad("interrupted")(target, audit, stop)

    house.scans["h1"] = slow
    plan = replace(agent.setting.opened.plans[0], window=timedelta(seconds=0.5))
    run = night.audit(plan, house.now, agent.setting, Stop(), lambda: False).run
    assert run.interrupted
    assert [r.outcome for r in run.results] == ["assessed", "unreachable", "unreachable", "unreachable"]
    assert run.remarks[0] == "its window of 0:00:00.500000 was over; 3 of 4 hosts had not been assessed"


def test_a_passing_fault_is_tried_again_once_at_the_end(house: House) -> None:
    house.write(hosts=4, more="agent: {jobs: 1}\n")
    tries: dict[str, int] = {}

    def second_time_well(target: Target, audit: Audit, stop: Stop) -> TargetResult:
        tries[target.name] = tries.get(target.name, 0) + 1
        return (good if tries[target.name] > 1 else bad("timeout"))(target, audit, stop)

    house.scans |= {"h0": second_time_well, "h1": bad("timeout"), "h2": bad("auth-failed")}
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert house.asked == ["h0", "h1", "h2", "h3", "h0", "h1"]
    (run,) = house.runs()
    assert [(r.target.name, r.outcome) for r in run.results] == [
        ("h2", "unreachable"),
        ("h3", "assessed"),
        ("h0", "assessed"),
        ("h1", "unreachable"),
    ]


def test_a_second_try_has_what_the_first_left_of_the_hosts_limit(house: House) -> None:
    house.write(hosts=2, more="defaults: {timeouts: {connect: 5, total: 20}}\nagent: {jobs: 1}\n")
    limits: list[tuple[str, float]] = []

    def takes(seconds: float) -> Any:
        def tried(target: Target, audit: Audit, stop: Stop) -> TargetResult:
            limits.append((target.name, target.timeouts.total))
            return replace(bad("timeout")(target, audit, stop), seconds=seconds)

        return tried

    house.scans |= {"h0": takes(12.5), "h1": takes(16.0)}
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert limits == [("h0", 20.0), ("h1", 20.0), ("h0", 7.5)]
    (run,) = house.runs()
    assert {r.target.name: (r.seconds, r.target.timeouts.total) for r in run.results} == {
        "h0": (25.0, 20.0),
        "h1": (16.0, 20.0),
    }


def test_the_slowest_host_comes_first(house: House) -> None:
    house.write(hosts=4, more="agent: {jobs: 1}\n")
    taking = {"h0": 0.1, "h1": 3.0, "h2": 0.0, "h3": 5.0}
    for name, seconds in taking.items():
        house.scans[name] = lambda t, a, s, seconds=seconds: replace(good(t, a, s), seconds=seconds)  # type: ignore[misc]
    house.looks(house.agent(), BEGIN + timedelta(days=2))
    assert house.asked == ["h0", "h1", "h2", "h3", "h3", "h1", "h0", "h2"]


def test_a_network_that_is_down_is_one_thing_to_say(house: House) -> None:
    house.write(hosts=40)
    house.scans = {f"h{n}": bad("timeout") for n in range(40)}
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert [text for text in house.said if "network" in text] == ["network unreachable: none of 40 hosts could be reached"]
    assert not any(text.startswith("not assessed") for text in house.said)
    (run,) = house.runs()
    with closing(Store(house.folder / "a.db")) as store:
        page = store.report(run.id).decode()
    assert "The network was unreachable: none of 40 hosts could be reached" in page


def test_so_many_at_once_through_one_jump_host(house: House) -> None:
    gates = "".join(f"  g{n}: {{address: 192.0.2.{n}}}\n" for n in (1, 2))
    hosts = "".join(f"  h{n}: {{address: 198.51.100.{n}, jump: [g{n % 2 + 1}]}}\n" for n in range(12))
    (house.folder / "inventory.yaml").write_text(
        f"hosts:\n{gates}{hosts}schedule:\n  {NIGHTLY}\nhistory: a.db\nagent: {{per_jump: 2, jobs: 16}}\n"
    )
    turn, now, most = threading.Lock(), {"g1": 0, "g2": 0}, {"g1": 0, "g2": 0}

    def counted(target: Target, audit: Audit, stop: Stop) -> TargetResult:
        jump = target.jump[0].name
        with turn:
            now[jump] += 1
            most[jump] = max(most[jump], now[jump])
        threading.Event().wait(0.02)
        with turn:
            now[jump] -= 1
        return good(target, audit, stop)

    house.scans = {f"h{n}": counted for n in range(12)}
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert len(house.runs()[0].results) == 14
    assert most == {"g1": 2, "g2": 2}


def test_a_clock_that_was_never_set(house: House) -> None:
    house.write()
    agent = house.agent()
    house.now = datetime(1970, 1, 1, tzinfo=UTC)
    house.looks(agent, datetime(1970, 1, 4, tzinfo=UTC))
    assert [text for text in house.said if "clock" in text] == [
        "the clock says a day before 2020; nothing is run until it is set"
    ]
    house.now = BEGIN
    house.looks(agent, BEGIN + timedelta(days=1))
    assert [state for _, state, _ in house.nights()] == ["done"]


def test_a_clock_that_is_set_while_it_works(house: House) -> None:
    """Forward by a month, then back: nights go on, none twice."""
    house.write()
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(days=2))
    house.now += timedelta(days=30)
    house.looks(agent, house.now + timedelta(days=1))
    house.now -= timedelta(days=31)
    house.looks(agent, house.now + timedelta(hours=1), timedelta(minutes=5))
    house.looks(agent, BEGIN + timedelta(days=40))
    assert house.nights() == [(f"{BEGIN + timedelta(days=n):%Y-%m-%d}T02:00", "done", "") for n in range(1, 41)]
    assert all(r.finished for r in house.runs())


def test_a_faulty_file_is_refused_and_the_old_one_stays(house: House) -> None:
    house.write()
    agent = house.agent()
    (house.folder / "inventory.yaml").write_text("hosts: {h0: {adress: 192.0.2.1}}\nschedule: {n: {at: '02:00'}}\n")
    agent.reload()
    assert any("inventory.yaml:1: unknown key 'adress'" in text or "adress" in text for text in house.said)
    assert house.said[-1] == "not reloaded: the settings of before stay in force"
    (house.folder / "inventory.yaml").unlink()
    agent.reload()
    assert house.said[-1] == "not reloaded: the settings of before stay in force"
    house.looks(agent, BEGIN + timedelta(days=1))
    assert len(house.runs()[0].results) == 3
    house.write(hosts=5)
    agent.reload()
    house.looks(agent, BEGIN + timedelta(days=2))
    assert len(house.runs()[1].results) == 5


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ('nightly: {at: "02:00", targets: "@web"}', "the inventory has no group @web"),
        ('nightly: {at: "02:00", targets: "x*"}', "no host of the inventory matches 'x*'"),
        ('nightly: {at: "02:00", rules: [nowhere]}', "nowhere"),
    ],
)
def test_what_could_never_run_is_told_at_the_start(house: House, schedule: str, said: str) -> None:
    house.write(schedule)
    with pytest.raises((UsageFault, FileFaults)) as caught:
        house.agent()
    assert said in str(caught.value) + "".join(getattr(caught.value, "faults", []))


def test_a_history_that_fails_is_said_once_and_its_night_is_caught_up_with(house: House) -> None:
    """The history's file is replaced by rubbish while the agent works."""
    house.write()
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=15))
    good_one = (house.folder / "a.db").read_bytes()
    (house.folder / "a.db").write_bytes(b"no database" * 1000)
    house.looks(agent, BEGIN + timedelta(days=2))
    assert sum("is not a SQLite database" in text for text in house.said) == 1
    (house.folder / "a.db").write_bytes(good_one)
    for name in ("a.db-wal", "a.db-shm"):
        (house.folder / name).unlink(missing_ok=True)
    house.looks(agent, BEGIN + timedelta(days=3))
    assert [(due[8:10], state) for due, state, _ in house.nights()] == [("02", "done"), ("03", "done"), ("04", "done")]


def test_one_agent_for_one_history(house: House) -> None:
    told = pytest.raises(HistoryError, match=r"an agent with this history is under way already, as process \d+; one at a time")
    with (
        only_one(house.folder / "x.lock", "an agent with this history"),
        told,
        only_one(house.folder / "x.lock", "an agent with this history"),
    ):
        pass
    with only_one(house.folder / "x.lock", "an agent with this history"):
        pass


def test_the_heartbeat_is_told_what_became_of_it(house: House) -> None:
    command = '[sh, -c, "env | grep ^AUDITOR_ | sort > beat; exit 3"]'
    house.write(more=f"agent: {{heartbeat: {command}}}\n")
    house.scans["h1"] = bad("auth-failed")
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    told = dict(line.split("=", 1) for line in (house.folder / "beat").read_text().splitlines())
    assert told.pop("AUDITOR_RUN") == house.runs()[0].id
    assert told == {"AUDITOR_AUDIT": "nightly", "AUDITOR_OUTCOME": "done", "AUDITOR_NOT_ASSESSED": "1"}
    assert "the heartbeat sh ended with 3" in house.said


def test_thousands_of_targets_with_one_address(house: House) -> None:
    hosts = "".join(f"  h{n}: {{address: 192.0.2.1}}\n" for n in range(2000))
    (house.folder / "inventory.yaml").write_text(f"hosts:\n{hosts}schedule:\n  {NIGHTLY}\nhistory: a.db\n")
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert len(house.runs()[0].results) == 2000
