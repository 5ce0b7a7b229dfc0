"""Reading the advisory database as of one import: the fixes of a package's name, and an advisory's own words."""

from __future__ import annotations

import json
import sqlite3
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from auditor.advisories.database import months, schema
from auditor.advisories.database.writing import AdvisoryText
from auditor.advisories.feeds.authority import BY_NAME, chosen
from auditor.errors import UsageFault
from auditor.model.advisory import Kind
from auditor.model.application_line import ApplicationLine
from auditor.model.finding import Severity
from auditor.model.monthly_release import MonthlyRelease
from auditor.model.update_line import UpdateLine

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

T = TypeVar("T")
APPLICATIONS = ("sql-server-", "exchange-", "edge")  # what the ids of products with builds of their own begin with
_decode_text = msgspec.msgpack.Decoder(AdvisoryText).decode


class StoredFix(Struct, frozen=True):
    """`key` is None where `version` is no version."""

    advisory: str
    key: bytes | None
    version: str
    arch: str
    module: str
    security: bool


class NameFixes:
    """The fixes of a release for one name, older versions first. `plain`: they are for every architecture, and no module's.
    `advisories`: all that name it, `security` those about flaws."""

    __slots__ = ("_keys", "_newer", "_once", "advisories", "fixes", "plain", "security")

    def __init__(self, fixes: list[StoredFix]) -> None:
        self.fixes = tuple(fixes)
        self._keys = [f.key or b"" for f in fixes]  # what is no version stands first
        self.plain = not any(f.arch or f.module for f in fixes)
        self.advisories = frozenset([f.advisory for f in fixes])
        self.security = frozenset([f.advisory for f in fixes if f.security])
        self._once = len(self.advisories) == len(fixes)
        self._newer: dict[bytes, tuple[StoredFix, ...]] = {}

    def newer_than(self, lowest: bytes) -> tuple[StoredFix, ...]:
        """The fixes that a version does not have, what is no version among them; of an advisory with two builds both."""
        known = self._newer.get(lowest)
        if known is None:
            unread = bisect_right(self._keys, b"")
            known = self.fixes[:unread] + self.fixes[max(unread, bisect_right(self._keys, lowest)) :]
            if known and not self._once:
                idents = {f.advisory for f in known}
                known = tuple(f for f in self.fixes if f.advisory in idents)
            if len(self._newer) < _MOST_VERSIONS:
                self._newer[lowest] = known
        return known


_MOST_VERSIONS = 50  # of one name, that are remembered; the hosts of a fleet have few


class Stored(Struct, frozen=True, kw_only=True):
    """An advisory as it stands; of several documents of one id, the texts of the newest."""

    id: str
    feed: str
    kind: Kind
    severity: Severity
    published: date | None
    modified: date | None
    title: str
    vendor_severity: str
    references: tuple[str, ...]
    cves: tuple[str, ...]


class Covered(Struct, frozen=True):
    """How a feed covers a release."""

    feed: str
    release: str
    since: date | None
    as_of: date | None
    advisories: int
    whole: bool


