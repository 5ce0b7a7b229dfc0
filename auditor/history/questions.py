"""What the history answers: what happened on a host, which hosts a rule is about, what changed between two runs, how the
fleet stood on a day, how it develops.

The fleet as it stood after a run is each target's newest result up to then. A host that was not assessed keeps its last
known findings, marked stale; one that left the inventory, and one that was never assessed, are no part of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from auditor.errors import UsageFault
from auditor.history import contents
from auditor.model.past import Change, Past, Point
from auditor.model.target import Target
from auditor.yamlfile import did_you_mean

_ASSESSED = ("assessed", "partial")
FAILING = ("noncompliant", "pending")
_OPEN = "verdict in ('noncompliant', 'pending', 'unknown')"


class Row(Struct, frozen=True):
    """One finding of a history, in the words of its view. `since` and `until` are when runs began; `stale` is the day of
    the last assessment, where a later one failed."""

    host: str
    rule: str
    title: str
    verdict: str
    severity: str
    obligation: str
    since: str
    until: str | None = None
    stale: str | None = None


class HostState(Struct, frozen=True):
    """A target as it stood: its newest result up to then. `assessed` is when it was last assessed, None for never."""

    host: str
    outcome: str
    read: str
    assessed: str | None
    noncompliant: int
    pending: int
    unknown: int
    compliant: int
    not_applicable: int
    removed: str | None = None


def target_number(db: Database, name: str) -> int:
    """The number of a target. Raises UsageFault with similar names."""
    row = db.execute("select n from targets where name=?", (name,)).fetchone()
    if row is None:
        known = [n for (n,) in db.execute("select name from targets").fetchall()]
        raise UsageFault(f"the history has never seen a host {name!r}{did_you_mean(name, known)}")
    return int(row[0])


_FINDINGS = """
select targets.name as host, rules.id as rule, rules.title, findings.verdict, findings.severity, findings.obligation,
    a_run.started as since, b_run.started as until, findings.since as n, findings.until as m
from findings join targets on targets.n=findings.target join rules on rules.n=findings.rule
    join results a on a.n=findings.since join runs a_run on a_run.n=a.run
    left join results b on b.n=findings.until left join runs b_run on b_run.n=b.run
"""


def of_host(db: Database, name: str) -> list[Row]:
    """Every finding that a host has or had, but what never was anything else than fulfilled; the newest first."""
    number = target_number(db, name)
    interesting = f"select rule from findings where target=? and {_OPEN}"
    rows = db.query(
        f"{_FINDINGS} where findings.target=? and findings.rule in ({interesting}) order by findings.since desc, rules.id",
        [number, number],
    )
    stale = _stale(db, name).get(name)
    return [_row(r, stale) for r in rows]


def of_rule(db: Database, rule: str) -> list[Row]:
    """How every host stands to a rule, and since when. Raises UsageFault where the history has no such rule."""
    if db.execute("select 1 from rules where id=?", (rule,)).fetchone() is None:
        known = [i for (i,) in db.execute("select id from rules").fetchall()]
        raise UsageFault(f"the history has no finding of a rule {rule!r}{did_you_mean(rule, known)}")
    stale = _stale(db)
    rows = db.query(
        f"{_FINDINGS} where rules.id=? and findings.until is null and targets.removed is null order by host", [rule]
    )
    return [_row(r, stale.get(r["host"])) for r in rows]


def _row(r: dict[str, Any], stale: str | None) -> Row:
    last = stale if r["until"] is None else None
    return Row(r["host"], r["rule"], r["title"], r["verdict"], r["severity"], r["obligation"], r["since"], r["until"], last)


def _stale(db: Database, name: str | None = None) -> dict[str, str]:
    """The hosts whose newest result is no assessment, each with when it was last assessed."""
    return {h.host: h.assessed for h in fleet(db, None, name) if h.assessed and h.outcome not in ("assessed", "partial")}


# The newest result of a target up to one, and the newest that is an assessment: both by the index, a step each.
_NEWEST = "(select max(n) from results where target=targets.n and n <= :high)"
_ASSESSED_AT = "(select n from results where target=targets.n and n <= :high and outcome in ('assessed', 'partial') order by n desc limit 1)"
_FLEET = f"""
select targets.name as host, newest.outcome, n_run.started as read, a_run.started as assessed, gone.started as removed,
    coalesce(a.noncompliant, 0) as noncompliant, coalesce(a.pending, 0) as pending, coalesce(a.unknown, 0) as unknown,
    coalesce(a.compliant, 0) as compliant, coalesce(a.not_applicable, 0) as not_applicable
