"""What changed, from what to what; who belongs to the fleet; what is forgotten."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.history import fleet, maintenance, queries, trend
from auditor.history.blobs import encode
from auditor.history.changed_facts import changed
from auditor.history.changes import diff
from auditor.history.scheduled_runs import ScheduledRun
from auditor.history.store import Store
from auditor.model.facts import (
    Candidate,
    Hotfix,
    Kernels,
    Listener,
    Platform,
    Service,
    Setting,
    StaleProcess,
    UpdateList,
    Updates,
)
from auditor.model.finding import Finding, WaiverNote
from auditor.model.past import Change
from auditor.model.run import RulebookSummary, Run, TargetResult
from tests.conftest import Run as Auditor
from tests.given import WHEN, package
from tests.history.test_queries import IDS, result, told

KIM = WaiverNote("kim", "till the new rack", date(2027, 1, 1))


def nights(path: Path, *of: list[TargetResult], listed: bool = True) -> Store:
    """A run for each list of results."""
    with Store(path) as s:
        for n, results in enumerate(of):
            run = Run(id=f"r{n}", started=WHEN + timedelta(days=n), auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
            s.begin(run, IDS)
            for r in results:
                s.add(run, [r], listed=[r.target.name] if listed else [])
            s.finish(
                replace(run, finished=run.started, results=tuple(results)), [r.target.name for r in results] if listed else None
            )
    return Store(path, create=False)


def one(letters: str, day: int = 0, **changes: object) -> TargetResult:
    """A host whose first finding has these changes."""
    made = result("h", letters, WHEN + timedelta(days=day))
    return replace(made, findings=(replace(made.findings[0], **changes), *made.findings[1:]))


def finding(of: Store) -> list[Change]:
    return [c for c in told(of, 0, 1) if c.rule]


OLD = "0.0.0.0:80 httpd backlog 5"
NEW = "0.0.0.0:8080 java backlog 5"
CASES: dict[str, tuple[dict[str, object], dict[str, object], str, list[str]]] = {
    "new: the port and its process": ({}, {"observed": NEW}, "cm", ["new", "compliant (c) → noncompliant (" + NEW + ")"]),
    "one more of them": (
        {"observed": f"{OLD}, 3 waiting", "offending": (OLD,)}, {"observed": f"{OLD}; {NEW}", "offending": (OLD, NEW)}, "mm",
        ["changed", f"noncompliant → noncompliant ({NEW})"],
    ),
    "another package": (
        {"offending": ("openssl 1 → 2", "bash 1 → 2")}, {"offending": ("bash 1 → 2", "curl 7 → 8")}, "mm",
        ["changed", "noncompliant (openssl 1 → 2) → noncompliant (curl 7 → 8)"],
    ),
    "only what changes by itself": ({"observed": f"{OLD}, 3 waiting", "offending": (OLD,)}, {"observed": f"{OLD}, 9 waiting", "offending": (OLD,)}, "mm", []),
    "fixed: what it was": ({"observed": OLD}, {"observed": "backlog 511"}, "mc", ["fixed", f"noncompliant ({OLD}) → compliant (backlog 511)"]),
    "unknown: why": ({"observed": OLD}, {"why": "ss: not found"}, "mu", ["became unknown", f"noncompliant ({OLD}) → unknown (ss: not found)"]),
    "installed, not in force": ({"observed": "bash 1"}, {"observed": "bash 2"}, "mp", ["changed", "noncompliant (bash 1) → pending (bash 2)"]),
    "rated anew": ({"obligation": "advised"}, {"obligation": "required"}, "mm", ["changed", "noncompliant (m) → noncompliant (m)"]),
    "waived": ({}, {"waiver": KIM}, "mm", ["waived", "nothing → waived by kim until 2027-01-01: till the new rack"]),
    "no longer waived": ({"waiver": KIM}, {}, "mm", ["waiver ended", "waived by kim until 2027-01-01: till the new rack → noncompliant"]),
    "waived for longer": (
        {"waiver": KIM}, {"waiver": replace(KIM, expires=None)}, "mm",
        ["waiver changed", "waived by kim until 2027-01-01: till the new rack → waived by kim for good: till the new rack"],
    ),
    "nothing": ({"observed": OLD}, {"observed": OLD}, "mm", []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_change_says_from_what_to_what(tmp_path: Path, name: str) -> None:
    before, now, letters, wanted = CASES[name]
    with nights(tmp_path / "a.db", [one(letters[0], 0, **before)], [one(letters[1], 1, **now)]) as s:
        assert [x for c in finding(s) for x in (c.kind, c.what)] == wanted


def test_a_finding_that_is_rated_anew_says_so(tmp_path: Path) -> None:
    with nights(tmp_path / "a.db", [one("m", obligation="advised", severity="low")], [one("m", 1)]) as s:
        (c,) = finding(s)
        assert (c.kind, c.obligation, c.severity) == ("changed", "required", "important")


LISTENERS = (Listener("0.0.0.0", 80, 511, "httpd"), Listener("::", 22, 128, "sshd"))
UPDATES = Updates(lists=(UpdateList("security", WHEN, "bookworm"),), candidates=(Candidate("bash", "amd64", "2"),))
SECTIONS: dict[str, tuple[str, object, object, str]] = {
    "a listener": ("listeners", LISTENERS, (*LISTENERS, Listener("0.0.0.0", 8080, 5, "java")), "new: 0.0.0.0:8080 backlog 5, java"),
    "a listener gone": ("listeners", LISTENERS, LISTENERS[:1], "gone: [::]:22 backlog 128, sshd"),
    "a backlog": ("listeners", LISTENERS, (replace(LISTENERS[0], backlog=5), LISTENERS[1]), "0.0.0.0:80 backlog 511, httpd → backlog 5, httpd"),
    "a package": ("packages", (package("bash", "5.2-1"),), (package("bash", "5.2-2"),), "bash amd64 5.2-1 → 5.2-2"),
    "a package more": ("packages", (), (package("bash", "5.2-1"),), "new: bash amd64 5.2-1"),
    "a package held": ("packages", (package("bash", "5.2-1"),), (replace(package("bash", "5.2-1"), hold=True),), "bash amd64 5.2-1 → 5.2-1 (hold)"),
    "a kernel beside another": ("packages", (package("kernel", "1-1"),), (package("kernel", "1-1"), package("kernel", "1-2")), "kernel amd64 nothing → 1-2"),
    "a setting": ("settings", {"sysctl:a": Setting("present", "1")}, {"sysctl:a": Setting("present", "0")}, "sysctl:a state present, value 1 → state present, value 0"),
    "the platform": ("platform", Platform(kernel="6.1.0-1"), Platform(kernel="6.1.0-2"), "kernel 6.1.0-1 → 6.1.0-2"),
    "the kernels": ("kernels", Kernels("1", ("1",)), Kernels("1", ("1", "2")), "new: installed 2"),
    "a service": ("services", (Service("w3svc", "running"),), (Service("w3svc", "stopped"),), "w3svc state running → state stopped"),
    "a hotfix": ("hotfixes", (), (Hotfix("Q238009"),), "new: Q238009"),
    "a process": ("processes", ("httpd",), ("httpd", "java"), "new: java"),
    "a process with old code": ("stale_processes", (), (StaleProcess("sshd", ("/lib/a.so",)),), "new: sshd files /lib/a.so"),
    "an update": ("updates", UPDATES, replace(UPDATES, candidates=(Candidate("bash", "amd64", "3"),)), "candidates bash amd64 2 → 3"),
    "a word": ("machine_id", "a", "b", "a → b"),
}  # fmt: skip


@pytest.mark.parametrize("name", SECTIONS)
def test_changed_facts_are_told_item_by_item(name: str) -> None:
    section, old, new, said = SECTIONS[name]
    assert changed(section, encode(old), encode(new)) == said
    assert changed(section, encode(new), encode(new)) == ""


def test_many_changed_items_are_counted() -> None:
    old, new = ([package(f"p{n:03}", f"1-{v}") for n in range(300)] for v in (1, 2))
    said = changed("packages", encode(old), encode(new))
    assert said.startswith("p000 amd64 1-1 → 1-2; p001")
    assert said.endswith("; and 292 more")
    assert len(said) < 2000
    assert changed("packages", None, encode(new)) == "not read before, read now"


def test_hosts_say_why(tmp_path: Path) -> None:
    with nights(tmp_path / "a.db", [one("c")], [result("h", "-", WHEN), result("x", "-", WHEN)], [one("c", 2)]) as s:
        assert [(c.kind, c.host, c.what) for c in told(s, 0, 1)] == [
            ("not assessed", "h", "assessed → unreachable (timeout: no answer)"),
            ("new host", "x", "nothing → unreachable (timeout: no answer)"),
        ]
        assert [(c.kind, c.host, c.what) for c in told(s, 1, 2)] == [
            ("assessed again", "h", "unreachable → assessed"),
            ("host removed", "x", "an entry of the inventory → none"),
        ]


def test_a_run_is_compared_with_the_newest_that_had_a_host_of_it(tmp_path: Path) -> None:
    """Between two runs of one group lies one of another: neither its changes nor its figures are theirs."""
    web = [result("web1", "m", WHEN)], [result("web1", "c", WHEN)]
    with nights(tmp_path / "a.db", web[0], [result("db1", "m", WHEN)], web[1], [result("db1", "c", WHEN)], listed=False) as s:
        past = s.past(s.run("r2"))
        assert past
        assert (past.before[:10], [(c.kind, c.host) for c in past.changes]) == ("2026-11-23", [("fixed", "web1")])
        assert [(p.run, p.met, p.met_now) for p in past.points] == [("r0", 0, 1), ("r2", 1, 1)]
        assert s.past(s.run("r1")) is None


# Who belongs to the fleet


def with_one_off(path: Path) -> Store:
    """An inventory of one, scanned once by its address too, and a mistyped address."""
    nights(path, [result("web1", "mc", WHEN, "m1")]).close()
    with Store(path) as s:
        run = Run(id="once", started=WHEN + timedelta(days=1), auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
        s.begin(run, IDS)
        for r in (result("ssh-web1", "mm", run.started, "m1"), result("wbe1", "-", run.started)):
            s.add(run, [r])
        s.finish(replace(run, finished=run.started))
    return Store(path, create=False)


def test_a_one_off_scan_is_no_member_of_the_fleet(tmp_path: Path) -> None:
    with with_one_off(tmp_path / "a.db") as s:
        assert [h.host for h in fleet.members(s.db, fleet.last(s.db))] == ["web1"]
        t = trend.trend(s.db, 9)
        assert [(p.run, p.hosts, p.unassessed, p.compliance) for p in t.points] == [("r0", 1, 0, 0.5)]
        assert t.open_days["important"][0] == 1
        assert fleet.one_off(s.db) == ["ssh-web1", "wbe1"]
        assert [r.verdict for r in queries.of_host(s.db, "ssh-web1")] == ["noncompliant", "noncompliant"]
        assert fleet.renamed(s.db) == [("m1", ["ssh-web1", "web1"])]


def test_an_entry_that_was_renamed_counts_once(tmp_path: Path) -> None:
    """A part of the inventory was audited under the new name: nobody closed the old one."""
    path = tmp_path / "a.db"
    nights(path, [result("old", "m", WHEN, "m1"), result("other", "c", WHEN, "m2")]).close()
    with Store(path) as s:
        run = Run(id="part", started=WHEN + timedelta(days=1), auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
        s.begin(run, IDS)
        s.add(run, [result("new", "m", run.started, "m1")], listed=["new"])
        s.finish(replace(run, finished=run.started))
        assert [h.host for h in fleet.members(s.db, fleet.last(s.db))] == ["new", "other"]
        assert [h.host for h in fleet.members(s.db, fleet.high_of_run(s.db, 1))] == ["old", "other"]
        assert [p.hosts for p in trend.trend(s.db, 9).points] == [2, 2]


def test_copies_of_a_machine_that_are_audited_each_stay(tmp_path: Path) -> None:
    with nights(tmp_path / "a.db", *[[result("a", "m", WHEN, "m1"), result("b", "m", WHEN, "m1")]] * 2) as s:
        assert [h.host for h in fleet.members(s.db, fleet.last(s.db))] == ["a", "b"]


def test_forgetting(tmp_path: Path) -> None:
    with with_one_off(tmp_path / "a.db") as s:
        before = queries.of_host(s.db, "web1")
        assert maintenance.forget(s.db, "wbe1") == (1, 0)
        assert maintenance.forget(s.db, "ssh-web1") == (1, 2)
        assert fleet.one_off(s.db) == []
        assert list(maintenance.faults(s.db)) == []
        assert queries.of_host(s.db, "web1") == before
        assert [r.target.name for r in s.run("once").results] == []
        assert maintenance.forget(s.db, "web1")[0] == 1
        assert list(maintenance.faults(s.db)) == []
        assert s.db.execute("select count(*) from contents").fetchone()[0] == 0


def test_a_host_that_was_never_assessed_is_not_called_good(auditor: Auditor, home: Path) -> None:
    nights(home / "auditor.db", [result("h", "-", WHEN)]).close()
    said = auditor("history", "host", "h").stdout
    assert said.splitlines() == [
        "h: never assessed; unreachable at the last try, 2026-11-23 12:00 UTC",
        "  timeout: no answer",
        "nothing is known of it: it was never assessed",
    ]


def test_what_began_and_ended_in_one_day_says_when(auditor: Auditor, home: Path) -> None:
    with Store(home / "auditor.db") as s:
        for n, letter in enumerate("mc"):
            run = Run(
                id=f"r{n}", started=WHEN + timedelta(hours=3 * n), auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01")
            )
            s.begin(run, IDS)
            s.add(run, [result("h", letter, run.started)], listed=["h"])
            s.finish(replace(run, finished=run.started))
    said = auditor("history", "host", "h").stdout
    assert "since 2026-11-23 12:00 until 2026-11-23 15:00" in said


def test_forget_says_what_it_dropped(auditor: Auditor, home: Path) -> None:
    with_one_off(home / "auditor.db").close()
    done = auditor("history", "forget", "wbe1", "ssh-web1")
    assert done.stdout == "wbe1: 1 result and 0 findings dropped\nssh-web1: 1 result and 2 findings dropped\n"
    assert "not of the fleet" not in auditor("history", "trend").stdout


def test_offending_survives_the_history(tmp_path: Path) -> None:
    with nights(tmp_path / "a.db", [one("m", offending=(OLD, NEW))]) as s:
        stored: Finding = s.run("r0").results[0].findings[0]
        assert stored.offending == (OLD, NEW)


def written(path: Path, *of: tuple[str, list[str] | None, list[TargetResult]]) -> None:
    """Runs one after the other: kind (`audit`, `scan`, or the name of a named audit), the inventory, the results."""
    with Store(path) as s:
        for n, (kind, inventory, results) in enumerate(of):
            run = Run(id=f"r{n}", started=WHEN + timedelta(days=n), auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
            night = ScheduledRun(kind, run.started) if kind not in ("audit", "scan") else None
            s.begin(run, IDS, night, one_off=kind == "scan")
            for r in results:
                s.add(run, [r], listed=[r.target.name] if kind != "scan" else [])
            s.finish(
                replace(run, finished=run.started, results=tuple(results)), inventory, scheduled=(night, "") if night else None
            )


def h(name: str, letters: str, machine: str | None = None) -> TargetResult:
    return result(name, letters, WHEN, machine)


def kinds(s: Store, run: str) -> list[tuple[str, str]]:
    past = s.past(s.run(run))
    return [(c.kind, c.host) for c in past.changes] if past else []


def test_a_scan_by_hand_between_two_audits_swallows_nothing(tmp_path: Path) -> None:
    """What a scan of b saw first is news to those whom the audit's mail is for."""
    both = ["a", "b"]
    written(
        tmp_path / "a.db",
        ("audit", both, [h("a", "c"), h("b", "c")]),
        ("scan", None, [h("b", "m")]),
        ("audit", both, [h("a", "c"), h("b", "m")]),
    )
    with Store(tmp_path / "a.db") as s:
        assert kinds(s, "r2") == [("new", "b")]
        past = s.past(s.run("r2"))
        assert past
        assert [p.run for p in past.points] == ["r0", "r2"]
        assert kinds(s, "r1") == [("new", "b")]  # and the scan's own report says it too


