"""Microsoft's monthly documents in the advisory database: each as it was read, and of each Windows what follows from all of them.

A document stands until a later revision of its month comes; none is ever closed because a folder lacks it, since each month is published by itself.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import sys
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Literal, NamedTuple

import msgspec

from auditor.advisories.database.writing import AdvisoryWriter
from auditor.advisories.feeds.application_lines import application_lines, of_products
from auditor.advisories.feeds.update_lines import update_lines
from auditor.advisories.feeds.windows_names import named
from auditor.advisories.feeds.windows_updates import merged, of_windows
from auditor.errors import UsageFault
from auditor.model.advisory import Advisory, FixedPackage
from auditor.model.finding import SEVERITIES, Severity
from auditor.model.monthly_release import MonthlyRelease
from auditor.model.update_line import ident
from auditor.versions.windows_revisions import all_numbers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FEED = "msrc-cvrf"
ALL = ""  # in the table `lines`: the numbers of all updates that any document names
_encode = msgspec.msgpack.Encoder().encode
_decode_release = msgspec.msgpack.Decoder(MonthlyRelease).decode
_VERSION = re.compile(r"[\d.]{3,30}")
_PAGE = "https://msrc.microsoft.com/update-guide/releaseNote/"


class _Standing(NamedTuple):
    since: int
    revised: str
    fixes: int
    document: bytes


class MonthWriter:
    """The months of one import, within its caller's transaction."""

    def __init__(self, db: sqlite3.Connection, number: int, force: bool) -> None:
        self._db, self._import, self._force = db, number, force
        rows = db.execute("select name, since, revised, fixes, document from months where until is null")
        self._standing = {name: _Standing(since, revised or "", n, doc) for name, since, revised, n, doc in rows}
        self._documents_standing = {s.document for s in self._standing.values()}
        self._changed = set[date]()

    def stands(self, document: bytes) -> bool:
        """Is a document one that stands, and need not be read again?"""
        return not self._force and document in self._documents_standing

    def take(self, release: MonthlyRelease, document: bytes) -> bool:
        """Store a document; False where a later revision of it stands. ValueError where it has lost half of its fixes, unless the import is forced."""
        name, revised, count = release.document.upper() or ident(release.month), str(release.revised or ""), len(release.fixes)
        before = self._standing.get(name)
        if before and revised < before.revised and not (self._force and before.since < self._import):
            return False
        if before and count < before.fixes / 2 and not self._force:
            raise ValueError(
                f"{name} would shrink from {before.fixes:,} to {count:,} fixes; was it all of it? --force takes it"
            )
        self._db.execute("delete from months where name=? and since=?", (name, self._import))
        self._db.execute("update months set until=? where name=? and until is null", (self._import, name))
        row = (
            name,
            release.month.isoformat(),
            self._import,
            None,
            revised or None,
            count,
            document,
            zstd.compress(_encode(release)),
        )
        self._db.execute("insert into months values (?,?,?,?,?,?,?,?)", row)
        self._documents_standing.discard(before.document if before else b"")
        self._documents_standing.add(document)
        self._standing[name] = _Standing(self._import, revised, count, document)
        self._changed.add(release.month)
        return True

    def finish(self, writer: AdvisoryWriter) -> Iterator[tuple[str, Literal["added", "changed"]]]:
        """Write the advisories of the months that came, and what follows from all of them; by the feed, what was added or changed."""
        if not self._changed:
            return
        parts, products, numbers = [], [], set(all_numbers())
        for month, several in groupby(self._documents(), key=lambda r: r.month):
            (release,) = merged(several)
            numbers |= _known(release)
            part = of_windows(release)
            parts.append(part)
            products.append(of_products(release))
            if month in self._changed:
                made = advisory(part)
                digest = hashlib.blake2b(_encode(made), digest_size=16).digest()
                if done := writer.write(FEED, made, digest):
                    yield FEED, done
        try:
            made_lines = {line.product: _encode(line) for line in update_lines(parts)} | {ALL: _encode(sorted(numbers))}
        except ValueError as e:
            raise UsageFault(f"Microsoft's documents cannot be put in order: {e}; nothing was changed") from None
        made_lines |= {line.product: _encode(line) for line in application_lines([p for p in products if p])}
        standing = dict(self._db.execute("select product, digest from lines where until is null"))
        for product in standing.keys() - made_lines.keys():
            self._close(product)
        for product, body in made_lines.items():
            digest = hashlib.blake2b(body, digest_size=16).digest()
            if standing.get(product) != digest:
                self._close(product)
                row = (product, self._import, None, digest, zstd.compress(body))
                self._db.execute("insert into lines values (?,?,?,?,?)", row)

    def _documents(self) -> Iterator[MonthlyRelease]:
        for (name,) in self._db.execute("select name from months where until is null order by month, name").fetchall():
            (body,) = self._db.execute("select body from months where name=? and until is null", (name,)).fetchone()
            yield _decode_release(zstd.decompress(body))

    def _close(self, product: str) -> None:
        self._db.execute("update lines set until=? where product=? and until is null", (self._import, product))


def _known(release: MonthlyRelease) -> set[int]:
    """The updates of which it is known what they are for. What only stands at a part of Windows ("Internet Explorer 11 on Windows 7") may be a cumulative
    update of that Windows all the same."""
    parts = {ident for ident, names in release.products.items() if all(" on Windows " in name for name in names)}
    return {fix.kb for fix in release.fixes if fix.kb and not parts.issuperset(fix.products)}


def advisory(release: MonthlyRelease) -> Advisory:
    """A month as an advisory, for `show`: what it fixes in which Windows, and of which flaws."""
    windows = {p: w.product for p, names in release.products.items() for n in names if (w := named(n))}
    fixes: dict[FixedPackage, None] = {}
    for fix in release.fixes:
        build = fix.build if _VERSION.fullmatch(fix.build) else "-"
        for product in sorted({windows[p] for p in fix.products if p in windows}):
            fixes[FixedPackage(product, f"KB{fix.kb}", build)] = None
    severity: Severity = min((f.severity for f in release.flaws.values()), key=SEVERITIES.index, default="unrated")
    name = ident(release.month)
    return Advisory(
        id=name,
        severity=severity,
        published=release.released,
        modified=release.revised,
        title=f"Microsoft's updates of {release.month:%B %Y}",
        cves=tuple(sorted(c for c in release.flaws if c.startswith("CVE-"))),
        references=(f"{_PAGE}{name.removeprefix('MSRC-')}",),
        fixes=tuple(fixes),
    )
