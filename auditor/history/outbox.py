"""Mails that are due: queued in the transaction that closes their run, kept until the server has taken them.

A duplicate can arise only where nobody knows how an attempt ended: the program was killed before it could note the
server's answer, or the server had the whole mail and broke off without one (RFC 1047). Such attempts are counted as
`unanswered`; what goes out twice carries the same Message-ID.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlite_utils import Database

from auditor.errors import HistoryError, MailError

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)


def queue(db: Database, run: str, to: tuple[str, ...], now: datetime) -> None:
    """A mail of a run that is due; once per run."""
    db.execute(
        "insert or ignore into mails (run, recipients, queued, attempts) select n, ?, ?, 0 from runs where id=?",
        (msgspec.json.encode(to).decode(), now.isoformat(timespec="milliseconds"), run),
    )


def due(db: Database, now: datetime, *, all_: bool = False) -> list[tuple[str, tuple[str, ...]]]:
    """(run, recipients) of the mails whose wait is over, the oldest first; `all_`: of all that are not sent."""
    wrong = now + _LONGEST_WAIT + timedelta(minutes=1)  # no wait is so long: that was noted by a clock that has been set back
    rows = db.execute(
        "select id, recipients from mails join runs on n=run where sent is null"
        " and (:all or next_try is null or next_try <= :now or next_try > :wrong) order by n",
        {"all": all_, "now": now.isoformat(timespec="milliseconds"), "wrong": wrong.isoformat(timespec="milliseconds")},
    ).fetchall()
    return [(run, tuple(msgspec.json.decode(to))) for run, to in rows]


def trying(db: Database, run: str) -> None:
    """Noted before the server is asked; an attempt before it that nobody noted the end of was cut short by a kill."""
    db.execute(
        "update mails set attempts=attempts+1, unanswered=unanswered+under_way, under_way=1 where run=(select n from runs where id=?)",
        (run,),
    )


def sent(db: Database, run: str, now: datetime) -> None:
    """Note that the mail of a run was handed over."""
    db.execute(
        "update mails set sent=?, error=null, next_try=null, under_way=0 where run=(select n from runs where id=?)",
        (now.isoformat(timespec="milliseconds"), run),
    )


def failed(db: Database, run: str, error: MailError | HistoryError, now: datetime) -> None:
    """It waits twice as long after each failure, six hours at most."""
    (attempts,) = db.execute("select attempts from mails where run=(select n from runs where id=?)", (run,)).fetchone()
    wait = min(_FIRST_WAIT * 2 ** min(attempts - 1, 10), _LONGEST_WAIT)
    unanswered = isinstance(error, MailError) and error.unanswered
    db.execute(
        "update mails set error=?, next_try=?, unanswered=unanswered+?, under_way=0 where run=(select n from runs where id=?)",
        (str(error), (now + wait).isoformat(timespec="milliseconds"), unanswered, run),
    )


def listed(db: Database, limit: int = 100) -> list[dict[str, Any]]:
    """The newest mails first."""
    return list(
        db.query(
            "select id as run, recipients, queued, attempts, unanswered, next_try, error, sent from mails join runs on n=run order by n desc limit ?",
            [limit],
        )
    )


def last_sent(db: Database, to: tuple[str, ...], now: datetime) -> datetime | None:
    """When a mail to these was last queued, as far as that is not ahead of now; None for never. What is queued is on its way."""
    asked = (msgspec.json.encode(to).decode(), now.isoformat(timespec="milliseconds"))
    row = db.execute("select max(queued) from mails where recipients=? and queued<=?", asked).fetchone()
    return datetime.fromisoformat(row[0]) if row[0] else None