def test_named_audits_are_compared_with_themselves(tmp_path: Path) -> None:
    every = ["web", "db"]
    written(
        tmp_path / "a.db",
        ("weekly", every, [h("web", "c"), h("db", "c")]), ("nightly", None, [h("web", "m")]), ("nightly", None, [h("web", "m")]),
        ("weekly", every, [h("web", "m"), h("db", "m")]),
    )  # fmt: skip
    with Store(tmp_path / "a.db") as s:
        assert kinds(s, "r1") == [("new", "web")]
        assert kinds(s, "r2") == []
        assert sorted(kinds(s, "r3")) == [("new", "db"), ("new", "web")]


def test_a_host_that_comes_back_into_the_inventory(tmp_path: Path) -> None:
    """It is told, past numbers stay what they were, and what it lacked meanwhile was nobody's."""
    most, every = ["a", "c"], ["a", "b", "c"]
    path = tmp_path / "a.db"
    first = ("audit", every, [h(n, "mc") for n in every]), ("audit", most, [h(n, "mc") for n in most])
    written(path, *first)
    with Store(path) as s:
        assert ("host removed", "b") in kinds(s, "r1")
        before = trend.trend(s.db, 9).points
    (tmp_path / "a.db").unlink()
    written(path, *first, ("audit", every, [h(n, "cc") for n in every]))
    with Store(path) as s:
        assert ("new host", "b") in kinds(s, "r2")
        assert trend.trend(s.db, 9).points[:2] == before
        assert [p.hosts for p in trend.trend(s.db, 9).points] == [3, 2, 3]
        past = s.past(s.run("r2"))
        assert past
        assert [(p.run, p.judged) for p in past.points] == [("r0", 6), ("r1", 4), ("r2", 6)]
        assert list(maintenance.faults(s.db)) == []


