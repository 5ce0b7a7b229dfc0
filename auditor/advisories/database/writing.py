"""Writing advisories: rows of numbers, each advisory an interval of imports."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from auditor.model.advisory import Advisory
from auditor.versions import package_version
from auditor.versions.package_version import manager_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_TABLES = {"feeds": "name", "releases": "name", "names": "name", "words": "text"}
_BATCH = 30_000  # rows that are written at once, sorted, so that the tree grows near its end; more of them take memory, and no less time
_encode = msgspec.msgpack.Encoder().encode


class AdvisoryText(Struct, frozen=True, array_like=True):
    """What is only read by people, compressed and apart."""

    title: str
    vendor_severity: str
    references: tuple[str, ...]
    cves: tuple[str, ...]


class _Numbers(dict[Any, int]):
    """The numbers of a table's rows by what they hold; what is asked for and not there gets the next one, and waits to be written."""

    def __init__(self, known: Iterable[tuple[Any, int]]) -> None:
        super().__init__(known)
        self._next = max(self.values(), default=0) + 1
        self.new: list[Any] = []

    def __missing__(self, held: Any) -> int:
        number = self[held] = self._next
        self._next += 1
        self.new.append((number, held))
        return number


class AdvisoryWriter:
    """Writes the advisories of one import, within its caller's transaction. `number`: the import's."""

    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        self._db = db
        self.number = int(
            db.execute("insert into imports (at) values (?)", (now.isoformat(timespec="seconds"),)).lastrowid or 0
        )
        self._feeds, self._releases, self._names, self._words = (
            _Numbers(db.execute(f"select {column}, n from {table}")) for table, column in _TABLES.items()
        )
        self._versions = _Numbers(((m, t), n) for n, m, t in db.execute("select n, manager, text from versions"))
        # Of every open advisory its number by its digest; of every document what it held.
        self._open: dict[tuple[str, str], dict[bytes, int]] = {}
        self._of_document: dict[bytes, list[tuple[str, str, bytes]]] = {}
        rows = db.execute(
            "select feeds.name, id, digest, a.n, document from advisories a join feeds on feeds.n=feed where until is null"
        )
        for feed, ident, digest, number, document in rows:
            self._open.setdefault((feed, ident), {})[digest] = number
            self._of_document.setdefault(document, []).append((feed, ident, digest))
        self._before = {key: tuple(rows.values()) for key, rows in self._open.items()}
        self._seen: dict[tuple[str, str], set[bytes]] = {}
        self._withdrawn: set[tuple[str, str]] = set()
        self._next = int(db.execute("select coalesce(max(n), 0) + 1 from advisories").fetchone()[0])
        self._rows: dict[str, list[tuple[object, ...]]] = {"advisories": [], "texts": [], "fixes": [], "cves": []}
        self._closed: list[tuple[int, int]] = []
        self._compressor = zstd.ZstdCompressor(level=3)

    def unchanged(self, document: bytes) -> set[str]:
        """The feeds of a document that was read before, whose advisories stand as they are; none where it was not."""
        known = self._of_document.get(document, ())
        for feed, ident, digest in known:
            self._seen.setdefault((feed, ident), set()).add(digest)
        return {feed for feed, _, _ in known}

    def write(self, feed: str, advisory: Advisory, document: bytes) -> Literal["added", "changed", ""]:
        """Store an advisory; "" where it stands so already. The same id in two documents of an import is one advisory whose
        fixes are those of both."""
        a, key = advisory, (feed, advisory.id)
        if a.withdrawn:
            self._withdrawn.add(key)
            self._seen.setdefault(key, set())
            return "changed" if self._open.get(key) else ""
        digest = hashlib.blake2b(_encode(a), digest_size=16).digest()
        standing = self._open.setdefault(key, {})
        self._seen.setdefault(key, set()).add(digest)
        if digest in standing:
            self._db.execute(
                "update advisories set document=? where n=? and document<>?", (document, standing[digest], document)
            )
            return ""
        changed = bool(standing)
        number = standing[digest] = self._next
        self._next += 1
        body = _encode(AdvisoryText(a.title, a.vendor_severity, a.references, a.cves))
        rows = self._rows
        rows["advisories"].append(
            (
                number,
                a.id,
                self._feeds[feed],
                self.number,
                None,
                a.kind,
                a.severity,
                _iso(a.published),
                _iso(a.modified),
                digest,
                document,
            )
        )
        rows["texts"].append((number, self._compressor.compress(body, self._compressor.FLUSH_FRAME)))
        rows["cves"] += [(cve_number(c), number) for c in a.cves]
        releases, names, words, versions = self._releases, self._names, self._words, self._versions
        rows["fixes"] += [
            (
                releases[f.release],
                names[f.name],
                number,
                versions[manager_of(f.release), f.version],
                words[f.arch],
                words[f.module],
            )
            for f in a.fixes
        ]
        if len(rows["fixes"]) > _BATCH:
            self._flush()
        return "changed" if changed else "added"

    def _flush(self) -> None:
        many = self._db.executemany
        for (table, column), numbers in zip(
            _TABLES.items(), (self._feeds, self._releases, self._names, self._words), strict=True
        ):
            many(f"insert into {table} (n, {column}) values (?,?)", numbers.new)
            numbers.new.clear()
        many(
            "insert into versions (n, manager, text, key) values (?,?,?,?)",
            ((n, m, t, _key(m, t)) for n, (m, t) in self._versions.new),
        )
        self._versions.new.clear()
        self._rows["fixes"].sort()
        for table, rows in self._rows.items():
            if rows:
                many(f"insert or ignore into {table} values ({','.join('?' * len(rows[0]))})", rows)
                rows.clear()

    def shrunk(self, feed: str) -> str:
        """Why a feed that came as a whole cannot be one, or ""."""
        before, now = len(self._expected(feed)), sum(1 for f, _ in self._seen if f == feed)
        return f"would shrink from {before:,} to {now:,} advisories; was it all of it?" if now < before / 2 else ""

    def _expected(self, feed: str) -> list[tuple[str, str]]:
        """The ids of a feed that stood before and are of no other releases than those that came now: a part of a feed tells of its
        releases only."""
        before = [(key, numbers) for key, numbers in self._before.items() if key[0] == feed]
        if not before:
            return []
        self._flush()
        of: dict[int, set[int]] = {}
        rows = "select distinct f.advisory, f.release from fixes f join advisories a on a.n=f.advisory where a.feed=? and a.until is null"
        for number, release in self._db.execute(rows, (self._feeds[feed],)):
            of.setdefault(number, set()).add(release)
        told = {
            r for key, seen in self._seen.items() if key[0] == feed for d in seen for r in of.get(self._open[key].get(d, 0), ())
        }
        return [key for key, numbers in before if all(of.get(n, set()) <= told for n in numbers)]

    def close_missing(self, feed: str) -> int:
        """Close what a feed has no more that came as a whole; how many advisories that are."""
        gone = [key for key in self._expected(feed) if key not in self._seen]
        for key in gone:
            self._close(self._open[key].values())
        return len(gone)

    def _close(self, numbers: Iterable[int]) -> None:
        self._closed += [(self.number, n) for n in numbers]

    def finish(self, whole: set[str], broken: set[bytes], today: date, as_of: date | None) -> None:
        """Close what stands in another form now, and note what the feeds cover. `whole`: the feeds that came as a whole; `broken`:
        documents that could not be read to their ends, which are read again next time."""
        self._flush()
        for key, seen in self._seen.items():
            rows = self._open.get(key, {})
            older = {digest: n for digest, n in rows.items() if digest not in seen}
            if key in self._withdrawn:
                older = rows
            elif older and key[0].endswith("-updateinfo"):  # one id in several repositories: each tells of its own packages
                names = {name for digest in seen for name in self._names_of(rows[digest])}
                older = {digest: n for digest, n in older.items() if names & self._names_of(n)}
            self._close(older.values())
        self._db.executemany("update advisories set until=? where n=?", self._closed)
        self._db.executemany("update advisories set document=x'' where document=?", [(d,) for d in broken])
        for feed in {f for f, _ in self._seen} | whole:
            self._cover(feed, feed in whole, today, as_of)
        self._seal()

    def _names_of(self, number: int) -> set[int]:
        return {name for (name,) in self._db.execute("select name from fixes where advisory=?", (number,))}

    def _seal(self) -> None:
        rows = self._db.execute(
            "select digest from advisories where until is null union all select digest from lines where until is null order by digest"
        )
        digest = hashlib.sha256(b"".join(d for (d,) in rows)).hexdigest()
        self._db.execute("update imports set digest=? where n=?", (digest, self.number))

    def _cover(self, feed: str, whole: bool, today: date, as_of: date | None) -> None:
        number = self._feeds[feed]
        newest = "select max(max(iif(modified<=:d, modified, ''), iif(published<=:d, published, ''))) from advisories where feed=:f and until is null"
        told = (
            as_of.isoformat()
            if as_of
            else self._db.execute(newest, {"d": today.isoformat(), "f": number}).fetchone()[0] or None
        )
        rows = self._db.execute(
            "select release, min(published), count(distinct a.id) from advisories a join fixes on advisory=a.n where feed=? and until is null group by release",
            (number,),
        ).fetchall()
        last = "select whole, as_of from coverage where feed=? and release=? order by import desc limit 1"
        for release, since, count in rows:
            was_whole, before = self._db.execute(last, (number, release)).fetchone() or (0, None)
            self._db.execute(
                "insert or replace into coverage values (?,?,?,?,?,?,?)",
                (
                    number,
                    release,
                    self.number,
                    since,
                    told if whole or not was_whole else before,
                    count,
                    int(whole or was_whole),
                ),
            )


def told_until(db: sqlite3.Connection, now: datetime, feeds: Iterable[str], as_of: date) -> None:
    """Nothing has changed, and the feeds were looked at on a later day."""
    (digest,) = db.execute("select digest from imports order by n desc limit 1").fetchone()
    number = db.execute("insert into imports (at, digest) values (?,?)", (now.isoformat(timespec="seconds"), digest)).lastrowid
    for feed in feeds:
        db.execute(
            "insert into coverage select c.feed, release, ?, since, ?, advisories, whole from coverage c join feeds on feeds.n=c.feed"
            " where feeds.name=? and whole and import=(select max(import) from coverage where feed=c.feed and release=c.release)",
            (number, as_of.isoformat(), feed),
        )


def _key(manager: str, version: str) -> bytes | None:
    """None for what is no version: what depends on it is unknown."""
    try:
        return package_version.key(manager, version)
    except ValueError:
        return None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def cve_number(cve: str) -> int:
    """`CVE-2024-12345` as a number: the year, then twelve digits."""
    _, year, number = cve.split("-")
    return int(year) * 10**12 + int(number)
