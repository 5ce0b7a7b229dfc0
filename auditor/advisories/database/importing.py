"""Documents into the advisory database: what is new or changed is read, what a feed has no more is closed, all or nothing.

One transaction holds a whole import, so that a kill leaves what was there before, and a second import waits for the first.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct, field

from auditor.advisories.database import months, schema
from auditor.advisories.database.writing import AdvisoryWriter, cve_number, told_until
from auditor.advisories.documents import Refusal, documents
from auditor.advisories.feeds import kev, msrc_csaf, msrc_cvrf
from auditor.advisories.feeds.authority import Feed, Form, feed_of, is_for
from auditor.advisories.feeds.document import form_of, read
from auditor.advisories.feeds.fields import OtherDocument
from auditor.errors import UsageFault
from auditor.model.advisory import Advisory
from auditor.model.monthly_release import MonthlyRelease

MAX_DOCUMENT = 64_000_000  # bytes; the largest real ones (a distribution's whole updateinfo.xml) have some forty million
# What advisories' files are called; a file of another name in a folder or an archive that holds none is no fault.
_DOCUMENTS = (".json", ".xml", ".gz", ".bz2", ".xz", ".zst", ".zip", ".tar")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".txz", ".tbz2")
NOTHING: Mapping[str, str] = {}
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
    only: Mapping[str, str] = NOTHING,
    progress: Callable[[int], None] = lambda count: None,
) -> Imported:
    """Read files, folders and archives into the database at `path`.

    A folder, an archive or a list is taken for the whole of its feed, of the releases that it tells of: what is not in it any more is
    closed. `partial`, files of one advisory, and what could not be read in every part only add. A feed that has shrunk by half is
    kept out, unless `force`, which also reads what seems unchanged. `as_of`: up to which day the documents tell; by themselves, the
    newest day they name. `only`: by path, the feed that is taken from it. UsageFault where the file cannot be used;
    sqlite3.Error, OSError and MemoryError leave it as it was."""
    signatures = {os.fsencode(Path(p).absolute()): _signature(Path(p), partial) for p in given if p != "-" and Path(p).exists()}
    db = schema.open_for_writing(path, anew=force)
    try:
        known = _known(db, signatures) if not force and len(signatures) == len(set(given)) else None
        if known is not None:
            if as_of:
                told_until(db, now, known, as_of)
            db.execute("commit")
            return Imported(unchanged=True)
        work = _Import(db, now, force)
        report = work.run(given, partial, as_of, only, progress)
        _remember(db, signatures if not report.refusals else {}, work.feeds)
        db.execute("commit")
        return report
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("rollback")
        raise
    finally:
        db.close()


def _known(db: sqlite3.Connection, signatures: dict[bytes, bytes]) -> set[str] | None:
    """The feeds of these files, if they are what was imported last; else None."""
    found = {p: (s, feeds) for p, s, feeds in db.execute("select path, signature, feeds from sources") if p in signatures}
    if not signatures or {p: s for p, (s, _) in found.items()} != signatures:
        return None
    return {feed for _, feeds in found.values() for feed in feeds.split()}


def _remember(db: sqlite3.Connection, signatures: dict[bytes, bytes], feeds: set[str]) -> None:
    """What was imported last; files of the same feeds that were imported before are no more what stands."""
    for path, others in db.execute("select path, feeds from sources").fetchall():
        if feeds & set(others.split()):
            db.execute("delete from sources where path=?", (path,))
    told = " ".join(sorted(feeds))
    db.executemany("insert or replace into sources values (?,?,?)", [(p, s, told) for p, s in signatures.items()])


def _signature(path: Path, partial: bool) -> bytes:
    """What tells that nothing below a path was touched: names, sizes and times of change."""
    digest = hashlib.blake2b(b"partial" if partial else b"", digest_size=16)
    stack = [os.fspath(path)]
    while stack:
        at = stack.pop()
        if os.path.isdir(at) and not (os.path.islink(at) and at != os.fspath(path)):
            with suppress(OSError), os.scandir(at) as entries:
                stack.extend(sorted(entry.path for entry in entries))
            continue
        size, when = -1, -1
        with suppress(OSError):  # what cannot be looked at cannot be read either, and is named then
            stat = os.stat(at)
            size, when = stat.st_size, stat.st_mtime_ns
        digest.update(os.fsencode(f"{at}\0{size}\0{when}\0"))
    return digest.digest()


class _Import:
    """One import under way. `feeds`: those that something was read of."""

    def __init__(self, db: sqlite3.Connection, now: datetime, force: bool) -> None:
        self._db, self._force, self._today = db, force, now.date()
        self._report = Imported()
        self._writer = AdvisoryWriter(db, now)
        self._months = months.MonthWriter(db, self._writer.number, force)
        self.feeds: set[str] = set()
        self._whole: set[str] = set()  # feeds that came as a whole
        self._parts: set[str] = set()  # feeds of which a part came that is not all
        self._broken: set[bytes] = set()  # documents that could not be read to their ends

    def run(
        self, given: Iterable[str], partial: bool, as_of: date | None, only: Mapping[str, str], progress: Callable[[int], None]
    ) -> Imported:
        """Read everything, then close what is gone."""
        report = self._report
        for name in given:
            refused, self._of_this = report.refusals, set[str]()
            single = Path(name).is_file() and not name.lower().endswith(_ARCHIVES)
            for document in documents([name], MAX_DOCUMENT, compressed=True):
                if isinstance(document, Refusal):
                    report.refuse(document)
                    continue
                report.documents += 1
                progress(report.documents)
                self._document(document.name, document.content, single, only.get(name, ""))
            all_of_it = not partial and report.refusals == refused
            (self._whole if all_of_it else self._parts).update(self._of_this)
        whole = self._whole - self._parts
        closing = [
            feed for feed in sorted(whole) if not feed.endswith("-updateinfo")
        ]  # a repository tells of its own packages only
        faults = [f"{feed} {reason}" for feed in closing if (reason := self._writer.shrunk(feed))]
        if faults and not self._force:
            raise UsageFault(f"{'; '.join(faults)} Nothing was changed; --partial only adds, --force takes it as it is")
        for feed in closing:
            report.closed[feed] = self._writer.close_missing(feed)
        for name, done in self._months.finish(self._writer):
            (report.added if done == "added" else report.changed)[name] += 1
        self._writer.finish(whole | (self.feeds & {months.FEED}), self._broken, self._today, as_of)
        return report

    def _document(self, name: str, content: bytes, single: bool, only: str) -> None:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if self._months.stands(digest):
            self._came({months.FEED}, lone=True)
            return
        if not self._force and (feeds := self._writer.unchanged(digest)):
            self._came(feeds, lone=single and content.lstrip()[:1] == b"{")
            return
        count = 0
        try:
            if kev.KEY.search(content[:4096]):
                self._exploited(kev.read(content))
                return
            try:
                form = form_of(content)
            except ValueError:
                if single or name.lower().endswith(_DOCUMENTS):
                    raise
                self._report.aside["files beside them that are no advisories, by name and content"] += 1
                return
            if form == "msrc-cvrf":
                self._month(msrc_cvrf.read(content), digest)
                return
            if form == "csaf" and msrc_csaf.PUBLISHER in content:
                self._month(msrc_csaf.read(content), digest)
                return
            for advisory in read(form, content):
                count += 1
                if fault := _fault(advisory):
                    self._report.refuse(Refusal(name, fault))
                    self._broken.add(digest)
                    continue
                self._take(form, advisory, digest, lone=single and form in ("osv", "csaf"), only=only)
        except OtherDocument as e:
            if single:
                self._report.refuse(Refusal(name, str(e)))
            else:
                self._report.aside[e.kind] += 1
        except ValueError as e:
            before = f"after its first {count} advisories: " if count else ""
            self._report.refuse(Refusal(name, f"{before}{e}"))
            self._broken.add(digest)

    def _exploited(self, flaws: Mapping[str, date | None]) -> None:
        """CISA's catalog only grows: what it once had was exploited."""
        rows = [(cve_number(cve), self._writer.number, day.isoformat() if day else None) for cve, day in flaws.items()]
        before = self._db.execute("select count(*) from exploited").fetchone()[0]
        self._db.executemany("insert or ignore into exploited values (?,?,?)", rows)
        self._report.added["cisa-kev"] += self._db.execute("select count(*) from exploited").fetchone()[0] - before

    def _month(self, release: MonthlyRelease, digest: bytes) -> None:
        """A document of Microsoft's; each is published by itself, so what a folder lacks stands as it did. ValueError for one of a month that none can be of."""
        if not _FIRST_MONTH <= release.month <= self._today + timedelta(days=31):
            raise ValueError(
                f"is of {release.month:%Y-%m}; the first was of 2016-04, and this machine's clock says {self._today}"
            )
        if not self._months.take(release, digest):
            self._report.aside["an older revision of a document than stands already"] += 1
        self._came({months.FEED}, lone=True)

    def _came(self, feeds: set[str], *, lone: bool) -> None:
        """Something of these feeds was read; `lone`: one advisory by itself."""
        self.feeds |= feeds
        if lone:
            self._parts |= feeds
        else:
            self._of_this |= feeds

    def _take(self, form: Form, advisory: Advisory, digest: bytes, *, lone: bool, only: str) -> None:
        feed = feed_of(form, advisory.id)
        if feed is None or (only and feed.name != only):
            beginning = advisory.id.split("-")[0][:20]
            self._report.aside[
                f"{beginning}-… as {form}: {'not what this feed is' if only else 'no release takes its advisories from these'}"
            ] += 1
            return
        ours = _of_its_releases(advisory, feed)
        if not ours.fixes and not ours.withdrawn:
            self._report.aside[f"{feed.name}: names no package of a release that is known here"] += 1
        done = self._writer.write(feed.name, ours, digest)
        if done:
            (self._report.added if done == "added" else self._report.changed)[feed.name] += 1
        self._came({feed.name}, lone=lone)


_FIRST_MONTH = date(2016, 1, 1)  # of Microsoft's documents in these forms: 2016-04
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,80}")
_WORD = re.compile(r"[!-~]{1,256}")


def _fault(a: Advisory) -> str:
    """Why an advisory that was read cannot be one, or ""."""
    if not _ID.fullmatch(a.id):
        return f"its id is none: {a.id[:80]!r}"
    odd = next((f for f in a.fixes if not (_WORD.fullmatch(f.name) and _WORD.fullmatch(f.version))), None)
    return f"{a.id}: {odd.name[:80]!r} {odd.version[:80]!r} is no package with a version" if odd else ""


def _of_its_releases(advisory: Advisory, feed: Feed) -> Advisory:
    """Only what the feed is an authority for."""
    if all(is_for(feed, f.release) for f in advisory.fixes):
        return advisory
    return msgspec.structs.replace(advisory, fixes=tuple(f for f in advisory.fixes if is_for(feed, f.release)))
