"""Mailing a run's report: is one wanted, sending what is due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage

from auditor.errors import HistoryError, MailError
from auditor.foundation.deadline import Stop
from auditor.foundation.durations import span
from auditor.history import outbox
from auditor.history.store import Store
from auditor.mail.message import REQUIRED, message
from auditor.mail.smtp import send
from auditor.model.mailing import Mailing
from auditor.model.past import Past
from auditor.model.run import Run
from auditor.report.figures import figures


def wanted(run: Run, past: Past | None, mailing: Mailing, last: datetime | None) -> bool:
    """Does the policy ask for a mail of this run? Silence longer than the heartbeat is always broken."""
    beat = span(mailing.heartbeat) if mailing.heartbeat else None
    # A little sooner counts: the mail of a nightly audit is queued at its end, and the next one begins a day after its beginning.
    if beat and (last is None or run.started - last >= beat * 7 / 8):
        return True
    n = figures(run)
    troubled = bool(n.failing_hosts or n.unassessed or n.unknown_hosts or run.interrupted)
    if mailing.policy == "on-noncompliance":
        return troubled
    if mailing.policy == "on-change":
        return past is None or any(c.kind != "facts changed" and c.obligation in REQUIRED for c in past.changes)
    return True


def compose(store: Store, ident: str, mailing: Mailing, to: tuple[str, ...]) -> EmailMessage:
    """The mail of a stored run."""
    run = store.run(ident, slim=True)
    try:
        report = store.report(run.id) if mailing.attach else None
    except HistoryError:
        report = None  # it was made without one; the mail says how to get it
    return message(run, store.past(run), mailing, report, to)


def send_due(
    store: Store, mailing: Mailing, now: datetime, say: Callable[[str], None], stop: Stop | None = None, *, all_: bool = False
) -> bool:
    """Send what waits in the outbox. False where something still waits; `say` says why. Once `stop` was asked for, all the
    rest waits."""
    done = True
    for run, to in outbox.due(store.db, now, all_=all_):
        if stop and stop.requested.is_set():
            say(f"the mail of run {run} waits in the outbox: it was stopped before")
            done = False
            continue
        with store.transaction():
            outbox.trying(store.db, run)
        try:
            send(compose(store, run, mailing, to), mailing, to, stop)
        except (MailError, HistoryError) as e:
            with store.transaction():
                outbox.failed(store.db, run, e, now)
            say(f"the mail of run {run} waits in the outbox: {e}")
            done = False
        else:
            with store.transaction():
                outbox.sent(store.db, run, now)
    return done
