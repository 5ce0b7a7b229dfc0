"""Writing and reading the history.

A run is a row that is written when it starts and closed when it ends; each result is one transaction. A kill at any
moment leaves a database that opens, and either has the run (closed) or has it as one that never finished: such a run is
listed as killed, and no question about the latest run is answered from it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from auditor.errors import HistoryError
from auditor.history.schema import migrations
from auditor.model.facts import CollectorOutcome, HostFacts, Volatile
from auditor.model.finding import Finding
from auditor.model.run import Rulebook, Run, TargetError, TargetResult
from auditor.model.target import KnownLogin, Target

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_json = msgspec.json.encode


class Store:
    """One history file. Used by one thread; raises HistoryError for whatever SQLite or the disk says."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        if not create and not path.exists():
            raise HistoryError(f"there is no history {path}; `auditor scan` and `auditor audit` make one")
        with self._guard("opened"):
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it tells a fleet's weak spots: nobody else's
            self._db = Database(sqlite3.connect(path, timeout=5.0, isolation_level=None))
            try:
                self._prepare(create)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, create: bool) -> None:
        tables = set(self._db.table_names())
        if tables and migrations.migrations_table not in tables:
            raise HistoryError(f"{self.path} is a database of something else; name another file with --history")
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        if create:
            migrations.apply(self._db)
        elif migrations.pending(self._db):
            raise HistoryError(f"{self.path} was written by another version of auditor; run `auditor scan` once")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _guard(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise HistoryError(f"the history {self.path} cannot be {what}: {_meaning(e)}") from None
        except OSError as e:
            raise HistoryError(f"the history {self.path} cannot be {what}: {e.strerror}") from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guard("written"):
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    # Writing

    def begin(self, run: Run) -> None:
        """Open a run."""
        values = (run.id, _iso(run.started), None, 0, run.auditor, run.rulebook.digest, run.rulebook.rules, run.rulebook.newest)
        with self._transaction():
            self._db.execute("insert into runs values (?,?,?,?,?,?,?,?)", values)

    def add(self, run: Run, result: TargetResult) -> None:
        """Store one target's result, whole or not at all."""
        t, f = result.target, result.facts
        digest, body = _stable(f) if f else (None, b"")
        error = (result.error.kind, result.error.message) if result.error else (None, None)
        row = (run.id, t.name, result.outcome, *error, result.seconds, _iso(f.collected_at) if f else None, digest,
               _text(f.volatile) if f else None, _text(f.outcomes) if f else None, _text(replace(t, known_login=None)))  # fmt: skip
        with self._transaction():
            self._db.execute(
                "insert or ignore into targets values (?,?,?,?)", (t.name, t.address, t.connection, _iso(run.started))
            )
            if k := result.known_login:
                self._db.execute(
                    "insert or replace into logins values (?,?,?,?,?)", (t.name, _login(t), k.server, k.host_key, k.kex)
                )
            if digest and not self._db.execute("select 1 from facts where digest=?", (digest,)).fetchone():
                self._db.execute("insert into facts values (?,?)", (digest, zstd.compress(body)))
            self._db.execute(f"insert into results values ({','.join('?' * 11)})", row)
            self._db.conn.executemany(
                "insert into findings values (?,?,?,?,?,?,?)",
                [(run.id, t.name, x.rule, x.verdict, x.severity, x.obligation, _text(x)) for x in result.findings],
            )

    def finish(self, run: Run) -> None:
        """Close a run."""
        with self._transaction():
            self._db.execute(
                "update runs set finished=?, interrupted=? where id=?", (_iso(run.finished), int(run.interrupted), run.id)
            )

    def add_report(self, run: Run, html: bytes) -> None:
        with self._transaction():
            self._db.execute(
                "insert or replace into reports values (?,?,?)",
                (run.id, _iso(run.finished or run.started), zstd.compress(html)),
            )

    # Reading

    def with_known_logins(self, targets: list[Target]) -> list[Target]:
        """The targets, each with what its last login taught, where it is reached the same way as then."""
        with self._guard("read"):
            rows = self._db.execute("select * from logins").fetchall()
        known = {(name, how): KnownLogin(*taught) for name, how, *taught in rows}
        return [replace(t, known_login=known.get((t.name, _login(t)))) for t in targets]

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest runs first, each with its counts."""
        with self._guard("read"):
            return list(self._db.query(_RUNS, [limit]))

    def latest(self) -> str:
        """The id of the newest run that finished."""
        with self._guard("read"):
            row = self._db.execute("select id from runs where finished is not null order by started desc limit 1").fetchone()
        if not row:
            raise HistoryError(f"the history {self.path} has no finished run yet")
        return str(row[0])

    def latest_with(self, target: str) -> str:
        """The newest run that has facts of a target."""
        with self._guard("read"):
            found = (
                "select run from results join runs on id=run where target=? and facts is not null order by started desc limit 1"
            )
            row = self._db.execute(found, (target,)).fetchone()
        if not row:
            raise HistoryError(f"the history {self.path} has no facts of {target!r}")
        return str(row[0])

    def latest_of(self, target: str) -> str:
        """The newest finished run that a target was in, whatever came of it."""
        with self._guard("read"):
            found = "select run from results join runs on id=run where target=? and finished is not null order by started desc limit 1"
            row = self._db.execute(found, (target,)).fetchone()
        if not row:
            raise HistoryError(f"the history {self.path} has never seen {target!r}")
        return str(row[0])

    def run(self, given: str) -> Run:
        """A run with its results; `given` is an id or the unambiguous beginning of one."""
        with self._guard("read"):
            rows = list(
                self._db.query("select * from runs where id like ? || '%' limit 2", [given.replace("%", "").replace("_", "")])
            )
            if len(rows) != 1:
                raise HistoryError(f"the history {self.path} has {'no run' if not rows else 'several runs'} {given}")
            row = rows[0]
            results = list(self._db.query("select * from results where run=? order by rowid", [row["id"]]))
            findings: dict[str, list[Finding]] = {}
            for found in self._db.query("select target, body from findings where run=? order by rowid", [row["id"]]):
                findings.setdefault(found["target"], []).append(msgspec.json.decode(found["body"], type=Finding))
            return Run(
                id=row["id"],
                started=datetime.fromisoformat(row["started"]),
                finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
                interrupted=bool(row["interrupted"]) or not row["finished"],
                auditor=row["auditor"],
                rulebook=Rulebook(row["rulebook"], row["rules"], row["newest_source"]),
                results=tuple(self._result(r, tuple(findings.get(r["target"], ()))) for r in results),
            )

    def _result(self, row: dict[str, Any], findings: tuple[Finding, ...]) -> TargetResult:
        return TargetResult(
            target=msgspec.json.decode(row["record"], type=Target),
            outcome=row["outcome"],
            error=TargetError(row["error_kind"], row["error_message"]) if row["error_kind"] else None,
            facts=self._facts(row) if row["facts"] else None,
            findings=findings,
            seconds=row["seconds"],
        )

    def _facts(self, row: dict[str, Any]) -> HostFacts:
        body = self._db.execute("select body from facts where digest=?", (row["facts"],)).fetchone()[0]
        try:
            plain = zstd.decompress(body)
            if hashlib.sha256(plain).hexdigest() != row["facts"]:
                raise ValueError("its digest does not fit its content")
            stable = msgspec.json.decode(plain, type=HostFacts)
        except (zstd.ZstdError, msgspec.MsgspecError, ValueError) as e:
            raise HistoryError(f"the history {self.path} is damaged: facts {row['facts'][:12]} cannot be read: {e}") from None
        return replace(
            stable,
            target=row["target"],
            collected_at=datetime.fromisoformat(row["collected_at"]),
            volatile=msgspec.json.decode(row["volatile"], type=Volatile | None),
            outcomes=msgspec.json.decode(row["collectors"], type=tuple[CollectorOutcome, ...]),
        )

    def report(self, run: str) -> bytes:
        """The HTML report of a run, as it was written then."""
        with self._guard("read"):
            row = self._db.execute("select html from reports where run=?", (run,)).fetchone()
        if not row:
            raise HistoryError(f"the history {self.path} has no report of run {run}")
        return zstd.decompress(row[0])


_RUNS = """
select runs.*, count(results.target) as targets,
       sum(results.outcome in ('unreachable', 'failed')) as unassessed,
       (select count(*) from findings where run=runs.id and verdict in ('noncompliant', 'pending') and obligation='required') as missing,
       exists (select 1 from reports where run=runs.id) as report
from runs left join results on results.run=runs.id group by runs.id order by started desc limit ?
"""


def _login(t: Target) -> str:
    return _text([t.address, t.port, t.user, t.key_file, t.identity_files])


def _stable(facts: HostFacts) -> tuple[str, bytes]:
    """What does not change by itself, and its digest."""
    body = _json(replace(facts, target="", collected_at=_EPOCH, volatile=None, outcomes=()))
    return hashlib.sha256(body).hexdigest(), body


def _text(value: object) -> str:
    return _json(value).decode()


def _iso(when: datetime | None) -> str | None:
    return when.isoformat(timespec="milliseconds") if when else None


def _meaning(e: sqlite3.Error) -> str:
    text = str(e)
    hints = {
        "file is not a database": "it is not a SQLite database; name another file with --history",
        "attempt to write a readonly database": "it is read-only; check its owner and mode, and its folder's",
        "unable to open database file": "its folder does not exist or may not be written",
        "database is locked": "another run holds it; wait for that run, or name another file with --history",
        "database or disk is full": "the disk is full",
        "disk I/O error": "the disk gave an input/output error (full, or failing)",
    }
    return hints.get(text, text)
