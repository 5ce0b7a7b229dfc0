"""What is due now: runs to continue, audits whose time has come, mails that wait."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from auditor.agent import job
from auditor.agent.due import GRACE, LEAP, due, missed
from auditor.agent.job import Ended, LoadedSettings
from auditor.errors import HistoryDamaged, HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.foundation.sanitize import counted
from auditor.history import maintenance, outbox, scheduled_runs
from auditor.history.lock import only_one, run_lock
from auditor.history.scheduled_runs import Open
from auditor.history.store import Store
from auditor.mail.delivery import send_due
from auditor.model.plan import Plan
from auditor.report.required import network_down
from auditor.transports.child_process import Child

_LATEST = timedelta(hours=12)  # a run without a window is continued until so long after its beginning
_HEARTBEAT = 30.0  # seconds that the heartbeat's command may take
_JUMP = timedelta(days=35)  # between runs: less than this is a schedule, more may be a clock that went wrong


class DueAudit(Struct, frozen=True):
    """An audit to run; `begun` is the run to continue."""

    plan: Plan
    due: datetime
    begun: str | None = None


class ClockRegressionGuard:
    """A clock that says less than what was noted is believed only when it has said so for a while: one that is briefly wrong,
    before the network sets it, changes nothing. Seconds of the monotonic clock."""

    def __init__(self, patience: float, monotonic: Callable[[], float]) -> None:
        self._patience, self._monotonic = patience, monotonic
        self._since: dict[str, float] = {}

    def over(self, name: str, behind: bool) -> bool:
        """Is the clock behind for this audit, and has it been so for long enough?"""
        if not behind:
            self._since.pop(name, None)
            return False
        return self._monotonic() - self._since.setdefault(name, self._monotonic()) >= self._patience


def due_now(settings: LoadedSettings, now: datetime, doubt: ClockRegressionGuard) -> list[DueAudit]:
    """What has to be run, in the order in which it became due. What was missed, and runs that are not continued, are
    closed with their reason. Busy where another process runs an audit: what is unfinished may be its."""
    plans = {plan.name: plan for plan in settings.opened.plans}
    with closing(Store(settings.history)) as store:
        with only_one(run_lock(settings.history), "an audit with this history"):
            work = _unfinished(store, plans, settings, now)
        busy = {w.plan.name for w in work}
        for plan in plans.values():
            if plan.name not in busy and (moment := _due(store, plan, now, doubt)):
                work.append(DueAudit(plan, moment))
    return sorted(work, key=lambda w: (w.due, w.plan.name))


def _unfinished(store: Store, plans: dict[str, Plan], settings: LoadedSettings, now: datetime) -> list[DueAudit]:
    """The runs to continue. One that can neither be continued nor closed, since the file is damaged, is given up, so
    that it does not stand in the way of the others."""
    work = []
    for left in scheduled_runs.unfinished(store.db):
        plan = plans.get(left.scheduled.name)
        try:
            reason = _why_not(left, plan, store, settings, now)
            if plan and not reason:
                store.run(left.run, slim=True)
                work.append(DueAudit(plan, left.scheduled.due, left.run))
            else:
                _close(store, left, plan, reason, settings, now)
        except HistoryDamaged as e:
            settings.say(f"the run {left.run} is given up: {e}")
            store.give_up(left.run, left.scheduled, f"it was cut short, and cannot be read: {e}", now)
    return work


def _due(store: Store, plan: Plan, now: datetime, doubt: ClockRegressionGuard) -> datetime | None:
    last = scheduled_runs.last(store.db, plan.name)
    if last is None:
        with store.transaction():
            scheduled_runs.note(store.db, plan.name, [now], "known", "first heard of", now)
        return None
    behind = last > now + LEAP
    if doubt.over(plan.name, behind):
        with store.transaction():
            scheduled_runs.misdated(store.db, plan.name, now)
        last = scheduled_runs.last(store.db, plan.name) or now
    elif behind:
        return None
    moment = due(plan, last, now)
    gone = missed(plan, last, moment or now - GRACE)
    if gone:
        with store.transaction():
            scheduled_runs.note(
                store.db, plan.name, gone, "missed", "the agent was not running, or was busy, at that time", now
            )
    return moment


def _why_not(left: Open, plan: Plan | None, store: Store, settings: LoadedSettings, now: datetime) -> str:
    """Why a run is not continued; "" where it is."""
    if plan is None:
        return "it was cut short, and the schedule has no such audit any more"
    if not timedelta(0) <= now - left.began < (plan.window or _LATEST):
        return "it was cut short, and its time was over when the agent came back"
    if store.row(left.run)["digest"] != settings.rulebooks[plan.name].digest:
        return "it was cut short, and the rules are others since then"
    return ""


def _close(store: Store, left: Open, plan: Plan | None, reason: str, settings: LoadedSettings, now: datetime) -> None:
    """Close a run with what it has; its report is mailed like any other."""
    run = store.run(left.run, slim=True)
    if plan:
        job.close(plan, left.scheduled.due, settings, run, reason)
        return
    run = replace(run, finished=now, interrupted=True, remarks=(reason,))
    mail = settings.opened.mail
    store.reopen(run.id)
    store.finish(run, None, mail.to if mail else (), (left.scheduled, reason))


def do(work: DueAudit, settings: LoadedSettings, stop: Stop, leaving: Callable[[], bool], log: logging.Logger) -> Ended:
    """One audit, alone on its history."""
    about = {"audit": work.plan.name, "due": f"{work.due:%Y-%m-%dT%H:%MZ}"}
    with only_one(run_lock(settings.history), "an audit with this history"):
        begun = None
        if work.begun:
            with closing(Store(settings.history)) as store:
                begun = store.run(work.begun, slim=True)
        log.info("continuing %s" if begun else "begins", *([begun.id] if begun else []), extra=about)
        ended = job.audit(work.plan, work.due, settings, stop, leaving, begun)
    run = ended.run
    about["run"] = run.id
    if network_down(run.results):
        log.error("network unreachable: none of %d hosts could be reached", len(run.results), extra=about)
    else:
        for r in run.results:
            if r.error:
                log.warning("not assessed: %s: %s", r.error.kind, r.error.message, extra={**about, "target": r.target.name})
    how = "left, to be continued" if leaving() else "done" if ended.kept else "done, but not kept in the history"
    lost = sum(1 for r in run.results if r.error)
    log.info("%s: %s, %d not assessed", how, counted(len(run.results), "host"), lost, extra=about)
    if not leaving():
        _prune(settings)
        _heartbeat(work, ended, settings, log, stop)
    return ended


def _prune(settings: LoadedSettings) -> None:
    """By a clock that can be believed: after a jump ahead, everything would be too old to keep."""
    kept = settings.opened.retention
    if not kept:
        return
    with closing(Store(settings.history)) as store, store.guard("written"):
        times = [settings.clock(), *(datetime.fromisoformat(r["started"]) for r in store.runs(3))]
        if all(later - earlier < _JUMP for later, earlier in pairwise(times)):
            maintenance.prune(store.db, store.path, kept.nightly, kept.monthly, settings.clock())


def _heartbeat(work: DueAudit, ended: Ended, settings: LoadedSettings, log: logging.Logger, stop: Stop) -> None:
    """The configured command, told what became of the audit: whoever waits for it notices when it does not come."""
    run = ended.run
    command = settings.opened.agent.heartbeat
    if not command:
        return
    told = {
        "AUDITOR_AUDIT": work.plan.name,
        "AUDITOR_RUN": run.id,
        "AUDITOR_OUTCOME": "not kept" if not ended.kept else "interrupted" if run.interrupted else "done",
        "AUDITOR_NOT_ASSESSED": str(sum(1 for r in run.results if r.error)),
    }
    env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")} | told
    limit = Deadline(_HEARTBEAT, f"the heartbeat {command[0]} ran", stop)
    try:
        with Child(command, env=env) as child:
            limit.watch(child.kill)
            child.feed(b"")
            child.read()
            status = child.end()
    except HostError as e:
        log.error("the heartbeat: %s", e)
        return
    finally:
        limit.done()
    if limit.over:
        log.error("%s", limit.error())
    elif status:
        log.error("the heartbeat %s ended with %d", command[0], status)


def send_mails(settings: LoadedSettings, now: datetime, stop: Stop) -> bool:
    """Try what waits in the outbox and is due for another try; was there anything?"""
    mail = settings.opened.mail
    if not mail:
        return False
    with closing(Store(settings.history)) as store:
        if not outbox.due(store.db, now):
            return False
        send_due(store, mail, now, settings.say, stop)
        return True
