"""Nights of an agent whose clock the test sets: what runs, once, in which order, and what is told of it."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from auditor.agent import job
from auditor.audit.context import AuditContext
from auditor.foundation.deadline import Stop
from auditor.history.store import Store
from auditor.model.run import TargetResult
from auditor.model.target import Target
from tests.agent.house import BEGIN, NIGHTLY, House, bad, good


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


def test_a_daily_heartbeat_comes_daily(house: House) -> None:
    """On nights on which nothing changed, and although each mail is queued some minutes after its run began."""
    house.write(more="mail: {server: 127.0.0.1, port: 1, security: none, sender: a@b, to: [k@b], policy: on-change, heartbeat: 1d}\n")  # fmt: skip
    agent = house.agent()

    def slow(target: Target, audit: AuditContext, stop: Stop) -> TargetResult:
        house.now += timedelta(minutes=7)
        return good(target, audit, stop)

    house.scans = {f"h{n}": slow for n in range(3)}
    house.looks(agent, BEGIN + timedelta(days=6), timedelta(hours=2))
    with closing(Store(house.folder / "a.db")) as store:
        assert store.db.execute("select count(*) from mails").fetchone() == (len(house.runs()),) == (6,)


def test_a_run_that_is_stopped_by_hand_does_not_blame_its_window(house: House) -> None:
    house.write(NIGHTLY.replace(", window: 4h", ""), hosts=3)
    setting = house.agent().settings
    stop = Stop()
    stop.now()
    run = job.audit(setting.opened.plans[0], house.now, setting, stop, lambda: False).run
    assert run.remarks[0] == "it was stopped; 3 of 3 hosts had not been assessed"


def test_several_audits_write_files_of_their_own(house: House) -> None:
    house.write('alpha: {at: "02:00"}\n  beta: {at: "02:00", targets: [h0]}', more='agent: {report: "r-{audit}.html", metrics: "m-{audit}.prom"}\n')  # fmt: skip
    house.looks(house.agent(), BEGIN + timedelta(hours=15))
    assert {p.name for p in house.folder.glob("[rm]-*")} == {"r-alpha.html", "r-beta.html", "m-alpha.prom", "m-beta.prom"}
    series = [line for line in (house.folder / "m-beta.prom").read_text().splitlines() if not line.startswith("#")]
    assert all('audit="beta"' in line for line in series)


def test_the_window_ends_a_run_with_what_it_has(house: House) -> None:
    house.write(hosts=4, more="agent: {jobs: 1}\n")
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    def slow(target: Target, audit: AuditContext, stop: Stop) -> TargetResult:
        if not stop.requested.wait(20):
            return good(target, audit, stop)
        return bad("interrupted")(target, audit, stop)

    house.scans["h1"] = slow
    plan = replace(agent.settings.opened.plans[0], window=timedelta(seconds=0.5))
    run = job.audit(plan, house.now, agent.settings, Stop(), lambda: False).run
    assert run.interrupted
    assert [r.outcome for r in run.results] == ["assessed", "unreachable", "unreachable", "unreachable"]
    assert run.remarks[0] == "its window of 0:00:00.500000 was over; 3 of 4 hosts had not been assessed"


def test_a_passing_fault_is_tried_again_once_at_the_end(house: House) -> None:
    house.write(hosts=4, more="agent: {jobs: 1}\n")
    tries: dict[str, int] = {}

    def second_time_well(target: Target, audit: AuditContext, stop: Stop) -> TargetResult:
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
        def tried(target: Target, audit: AuditContext, stop: Stop) -> TargetResult:
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

    def counted(target: Target, audit: AuditContext, stop: Stop) -> TargetResult:
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
