"""What Microsoft's monthly documents together say of one Windows: its cumulative updates in their order, and what stands beside them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec.structs import replace

from auditor.advisories.feeds.windows_names import named
from auditor.model.finding import SEVERITIES
from auditor.model.monthly_release import MonthlyFix, MonthlyFlaw, MonthlyRelease
from auditor.versions.update_order import OF_A_MONTH, CumulativeUpdate, UpdateOrder, family_of, order
from auditor.versions.windows_build import Build, parse
from auditor.versions.windows_products import PRODUCTS
from auditor.versions.windows_revisions import revisions

UpdateKind = Literal["cumulative", "security-only", "hotpatch", "separate"]
_KINDS: tuple[tuple[UpdateKind, re.Pattern[str]], ...] = (
    ("hotpatch", re.compile(r"hot\s?patch", re.I)),
    ("security-only", re.compile(r"security only", re.I)),
    ("separate", re.compile(r"servicing\s?stack|setup du|standalone|\bIE\b|preview", re.I)),
    ("cumulative", re.compile(r"update|rollup|cumulative", re.I)),
)
_WINDOWS_10 = 10240  # its first build line
_ROLLUP = re.compile(r"rollup", re.I)
_WINDOWS_BUILD = re.compile(r"10\.0\.(\d{5}\.\d{1,6})|6\.[0-3]\.(\d{4}\.\d{1,6})")


class WindowsFix(NamedTuple):
    """A fix of one Windows in one document. `full`, `core`: is it for installations with a desktop, for Server Core?"""

    release: MonthlyRelease
    fix: MonthlyFix
    full: bool
    core: bool


class WindowsUpdates(NamedTuple):
    """`order`: of the cumulative updates; `beside`: the kind of every other update; `builds`: as most rows write them; `flaws`: what each update is
    said to mend; `months`: in whose document most of it stands; `replaced_by`: what of that kind takes the place of one that is
    separate; `unplaced`: those
    of which nothing tells whether they are cumulative, so small they are and so little is said of them; `corrected`: whose
    build in the documents is another than Microsoft's release information has."""

    order: UpdateOrder
    beside: dict[int, UpdateKind]
    builds: dict[int, Build]
    flaws: dict[int, frozenset[str]]
    months: dict[int, date]
    replaced_by: dict[int, frozenset[int]]
    unplaced: frozenset[int]
    corrected: dict[int, str]


def kind(subtype: str, line: int) -> UpdateKind:
    """The kind of an update by the word that the document has for it; what is of no known kind is `separate`. Before Windows 10 only
    rollups hold what came before them."""
    found: UpdateKind = next((k for k, pattern in _KINDS if pattern.search(subtype)), "separate")
    return "separate" if found == "cumulative" and line < _WINDOWS_10 and not _ROLLUP.search(subtype) else found


