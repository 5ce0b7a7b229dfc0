"""One audit: the results of many targets, gathered into a run that is kept, reported and mailed."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from msgspec.structs import replace

from auditor import __version__
from auditor.audit.context import Audit, Guarded
from auditor.audit.scan import scan_all, utc_now
from auditor.errors import HistoryError
from auditor.evaluation.waiver_review import lapsed
from auditor.foundation.deadline import Stop
from auditor.foundation.sanitize import printable
from auditor.model.finding import Waiver
from auditor.model.mailing import Mailing
from auditor.model.past import Past
from auditor.model.run import Run, TargetResult, same_machines
from auditor.model.target import KnownLogin, Target
from auditor.rulebook.loader import Rulebook
from auditor.rulebook.rule import Rule

if TYPE_CHECKING:
    from auditor.history.scheduled_runs import Night
    from auditor.history.store import Store

Say = Callable[[str], None]


def on_stderr(text: str) -> None:
    """How a command says what went wrong beside its work."""
    print(f"auditor: {printable(text)}", file=sys.stderr)


def make_run(rulebook: Rulebook, started: datetime) -> Run:
    """A run that begins; its id sorts by time."""
    return Run(id=f"{started:%Y%m%dT%H%M%S}-{token_hex(3)}", started=started, auditor=__version__, rulebook=rulebook.summary())


def share_one_heap() -> None:
    """glibc gives every thread a heap of its own (mallopt(3), M_ARENA_MAX); under one interpreter lock that is memory for
    nothing, about 10 MB at 32 threads. Other C libraries have no such call and no such heaps."""
    try:
        ctypes.CDLL(None).mallopt(-8, 1)
    except (AttributeError, OSError):
        pass  # not glibc


def give_memory_back() -> None:
    """What an audit no longer needs, to the system (malloc_trim(3)): glibc would keep it until the next night."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        pass  # not glibc


def gather(
    targets: list[Target],
    audited: Audit,
    jobs: int,
    stop: Stop,
    done: Callable[[TargetResult], None],
    per_jump: int | None = None,
) -> tuple[TargetResult, ...]:
    """Scan all targets, `jobs` at a time, `per_jump` of them through one jump host; `done` gets each whole result as it
    arrives. Without the long lists, and in the targets' order, they come back."""
    share_one_heap()
    results: list[TargetResult] = []
    workers = max(1, min(jobs, len(targets)))
    with Guarded(audited) as guarded, ThreadPoolExecutor(max_workers=workers, thread_name_prefix="host") as pool:
        for result in scan_all(targets, guarded, pool, stop, per_jump):
            done(result)
            results.append(result.slim())
    order = {t.name: n for n, t in enumerate(targets)}
    return tuple(sorted(results, key=lambda r: order[r.target.name]))


class Keeper:
    """The history during a run: what goes wrong with it is said once and never costs the audit."""

    def __init__(
        self,
        path: Path | None,
        run: Run,
        rules: Sequence[Rule],
        inventory: Collection[str],
        mailing: Mailing | None = None,
        say: Say = on_stderr,
        night: Night | None = None,
        clock: Callable[[], datetime] = utc_now,
        *,
        resumed: bool = False,
        one_off: bool = False,
    ) -> None:
        """`night`: it is the run of a named audit; `resumed`: it was begun before, and is gone on with; `one_off`: it is a scan
        by hand."""
        self.fault: HistoryError | None = None
        self._run = run
        self._inventory = inventory
        self._mailing = mailing
        self._say = say
        self._night = night
        self._clock = clock
        self._store: Store | None = None
        if path is not None:
            from auditor.history.maintenance import exposed
            from auditor.history.store import Store  # sqlite_utils costs a tenth of a second

            try:
                self._store = Store(path)
                for doubt in exposed(path):
                    self._say(doubt)
                self._store.resume(run, rules) if resumed else self._store.begin(run, rules, night, one_off=one_off)
            except HistoryError as e:
                self._fail(e)

    def _fail(self, fault: HistoryError) -> None:
        self._say(str(fault))
        self._say("the audit goes on without its history")
        self.fault = fault
        self.close()

    def close(self) -> None:
        if self._store:
            self._store.close()
        self._store = None

    def known_logins(self) -> dict[tuple[str, str], KnownLogin]:
        """By target's name and Target.way_in: what the last login taught."""
        try:
            return self._store.known_logins() if self._store else {}
        except HistoryError as e:
            self._fail(e)
            return {}

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

    def add(self, result: TargetResult) -> None:
        self._try(lambda store: store.add(self._run, result, listed=result.target.name in self._inventory))

    def finish(self, run: Run, whole: bool, reason: str = "") -> None:
        """Close the run. `whole`: it was to assess the whole inventory; `reason`: why a named audit did not."""
        everything = self._inventory if whole and not run.interrupted else None
        night = (self._night, reason) if self._night else None
        self._try(lambda store: store.finish(run, everything, self._recipients(run, store), night))

    def leave(self, run: Run) -> None:
        """Close the run, which the agent will go on with: nobody is told yet."""
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
        """Send what is due, of this run and of earlier ones. False where something waits; that was said."""
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
        self._try(lambda store: store.add_report(run, html))

    def _try(self, write: Callable[[Store], None]) -> None:
        if self._store:
            try:
                write(self._store)
            except HistoryError as e:
                self._fail(e)


def closed(run: Run, results: tuple[TargetResult, ...], stop: Stop, waivers: Sequence[Waiver] = ()) -> Run:
    """The run with its results, ended now, and what is to be looked at of them together."""
    remarks = (*run.remarks, *lapsed(waivers, results, run.started.date()), *of_one_machine(results))
    return replace(run, finished=utc_now(), interrupted=stop.asked.is_set(), results=results, remarks=remarks)


def of_one_machine(results: Iterable[TargetResult]) -> Iterator[str]:
    """What to say of names that are one machine."""
    for names in same_machines(results):
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        yield (
            f"{', '.join(names[:6])}{more} answered as one machine (one machine id, started at one moment); each name counts as a host"
        )
