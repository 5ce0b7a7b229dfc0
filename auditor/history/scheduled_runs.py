"""The named audits of the agent: when each was due, and what became of it.

Every moment at which one was due ends as exactly one row: with its run, or with the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from auditor.model.zone import ZoneSeen

# known: first heard of, due for nothing yet · running · done · missed · misdated: by a clock that was set back since
RunState = Literal["known", "running", "done", "missed", "misdated"]


class ScheduledRun(Struct, frozen=True):
    """A named audit and the moment at which it was due."""

    name: str
    due: datetime


class Open(Struct, frozen=True):
    """A run of a named audit that has not come to its end."""

    scheduled: ScheduledRun
    run: str
    began: datetime


def last(db: Database, name: str) -> datetime | None:
    """The newest moment that was handled, whatever came of it; None for a name that was never heard of."""
    row = db.execute("select max(due) from nights where name=? and state<>'misdated'", (name,)).fetchone()
    return datetime.fromisoformat(row[0]) if row[0] else None


def note(db: Database, name: str, moments: Iterable[datetime], state: RunState, reason: str, now: datetime) -> None:
    """Moments without a run, and why."""
    rows = [(name, _iso(moment), _iso(now), _iso(now), state, reason) for moment in moments]
    db.conn.executemany("insert or ignore into nights (name, due, began, ended, state, reason) values (?,?,?,?,?,?)", rows)


def misdated(db: Database, name: str, now: datetime) -> None:
    """Moments that still lie ahead were noted by a clock that was wrong: they are to come again. So are those that have come
    by now, and of which it said that they were missed."""
    db.execute(
        "update nights set state='misdated', reason='by a clock that was set back since'"
        " where name=:name and (due>:now or (began>:now and state='missed'))",
        {"name": name, "now": _iso(now)},
    )


def begin(db: Database, scheduled: ScheduledRun, run: int, now: datetime) -> None:
    """Note that a scheduled run has begun, and as which run."""
    db.execute(
        "insert or replace into nights (name, due, began, state, run) values (?,?,?,'running',?)",
        (scheduled.name, _iso(scheduled.due), _iso(now), run),
    )


def end(db: Database, scheduled: ScheduledRun, state: RunState, reason: str, now: datetime) -> None:
    """Note how a scheduled run ended. `reason`: why it is not whole."""
    db.execute(
        "update nights set ended=?, state=?, reason=? where name=? and due=?",
        (_iso(now), state, reason or None, scheduled.name, _iso(scheduled.due)),
    )


def unfinished(db: Database) -> list[Open]:
    """The runs that were killed, or stopped to be continued later, the oldest first."""
    rows = db.execute(
        "select name, due, runs.id, began from nights join runs on runs.n=run where state='running' order by due"
    ).fetchall()
    return [Open(ScheduledRun(n, datetime.fromisoformat(d)), run, datetime.fromisoformat(b)) for n, d, run, b in rows]


def listed(db: Database, limit: int = 50) -> list[dict[str, Any]]:
    """What became of the newest ones; those that were only heard of are left out."""
    return list(
        db.query(
            "select name, due, began, ended, state, runs.id as run, reason from nights left join runs on runs.n=run"
            " where state<>'known' order by due desc, name limit ?",
            [limit],
        )
    )


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")


def newest_zones(db: Database) -> tuple[ZoneSeen, ...]:
    """Each zone as the newest run that asked it saw it."""
    rows = db.execute("select zones from runs where zones is not null order by n desc limit 100").fetchall()
    seen: dict[str, ZoneSeen] = {}
    for (text,) in rows:
        for zone in msgspec.json.decode(text, type=tuple[ZoneSeen, ...]):
            seen.setdefault(zone.name, zone)
    return tuple(seen.values())
