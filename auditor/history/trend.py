"""How the fleet developed, run by run, and how the hosts of one run did.

Two different numbers, each with its name: a `Point` is the fleet as it stood after a run; `Compared` looks at the findings
of one run only, and at how the same ones stood after the runs before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from auditor.history import blobs
from auditor.history.changes import ERA, FAILING, diff
from auditor.history.fleet import ASSESSED_AT, MEMBER, NEWEST, high_of_run, last, run_of, runs_before
from auditor.model.past import Compared, Past, Point
from auditor.model.target import Target


class Trend(Struct, frozen=True):
    """`fix_days`: mean days from the first failing result of a required finding to the first that is met, by severity;
    `open_days`: how long the findings that fail now have done so, by severity: (count, mean, longest)."""

    points: list[Point]
    groups: dict[str, float]
    fix_days: dict[str, float]
    open_days: dict[str, tuple[int, float, float]]


def trend(db: Database, runs: int) -> Trend:
    """How the fleet developed over the newest runs that ended and had a member of it."""
    rows = db.execute(
        "select n, id, started from runs where finished is not null and exists"
        " (select 1 from results join targets on targets.n=target where run=runs.n and listed) order by started desc limit ?",
        (runs,),
    ).fetchall()
    fixed, still = _streaks(db)
    return Trend([_point(db, *row) for row in reversed(rows)], _groups(db), fixed, still)


def _point(db: Database, number: int, ident: str, started: str) -> Point:
    high = high_of_run(db, number)
    met, missing, unknown, hosts, unassessed = db.execute(
        "select sum(a.required_met), sum(a.required_missing), sum(a.required_unknown), count(*),"
        " sum(l.outcome in ('unreachable', 'failed'))"
        f" from targets join results l on l.n={NEWEST} left join results a on a.n={ASSESSED_AT} where {MEMBER}",
        {"high": high, "run": number},
    ).fetchone()
    by_severity = db.execute(
        "select severity, count(*) from findings join targets on targets.n=target where verdict in ('noncompliant', 'pending')"
        f" and obligation='required' and waiver is null and since <= :high and (until is null or until > :high) and {MEMBER}"
        " group by severity",
        {"high": high, "run": number},
    ).fetchall()
    judged = (met or 0) + (missing or 0)
    return Point(
        ident, started, hosts, unassessed or 0, (met or 0) / judged if judged else None, dict(by_severity), unknown or 0
    )


def past(db: Database, ident: str, runs: int = 30) -> Past | None:
    """What came before a run: the newest ones that had a host of it. None where there was none."""
    number, started = db.execute("select n, started from runs where id=?", (ident,)).fetchone()
    earlier = runs_before(db, number, runs)
    if not earlier:
        return None
    low, high = high_of_run(db, earlier[0][0]), high_of_run(db, number)
    return Past(
        earlier[0][2],
        tuple(diff(db, low, high, _names(db, number))),
        tuple(_compared(db, number, high, [*reversed(earlier), (number, ident, started)])),
    )


def _names(db: Database, run: int) -> list[str]:
    """The targets of a run, and those that left the inventory with it."""
    found = "select name from targets where removed=:run or n in (select target from results where run=:run)"
    return [name for (name,) in db.execute(found, {"run": run}).fetchall()]


# The required findings that a run could judge, and every judged state that the same ones had had, by the runs in which it
# began and ended.
_JUDGED = f"""
with hosts as (select target, n as place, {ERA.format("results", "n")} as era from results
    where run=:run and outcome in ('assessed', 'partial')),
now as (select hosts.target, rule, era, verdict='compliant' as met from hosts join findings f on f.target=hosts.target
    and since<=place and (until is null or until>place) where obligation='required' and waiver is null
    and verdict in ('compliant', 'noncompliant', 'pending') and (:rules is null or rule in (select value from json_each(:rules))))
select a.run, b.run, f.verdict='compliant', now.met, case when now.target in (select target from absences) then now.target end, count(*)
from now join findings f on f.target=now.target and f.rule=now.rule
    and f.since>=era join results a on a.n=f.since left join results b on b.n=f.until