from targets join results newest on newest.n = {_NEWEST} join runs n_run on n_run.n = newest.run
    left join results a on a.n = {_ASSESSED_AT} left join runs a_run on a_run.n = a.run
    left join runs gone on gone.n = targets.removed
where :name is null or targets.name = :name order by targets.name
"""


def fleet(db: Database, high: int | None, name: str | None = None) -> list[HostState]:
    """Every target that is (or was by then) in the history, or one of them, as of the result numbered `high`; None for
    now."""
    rows = db.query(_FLEET, {"high": high if high is not None else _last(db), "name": name})
    return [msgspec.convert(r, HostState) for r in rows]


def _last(db: Database) -> int:
    return int(db.execute("select coalesce(max(n), 0) from results").fetchone()[0])


def high_of_run(db: Database, number: int) -> int:
    """The newest result of a run; of the run before it where it has none."""
    found = "select coalesce(max(n), 0) from results where run = (select max(run) from results where run <= ?)"
    return int(db.execute(found, (number,)).fetchone()[0])


def high_of_day(db: Database, end: datetime) -> int:
    """The newest result of the runs that began before a moment. Raises UsageFault where there was none."""
    before = end.isoformat(timespec="milliseconds")
    row = db.execute("select max(n) from runs where started < ? and n in (select run from results)", (before,)).fetchone()
    found = high_of_run(db, row[0]) if row[0] is not None else None
    if found is None:
        raise UsageFault(f"the history has no result from before {end:%Y-%m-%d %H:%M} UTC")
    return found


def standing(db: Database, high: int) -> Iterator[Row]:
    """Every finding that is no fulfilled one, as it stood at a result."""
    stale = {h.host: h.assessed for h in fleet(db, high) if h.outcome not in ("assessed", "partial")}
    for r in db.query(
        f"{_FINDINGS} where findings.{_OPEN} and findings.since <= :high and (findings.until is null or findings.until > :high)"
        " order by host, rules.id",
        {"high": high},
    ):
        yield Row(
            r["host"],
            r["rule"],
            r["title"],
            r["verdict"],
            r["severity"],
            r["obligation"],
            r["since"],
            stale=stale.get(r["host"]),
        )


# The first result of the machine that a finding is of; 0 where it is the first one under its name.
_ERA = "coalesce((select max(result) from replacements r where r.target={0}.target and r.result<={1}), 0)"
_ENDS = f"""
select targets.name as host, rules.id as rule, rules.title, new.severity as severity,
    (select verdict from findings o where o.target=c.target and o.rule=c.rule and o.since<=:low and (o.until is null or o.until>:low)
        and o.since>={_ERA.format("c", ":high")}) as before,
    new.verdict as after,
    exists (select 1 from findings p where p.target=c.target and p.rule=c.rule and p.until<=:low and p.verdict in ('noncompliant', 'pending')
        and p.since>={_ERA.format("c", ":high")}) as had
from (select distinct target, rule from findings where (since > :low and since <= :high) or (until > :low and until <= :high)) c
    join targets on targets.n=c.target join rules on rules.n=c.rule
    left join findings new on new.target=c.target and new.rule=c.rule and new.since<=:high and (new.until is null or new.until>:high)
