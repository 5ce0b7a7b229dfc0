"""Caring for a history file: is it sound, what may go, a copy of it, back from a copy."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct
from sqlite_utils import Database

from auditor.errors import HistoryError, WrongHistory
from auditor.foundation import own_files
from auditor.history import blobs
from auditor.history.schema import unknown_schema

_MOST_FREE = 0.25  # of the pages: from there on, giving them back pays


def exposed(path: Path) -> Iterator[str]:
    """Who but its owner could have written a history, in words: then nothing that it says is sure."""
    for file, what in ((path, "the history"), (path.parent, "the folder of the history")):
        s = file.stat()
        others = stat.S_IMODE(s.st_mode) & 0o022 and not (file == path.parent and s.st_mode & stat.S_ISVTX)
        if others:
            yield f"{what}, {file}, may be written by others (mode {stat.S_IMODE(s.st_mode):04o}); take that right away: chmod go-w"
        if s.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
            yield f"{what}, {file}, is another user's (uid {s.st_uid})"


def faults(db: Database) -> Iterator[str]:
    """What is wrong with a history, in words; nothing where it is sound."""
    try:
        yield from unknown_schema(db)
        yield from (f"SQLite: {text}" for (text,) in db.execute("pragma integrity_check(20)").fetchall() if text != "ok")
        for table, row, parent, _ in db.execute("pragma foreign_key_check").fetchall():
            yield f"{table} row {row} refers to something of {parent} that is not there"
        for query, what in _SOUND:
            if count := db.execute(query).fetchone()[0]:
                yield f"{count} {what}"
        for number, kind in db.execute("select n, kind from contents").fetchall():
            try:
                if kind == "facts":
                    yield from (f"content {n}, a section of facts, is missing" for n in _missing(db, number))
                else:
                    blobs.get(db, number)
            except blobs.Damaged as e:
                yield str(e)
    except sqlite3.DatabaseError as e:
        yield f"SQLite: {e}"


_SOUND = (
    ("select count(*) from (select 1 from findings where until is null group by target, rule having count(*) > 1)",
     "findings stand twice"),
    ("select count(*) from findings where until <= since", "findings end before they begin"),
    ("select count(*) from findings a join findings b on a.target=b.target and a.rule=b.rule and a.since < b.since"
     " and (a.until is null or a.until > b.since)", "findings overlap"),
    ("select count(*) from findings f join results r on r.n in (f.since, f.until) where r.target <> f.target",
     "findings refer to another host's results"),
    ("select count(*) from results join runs on runs.n=run where results.facts is not null and results.offset is null",
     "results have facts without a time"),
)  # fmt: skip


def _missing(db: Database, facts: int) -> list[int]:
    return [n for n in blobs.parts(db, facts) if not db.execute("select 1 from contents where n=?", (n,)).fetchone()]


class Pruned(Struct, frozen=True):
    """What a pruning took away; bytes of the file before and after."""

    runs: int
    results: int
    reports: int
    findings: int
    contents: int
    before: int
    after: int


def prune(db: Database, path: Path, nightly: timedelta, monthly: timedelta, now: datetime) -> Pruned:
    """Thin what is older than `nightly` to the first run of each month, and drop what ended before `monthly`.

    A night on which something changed keeps its results, so that every finding that stands keeps its true age."""
    before, number = path.stat().st_size, _count(db)
    edge = (now - nightly).isoformat(timespec="milliseconds")
    end = (now - monthly).isoformat(timespec="milliseconds")
    db.execute("begin immediate")
    try:
        _prune(db, edge, end)
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")
    left = _count(db)
    (free,), (pages,) = db.execute("pragma freelist_count").fetchone(), db.execute("pragma page_count").fetchone()
    if free > _MOST_FREE * pages:
        db.execute("vacuum")
    db.execute("pragma wal_checkpoint(truncate)")
    runs, results, reports, findings, dropped = (a - b for a, b in zip(number, left, strict=True))
    return Pruned(runs, results, reports, findings, dropped, before, path.stat().st_size)


def _count(db: Database) -> list[int]:
    tables = ("runs where not thinned", "results", "reports", "findings", "contents")
    return [int(db.execute(f"select count(*) from {table}").fetchone()[0]) for table in tables]


def _prune(db: Database, edge: str, end: str) -> None:
    db.execute(
        "delete from findings where until in (select results.n from results join runs on runs.n=run where started < ?)", (end,)
    )
    db.execute(
        "update runs set thinned=1 where started < :edge and (started < :end or n not in"
        " (select min(n) from runs where finished is not null group by substr(started, 1, 7)))",
        {"edge": edge, "end": end},
    )
    db.execute("delete from reports where run in (select n from runs where thinned)")
    db.execute("delete from nights where due < ?", (end,))
    db.execute("delete from mails where sent is not null and run in (select n from runs where thinned)")
    # The newest results stay whole: they are what is known of a host.
    newest = (
        "select max(n) from results group by target union select max(n) from results where facts is not null group by target"
    )
    newest += " union select max(n) from results where outcome in ('assessed', 'partial') group by target"
    thinned = f"run in (select n from runs where thinned) and n not in ({newest})"
    db.execute(f"update results set facts=null, offset=null, collectors=null where {thinned}")
    used = "select since from findings union select until from findings where until is not null union select result from replacements"
    db.execute(f"delete from results where {thinned} and n not in ({used})")
    db.execute("delete from runs where thinned and n not in (select run from results)"
               " and n not in (select removed from targets where removed is not null) and n not in (select run from mails)"
               " and n not in (select run from nights where run is not null)"
               " and n not in (select gone from absences union select back from absences)")  # fmt: skip
    db.execute("delete from rulebooks where n not in (select rulebook from runs)")
    _drop_orphans(db)


def forget(db: Database, name: str) -> tuple[int, int]:
    """Drop a target with all its results and findings; how many there were of each."""
    db.execute("begin immediate")
    try:
        (number,) = db.execute("select n from targets where name=?", (name,)).fetchone()
        counts = [
            db.execute(f"select count(*) from {t} where target=?", (number,)).fetchone()[0] for t in ("results", "findings")
        ]
        for table in ("findings", "latest", "replacements", "absences", "results"):
            db.execute(f"delete from {table} where target=?", (number,))
        db.execute("delete from targets where n=?", (number,))
        db.execute("delete from machines where n not in (select machine from results where machine is not null)"
                   " and n not in (select machine from targets where machine is not null)")  # fmt: skip
        _drop_orphans(db)
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")
    return counts[0], counts[1]


def _drop_orphans(db: Database) -> None:
    """Contents that nothing refers to any more; sections are referred to by facts only."""
    held = ("select facts from results", "select collectors from results", "select record from results",
            "select error from results", "select body from findings", "select waiver from findings")  # fmt: skip
    db.execute("create temp table held (n integer primary key)")
    db.execute(f"insert or ignore into held select * from ({' union '.join(held)}) where facts is not null")
    facts = db.execute("select n from contents where kind='facts' and n in (select n from held)").fetchall()
    sections = {(part,) for (number,) in facts for part in blobs.parts(db, number)}
    db.conn.executemany("insert or ignore into held values (?)", sections)
    db.execute("insert or ignore into held select base from contents where base is not null and n in (select n from held)")
    db.execute("delete from contents where n not in (select n from held)")
    db.execute("drop table held")


def backup(db: Database, to: Path) -> None:
    """A sound copy while others may write (SQLite's online backup); only its owner may read it."""
    os.close(own_files.create(to, 0o600))
    copy = sqlite3.connect(to)
    try:
        db.conn.backup(copy)
    except BaseException:
        to.unlink(missing_ok=True)  # half a copy is none
        raise
    finally:
        copy.close()


def restore(path: Path, copy: Path, now: datetime) -> Path | None:
    """Put a backup in the place of a history; what was there is kept beside it, under the name returned.

    Raises HistoryError where the backup itself is not sound."""
    source = f"{copy.absolute().as_uri()}?mode=ro"
    db = Database(sqlite3.connect(source, uri=True))
    try:
        wrong = next(faults(db), None)
    finally:
        db.close()
    if wrong:
        raise HistoryError(f"{copy} is no sound backup: {wrong}")
    if path.exists() and copy.samefile(path):
        raise WrongHistory(f"{copy} is the history itself; name a backup of it")
    own_files.check(path)
    new = path.with_name(f".{path.name}.restoring")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(source, uri=True)) as taken:
        backup(Database(taken), new)  # before anything is moved: a disk may be full
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}") if path.exists() else None
    if aside:
        for suffix in ("", "-wal", "-shm"):
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(aside.with_name(aside.name + suffix))
    new.rename(path)
    return aside
