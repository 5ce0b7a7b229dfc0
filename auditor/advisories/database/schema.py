"""The tables of the advisory database, one SQLite file.

What is compared are bytes (`versions.key`), what is repeated are numbers. Microsoft's monthly documents lie as they were read (`months`) beside what
follows from all of them together for each Windows (`lines`; the line of no product has the numbers of all updates), compressed msgpack of model/. An advisory is an interval of imports, so that what was
known on a day is one comparison: `since <= import and (until is null or until > import)`. The whole file can be made anew from
the feeds, so it has no migrations: one of another form is refused, or made anew by an import with --force.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from auditor.errors import UsageFault

APPLICATION = 0x61756461  # "auda", pragma application_id
FORM = 2  # pragma user_version

_CREATE = """
create table imports (n integer primary key, at text not null, digest text not null default '');
create table feeds (n integer primary key, name text not null unique);
create table releases (n integer primary key, name text not null unique);
create table names (n integer primary key, name text not null unique);
create table words (n integer primary key, text text not null unique);
create table versions (n integer primary key, manager text not null, text text not null, key blob, unique (manager, text));
create table advisories (n integer primary key, id text not null, feed integer not null references feeds(n), since integer not null
    references imports(n), until integer references imports(n), kind text not null, severity text not null, published text, modified text,
    digest blob not null, document blob not null);
create index advisories_id on advisories (id);
create index advisories_feed on advisories (feed) where until is null;
create table fixes (release integer not null references releases(n), name integer not null references names(n),
    advisory integer not null references advisories(n), version integer not null references versions(n), arch integer not null references words(n),
    module integer not null references words(n), primary key (release, name, advisory, version, arch, module)) without rowid;
create table cves (cve integer not null, advisory integer not null references advisories(n), primary key (cve, advisory)) without rowid;
create table texts (advisory integer primary key references advisories(n), body blob not null);
create table coverage (feed integer not null references feeds(n), release integer not null references releases(n), import integer not null
    references imports(n), since text, as_of text, advisories integer not null, whole integer not null,
    primary key (release, feed, import)) without rowid;
create table months (name text not null, month text not null, since integer not null references imports(n), until integer references imports(n),
    revised text, fixes integer not null, document blob not null, body blob not null, primary key (name, since)) without rowid;
create table lines (product text not null, since integer not null references imports(n), until integer references imports(n),
    digest blob not null, body blob not null, primary key (product, since)) without rowid;
create table exploited (cve integer primary key, since integer not null references imports(n), added text);
create table sources (path blob primary key, signature blob not null, feeds text not null) without rowid;
"""


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. UsageFault where the file is none of this form."""
    try:
        db = _connected(path, "mode=ro")
        try:
            _check(db, path)
        except sqlite3.OperationalError:  # an import was killed within its last moment, and what it began is to be undone first
            db.close()
            db = _connected(path, "mode=rw")
            _check(db, path)
    except sqlite3.Error as e:
        raise UsageFault(f"the advisory database {path} cannot be read: {e}") from None
    return db


def open_for_writing(path: Path, *, anew: bool = False) -> sqlite3.Connection:
    """A connection within a transaction that only one process has at a time; the file is made where there is none. `anew`: an
    older form is emptied, with the transaction."""
    try:
        if path.exists() and path.stat().st_size:
            found = _connected(path, "mode=ro")
            _check(found, path, writing=True, older=anew)  # before anything is written: it may be another program's
            found.close()
        db = sqlite3.connect(path, timeout=30, isolation_level=None)
        db.execute("pragma cache_spill=off")  # readers are kept waiting by the last moment of an import only
        db.execute("begin immediate")
        if _form(db)[1] != FORM:
            for (table,) in db.execute("select name from sqlite_master where type='table'").fetchall():
                db.execute(f'drop table if exists "{table}"')
            for statement in _CREATE.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute(f"pragma application_id={APPLICATION}")
            db.execute(f"pragma user_version={FORM}")
    except sqlite3.Error as e:
        why = "another import is under way; try again when it has ended" if "locked" in str(e) else str(e)
        raise UsageFault(f"the advisory database {path} cannot be opened: {why}") from None
    return db


def _connected(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=30, check_same_thread=False)


def _form(db: sqlite3.Connection) -> tuple[int, int]:
    (application,), (form,) = db.execute("pragma application_id").fetchone(), db.execute("pragma user_version").fetchone()
    return application, form


def _check(db: sqlite3.Connection, path: Path, *, writing: bool = False, older: bool = False) -> None:
    application, form = _form(db)
    if application == 0 and form == 0 and not db.execute("select 1 from sqlite_master limit 1").fetchone():
        if writing:
            return  # a file that was begun and not filled yet
        raise UsageFault(f"the advisory database {path} is empty; see `auditor advisories import`")
    if application != APPLICATION:
        raise UsageFault(f"{path} is no advisory database; name another file with --advisories")
    if form > FORM:
        raise UsageFault(f"the advisory database {path} was made by a newer auditor; update this one, or name another file")
    if form != FORM and not older:
        raise UsageFault(
            f"the advisory database {path} is of an older form; make it anew: `auditor advisories import --force PATH…`"
        )