order by host, rule
"""


def diff(db: Database, low: int, high: int) -> list[Change]:
    """What changed between two states of the fleet: findings, hosts, facts. What another machine lacks is new, and nothing
    of the one before it is fixed."""
    before, after = ({h.host: h for h in fleet(db, n)} for n in (low, high))
    renamed = dict(db.execute(_SAME_MACHINE, (low,)).fetchall())
    changes = list(_hosts(before, after, renamed, (_began(db, low), _began(db, high))))
    for r in db.query(_ENDS, {"low": low, "high": high}):
        if r["host"] in before and (kind := _kind(r["before"], r["after"], bool(r["had"]))):
            changes.append(
                Change(kind, r["host"], r["rule"], r["title"], r["severity"] or "", r["before"] or "", r["after"] or "")
            )
    return [*changes, *_facts(db, low, high)]


def _kind(before: str | None, after: str | None, had: bool) -> Any:
    """What became of a finding; "" where nothing that matters. Unknown is neither progress nor loss."""
    if before == after:
        return ""
    if after in FAILING:
        return "" if before in FAILING else "came back" if had else "new"
    if after == "unknown":
        return "became unknown"
    if before in FAILING:
        return "fixed" if after else "gone"
    return "known again" if before == "unknown" and after else ""


def _began(db: Database, result: int) -> str:
    """When the run of a result began; "" for no result."""
    row = db.execute("select started from results join runs on runs.n=run where results.n=?", (result,)).fetchone()
    return str(row[0]) if row else ""


# A new target that is the machine of one that was known before: (its name, the name before).
_SAME_MACHINE = """
select new.name, old.name from targets new join targets old on old.machine=new.machine and old.n<new.n
where not exists (select 1 from results where target=new.n and n <= ?)
"""


def _hosts(
    before: dict[str, HostState], after: dict[str, HostState], renamed: dict[str, str], between: tuple[str, str]
) -> Iterator[Change]:
    for name, host in after.items():
        was = before.get(name)
        ok, was_ok = host.outcome in _ASSESSED, was is not None and was.outcome in _ASSESSED
        if was is None and name in renamed:
            yield Change("renamed", name, before=renamed[name], after=name)
        elif was is None:
            yield Change("new host", name, after=host.outcome)
        elif was and was_ok and not ok:
            yield Change("not assessed", name, before=was.outcome, after=host.outcome)
        elif was and ok and not was_ok:
            yield Change("assessed again", name, before=was.outcome, after=host.outcome)
        if host.removed and between[0] < host.removed <= between[1]:
            yield Change("host removed", name)


_FACTS = """
select targets.name as host, old.facts as old, new.facts as new, a.id as machine_before, b.id as machine_after
from targets
    join results old on old.n = (select n from results where target=targets.n and n <= :low and facts is not null order by n desc limit 1)
    join results new on new.n = (select n from results where target=targets.n and n <= :high and facts is not null order by n desc limit 1)
    left join machines a on a.n=old.machine left join machines b on b.n=new.machine
