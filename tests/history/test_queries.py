"""What the history answers, over a fleet whose truth is known day by day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import UsageFault
from auditor.history import changes as changing
from auditor.history import fleet, queries, trend
from auditor.history.store import Store
from auditor.model.facts import HostFacts
from auditor.model.finding import Finding, Verdict
from auditor.model.past import Change
from auditor.model.run import RulebookSummary, Run, TargetError, TargetResult
from auditor.model.target import Target
from tests.given import LINUX, WHEN, package

IDS = [f"rule-{n}" for n in range(9)]
PACKAGES = tuple(package(f"library{n}", "1.0-1") for n in range(20))
Day = dict[str, str]  # host: the verdicts of its rules, a letter each; "-" where the host could not be assessed
LETTERS: dict[str, Verdict] = {"m": "noncompliant", "p": "pending", "u": "unknown", "c": "compliant", "n": "not_applicable"}


def found(rule: str, letter: str) -> Finding:
    return Finding(
        rule=rule, title=f"Title of {rule}", severity="important", obligation="required", verdict=LETTERS[letter],
        observed=letter, required="r", why="w", remediation="do",
    )  # fmt: skip


def result(name: str, letters: str, when: datetime, machine: str | None = None, **facts: object) -> TargetResult:
    target = Target(name=name, groups=("web",) if name.startswith("web") else ())
    if letters == "-":
        return TargetResult(target=target, outcome="unreachable", error=TargetError("timeout", "no answer"))
    own: HostFacts = replace(LINUX, packages=PACKAGES, target=name, collected_at=when, machine_id=machine or name, **facts)
    findings = tuple(found(f"rule-{n}", letter) for n, letter in enumerate(letters) if letter != " ")
    return TargetResult(target=target, outcome="assessed", facts=own, findings=findings)


def after(path: Path, *days: Day, machines: dict[str, str] | None = None) -> Store:
    """A history of one run a day, each of the whole inventory."""
    for n, day in enumerate(days):
        when = WHEN + timedelta(days=n)
        run = Run(id=f"day{n}", started=when, auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
        with Store(path) as s:
            s.begin(run, IDS)
            for name, letters in day.items():
                s.add(run, [result(name, letters, when, (machines or {}).get(name))], listed=[name])
            s.finish(replace(run, finished=when + timedelta(minutes=1)), day)
    return Store(path, create=False)


def changes(s: Store, low: int, high: int) -> list[tuple[str, str, str]]:
    return [(c.kind, c.host, c.rule) for c in told(s, low, high)]


def told(s: Store, low: int, high: int) -> list[Change]:
    begin, end = (fleet.high_of_run(s.db, n + 1) for n in (low, high))
    return changing.diff(s.db, begin, end, fleet.names(s.db, (low + 1, high + 1)))


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ("c", "m", "new"), ("c", "p", "new"), ("n", "m", "new"), ("u", "m", "new"), (" ", "m", "new"),
        ("m", "c", "fixed"), ("p", "c", "fixed"), ("m", "n", "fixed"),
        ("m", "u", "became unknown"), ("c", "u", "became unknown"), ("u", "c", "known again"), ("m", " ", "gone"),
        ("m", "p", "changed"), ("p", "m", "changed"), ("c", "n", ""), ("m", "m", ""), ("u", "u", ""),
    ],
)  # fmt: skip
def test_what_became_of_a_finding(tmp_path: Path, before: str, now: str, kind: str) -> None:
    with after(tmp_path / "a.db", {"h": f"c{before}"}, {"h": f"c{now}"}) as s:
        assert changes(s, 0, 1) == ([(kind, "h", "rule-1")] if kind else [])


def test_a_failed_scan_fixes_nothing(tmp_path: Path) -> None:
    """Missing, then not reached, then still missing: never fixed, never new, and stale meanwhile."""
    with after(tmp_path / "a.db", {"h": "m"}, {"h": "-"}, {"h": "m"}) as s:
        assert changes(s, 0, 1) == [("not assessed", "h", "")]
        assert changes(s, 1, 2) == [("assessed again", "h", "")]
        assert changes(s, 0, 2) == []
        high = fleet.high_of_run(s.db, 2)
        (row,) = queries.standing(s.db, high, fleet.members(s.db, high))
        assert (row.verdict, row.since[:10], row.stale and row.stale[:10]) == ("noncompliant", "2026-11-23", "2026-11-23")
        assert fleet.members(s.db, high)[0].noncompliant == 1


def test_what_comes_back_is_no_new_thing(tmp_path: Path) -> None:
    with after(tmp_path / "a.db", {"h": "m"}, {"h": "c"}, {"h": "m"}) as s:
        assert [kind for kind, _, _ in changes(s, 1, 2)] == ["came back"]
        assert [kind for kind, _, _ in changes(s, 0, 2)] == []


def test_hosts_that_come_go_and_are_renamed(tmp_path: Path) -> None:
    days = {"a": "c", "b": "m"}, {"a": "c", "c": "c"}, {"a": "c", "d": "c"}
    with after(tmp_path / "a.db", *days, machines={"d": "c"}) as s:
        assert changes(s, 0, 1) == [("host removed", "b", ""), ("new host", "c", "")]
        assert changes(s, 1, 2) == [("renamed", "d", "")]
        assert fleet.renamed(s.db) == [("c", ["c", "d"])]
        assert [r.host for r in queries.of_rule(s.db, "rule-0")] == ["a", "d"]


def test_two_machines_that_shared_a_name_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    after(path, {"h": "m"}, machines={"h": "one"}).close()
    when = WHEN + timedelta(days=1)
    run = Run(id="day1", started=when, finished=when, auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
    with Store(path) as s:
        s.begin(run, IDS)
        s.add(run, [result("h", "m", when, "two")])
        s.finish(run)
        rows = queries.of_host(s.db, "h")
        assert [(r.since[:10], r.until and r.until[:10]) for r in rows] == [("2026-11-24", None), ("2026-11-23", "2026-11-24")]
        assert changes(s, 0, 1) == [("new", "h", "rule-0"), ("another machine", "h", "")]


def test_another_machine_neither_fixes_nor_goes_on(tmp_path: Path) -> None:
    """What the machine before lacked is not fixed by the next one, has not come back on it, and is not as old on it."""
    path = tmp_path / "a.db"
    after(path, {"h": "mm"}, {"h": "cc"}, {"h": "mm"}, machines={"h": "one"}).close()
    with Store(path) as s:
        before = trend.trend(s.db, 9)
        assert not s.db.execute("select count(*) from replacements").fetchone()[0]
        for n, letters in ((3, "cm"), (4, "mm")):
            when = WHEN + timedelta(days=n)
            run = Run(id=f"day{n}", started=when, finished=when, auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"))
            s.begin(run, IDS)
            s.add(run, [result("h", letters, when, "two")], listed=["h"])
            s.finish(run)
        assert changes(s, 2, 3) == [("new", "h", "rule-1"), ("another machine", "h", "")]
        assert changes(s, 3, 4) == [("new", "h", "rule-0")]
        assert trend.failing_since(s.db) == {"h": {"rule-0": date(2026, 11, 27), "rule-1": date(2026, 11, 26)}}
        now = trend.trend(s.db, 9)
        assert (before.fix_days, now.fix_days) == ({"important": 1.0}, {"important": 1.0})
        assert now.open_days == {"important": (2, 0.5, 1.0)}


def test_the_fleet_as_it_stood(tmp_path: Path) -> None:
    with after(tmp_path / "a.db", {"h": "mc"}, {"h": "cm"}, {"h": "cc"}) as s:
        stood = {}
        for n in range(3):
            high = fleet.high_of_day(s.db, WHEN + timedelta(days=n, hours=1))
            stood[n] = [(r.rule, r.verdict) for r in queries.standing(s.db, high, fleet.members(s.db, high))]
        assert stood == {0: [("rule-0", "noncompliant")], 1: [("rule-1", "noncompliant")], 2: []}
        with pytest.raises(UsageFault, match="no result from before"):
            fleet.high_of_day(s.db, WHEN - timedelta(days=1))


def test_the_trend(tmp_path: Path) -> None:
    """Two findings: one missing for three days and met on the fourth, one missing to the end, unknown in between."""
    days = {"web": "mm"}, {"web": "mu"}, {"web": "mm"}, {"web": "cm"}
    with after(tmp_path / "a.db", *days) as s:
        t = trend.trend(s.db, 10)
        assert [(p.compliance, p.open.get("important", 0), p.unknown) for p in t.points] == [
            (0, 2, 0),
            (0, 1, 1),
            (0, 2, 0),
            (0.5, 1, 0),
        ]
        assert t.groups == {"web": 0.5}
        assert t.fix_days == {"important": 3.0}
        assert t.open_days == {"important": (1, 3.0, 3.0)}


def test_a_name_that_is_not_known_is_said(tmp_path: Path) -> None:
    with after(tmp_path / "a.db", {"web1": "m"}) as s:
        with pytest.raises(UsageFault, match=r"never seen a host 'web'; did you mean web1\?"):
            queries.of_host(s.db, "web")
        with pytest.raises(UsageFault, match=r"did you mean rule-0\?"):
            queries.of_rule(s.db, "rule0")
