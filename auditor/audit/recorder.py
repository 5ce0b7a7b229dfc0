"""The history during a run: a fault of the history is said once and never costs the audit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import HistoryError
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.foundation.messages import Say, on_stderr
from auditor.model.mailing import Mailing
from auditor.model.past import Past
from auditor.model.run import Run, TargetResult

if TYPE_CHECKING:
    from auditor.history.scheduled_runs import ScheduledRun
    from auditor.history.store import Store


class RunRecorder:
    """Stores one run as it goes on."""

    def __init__(
        self,
        path: Path | None,
        run: Run,
        rules: Iterable[str],
        inventory: Collection[str],
        mailing: Mailing | None = None,
        say: Say = on_stderr,
        scheduled: ScheduledRun | None = None,
        clock: Callable[[], datetime] = utc_now,
        *,
        resumed: bool = False,
        one_off: bool = False,
    ) -> None:
        """`scheduled`: it is the run of a named audit; `resumed`: it was begun before, and is continued; `one_off`: it is a scan
        by hand."""
        self.fault: HistoryError | None = None
        self._run = run
        self._inventory = inventory
        self._mailing = mailing
        self._say = say
        self._scheduled = scheduled
        self._clock = clock
        self._store: Store | None = None
        if path is not None:
            from auditor.history.maintenance import exposed
            from auditor.history.store import Store  # sqlite_utils costs a tenth of a second

            try:
                self._store = Store(path)
                for doubt in exposed(path):
                    self._say(doubt)
                self._store.resume(run, rules) if resumed else self._store.begin(run, rules, scheduled, one_off=one_off)
            except HistoryError as e:
                self._fail(e)

    def _fail(self, fault: HistoryError) -> None:
        self._say(str(fault))
        self._say("the audit goes on without its history")
        self.fault = fault
        self.close()

    def close(self) -> None:
        """Close the history; what comes later is not stored."""
        if self._store:
            self._store.close()
        self._store = None

    def seconds(self) -> dict[str, float]:
        """By target: how long it took the last time."""
        try:
            return self._store.seconds() if self._store else {}
        except HistoryError as e:
            self._fail(e)
            return {}

    def failing_since(self) -> dict[str, dict[str, date]]:
        """By target and rule: since when it is known to be lacking."""
        try:
            return self._store.failing_since() if self._store else {}
        except HistoryError as e:
            self._fail(e)
            return {}

    def add(self, results: Sequence[TargetResult]) -> None:
        """Store results; once it returns without a fault they are there whatever happens."""
        if results:
            self._try(lambda store: store.add(self._run, results, listed=self._inventory))

    def finish(self, run: Run, whole: bool, reason: str = "") -> None:
        """Close the run. `whole`: it was to assess the whole inventory; `reason`: why a named audit did not."""
        everything = self._inventory if whole and not run.interrupted else None
        scheduled = (self._scheduled, reason) if self._scheduled else None
        self._try(lambda store: store.finish(run, everything, self._recipients(run, store), scheduled))

    def suspend(self, run: Run) -> None:
        """Set the run aside, which the agent continues later; nobody is told yet."""
        self._try(lambda store: store.finish(run))

    def _recipients(self, run: Run, store: Store) -> tuple[str, ...]:
        """To whom a mail is due, by the policy."""
        if self._mailing is None:
            return ()
        from auditor.history import outbox
        from auditor.mail.delivery import wanted

        asked = wanted(run, store.past(run), self._mailing, outbox.last_sent(store.db, self._mailing.to, run.started))
        return self._mailing.to if asked else ()

    def send_mails(self, stop: Stop) -> bool:
        """Send the mails that are due, of this run and of earlier ones. False where one waits; a message says why."""
        if self._store is None or self._mailing is None:
            return True
        from auditor.mail.delivery import send_due

        try:
            return send_due(self._store, self._mailing, self._clock(), self._say, stop)
        except HistoryError as e:
            self._fail(e)
            return False

    def past(self) -> Past | None:
        """What came before this run, once it is finished; None where there is no history, or nothing before."""
        try:
            return self._store.past(self._run) if self._store else None
        except HistoryError as e:
            self._fail(e)
            return None

    def add_report(self, run: Run, html: bytes) -> None:
        """Store the run's HTML report."""
        self._try(lambda store: store.add_report(run, html))

    def _try(self, write: Callable[[Store], None]) -> None:
        if self._store:
            try:
                write(self._store)
            except HistoryError as e:
                self._fail(e)
