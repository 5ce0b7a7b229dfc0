"""What Microsoft's monthly documents together say of one Windows: its cumulative updates in their order, and what stands beside them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple

from auditor.advisories.feeds.windows_names import named
from auditor.model.monthly_release import MonthlyFix, MonthlyRelease
from auditor.versions.update_order import FAMILIES, CumulativeUpdate, UpdateOrder, order
from auditor.versions.windows_build import Build, parse
from auditor.versions.windows_products import PRODUCTS

UpdateKind = Literal["cumulative", "security-only", "hotpatch", "separate"]
_KINDS: tuple[tuple[UpdateKind, re.Pattern[str]], ...] = (
    ("hotpatch", re.compile(r"hot\s?patch", re.I)),
    ("security-only", re.compile(r"security only", re.I)),
    ("separate", re.compile(r"servicing\s?stack|setup du|standalone|\bIE\b|preview", re.I)),
    ("cumulative", re.compile(r"update|rollup|cumulative", re.I)),
)
# Servicing stacks, Secure Boot's lists and the like are called "Security Update", too. They mend a flaw or three and stand in no chain; the
# smallest cumulative update without a predecessor or successor in the documents of 2016 to 2026 mends ten.
_OF_A_MONTH = 10
_WINDOWS_10 = 10240  # its first build line
_ROLLUP = re.compile(r"rollup", re.I)
_WINDOWS_BUILD = re.compile(r"10\.0\.(\d{5}\.\d{1,6})|6\.[0-3]\.(\d{4}\.\d{1,6})")


class WindowsUpdates(NamedTuple):
    """`order`: of the cumulative updates; `beside`: the kind of every other update; `builds`: as most rows write them; `flaws`: what each update is
    said to mend."""

    order: UpdateOrder
    beside: dict[int, UpdateKind]
    builds: dict[int, Build]
    flaws: dict[int, frozenset[str]]


def kind(subtype: str, line: int) -> UpdateKind:
    """The kind of an update by the word that the document has for it; what is of no known kind is `separate`. Before Windows 10 only
    rollups hold what came before them."""
    found: UpdateKind = next((k for k, pattern in _KINDS if pattern.search(subtype)), "separate")
    return "separate" if found == "cumulative" and line < _WINDOWS_10 and not _ROLLUP.search(subtype) else found


def of_product(releases: Iterable[MonthlyRelease], product: str) -> WindowsUpdates:
    """All that the documents say of the updates of one of our products. ValueError where it has no build, or more updates than it can have."""
    line = next((p.builds[-1] for p in PRODUCTS if p.id == product), None)
    if line is None:
        raise ValueError(f"there is no Windows {product!r}")
    kinds: defaultdict[int, Counter[UpdateKind]] = defaultdict(Counter)
    mended: defaultdict[int, Counter[date]] = defaultdict(Counter)
    written: defaultdict[int, Counter[Build]] = defaultdict(Counter)
    flaws: defaultdict[int, set[str]] = defaultdict(set)
    replaced: defaultdict[int, set[int]] = defaultdict(set)
    months = set()
    for release in releases:
        months.add(release.month)
        for fix in _of_product(release, product):
            kinds[fix.kb][kind(fix.subtype, line)] += len(fix.cves)
            mended[fix.kb][release.month] += len(fix.cves)
            flaws[fix.kb] |= set(fix.cves)
            replaced[fix.kb] |= set(fix.supersedes)
            if m := _WINDOWS_BUILD.fullmatch(fix.build):
                written[fix.kb][parse(m[1] or m[2])] += len(fix.cves)
    usual = {kb: counts.most_common(1)[0][0] for kb, counts in kinds.items()}
    rolling = {kb for kb, k in usual.items() if k == "cumulative"}
    chained = {kb for kb in rolling if replaced[kb] & rolling} | {s for kb in rolling for s in replaced[kb] & rolling}
    alone = {kb for kb in rolling - chained if len(flaws[kb]) < _OF_A_MONTH}
    builds = {kb: _build(counts, line) for kb, counts in written.items()}
    updates = [CumulativeUpdate(kb, mended[kb], builds.get(kb), frozenset(replaced[kb])) for kb in rolling - alone]
    beside: dict[int, UpdateKind] = {
        kb: "separate" if kb in alone else k for kb, k in usual.items() if kb not in rolling - alone
    }
    return WindowsUpdates(order(updates, line, months), beside, builds, {kb: frozenset(found) for kb, found in flaws.items()})


def _build(written: Counter[Build], line: int) -> Build:
    """The build that most rows write, of the line's family where any is."""
    family = next((f for f in FAMILIES if line in f), (line,))
    return max(written, key=lambda build: (build.line in family, written[build], build))


def _of_product(release: MonthlyRelease, product: str) -> Iterable[MonthlyFix]:
    ids = {ident for ident, names in release.products.items() if any((w := named(n)) and w.product == product for n in names)}
    return (fix for fix in release.fixes if not ids.isdisjoint(fix.products))
