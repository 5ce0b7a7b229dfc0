"""The fleet as it stood: each host's newest result up to then.

Members of the fleet are entries of the inventory. What was scanned once by its address is none, nor is an entry that left
the inventory, nor one whose machine has answered under the name of a newer entry ever since. A host that was not assessed
keeps its last known findings, marked stale.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from auditor.errors import UsageFault
from auditor.foundation.yaml_file import did_you_mean

ASSESSED = ("assessed", "partial")
# The newest result of a target up to one, and the newest that is an assessment: both by the index, a step each.
NEWEST = "(select max(n) from results where target=targets.n and n <= :high)"
ASSESSED_AT = "(select n from results where target=targets.n and n <= :high and outcome in ('assessed', 'partial') order by n desc limit 1)"
# A newer entry that is the same machine, first assessed when this one had its last result behind it.
_RENAMED = (
    "select 1 from targets newer where newer.machine=targets.machine and newer.listed and newer.n > targets.n"
    f" and (select min(n) from results where target=newer.n) between {NEWEST} and :high"
)
# `:run`: the run after which the fleet is looked at.
_AWAY = "select 1 from absences where absences.target=targets.n and gone <= :run and back > :run"
MEMBER = f"(targets.listed and (targets.removed is null or targets.removed > :run) and not exists ({_RENAMED}) and not exists ({_AWAY}))"


class HostState(Struct, frozen=True):
    """A target as it stood: its newest result up to then. `assessed` is when it was last assessed, None for never; the counts
    are those of all findings, and `required_…` of the required ones without a waiver."""

    host: str
    outcome: str
    read: str
    assessed: str | None
    required_missing: int
    required_unknown: int
    required_met: int
    noncompliant: int
    pending: int
    unknown: int
    compliant: int
    not_applicable: int
    removed: str | None = None


_COUNTS = ("required_missing", "required_unknown", "required_met", "noncompliant", "pending", "unknown", "compliant", "not_applicable")  # fmt: skip
_STATES = f"""
select targets.name as host, newest.outcome, n_run.started as read, a_run.started as assessed, gone.started as removed,
    {", ".join(f"coalesce(a.{name}, 0) as {name}" for name in _COUNTS)}
from targets join results newest on newest.n = {NEWEST} join runs n_run on n_run.n = newest.run
    left join results a on a.n = {ASSESSED_AT} left join runs a_run on a_run.n = a.run
    left join runs gone on gone.n = targets.removed
where {{}} order by targets.name
"""


def states(db: Database, high: int, names: Iterable[str] | None = None) -> dict[str, HostState]:
    """By name, every target that was in the history by the result numbered `high`, or those of these names."""
    wanted = None if names is None else msgspec.json.encode(list(names)).decode()
    condition = ":names is null or targets.name in (select value from json_each(:names))"
    rows = db.query(_STATES.format(condition), {"high": high, "names": wanted})
    return {r["host"]: msgspec.convert(r, HostState) for r in rows}


def members(db: Database, high: int) -> list[HostState]:
    """The members of the fleet as of the result numbered `high`."""
    rows = db.query(_STATES.format(MEMBER), {"high": high, "run": run_of(db, high)})
    return [msgspec.convert(r, HostState) for r in rows]


def one_off(db: Database) -> list[str]:
    """The names of what was scanned by its address only."""
    return [name for (name,) in db.execute("select name from targets where not listed order by name").fetchall()]


def last(db: Database) -> int:
    """The newest result of all."""
    return int(db.execute("select coalesce(max(n), 0) from results").fetchone()[0])


def run_of(db: Database, result: int) -> int:
    """The number of the run that a result belongs to."""
    row = db.execute("select run from results where n=?", (result,)).fetchone()
    return int(row[0]) if row else 0


def high_of_run(db: Database, number: int) -> int:
    """The newest result of a run; of the run before it where it has none."""
    found = "select coalesce(max(n), 0) from results where run = (select max(run) from results where run <= ?)"
    return int(db.execute(found, (number,)).fetchone()[0])


def high_of_day(db: Database, end: datetime) -> int:
    """The newest result of the runs that began before a moment. Raises UsageFault where there was none."""
    before = end.isoformat(timespec="milliseconds")
    row = db.execute("select max(n) from runs where started < ? and n in (select run from results)", (before,)).fetchone()
    if row[0] is None:
        raise UsageFault(f"the history has no result from before {end:%Y-%m-%d %H:%M} UTC")
    return high_of_run(db, row[0])


def names(db: Database, runs: Iterable[int]) -> list[str]:
    """The entries of the inventory, then or now, and whatever else was in these runs."""
    numbers = msgspec.json.encode(list(runs)).decode()
    found = "select name from targets where listed or n in (select target from results where run in (select value from json_each(?)))"
    return [name for (name,) in db.execute(found, (numbers,)).fetchall()]


def runs_before(db: Database, number: int, most: int) -> list[tuple[int, str, str]]:
    """The newest runs before one that it is compared with: they ended and had a host of it. A named audit is compared with
    itself, an audit with audits, a scan by hand with whatever was before. Number, id, when each began."""
    row = db.execute("select one_off, (select name from nights where run=n limit 1) from runs where n=?", (number,)).fetchone()
    by_hand, name = row
    if by_hand:
        kind = "1"
    elif name and db.execute("select 1 from nights where name=? and run<?", (name, number)).fetchone():
        kind = "n in (select run from nights where name=:name)"
    else:
        kind = "not one_off"
    return db.execute(
        f"select n, id, started from runs where finished is not null and not thinned and n < :n and {kind} and exists"
        " (select 1 from results a join results b on b.target=a.target and b.run=:n where a.run=runs.n) order by n desc limit :most",
        {"n": number, "most": most, "name": name},
    ).fetchall()


def target_number(db: Database, name: str) -> int:
    """The number of a target. Raises UsageFault with similar names."""
    row = db.execute("select n from targets where name=?", (name,)).fetchone()
    if row is None:
        known = [n for (n,) in db.execute("select name from targets").fetchall()]
        raise UsageFault(f"the history has never seen a host {name!r}{did_you_mean(name, known)}")
    return int(row[0])


def renamed(db: Database, names: Iterable[str] | None = None) -> list[tuple[str, list[str]]]:
    """Machines that more than one target is: the machine's id, and the targets' names."""
    found: dict[str, list[str]] = {}
    for ident, name in db.execute(
        "select machines.id, name from targets join machines on machines.n=machine order by name"
    ).fetchall():
        found.setdefault(ident, []).append(name)
    wanted = None if names is None else set(names)
    return [(i, ns) for i, ns in found.items() if len(ns) > 1 and (wanted is None or wanted & set(ns))]
