"""Documents into the advisory database: what is new or changed is read, what a feed has no more is closed, all or nothing.

One transaction holds a whole import, so that a kill leaves what was there before, and a second import waits for the first.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field

from auditor.advisories.database import schema
from auditor.advisories.database.writing import AdvisoryWriter
from auditor.advisories.documents import Refusal, documents
from auditor.advisories.feeds.authority import Feed, Form, feed_of, is_for
from auditor.advisories.feeds.document import form_of, read
from auditor.errors import UsageFault
from auditor.model.advisory import Advisory

MAX_DOCUMENT = 64_000_000  # bytes; the largest real ones (a distribution's whole updateinfo.xml) have some forty million
# What advisories' files are called; a file of another name in a folder or an archive that holds none is no fault.
_DOCUMENTS = (".json", ".xml", ".gz", ".bz2", ".xz", ".zst", ".zip", ".tar")
_MOST_SAID = 200  # refusals that are kept word for word; the others are counted


class Imported(Struct):
    """What an import did. `refused`: documents that were not taken,
    with the reason, `aside` what was read and is not used, counted by the reason."""

    documents: int = 0
    unchanged: bool = False
    added: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    refused: list[Refusal] = []
    refusals: int = 0
    aside: Counter[str] = field(default_factory=Counter)

    def refuse(self, refusal: Refusal) -> None:
        """Note a document that is not taken."""
        self.refusals += 1
        if len(self.refused) < _MOST_SAID:
            self.refused.append(refusal)


def import_documents(
    path: Path,
    given: Sequence[str],
    *,
    now: datetime,
    as_of: date | None = None,
    partial: bool = False,
    force: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> Imported:
    """Read files, folders and archives into the database at `path`.

    A folder, an archive or a list is taken for the whole of its feed: what is not in it any more is closed. `partial`, and files of
    one advisory, only add. A feed that has shrunk by half is kept out, unless `force`, which also reads what seems unchanged.
    `as_of`: up to which day the documents tell; by themselves, the newest day they name. UsageFault where the file cannot be
    used; sqlite3.Error and OSError leave it as it was."""
    db = schema.open_for_writing(path, anew=force)
    try:
        signatures = {str(Path(p).absolute()): _signature(Path(p), partial) for p in given if p != "-" and Path(p).exists()}
        if not force and signatures and len(signatures) == len(set(given)) and _known(db, signatures):
            return Imported(unchanged=True)
        db.execute("begin immediate")
        try:
            report = _Import(db, now, force).run(given, partial, as_of, progress)
            db.executemany("insert or replace into sources values (?,?)", signatures.items())
            db.execute("commit")
        except BaseException:
            db.execute("rollback")
            raise
        return report
    finally:
        db.close()


def _known(db: sqlite3.Connection, signatures: dict[str, bytes]) -> bool:
    found = {p: s for p, s in db.execute("select path, signature from sources") if p in signatures}
    return found == signatures


def _signature(path: Path, partial: bool) -> bytes:
    """What tells that nothing below a path was touched: names, sizes and times of change."""
    digest = hashlib.blake2b(b"partial" if partial else b"", digest_size=16)
    stack = [os.fspath(path)]
    while stack:
        at = stack.pop()
        if os.path.isdir(at):
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir():
                        stack.append(entry.path)
                    else:
                        stat = entry.stat()
                        digest.update(f"{entry.path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
        else:
            stat = os.stat(at)
            digest.update(f"{at}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return digest.digest()


class _Import:
    """One import under way."""

    def __init__(self, db: sqlite3.Connection, now: datetime, force: bool) -> None:
        self._db, self._force = db, force
        self._report = Imported()
        self._writer = AdvisoryWriter(db, now)
        self._whole: set[str] = set()  # feeds that came as a whole

    def run(self, given: Iterable[str], partial: bool, as_of: date | None, progress: Callable[[int], None]) -> Imported:
        report = self._report
        for name in given:
            single = Path(name).is_file() and not name.lower().endswith(
                (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".txz")
            )
            for document in documents([name], MAX_DOCUMENT, compressed=True):
                if isinstance(document, Refusal):
                    report.refuse(document)
                    continue
                report.documents += 1
                progress(report.documents)
                self._document(document.name, document.content, whole=not partial, single=single)
        faults = [f"{feed} {reason}" for feed in sorted(self._whole) if (reason := self._writer.shrunk(feed))]
        if faults and not self._force:
            raise UsageFault(f"{'; '.join(faults)} Nothing was changed; --partial only adds, --force takes it as it is")
        for feed in self._whole:
            report.closed[feed] = self._writer.close_missing(feed)
        self._writer.finish(self._whole, as_of)
        return report

    def _document(self, name: str, content: bytes, *, whole: bool, single: bool) -> None:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if not self._force and (feeds := self._writer.unchanged(digest)):
            self._whole |= feeds if whole and not single else set()
            return
        count = 0
        try:
            try:
                form = form_of(content)
            except ValueError:
                if single or name.lower().endswith(_DOCUMENTS):
                    raise
                self._report.aside["files beside them that are no advisories, by name and content"] += 1
                return
            for advisory in read(form, content):
                count += 1
                self._take(form, advisory, digest, whole=whole and not (single and form in ("osv", "csaf")))
        except ValueError as e:
            before = f"after its first {count} advisories: " if count else ""
            self._report.refuse(Refusal(name, f"{before}{e}"))

    def _take(self, form: Form, advisory: Advisory, digest: bytes, *, whole: bool) -> None:
        feed = feed_of(form, advisory.id)
        if feed is None:
            beginning = advisory.id.split("-")[0][:20]
            self._report.aside[f"{beginning}-… as {form}: no release's advisories are taken from these"] += 1
            return
        ours = _of_its_releases(advisory, feed)
        if not ours.fixes and not ours.withdrawn:
            self._report.aside[f"{feed.name}: names no package of a release that is known here"] += 1
        done = self._writer.write(feed.name, ours, digest)
        if done:
            (self._report.added if done == "added" else self._report.changed)[feed.name] += 1
        if whole:
            self._whole.add(feed.name)


def _of_its_releases(advisory: Advisory, feed: Feed) -> Advisory:
    """Only what the feed is an authority for."""
    if all(is_for(feed, f.release) for f in advisory.fixes):
        return advisory
    return msgspec.structs.replace(advisory, fixes=tuple(f for f in advisory.fixes if is_for(feed, f.release)))