class WindowsDocuments:
    """What some monthly documents say, by our products. `releases`: one for each month, the oldest first."""

    def __init__(self, releases: Iterable[MonthlyRelease]) -> None:
        self.releases = merged(releases)
        self._fixes: defaultdict[str, list[WindowsFix]] = defaultdict(list)
        families: defaultdict[int, Counter[tuple[int, ...]]] = defaultdict(Counter)
        flaws: defaultdict[int, set[str]] = defaultdict(set)
        for release in self.releases:
            windows = {i: [w for n in names if (w := _named(n))] for i, names in release.products.items()}
            for fix in release.fixes:
                found: dict[str, tuple[bool, bool]] = {}
                for name in (w for p in fix.products for w in windows.get(p, ())):
                    full, core = found.get(name.product, (False, False))
                    found[name.product] = (full or not name.core, core or name.core)
                for product, (full, core) in found.items():
                    self._fixes[product].append(WindowsFix(release, fix, full, core))
                    families[fix.kb][family_of(_LINES[product])] += len(fix.cves)
                    flaws[fix.kb] |= set(fix.cves)
        # A cumulative update is of one line, or of lines that share their updates. One that stands at several is none, where it mends as little as a
        # list of Secure Boot does; else the other rows are errors.
        self._family = {
            kb: counts.most_common(1)[0][0] if len(flaws[kb]) >= OF_A_MONTH else None
            for kb, counts in families.items()
            if len(counts) > 1
        }

    @property
    def products(self) -> list[str]:
        """The Windows that any document names."""
        return sorted(self._fixes)

    def fixes(self, product: str) -> list[WindowsFix]:
        """All that is said of a product, without what is another line's by mistake."""
        own = family_of(_LINES[product])
        return [f for f in self._fixes.get(product, ()) if self._family.get(f.fix.kb, own) in (own, None)]

    def updates(self, product: str) -> WindowsUpdates:
        """The updates of one of our products. ValueError where there is no such Windows, or it has more updates than it can have."""
        line = _LINES.get(product)
        if line is None:
            raise ValueError(f"there is no Windows {product!r}")
        kinds: defaultdict[int, Counter[UpdateKind]] = defaultdict(Counter)
        mended: defaultdict[int, Counter[date]] = defaultdict(Counter)
        written: defaultdict[int, Counter[Build]] = defaultdict(Counter)
        flaws: defaultdict[int, set[str]] = defaultdict(set)
        replaced: defaultdict[int, set[int]] = defaultdict(set)
        for release, fix, _, _ in self.fixes(product):
            kinds[fix.kb][kind(fix.subtype, line)] += len(fix.cves)
            mended[fix.kb][release.month] += len(fix.cves)
            flaws[fix.kb] |= set(fix.cves)
            replaced[fix.kb] |= set(fix.supersedes)
            if m := _WINDOWS_BUILD.fullmatch(fix.build):
                written[fix.kb][parse(m[1] or m[2])] += len(fix.cves)
        information = revisions(family_of(line)[0])
        told = {kb: r for kb, r in information.items() if kb in kinds}
        usual = {kb: counts.most_common(1)[0][0] for kb, counts in kinds.items()}
        rolling = told.keys() | {kb for kb, k in usual.items() if k == "cumulative" and self._family.get(kb, ()) is not None}
        chained = {kb for kb in rolling if replaced[kb] & rolling} | {s for kb in rolling for s in replaced[kb] & rolling}
        small = {kb for kb in rolling - told.keys() if len(flaws[kb]) < OF_A_MONTH}
        said = {kb: _build(counts, line) for kb, counts in written.items()}
        # Beside an update of the month that release information has, a small one that it does not have is none.
        of_table = {month for kb in told for month in mended[kb]}
        strange = {kb for kb in small if kb < max(information, default=0) and not of_table.isdisjoint(mended[kb])}
        alone = strange | {kb for kb in small - chained if kb not in said or said[kb].line not in family_of(line)}
        builds = said | {kb: Build(line, r.revision) for kb, r in told.items()}
        updates = [
            CumulativeUpdate(kb, mended[kb], builds.get(kb), frozenset(replaced[kb]), told[kb].day if kb in told else None)
            for kb in rolling - alone
        ]
        beside: dict[int, UpdateKind] = {
            kb: "separate" if k == "cumulative" else k for kb, k in usual.items() if kb not in rolling - alone
        }
        return WindowsUpdates(
            order(updates, line, {r.month for r in self.releases}),
            beside,
            builds,
            {kb: frozenset(found) for kb, found in flaws.items()},
            {kb: min(counts, key=lambda month: (-counts[month], month)) for kb, counts in mended.items()},
            _inverse(replaced, {kb for kb, k in beside.items() if k == "separate"}),
            frozenset(alone - strange),
            {
                kb: f"build {said[kb].line}.{said[kb].revision} in the documents, {line}.{r.revision} by release information"
                for kb, r in told.items()
                if kb in said and (said[kb].revision != r.revision or said[kb].line not in family_of(line))
            },
        )


def merged(releases: Iterable[MonthlyRelease]) -> list[MonthlyRelease]:
    """One release for each month, the oldest first: some months have a second document, for what came out of band."""
    by_month: defaultdict[date, list[MonthlyRelease]] = defaultdict(list)
    for release in releases:
        by_month[release.month].append(release)
    return [_one(sorted(of, key=lambda r: r.document)) for _, of in sorted(by_month.items())]


def _one(of: list[MonthlyRelease]) -> MonthlyRelease:
    if len(of) == 1:
        return of[0]
    products: defaultdict[str, dict[str, None]] = defaultdict(dict)
    flaws: dict[str, MonthlyFlaw] = {}
    for release in of:
        for ident, names in release.products.items():
            products[ident] |= dict.fromkeys(names)
        for cve, flaw in release.flaws.items():
            other = flaws.get(cve, flaw)
            flaws[cve] = MonthlyFlaw(
                min(flaw.severity, other.severity, key=SEVERITIES.index), flaw.exploited or other.exploited
            )
    return MonthlyRelease(
        document=of[0].document,
        month=of[0].month,
        released=min((r.released for r in of if r.released), default=None),
        revised=max((r.revised for r in of if r.revised), default=None),
        products={ident: tuple(names) for ident, names in products.items()},
        fixes=tuple(fix for r in of for fix in r.fixes),
        flaws=flaws,
        unread=sum(r.unread for r in of),
    )


def of_windows(release: MonthlyRelease) -> MonthlyRelease:
    """A document without what is about no Windows of ours, which is most of it."""
    ours = {ident: names for ident, names in release.products.items() if any(_named(n) for n in names)}
    fixes = tuple(fix for fix in release.fixes if not ours.keys().isdisjoint(fix.products))
    return replace(release, products=ours, fixes=fixes)


def _inverse(replaced: Mapping[int, set[int]], among: set[int]) -> dict[int, frozenset[int]]:
    found: defaultdict[int, set[int]] = defaultdict(set)
    for kb in among:
        for older in replaced.get(kb, ()):
            found[older].add(kb)
    return {older: frozenset(newer) for older, newer in found.items()}


_LINES = {p.id: p.builds[-1] for p in PRODUCTS}
_named = lru_cache(maxsize=4096)(named)


def _build(written: Counter[Build], line: int) -> Build:
    """The build that most rows write, of the line's family where any is."""
    family = family_of(line)
    return max(written, key=lambda build: (build.line in family, written[build], build))
