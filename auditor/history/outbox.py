"""Mails that are due: queued in the transaction that closes their run, kept until the server has taken them.

A duplicate can arise only where the program is killed between the server's answer and the note of it; it carries the
same Message-ID, and `attempts` counts it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlite_utils import Database

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)


def queue(db: Database, run: str, to: tuple[str, ...], now: datetime) -> None:
    """A mail of a run that is due; once per run."""
    db.execute(
        "insert or ignore into mails (run, recipients, queued, attempts) select n, ?, ?, 0 from runs where id=?",
        (msgspec.json.encode(to).decode(), now.isoformat(timespec="milliseconds"), run),
    )


def due(db: Database, now: datetime, *, all_: bool = False) -> list[tuple[str, tuple[str, ...]]]:
    """(run, recipients) of the mails whose wait is over, the oldest first; `all_`: of all that are not sent."""
    rows = db.execute(
        "select id, recipients from mails join runs on n=run where sent is null and (:all or next_try is null or next_try <= :now) order by n",
        {"all": all_, "now": now.isoformat(timespec="milliseconds")},
    ).fetchall()
    return [(run, tuple(msgspec.json.decode(to))) for run, to in rows]


def trying(db: Database, run: str) -> None:
    """Noted before the server is asked, so that a kill in between is counted."""
    db.execute("update mails set attempts=attempts+1 where run=(select n from runs where id=?)", (run,))


def sent(db: Database, run: str, now: datetime) -> None:
    db.execute(
        "update mails set sent=?, error=null, next_try=null where run=(select n from runs where id=?)",
        (now.isoformat(timespec="milliseconds"), run),
    )


def failed(db: Database, run: str, error: str, now: datetime) -> None:
    """It waits twice as long after each failure, six hours at most."""
    (attempts,) = db.execute("select attempts from mails where run=(select n from runs where id=?)", (run,)).fetchone()
    wait = min(_FIRST_WAIT * 2 ** min(attempts - 1, 10), _LONGEST_WAIT)
    db.execute(
        "update mails set error=?, next_try=? where run=(select n from runs where id=?)",
        (error, (now + wait).isoformat(timespec="milliseconds"), run),
    )


def listed(db: Database, limit: int = 100) -> list[dict[str, Any]]:
    """The newest mails first."""
    return list(
        db.query(
            "select id as run, recipients, queued, attempts, next_try, error, sent from mails join runs on n=run order by n desc limit ?",
            [limit],
        )
    )


def last_sent(db: Database) -> datetime | None:
    """When a mail was last queued; None for never. What is queued is on its way."""
    row = db.execute("select max(queued) from mails").fetchone()
    return datetime.fromisoformat(row[0]) if row[0] else None