def test_renames_are_told_once_and_truly(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    written(
        path, ("audit", ["a"], [h("a", "cc", "m")]), ("audit", ["a", "a2"], [h("a", "cc", "m"), h("a2", "cc", "m")]),
        ("audit", ["a"], [h("a", "cc", "m")]), ("audit", ["a3"], [h("a3", "cm", "m")]),
    )  # fmt: skip
    with Store(path) as s:
        past = s.past(s.run("r1"))
        assert past
        assert [(c.kind, c.host, c.now) for c in past.changes] == [("new host", "a2", "the same machine as a")]
        assert kinds(s, "r2") == [("host removed", "a2")]
        low, high = fleet.high_of_run(s.db, 3), fleet.high_of_run(s.db, 4)
        told_now = diff(s.db, low, high, fleet.names(s.db, (3, 4)))
        assert [(c.kind, c.host, c.before, c.after) for c in told_now] == [
            ("renamed", "a3", "a", "a3"),
            ("new", "a3", "compliant", "noncompliant"),
        ]


def test_a_host_that_was_never_reached_before_is_new(tmp_path: Path) -> None:
    written(tmp_path / "a.db", ("audit", ["n"], [h("n", "-")]), ("audit", ["n"], [h("n", "mum")]))
    with Store(tmp_path / "a.db") as s:
        assert kinds(s, "r1") == [("new host", "n")]


@pytest.mark.parametrize(
    ("letters", "wanted"),
    [("mum", "known again"), ("muc", "fixed"), ("cum", "new"), ("cuc", "known again"), ("mcum", "came back"), ("um", "new"), ("uc", "known again"), ("muum", "known again")],
)  # fmt: skip
def test_what_nobody_could_tell_meanwhile(tmp_path: Path, letters: str, wanted: str) -> None:
    """Unknown is neither progress nor loss: the identical finding after it is no news, and what was met meanwhile was fixed."""
    written(tmp_path / "a.db", *[("audit", ["n"], [h("n", f"c{letter}")]) for letter in letters])
    with Store(tmp_path / "a.db") as s:
        assert kinds(s, f"r{len(letters) - 1}") == ([(wanted, "n")] if letters[-1] != letters[-2] else [])


def test_what_came_up_waived_is_waived_and_not_new(tmp_path: Path) -> None:
    with nights(tmp_path / "a.db", [one("c")], [one("m", 1, waiver=KIM)]) as s:
        assert [(c.kind, c.before, c.after) for c in finding(s)] == [("waived", "", "")]


def test_another_machine_under_a_name_is_no_part_of_a_comparison(tmp_path: Path) -> None:
    written(
        tmp_path / "a.db",
        ("audit", ["a", "b"], [h("a", "mm", "m1"), h("b", "mc", "m2")]),
        ("audit", ["a", "b"], [h("a", "cc", "m3"), h("b", "cc", "m2")]),
    )
    with Store(tmp_path / "a.db") as s:
        past = s.past(s.run("r1"))
        assert past
        assert [(p.judged, p.met, p.met_now) for p in past.points] == [(2, 1, 2), (4, 4, 4)]
