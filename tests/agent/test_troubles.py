"""Kills, wrong clocks, faulty files and histories that fail: what the agent makes of them, and what it says."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.errors import FileFaults, HistoryError, UsageFault
from auditor.history.lock import only_one, run_lock
from auditor.history.store import Store
from auditor.mail.message import subject
from tests.agent.house import BEGIN, NIGHTLY, House, killed_in


def test_a_run_that_was_cut_short_is_gone_on_with(house: House) -> None:
    """Killed after two of five hosts: the next agent asks the other three, and the night has one run."""
    house.write(hosts=5, more="agent: {jobs: 1}\n")
    killed_in(house, "h2")
    (run,) = house.runs()
    assert (run.finished, len(run.results)) == (None, 2)
    house.asked.clear()
    house.now += timedelta(minutes=5)
    house.agent().look()
    assert sorted(house.asked) == ["h2", "h3", "h4"]
    (run,) = house.runs()
    assert (bool(run.finished), run.interrupted, len(run.results)) == (True, False, 5)
    assert house.nights() == [("2026-11-02T02:00", "done", "")]


def test_a_run_that_was_cut_short_too_long_ago_is_closed(house: House) -> None:
    house.write(hosts=3, more="agent: {jobs: 1}\nmail: {server: 127.0.0.1, port: 1, security: none, sender: a@b, to: [k@b]}\n")
    killed_in(house, "h1")
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
    assert all(r.error and r.error.message == f"this host had no turn ({why}); the next audit asks it" for r in run.results[1:])
    assert subject(run, None) == "auditor: stopped early, 2 of 3 hosts not assessed"
    with closing(Store(house.folder / "a.db")) as store:
        assert store.db.execute("select count(*) from mails").fetchone() == (1,)
        assert b"2 could not be assessed" in store.report(run.id)


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
    house.looks(agent, BEGIN + timedelta(hours=14))
    del agent.settings.rulebooks["alpha"]
    house.looks(agent, BEGIN + timedelta(hours=14, minutes=20), timedelta(seconds=20))
    assert house.asked == ["h0"]
    said = [text for text in house.said if "fault of auditor itself" in text or "tried again" in text]
    assert said[:3] == [
        "a fault of auditor itself, please report it: KeyError: 'alpha'",
        "alpha of 2026-11-02 02:00 UTC is tried again in 1 min",
        "alpha of 2026-11-02 02:00 UTC is tried again in 2 min",
    ]
    assert len(said) == 6  # after 1, 2, 4 and 8 minutes


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
    house.looks(agent, BEGIN + timedelta(days=12), timedelta(hours=6))
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
    assert agent.settings.opened.plans


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's locks could lock a service out")
def test_a_lock_that_root_makes_is_the_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with only_one(tmp_path / "a.db.lock", "an audit"):
        pass
    assert (tmp_path / "a.db.lock").stat().st_uid == 65534


def test_other_rules_are_not_mixed_into_a_run(house: House) -> None:
    house.write(hosts=2, more="agent: {jobs: 1}\n")
    killed_in(house, "h1")
    rule = "- {id: own, title: T, severity: low, obligation: required, family: linux, branches: [{products: [linux], check: {kind: kernel}}], remediation: r, meaning: m, matters: m, references: [{title: t}], provenance: {source: s, retrieved: 2026-01-01}}\n"
    (house.folder / "own.yaml").write_text(rule)
    house.write(NIGHTLY.replace("}", ", rules: [own.yaml]}"), hosts=2)
    house.agent().look()
    assert [(state, reason) for _, state, reason in house.nights()] == [
        ("done", "it was cut short, and the rules are others since then")
    ]


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
    """Forward by ten days, then back: nights go on, none twice."""
    house.write()
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(days=2))
    house.now += timedelta(days=10)
    house.looks(agent, house.now + timedelta(days=1), timedelta(hours=2))
    house.now -= timedelta(days=11)
    house.looks(agent, house.now + timedelta(hours=1), timedelta(minutes=5))
    house.looks(agent, BEGIN + timedelta(days=20), timedelta(hours=2))
    assert house.nights() == [(f"{BEGIN + timedelta(days=n):%Y-%m-%d}T02:00", "done", "") for n in range(1, 21)]
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
