"""One history file: opening it, transactions, and what goes wrong with it in words.

A run is a row that is written when it starts and closed when it ends; results that arrive together are one transaction. A kill at any
moment leaves a database that opens, and either has the run (closed) or has it as one that never finished: such a run is
listed as killed, and no question about the latest run is answered from it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlite_utils import Database

from auditor.errors import HistoryDamaged, HistoryError, UsageFault, WrongHistory
from auditor.foundation import own_files
from auditor.foundation.yaml_file import did_you_mean
from auditor.history import outbox, reading, scheduled_runs, trend
from auditor.history.blobs import Damaged, encode, unpack
from auditor.history.location import PATIENCE, meaning, no_place
from auditor.history.reading import HistoryReader
from auditor.history.scheduled_runs import ScheduledRun
from auditor.history.schema import migrations, unknown_schema
from auditor.history.writing import Writer, iso
from auditor.model.past import Past
from auditor.model.run import Run, TargetResult

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Store:
    """One history file. Used by one thread; raises HistoryError for whatever SQLite or the disk says."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        if not create and not path.exists():
            raise WrongHistory(f"there is no history {path}; `auditor scan` and `auditor audit` make one")
        with self.guard("opened"):
            for suffix in ("", "-wal", "-shm", "-journal"):
                own_files.check(path.with_name(path.name + suffix))
            with suppress(FileExistsError):
                os.close(own_files.create(path, 0o600))  # it tells a fleet's weak spots: nobody else's
            self._patient_until = time.monotonic() + PATIENCE
            connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            connection.set_progress_handler(lambda: time.monotonic() > self._patient_until, 100_000)
            self.db = Database(connection)
            try:
                self._prepare(create)
            except BaseException:
                self.db.close()
                raise
        self._writer, self._reader = Writer(self.db), HistoryReader(self.db)
        self._run = 0

    def _prepare(self, create: bool) -> None:
        tables = set(self.db.table_names())
        if tables and migrations.migrations_table not in tables:
            raise WrongHistory(f"{self.path} is a database of something else; name another file with --history")
        self.db.execute("pragma trusted_schema=off")
        self.db.execute("pragma cell_size_check=on")
        newer = {migration.name for migration in migrations.applied(self.db)} - _KNOWN
        if newer:
            raise WrongHistory(
                f"{self.path} was written by a newer auditor ({', '.join(sorted(newer))}); use that one, or another --history"
            )
        self._write_ahead()
        self.db.execute("pragma synchronous=normal")
        if create:
            if migrations.pending(self.db):
                self._migrate()
        elif migrations.pending(self.db):
            raise WrongHistory(
                f"{self.path} was written by another version of auditor; run `auditor scan` or `auditor history check --upgrade` once"
            )
        if strange := next(unknown_schema(self.db), None):
            raise HistoryDamaged(f"{self.path} is no history as auditor makes it: {strange}; a backup is the way back")

    def _write_ahead(self) -> None:
        """SQLite does not wait where two programs switch a new file over at the same moment; one of them has to."""
        for left in range(50, -1, -1):
            try:
                self.db.execute("pragma journal_mode=wal")
                return
            except sqlite3.OperationalError as e:
                if "locked" not in str(e) or not left:
                    raise
                time.sleep(0.1)

    def _migrate(self) -> None:
        """In one transaction, so that another program that opens the file at the same moment waits for the whole."""
        self.db.execute("begin immediate")
        try:
            migrations.apply(self.db)
        except BaseException:
            self.db.execute("rollback")
            raise
        self.db.execute("commit")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Faults of SQLite, the disk and the contents, said for people. What takes longer than anybody waits is given up."""
        self._patient_until = time.monotonic() + PATIENCE
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            if place := no_place(self.path):
                raise WrongHistory(f"the history {self.path} cannot be {what}: {place}") from None
            raise HistoryError(f"the history {self.path} cannot be {what}: {meaning(e, self.path)}") from None
        except Damaged as e:
            raise HistoryDamaged(f"the history {self.path} is damaged: {e}; `auditor history check` tells more") from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Whole or not at all; another writer is waited for."""
        with self.guard("written"):
            self.db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self.db.execute("rollback")
                raise
            self.db.execute("commit")

    # Writing

    def begin(self, run: Run, rules: Iterable[str], scheduled: ScheduledRun | None = None, *, one_off: bool = False) -> None:
        """Open a run, judged by the rules of these ids; `scheduled`: it is that of a named audit; `one_off`: it is no audit."""
        with self.transaction():
            self._run = self._writer.begin(run, rules, one_off=one_off)
            if scheduled:
                scheduled_runs.begin(self.db, scheduled, self._run, run.started)

    def resume(self, run: Run, rules: Iterable[str]) -> None:
        """Go on with a run that was not ended, judged by the same rules."""
        with self.transaction():
            self._run = self._writer.resume(run.id, rules)

    def add(self, run: Run, results: Sequence[TargetResult], *, listed: Collection[str] = ()) -> None:
        """Store results, each whole or not at all. `listed`: the names that are entries of the inventory. Where one cannot be
        stored, those before it are."""
        try:
            with self.transaction():
                for result in results:
                    self._writer.add(self._run, run, result, listed=result.target.name in listed)
        except HistoryError:
            self._writer.forget()
            if len(results) == 1:
                raise
            for result in results:
                self.add(run, [result], listed=listed)

    def reopen(self, ident: str) -> None:
        """A run that was not ended, to end it."""
        self._run = int(self.row(ident)["n"])

    def finish(
        self,
        run: Run,
        inventory: Iterable[str] | None = None,
        mail_to: tuple[str, ...] = (),
        scheduled: tuple[ScheduledRun, str] | None = None,
    ) -> None:
        """Close a run. `inventory`: all names of the inventory, where the run was to assess them all. `mail_to`: its
        report is due to these, from now on and whatever happens next. `scheduled`: with it a named audit is done, and the
        reason why it is not whole."""
        with self.transaction():
            self._writer.finish(self._run, run)
            if scheduled:
                scheduled_runs.end(self.db, scheduled[0], "done", scheduled[1], run.finished or run.started)
            if mail_to:
                outbox.queue(self.db, run.id, mail_to, run.finished or run.started)
            if inventory is not None:
                self._writer.close_removed(self._run, inventory)

    def give_up(self, ident: str, scheduled: ScheduledRun, reason: str, now: datetime) -> None:
        """Close a run of which nothing can be read any more."""
        with self.transaction():
            remarks = encode((reason,)).decode()
            self.db.execute("update runs set finished=?, interrupted=1, remarks=? where id=?", (iso(now), remarks, ident))
            scheduled_runs.end(self.db, scheduled, "done", reason, now)

    def add_report(self, run: Run, html: bytes) -> None:
        """Store a run's HTML report, in the place of an earlier one."""
        with self.transaction():
            row = (iso(run.finished or run.started), zstd.compress(html, 9), run.id)
            self.db.execute("insert or replace into reports select n, ?, ? from runs where id=?", row)

    # Reading

    def facts_of(self, target: str) -> datetime | None:
        """When the newest facts of a target were read; None where there are none."""
        with self.guard("read"):
            row = self.db.execute(
                "select started, offset from results join runs on runs.n=run join targets on targets.n=target"
                " where name=? and facts is not null order by results.n desc limit 1",
                (target,),
            ).fetchone()
        return datetime.fromisoformat(row[0]) + timedelta(milliseconds=row[1]) if row else None

    def seconds(self) -> dict[str, float]:
        """By target: how long it took the last time."""
        with self.guard("read"):
            rows = self.db.execute(
                "select name, milliseconds from results join targets on targets.n=target"
                " where results.n in (select max(n) from results group by target)"
            ).fetchall()
        return {name: milliseconds / 1000 for name, milliseconds in rows}

    def failing_since(self) -> dict[str, dict[str, date]]:
        """By target and rule: since when a required finding fails without interruption."""
        with self.guard("read"):
            return trend.failing_since(self.db)

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest runs first, each with its counts."""
        with self.guard("read"):
            return list(self.db.query(_RUNS, [limit]))

    def finished(self, count: int) -> list[str]:
        """The ids of the newest runs that finished, the newest first."""
        with self.guard("read"):
            found = "select id from runs where finished is not null and not thinned order by n desc limit ?"
            return [ident for (ident,) in self.db.execute(found, (count,)).fetchall()]

    def latest(self) -> str:
        """The id of the newest run that finished."""
        found = self.finished(1)
        if not found:
            raise UsageFault(f"the history {self.path} has no finished run yet")
        return found[0]

    def latest_with(self, target: str) -> str:
        """The newest run that has facts of a target."""
        return self._newest(target, "facts is not null", f"has no facts of {target!r}")

    def latest_of(self, target: str) -> str:
        """The newest finished run that a target was in, whatever came of it."""
        return self._newest(target, "finished is not null", f"has never seen {target!r}")

    def _newest(self, target: str, condition: str, fault: str) -> str:
        with self.guard("read"):
            row = self.db.execute(
                "select id from results join runs on runs.n=run join targets on targets.n=target"
                f" where name=? and {condition} order by runs.n desc limit 1",
                (target,),
            ).fetchone()
        if not row:
            known = [name for (name,) in self.db.execute("select name from targets").fetchall()]
            raise UsageFault(f"the history {self.path} {fault}{did_you_mean(target, known)}")
        return str(row[0])

    def row(self, given: str) -> dict[str, Any]:
        """The row of a run; `given` is an id or the unambiguous beginning of one, or `latest`. Raises UsageFault where it
        is none of them."""
        if given == "latest":
            given = self.latest()
        with self.guard("read"):
            rows = reading.find(self.db, given)
        if not rows:
            raise UsageFault(
                f"the history {self.path} has no run {given!r}; `auditor history runs` lists them, `latest` is the newest"
            )
        if len(rows) > 1:
            raise UsageFault(f"the history {self.path} has several runs whose ids begin with {given!r}; write more of it")
        if rows[0]["thinned"]:
            raise HistoryDamaged(
                f"run {rows[0]['id']} was thinned by `auditor history prune`; `auditor history host` and `diff` still know its changes"
            )
        return rows[0]

    def run(self, given: str, *, slim: bool = False) -> Run:
        """A run with its results. `slim`: without the long lists of facts, for reports."""
        row = self.row(given)
        with self.guard("read"):
            return self._reader.run(row, slim=slim)

    def newest(self, high: int) -> Iterator[TargetResult]:
        """Each target's newest facts up to a result (fleet.high_of_day), one at a time."""
        with self.guard("read"):
            yield from self._reader.newest(high)

    def past(self, run: Run) -> Past | None:
        """What came before a run that has just ended; None for the first one."""
        with self.guard("read"):
            return trend.past(self.db, run.id)

    def report(self, run: str) -> bytes:
        """The HTML report of a run, as it was written then."""
        with self.guard("read"):
            row = self.db.execute("select html from reports join runs on n=run where id=?", (run,)).fetchone()
        if not row:
            raise HistoryError(f"the history {self.path} has no report of run {run}")
        with self.guard("read"):
            return unpack(row[0])


_LONGEST = 256_000_000  # bytes of any one value (SQLITE_LIMIT_LENGTH)
_KNOWN = frozenset(migration.name for migration in migrations.pending(Database(memory=True)))
_RUNS = """
select runs.id, started, finished, interrupted, auditor, digest as rulebook, rules, newest_source, thinned, count(results.n) as targets,
       sum(results.outcome in ('unreachable', 'failed')) as unassessed, sum(required_missing) as missing,
       (select sum(known.required_missing) from results lost join results known on known.n = (select max(n) from results before
           where before.target=lost.target and before.n<lost.n and before.outcome in ('assessed', 'partial'))
        where lost.run=runs.n and lost.outcome in ('unreachable', 'failed')) as stale,
       exists (select 1 from reports where run=runs.n) as report
from (select * from runs order by n desc limit ?) runs join rulebooks on rulebooks.n=rulebook
    left join results on results.run=runs.n group by runs.n order by runs.n desc
"""
