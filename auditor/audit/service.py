"""The one way through an audit, for the command line and the agent alike.

with AuditRun(request) as audit:
    for result in audit.results(LocalExecutor(), stop):  # each is stored when it arrives
        ...
    run = audit.finish(stop)  # the run as it is reported
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Self

from msgspec import Struct
from msgspec.structs import replace

from auditor import __version__
from auditor.audit.context import AuditContext, new_context
from auditor.audit.executor import TargetExecutor
from auditor.audit.recorder import RunRecorder
from auditor.evaluation.waiver_review import lapsed, remarks
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.foundation.messages import Say, on_stderr
from auditor.inventory.inventory import Inventory
from auditor.model.mailing import Mailing
from auditor.model.run import Run, TargetError, TargetResult, same_machines
from auditor.model.target import Target
from auditor.model.zone import ZoneSeen
from auditor.rulebook.rulebook import Rulebook

if TYPE_CHECKING:
    from auditor.advisories.database.knowledge import AdvisoryDatabase
    from auditor.history.scheduled_runs import ScheduledRun

_MOST_NAMES = 6  # that one remark names


class AuditRequest(Struct, frozen=True, kw_only=True):
    """One audit: whom it asks, by which rules, and where its results go.

    `history` None: nothing is stored. `mailing` None: nobody is mailed. `scheduled`: it is the run of a named audit.
    `whole_inventory`: it is to assess every host, so hosts it does not have are no hosts any more. `one_off`: it is a scan by
    hand, and no audit is compared with it. `advisories` None: no advisory database is asked."""

    inventory: Inventory
    rulebook: Rulebook
    targets: Sequence[Target]
    history: Path | None = None
    mailing: Mailing | None = None
    scheduled: ScheduledRun | None = None
    whole_inventory: bool = False
    one_off: bool = False
    advisories: AdvisoryDatabase | None = None
    deep: bool = False
    clock: Callable[[], datetime] = utc_now
    say: Say = on_stderr


def new_run(rulebook: Rulebook, started: datetime, advisories: AdvisoryDatabase | None = None) -> Run:
    """A run that begins; its id sorts by time."""
    return Run(
        id=f"{started:%Y%m%dT%H%M%S}-{token_hex(3)}",
        started=started,
        auditor=__version__,
        rulebook=rulebook.summary(),
        advisories=advisories.summary if advisories else None,
    )


class AuditRun:
    """One run from its beginning to its end. A context manager; leaving it closes the history."""

    def __init__(self, request: AuditRequest, begun: Run | None = None) -> None:
        """Open the run, in the history too. `begun`: a run that was cut short and is continued, with the results it has."""
        self._request = request
        run = begun or new_run(request.rulebook, request.clock(), request.advisories)
        self._results = {r.target.name: r.slim() for r in run.results}
        self.interrupted = 0  # hosts that had no turn, or were cut off in it
        inventory, rules = request.inventory, request.rulebook.ids
        reviewed = remarks(inventory.waivers, rules, list(inventory.targets.values()), run.started.date())
        self.run = replace(run, remarks=(*inventory.left_out, *reviewed))
        self.recorder = RunRecorder(
            request.history,
            self.run,
            rules,
            inventory.targets,
            request.mailing,
            request.say,
            request.scheduled,
            request.clock,
            resumed=begun is not None,
            one_off=request.one_off,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.recorder.close()

    def results(
        self, executor: TargetExecutor, stop: Stop, suspending: Callable[[], bool] = lambda: False
    ) -> Iterator[TargetResult]:
        """Scan every target that has no result yet, and store the results as they arrive; whatever is given here is stored.
        `suspending`: the run is continued later, so hosts that are interrupted are left for then."""
        for batch in executor.run(self._remaining(), self._context(), stop):
            interrupted = sum(_interrupted(r) for r in batch)
            self.interrupted += interrupted
            if interrupted and suspending():
                batch = [r for r in batch if not _interrupted(r)]
            self._keep(batch)
            yield from batch

    def finish(self, stop: Stop, reason: str = "", zones: tuple[ZoneSeen, ...] = ()) -> Run:
        """End the run: it is finished in the history, and a mail is due where the policy says so. `reason`: why a scheduled
        audit is not whole; `zones`: those that were asked."""
        run = replace(self._ended(stop), zones=zones)
        waivers, today = self._request.inventory.waivers, run.started.date()
        said = (reason,) if reason else ()
        run = replace(run, remarks=(*said, *run.remarks, *lapsed(waivers, run.results, today), *one_machine(run.results)))
        self.recorder.finish(run, self._request.whole_inventory, reason)
        return run

    def suspend(self, stop: Stop) -> Run:
        """Set the run aside to be continued later; nobody is told yet."""
        run = self._ended(stop)
        self.recorder.suspend(run)
        return run

    def give_up(self, reason: str) -> Run:
        """End a run that is not continued. Hosts without a result are stored as interrupted, with the reason."""
        error = TargetError("interrupted", f"this host had no turn ({reason}); the next audit asks it")
        for target in self._request.targets:
            if target.name not in self._results:
                self._keep([TargetResult(target=target, outcome="unreachable", error=error)])
        stop = Stop()
        stop.now()
        run = self._ended(stop)
        run = replace(run, remarks=(reason, *run.remarks))
        self.recorder.finish(run, False, reason)
        return run

    def _remaining(self) -> list[Target]:
        """The targets without a result, the slowest of the last time first, so that the end is not one long wait."""
        seconds = self.recorder.seconds()
        left = [t for t in self._request.targets if t.name not in self._results]
        return sorted(left, key=lambda t: -seconds.get(t.name, 0.0))

    def _context(self) -> AuditContext:
        policy = self._request.inventory.policy
        return new_context(
            self._request.rulebook,
            self._request.inventory,
            clock=self._request.clock,
            deep=self._request.deep,
            advisories=self._request.advisories,
            run=self.run.id,
            failing_since=self.recorder.failing_since() if policy.deadlines or policy.groups else None,
        )

    def _keep(self, batch: Sequence[TargetResult]) -> None:
        self.recorder.add(batch)
        self._results.update((r.target.name, r.slim()) for r in batch)

    def _ended(self, stop: Stop) -> Run:
        """The run with its results in the targets' order."""
        results = tuple(self._results[t.name] for t in self._request.targets if t.name in self._results)
        return replace(self.run, finished=self._request.clock(), interrupted=stop.requested.is_set(), results=results)


def _interrupted(result: TargetResult) -> bool:
    return result.error is not None and result.error.kind == "interrupted"


def one_machine(results: Iterable[TargetResult]) -> Iterator[str]:
    """A remark for each group of names that are one machine."""
    for names in same_machines(results):
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        yield (
            f"{', '.join(names[:_MOST_NAMES])}{more} answered as one machine (one machine id, started at one moment); each name counts as a host"
        )
