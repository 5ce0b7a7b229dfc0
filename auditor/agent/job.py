"""One named audit: which hosts, in which order, what is tried again, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from auditor.audit.context import Audit
from auditor.audit.recorder import Keeper, Say, gather, make_run, of_one_machine
from auditor.errors import ErrorKind
from auditor.evaluation.waiver_review import lapsed, remarks
from auditor.foundation.deadline import Stop
from auditor.foundation.files import put_file
from auditor.foundation.sanitize import counted
from auditor.history.scheduled_runs import Night
from auditor.inventory.native import Inventory
from auditor.inventory.selection import select
from auditor.model.plan import AUDIT, Plan
from auditor.model.run import Run, TargetError, TargetResult
from auditor.model.target import Target
from auditor.report.formats import render
from auditor.report.prometheus import to_prometheus
from auditor.rulebook.loader import Rulebook

# What may be over a little later; everything else needs somebody to change something.
PASSING: frozenset[ErrorKind] = frozenset(("resolve", "refused", "timeout", "protocol", "jump-failed", "quota"))
_JOBS = 32


class Setting(Struct, frozen=True):
    """What the agent works with until it is told to read it anew."""

    opened: Inventory
    rulebooks: dict[str, Rulebook]  # by the name of the plan
    history: Path
    clock: Callable[[], datetime]
    say: Say
    beat: Callable[[], None]  # called whenever something got done


class Ended(Struct, frozen=True):
    """How an audit ended: `kept` in the history, `mailed` what was due."""

    run: Run
    kept: bool
    mailed: bool


def audit(
    plan: Plan, due: datetime, setting: Setting, stop: Stop, leaving: Callable[[], bool], begun: Run | None = None
) -> Ended:
    """Run it, keep it, write its report, queue its mail. `begun`: the run to go on with, with the results it has.

    `leaving` tells whether the agent itself is to end: then the run is left to be gone on with at the next start."""
    rulebook, opened = setting.rulebooks[plan.name], setting.opened
    targets = select(plan.targets, opened)
    run = begun or make_run(rulebook, setting.clock())
    keeper = _keeper(plan, due, setting, run, rulebook, resumed=begun is not None)
    try:
        has = {r.target.name: r for r in run.results}
        left = [t for t in targets if t.name not in has]
        seconds = keeper.seconds()
        left.sort(key=lambda t: -seconds.get(t.name, 0.0))  # the slowest first, so that the end is not one long wait
        audited = _audited(plan, setting, rulebook, keeper)
        with _Window(plan, run, setting, stop) as window:
            results, late = _twice(left, audited, setting, stop, leaving, keeper)
        found = has | {r.target.name: r.slim() for r in results}
        run = replace(
            run,
            finished=setting.clock(),
            interrupted=stop.asked.is_set(),
            results=tuple(found[t.name] for t in targets if t.name in found),
        )
        if leaving():
            keeper.leave(run)
            return Ended(run, keeper.fault is None, True)
        why = f"its window of {plan.window} was over" if window.over else "it was stopped"
        reason = f"{why}; {late} of {counted(len(targets), 'host')} had not been assessed" if late else ""
        noted = remarks(opened.waivers, [r.id for r in rulebook.rules], list(opened.targets.values()), run.started.date())
        run = replace(
            run,
            remarks=(
                *([reason] if reason else []),
                *opened.left_out,
                *noted,
                *lapsed(opened.waivers, run.results, run.started.date()),
                *of_one_machine(run.results),
            ),
        )
        keeper.finish(run, set(plan.targets) == {"@all"}, reason)
        return _deliver(run, plan, setting, keeper, stop)
    finally:
        keeper.close()


def close(plan: Plan, due: datetime, setting: Setting, begun: Run, reason: str) -> None:
    """End a run that is not gone on with. Hosts that had no turn are said to have had none; its report goes where any goes."""
    keeper = _keeper(plan, due, setting, begun, setting.rulebooks[plan.name], resumed=True)
    error = TargetError("interrupted", f"this host had no turn ({reason}); the next audit asks it")
    try:
        has = {r.target.name for r in begun.results}
        rest = [
            TargetResult(target=t, outcome="unreachable", error=error)
            for t in select(plan.targets, setting.opened)
            if t.name not in has
        ]
        for result in rest:
            keeper.add(result)
        results = (*begun.results, *rest)
        run = replace(begun, finished=setting.clock(), interrupted=True, remarks=(reason,), results=results)
        keeper.finish(run, False, reason)
        _deliver(run, plan, setting, keeper, Stop())
    finally:
        keeper.close()


def _keeper(plan: Plan, due: datetime, setting: Setting, run: Run, rulebook: Rulebook, *, resumed: bool) -> Keeper:
    mailing = setting.opened.mail
    if mailing and plan.mail is not None:
        mailing = replace(mailing, to=plan.mail) if plan.mail else None
    night = Night(plan.name, due)
    targets = setting.opened.targets
    return Keeper(setting.history, run, rulebook.rules, targets, mailing, setting.say, night, setting.clock, resumed=resumed)


def _audited(plan: Plan, setting: Setting, rulebook: Rulebook, keeper: Keeper) -> Audit:
    opened = setting.opened
    return Audit(
        rulebook=rulebook,
        clock=setting.clock,
        marker=lambda: token_hex(12),
        attestations=opened.attestations,
        waivers=opened.waivers,
        policy=opened.policy,
        seen=keeper.failing_since() if opened.policy.deadlines or opened.policy.groups else {},
        known_logins=keeper.known_logins(),
        deep=plan.deep,
    )


class _Window:
    """Ends a run that takes longer than its plan allows, with what it has; `over` where it had to."""

    def __init__(self, plan: Plan, run: Run, setting: Setting, stop: Stop) -> None:
        self.over = False
        self._stop = stop
        self._timer = None
        if plan.window:
            gone = max(0.0, (setting.clock() - run.started).total_seconds())
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


def _twice(
    targets: list[Target], audited: Audit, setting: Setting, stop: Stop, leaving: Callable[[], bool], keeper: Keeper
) -> tuple[list[TargetResult], int]:
    """Every host once, and those that failed by a passing fault once more at the end, in what its own time limit leaves.
    With how many had no turn, or were cut off in it; where the agent is leaving these are left out, to be asked at its
    next start."""
    agent = setting.opened.agent
    results: list[TargetResult] = []
    again: list[TargetResult] = []
    late = 0

    def keep(result: TargetResult) -> None:
        nonlocal late
        cut = result.error is not None and result.error.kind == "interrupted"
        late += cut
        if not (cut and leaving()):
            keeper.add(result)
            results.append(result.slim())

    def first(result: TargetResult) -> None:
        setting.beat()
        if result.error and result.error.kind in PASSING and _rest(result) and not stop.asked.is_set():
            again.append(result)
        else:
            keep(result)

    def second(result: TargetResult) -> None:
        setting.beat()
        before = tried[result.target.name]
        keep(replace(result, target=before.target, seconds=round(before.seconds + result.seconds, 3)))

    jobs = agent.jobs or _JOBS
    gather(targets, audited, jobs, stop, first, agent.per_jump)
    tried = {r.target.name: r for r in again}
    if again and not stop.asked.is_set():
        gather([_with_rest(r) for r in again], audited, jobs, stop, second, agent.per_jump)
    else:
        for result in again:
            keep(result)
    return results, late


def _rest(result: TargetResult) -> float:
    """Seconds that a host's own time limit leaves for a second try; 0 where they would not do for reaching it. So a bad host
    costs a run its limit once, however often it is tried."""
    limits = result.target.timeouts
    left = limits.total - result.seconds
    return left if left >= limits.connect else 0.0


def _with_rest(result: TargetResult) -> Target:
    target = result.target
    return replace(target, timeouts=replace(target.timeouts, total=_rest(result)))


def _deliver(run: Run, plan: Plan, setting: Setting, keeper: Keeper, stop: Stop) -> Ended:
    """The report into the history, by mail and to its file, the figures for Prometheus to theirs."""
    agent = setting.opened.agent
    html = render(run, "html", setting.rulebooks[plan.name].rules, keeper.past())
    keeper.add_report(run, html)
    mailed = keeper.send_mails(stop)
    for path, content in ((agent.report, html), (agent.metrics, to_prometheus(run, plan.name))):
        if path and (fault := put_file(Path(path.replace(AUDIT, plan.name)), content, 0o640)):
            setting.say(fault)
    return Ended(run, keeper.fault is None, mailed)