where old.facts <> new.facts order by host
"""


def _facts(db: Database, low: int, high: int) -> Iterator[Change]:
    for r in db.query(_FACTS, {"low": low, "high": high}):
        if r["machine_before"] and r["machine_after"] and r["machine_before"] != r["machine_after"]:
            yield Change("another machine", r["host"], before=r["machine_before"], after=r["machine_after"])
            continue
        old, new = (contents.get_facts(db, r[key], slim=False) for key in ("old", "new"))
        names = [n for n in sorted(old.keys() | new.keys()) if bytes(old.get(n, b"")) != bytes(new.get(n, b""))]
        yield Change("facts changed", r["host"], after=", ".join(n.replace("_", " ") for n in names))


class Trend(Struct, frozen=True):
    """`fix_days`: mean days from the first failing result of a required finding to the first that is met, by severity;
    `open_days`: how long the findings that fail now have done so, by severity: (count, mean, longest)."""

    points: list[Point]
    groups: dict[str, float]
    fix_days: dict[str, float]
    open_days: dict[str, tuple[int, float, float]]


def trend(db: Database, runs: int) -> Trend:
    """How the fleet developed over the newest runs that ended."""
    rows = db.execute(
        "select n, id, started from runs where finished is not null order by started desc limit ?", (runs,)
    ).fetchall()
    fixed, still = _streaks(db)
    return Trend([_point(db, *row) for row in reversed(rows)], _groups(db), fixed, still)


def past(db: Database, ident: str, runs: int = 30) -> Past | None:
    """What came before a run that has just ended; None for the first one."""
    row = db.execute("select n from runs where id=?", (ident,)).fetchone()
    earlier = db.execute(
        "select n, id, started from runs where finished is not null and not thinned and n < ? order by n desc limit ?",
        (row[0], runs),
    ).fetchall()
    if not earlier:
        return None
    (this,) = db.execute("select n, id, started from runs where id=?", (ident,)).fetchall()
    low, high = high_of_run(db, earlier[0][0]), high_of_run(db, row[0])
    points = [_point(db, *run) for run in (*reversed(earlier), this)]
    return Past(earlier[0][2], tuple(diff(db, low, high)), tuple(points))


def _point(db: Database, number: int, ident: str, started: str) -> Point:
    high = high_of_run(db, number)
    met, missing, unknown, hosts, unassessed = db.execute(
        "select sum(a.required_met), sum(a.required_missing), sum(a.required_unknown), count(*),"
        " sum(l.outcome in ('unreachable', 'failed'))"
        f" from targets join results l on l.n={_NEWEST} left join results a on a.n={_ASSESSED_AT}"
        " where removed is null or removed > :number",
        {"high": high, "number": number},
    ).fetchone()
    by_severity = db.execute(
        "select severity, count(*) from findings join targets on targets.n=target where verdict in ('noncompliant', 'pending')"
        " and obligation='required' and waiver is null and since <= ? and (until is null or until > ?) and (removed is null or removed > ?)"
        " group by severity",
        (high, high, number),
    ).fetchall()
    judged = (met or 0) + (missing or 0)
    return Point(
        ident, started, hosts, unassessed or 0, (met or 0) / judged if judged else None, dict(by_severity), unknown or 0
    )


def _groups(db: Database) -> dict[str, float]:
    """The compliance of each group of the inventory now."""
    import msgspec

    from auditor.history import contents

    met: dict[str, list[int]] = {}
    for record, good, bad in db.execute(
        f"select a.record, a.required_met, a.required_missing from targets join results a on a.n={_ASSESSED_AT} where removed is null",
        {"high": _last(db)},
    ).fetchall():
        for group in msgspec.json.decode(contents.get(db, record), type=Target).groups:
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
        for verdict, severity, since, until, met_next in intervals:
            if verdict in FAILING:
                began = began or since
                if until is None:
                    still.setdefault(severity, []).append(_days(began, now))
                elif met_next:
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
        f"select targets.name, rules.id, {_ERA.format('f', 'f.since')}, verdict, a_run.started, f.until from findings f join targets on targets.n=f.target"
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


def _by_finding(db: Database) -> Iterator[list[tuple[str, str, str, str | None, bool]]]:
    """The intervals of each required finding of a machine that ever failed: verdict, severity, since, until, is the next
    one met."""
    rows: list[Any] = db.execute(
        f"select f.target, f.rule, {_ERA.format('f', 'f.since')}, verdict, severity, a_run.started, b_run.started from findings f"
        " join results a on a.n=since join runs a_run on a_run.n=a.run left join results b on b.n=until left join runs b_run on b_run.n=b.run"
        " where obligation='required' and exists (select 1 from findings x where x.target=f.target and x.rule=f.rule and x.verdict in ('noncompliant', 'pending'))"
        " order by f.target, f.rule, since"
    ).fetchall()
    group: list[Any] = []
    for n, row in enumerate(rows):
        following = rows[n + 1] if n + 1 < len(rows) and rows[n + 1][:3] == row[:3] else None
        group.append((*row[3:], bool(following and following[3] in ("compliant", "not_applicable"))))
        if following is None:
            yield group
            group = []


def _days(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() / 86400


def renamed(db: Database, names: Iterable[str] | None = None) -> list[tuple[str, list[str]]]:
    """Machines that more than one target is: the machine's id, and the targets' names."""
    found: dict[str, list[str]] = {}
    for ident, name in db.execute(
        "select machines.id, name from targets join machines on machines.n=machine order by name"
    ).fetchall():
        found.setdefault(ident, []).append(name)
    wanted = None if names is None else set(names)
    return [(i, ns) for i, ns in found.items() if len(ns) > 1 and (wanted is None or wanted & set(ns))]