class AdvisoryIndex:
    """One database as of one import. Not for several threads or processes: each opens its own."""

    def __init__(self, path: Path, as_of: str | None = None, number: int | None = None) -> None:
        """`as_of`: a moment (ISO 8601); what was imported until then counts. `number`: that import. UsageFault where the file is none,
        or has nothing."""
        self._path, self._db = path, schema.open_for_reading(path)
        row = next(
            self._ask(
                "select n, digest from imports where (? is null or at<=?) and (? is null or n=?) and digest<>'' order by n desc limit 1",
                (as_of, as_of, number, number),
            ),
            None,
        )
        if row is None:
            raise UsageFault(
                f"the advisory database {path} holds nothing{f' of {as_of} or before' if as_of else ''}; see `auditor advisories import`"
            )
        self.number: int = row[0]
        self.digest: str = row[1]
        self._fixes: dict[tuple[str, str], NameFixes | None] = {}
        self._stored: dict[str, Stored] = {}
        self._coverage: list[Covered] | None = None
        self._lines: dict[str, UpdateLine | None] = {}
        self._application_lines: dict[str, ApplicationLine | None] = {}
        self._exploited: frozenset[int] | None = None
        self._known: frozenset[int] | None = None
        self._covering: dict[str, list[Covered]] = {}

    def _ask(self, question: str, given: Iterable[object] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(question, tuple(given)).fetchall()
        except sqlite3.Error as e:
            raise UsageFault(
                f"the advisory database {self._path} is damaged: {e}; make it anew from the feeds, under another name"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def coverage(self) -> list[Covered]:
        """Every feed of every release, as of the import."""
        rows = self._ask(
            "select f.name, r.name, c.since, c.as_of, c.advisories, c.whole from coverage c join feeds f on f.n=c.feed join releases r on r.n=c.release"
            " where c.import=(select max(import) from coverage where feed=c.feed and release=c.release and import<=?) order by 2, 1",
            (self.number,),
        )
        return [
            Covered(feed, release, _day(since), _day(told), count, bool(whole))
            for feed, release, since, told, count, whole in rows
        ]

    def fixes(self, release: str, names: Iterable[str]) -> dict[str, NameFixes]:
        """By name, the fixes of a release; the names that have none are left out."""
        wanted = [n for n in set(names) if (release, n) not in self._fixes]
        if wanted:
            found: dict[str, list[StoredFix]] = {}
            rows = self._ask(_FIXES, (json.dumps(wanted), release, json.dumps(self._feeds(release)), self.number, self.number))
            for name, *fix in rows:
                found.setdefault(name, []).append(StoredFix(*fix))
            self._fixes |= {(release, name): NameFixes(found[name]) if name in found else None for name in wanted}
        return {n: known for n in names if (known := self._fixes[release, n]) is not None}

    def _feeds(self, release: str) -> tuple[str, ...]:
        return chosen([c.feed for c in self._covered() if c.release == release and c.feed in BY_NAME])

    def _covered(self) -> list[Covered]:
        if self._coverage is None:
            self._coverage = self.coverage()
        return self._coverage

    def covering(self, release: str) -> list[Covered]:
        """The feeds that are asked about a release."""
        if release not in self._covering:
            feeds = self._feeds(release)
            self._covering[release] = [c for c in self._covered() if c.release == release and c.feed in feeds]
        return self._covering[release]

    def line(self, product: str) -> UpdateLine | None:
        """The updates of a Windows; None where no monthly document is about it."""
        if not product.startswith("windows-"):
            return None
        if product not in self._lines:
            line = self._stored_line(product, UpdateLine)
            self._lines[product] = line and replace(line, known=self._numbers().difference(line.unplaced))
        return self._lines[product]

    def application_line(self, product: str) -> ApplicationLine | None:
        """The updates of another product; None where no monthly document has a build of it."""
        if not product.startswith(APPLICATIONS):
            return None
        if product not in self._application_lines:
            self._application_lines[product] = self._stored_line(product, ApplicationLine)
        return self._application_lines[product]

    def exploited(self) -> frozenset[int]:
        """The flaws, by number, that CISA's catalog calls exploited."""
        if self._exploited is None:
            self._exploited = frozenset(n for (n,) in self._ask("select cve from exploited where since<=?", (self.number,)))
        return self._exploited

    def lines(self) -> Iterator[UpdateLine]:
        """The updates of every Windows."""
        for (body,) in self._ask("select body from lines where product like 'windows-%' and since<=? and (until is null or until>?) order by product",
                                 (self.number, self.number)):  # fmt: skip
            yield msgspec.msgpack.decode(zstd.decompress(body), type=UpdateLine)

    def months(self) -> Iterator[MonthlyRelease]:
        """Microsoft's monthly documents, the oldest first."""
        for (body,) in self._ask("select body from months where since<=? and (until is null or until>?) order by month, name",
                                 (self.number, self.number)):  # fmt: skip
            yield msgspec.msgpack.decode(zstd.decompress(body), type=MonthlyRelease)

    def _numbers(self) -> frozenset[int]:
        """The numbers of all updates that any monthly document names."""
        if self._known is None:
            self._known = self._stored_line(months.ALL, frozenset[int]) or frozenset()
        return self._known

    def _stored_line(self, product: str, type_: type[T]) -> T | None:
        question = "select body from lines where product=? and since<=? and (until is null or until>?)"
        row = next(self._ask(question, (product, self.number, self.number)), None)
        return None if row is None else msgspec.msgpack.decode(zstd.decompress(row[0]), type=type_)

    def advisories(self, idents: Iterable[str]) -> dict[str, Stored]:
        """Advisories by their ids."""
        wanted = [i for i in set(idents) if i not in self._stored]
        if wanted:
            rows = self._ask(_ADVISORIES, (json.dumps(wanted), self.number, self.number))
            for ident, feed, kind, severity, published, modified, body in rows:
                text = _decode_text(zstd.decompress(body))
                self._stored[ident] = Stored(
                    id=ident, feed=feed, kind=kind, severity=severity, published=_day(published), modified=_day(modified),
                    title=text.title, vendor_severity=text.vendor_severity, references=text.references, cves=text.cves,
                )  # fmt: skip
        return {i: self._stored[i] for i in idents if i in self._stored}

    def fixes_of(self, ident: str) -> list[tuple[str, str, str, str, str]]:
        """Release, name, version, architectures and modules of each fix of an advisory, for people."""
        return [(r, n, v, a, m) for r, n, v, a, m in self._ask(_FIXES_OF, (ident, self.number, self.number))]

    def of_cve(self, number: int) -> list[str]:
        """The advisories about a CVE (its number as `cve_number` has it)."""
        rows = self._ask(f"select distinct id from cves join advisories a on a.n=advisory where cve=? and {_STANDS} order by id",
                                (number, self.number, self.number))  # fmt: skip
        return [ident for (ident,) in rows]

    def idents(self) -> list[str]:
        """Every advisory's id."""
        rows = self._ask(f"select distinct id from advisories a where {_STANDS} order by id", (self.number, self.number))
        return [ident for (ident,) in rows]


_STANDS = "a.since<=? and (a.until is null or a.until>?)"
_FIXES = f"""
select names.name, a.id, v.key, v.text, arch.text, module.text, a.kind='security'
from json_each(?) wanted cross join names on names.name=wanted.value
    cross join fixes on fixes.name=names.n and fixes.release=(select n from releases where name=?)
    join advisories a on a.n=fixes.advisory join versions v on v.n=fixes.version
    join words arch on arch.n=fixes.arch join words module on module.n=fixes.module
where a.feed in (select n from feeds where name in (select value from json_each(?))) and {_STANDS} order by v.key"""
_ADVISORIES = f"""
select a.id, feeds.name, a.kind, a.severity, a.published, a.modified, t.body
from json_each(?) wanted join advisories a on a.id=wanted.value join feeds on feeds.n=a.feed join texts t on t.advisory=a.n
where {_STANDS} order by a.modified, a.n"""
_FIXES_OF = f"""
select r.name, names.name, v.text, arch.text, module.text from advisories a join fixes on fixes.advisory=a.n join releases r on r.n=fixes.release
    join names on names.n=fixes.name join versions v on v.n=fixes.version join words arch on arch.n=fixes.arch join words module on module.n=fixes.module
where a.id=? and {_STANDS} order by 1, 2, 3"""


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
