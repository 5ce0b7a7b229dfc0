"""One scheduled audit: its time window, a second try for hosts, and where its report goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.audit.executor import LocalExecutor, RetryingExecutor
from auditor.audit.recorder import RunRecorder
from auditor.audit.service import AuditRequest, AuditRun
from auditor.foundation.deadline import Stop
from auditor.foundation.files import put_file
from auditor.foundation.messages import Say
from auditor.foundation.sanitize import counted
from auditor.history.scheduled_runs import ScheduledRun
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import select
from auditor.model.plan import AUDIT, Plan
from auditor.model.run import Run
from auditor.report.formats import render
from auditor.report.prometheus import to_prometheus
from auditor.rulebook.rulebook import Rulebook
from auditor.zones import executor_for

_JOBS = 32


class LoadedSettings(Struct, frozen=True):
    """What the agent works with until it is told to read it anew."""

    opened: Inventory
    rulebooks: dict[str, Rulebook]  # by the name of the plan
    history: Path
    advisories: Path
    clock: Callable[[], datetime]
    say: Say
    beat: Callable[[], None]  # called whenever something got done


class Ended(Struct, frozen=True):
    """How an audit ended: `kept` in the history, `mailed` what was due."""

    run: Run
    kept: bool
    mailed: bool


def audit(
    plan: Plan, due: datetime, settings: LoadedSettings, stop: Stop, leaving: Callable[[], bool], begun: Run | None = None
) -> Ended:
    """Run a scheduled audit, store it, write its report, queue its mail. `begun`: the run to continue, with the results it
    has. `leaving` tells whether the agent itself is to end: then the run is left for the next start."""
    request = _request(plan, due, settings)
    agent = settings.opened.agent
    local = LocalExecutor(agent.jobs or _JOBS, agent.per_jump)
    scanning, seen = executor_for(request.targets, local, settings.opened, settings.history, settings.say)
    executor = RetryingExecutor(scanning, settings.beat)
    with AuditRun(request, begun) as audited:
        with _Window(plan, audited.run, settings, stop) as window:
            for _ in audited.results(executor, stop, leaving):
                pass
        if leaving():
            return Ended(audited.suspend(stop), audited.recorder.fault is None, True)
        why = f"its window of {plan.window} was over" if window.over else "it was stopped"
        late, all_ = audited.interrupted, counted(len(request.targets), "host")
        run = audited.finish(stop, f"{why}; {late} of {all_} had not been assessed" if late else "", seen())
        return _deliver(run, plan, settings, audited.recorder, stop)


def close(plan: Plan, due: datetime, settings: LoadedSettings, begun: Run, reason: str) -> None:
    """End a run that is not continued; its report goes where any goes."""
    with AuditRun(_request(plan, due, settings), begun) as audited:
        _deliver(audited.give_up(reason), plan, settings, audited.recorder, Stop())


def _request(plan: Plan, due: datetime, settings: LoadedSettings) -> AuditRequest:
    mailing = settings.opened.mail
    if mailing and plan.mail is not None:
        mailing = replace(mailing, to=plan.mail) if plan.mail else None
    return AuditRequest(
        inventory=settings.opened,
        rulebook=settings.rulebooks[plan.name],
        targets=select(plan.targets, settings.opened),
        history=settings.history,
        mailing=mailing,
        scheduled=ScheduledRun(plan.name, due),
        advisories=AdvisoryDatabase(settings.advisories) if settings.advisories.exists() else None,  # as it is tonight
        whole_inventory=set(plan.targets) == {"@all"},
        deep=plan.deep,
        clock=settings.clock,
        say=settings.say,
    )


class _Window:
    """Ends a run that takes longer than its plan allows, with what it has; `over` where it had to."""

    def __init__(self, plan: Plan, run: Run, settings: LoadedSettings, stop: Stop) -> None:
        self.over = False
        self._stop = stop
        self._timer = None
        if plan.window:
            gone = max(0.0, (settings.clock() - run.started).total_seconds())
            self._timer = threading.Timer(max(0.0, plan.window.total_seconds() - gone), self._end)
            self._timer.daemon = True

    def _end(self) -> None:
        self.over = True
        self._stop.now()

    def __enter__(self) -> Self:
        if self._timer:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()


def _deliver(run: Run, plan: Plan, settings: LoadedSettings, recorder: RunRecorder, stop: Stop) -> Ended:
    """The report goes into the history, by mail and to its file, the figures for Prometheus to theirs."""
    agent = settings.opened.agent
    html = render(run, "html", settings.rulebooks[plan.name].about(run), recorder.past())
    recorder.add_report(run, html)
    mailed = recorder.send_mails(stop)
    for path, content in ((agent.report, html), (agent.metrics, to_prometheus(run, plan.name))):
        if path and (fault := put_file(Path(path.replace(AUDIT, plan.name)), content, 0o640)):
            settings.say(fault)
    return Ended(run, recorder.fault is None, mailed)