where f.obligation='required' and f.waiver is null and f.verdict in ('compliant', 'noncompliant', 'pending') and a.run<=:run
group by 1, 2, 3, 4, 5
"""


def _compared(db: Database, run: int, high: int, runs: list[Any]) -> Iterator[Compared]:
    groups = db.execute(_JUDGED, {"run": run, "high": high, "rules": _rules(db, run)}).fetchall()
    away: dict[int, list[tuple[int, int]]] = {}
    for target, gone, back in db.execute("select target, gone, back from absences").fetchall():
        away.setdefault(target, []).append((gone, back))
    for number, ident, started in runs:
        absent = {target for target, times in away.items() if any(gone <= number < back for gone, back in times)}
        stood = [
            (met, met_now, n)
            for first, end, met, met_now, who, n in groups
            if first <= number and (end is None or end > number) and who not in absent
        ]
        yield Compared(
            ident,
            started,
            sum(n for *_, n in stood),
            sum(n for met, _, n in stood if met),
            sum(n for _, now, n in stood if now),
        )


def _rules(db: Database, run: int) -> str | None:
    """The numbers of the rules that a run judged by, as JSON; None where they were not kept."""
    ids, advisories = db.execute(
        "select ids, advisories is not null from runs join rulebooks on rulebooks.n=rulebook where runs.n=?", (run,)
    ).fetchone()
    if ids is None:
        return None
    judged = set(blobs.unpack(ids).decode().split("\n"))
    return msgspec.json.encode(
        [
            n
            for n, ident, feed in db.execute("select n, id, advisory from rules").fetchall()
            if ident in judged or (feed and advisories)
        ]
    ).decode()


def _groups(db: Database) -> dict[str, float]:
    """The compliance of each group of the inventory now."""
    met: dict[str, list[int]] = {}
    high = last(db)
    for record, good, bad in db.execute(
        f"select a.record, a.required_met, a.required_missing from targets join results a on a.n={ASSESSED_AT} where {MEMBER}",
        {"high": high, "run": run_of(db, high)},
    ).fetchall():
        for group in msgspec.json.decode(blobs.get(db, record), type=Target).groups:
            counts = met.setdefault(group, [0, 0])
            counts[0], counts[1] = counts[0] + good, counts[1] + bad
    return {group: good / (good + bad) for group, (good, bad) in sorted(met.items()) if good + bad}


def _streaks(db: Database) -> tuple[dict[str, float], dict[str, tuple[int, float, float]]]:
    """How long findings failed: those that were met then, and those that fail now."""
    fixed: dict[str, list[float]] = {}
    still: dict[str, list[float]] = {}
    now = db.execute("select max(started) from runs").fetchone()[0]
    for intervals in _by_finding(db):
        began = ""
        for verdict, severity, since, until, open_, met_next in intervals:
            if verdict in FAILING:
                began = began or since
                if open_:
                    still.setdefault(severity, []).append(_days(began, now))
                elif met_next and until:
                    fixed.setdefault(severity, []).append(_days(began, until))
                    began = ""
            elif verdict != "unknown":
                began = ""
    return (
        {s: sum(d) / len(d) for s, d in fixed.items()},
        {s: (len(d), sum(d) / len(d), max(d)) for s, d in still.items()},
    )


def failing_since(db: Database) -> dict[str, dict[str, date]]:
    """By target and rule: since when a required finding fails; unknown in between does not end it."""
    found: dict[str, dict[str, date]] = {}
    began: dict[tuple[str, str, int], str] = {}
    for host, rule, era, verdict, since, until in db.execute(
        f"select targets.name, rules.id, {ERA.format('f', 'f.since')}, verdict, a_run.started, f.until from findings f join targets on targets.n=f.target"
        " join rules on rules.n=f.rule join results a on a.n=f.since join runs a_run on a_run.n=a.run"
        " where obligation='required' and targets.removed is null order by f.target, f.rule, f.since"
    ):
        if verdict in FAILING:
            began.setdefault((host, rule, era), since)
        elif verdict != "unknown":
            began.pop((host, rule, era), None)
        if until is None and verdict in FAILING:
            found.setdefault(host, {})[rule] = datetime.fromisoformat(began[host, rule, era]).date()
    return found


def _by_finding(db: Database) -> Iterator[list[tuple[str, str, str, str | None, bool, bool]]]:
    """The intervals of each required finding of a member's machine that ever failed: verdict, severity, since, until, does
    it stand on a host that is still a member and without a waiver, is the next one met."""
    rows: list[Any] = db.execute(
        f"select f.target, f.rule, {ERA.format('f', 'f.since')}, verdict, severity, a_run.started, b_run.started,"
        " until is null and waiver is null and removed is null from findings f join targets on targets.n=f.target and listed"
        " join results a on a.n=since join runs a_run on a_run.n=a.run left join results b on b.n=until left join runs b_run on b_run.n=b.run"
        " where obligation='required' and exists (select 1 from findings x where x.target=f.target and x.rule=f.rule and x.verdict in ('noncompliant', 'pending'))"
        " order by f.target, f.rule, since"
    ).fetchall()
    group: list[Any] = []
    for n, row in enumerate(rows):
        following = rows[n + 1] if n + 1 < len(rows) and rows[n + 1][:3] == row[:3] else None
        group.append((*row[3:7], bool(row[7]), bool(following and following[3] in ("compliant", "not_applicable"))))
        if following is None:
            yield group
            group = []


def _days(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() / 86400
