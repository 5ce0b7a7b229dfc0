"""SQL Server, Exchange Server and Edge in Microsoft's monthly documents: which builds mend what, by month.

Rows name a branch ("GDR", "CU 22", "Cumulative Update 14") beside a build, and sometimes that of another branch. The build is what a host can be held
against; for Exchange, whose third number is its cumulative update's, a row that contradicts what most rows say is left out and makes its month doubtful.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

from msgspec.structs import replace

from auditor.advisories.feeds.msrc_cvrf import EDGE
from auditor.model.application_line import ApplicationFix, ApplicationLine, ApplicationMonth, Version
from auditor.model.finding import SEVERITIES
from auditor.model.monthly_release import MonthlyFlaw, MonthlyRelease

_SQL = re.compile(r"Microsoft SQL Server (20\d\d)(?: R2)?\b.*", re.I)
_EXCHANGE = re.compile(
    r"Microsoft Exchange Server (20\d\d|Subscription Edition)(?: .*?)?(?:Cumulative Update (\d{1,2}))?", re.I
)
_BUILD = re.compile(r"\d{1,3}(?:\.\d{1,5}){3}")
_NO_FLAW = MonthlyFlaw("unrated", False)


@lru_cache(maxsize=8192)
def product_of(name: str) -> tuple[str, str] | None:
    """Our product id and the cumulative update that a document's name tells, "" for none; None where it is another product."""
    if name == EDGE:
        return "edge", ""
    if m := _SQL.fullmatch(name):
        return (f"sql-server-{m[1]}", "") if " R2" not in name else None
    if m := _EXCHANGE.fullmatch(name):
        return f"exchange-{m[1] if m[1].isdecimal() else 'se'}", m[2] or ""
    return None


def of_products(release: MonthlyRelease) -> MonthlyRelease | None:
    """A document without what is about other products than these; None where nothing is left."""
    ours = {ident: names for ident, names in release.products.items() if any(product_of(n) for n in names)}
    fixes = tuple(f for f in release.fixes if not ours.keys().isdisjoint(f.products) and _BUILD.fullmatch(f.build))
    return replace(release, products=ours, fixes=fixes) if fixes else None


def application_lines(releases: Iterable[MonthlyRelease]) -> Iterator[ApplicationLine]:
    """The line of every such product that the documents name with a build."""
    rows: defaultdict[str, list[tuple[MonthlyRelease, str, Version, int, tuple[str, ...]]]] = defaultdict(list)
    newest, told = date.min, None
    for release in sorted(releases, key=lambda r: r.month):
        newest, told = release.month, release.revised
        for fix in release.fixes:
            build = tuple(map(int, fix.build.split(".")))
            for product, update in sorted(
                {p for i in fix.products for n in release.products.get(i, ()) if (p := product_of(n))}
            ):
                rows[product].append((release, update, build, fix.kb, fix.cves))
    for product, of in sorted(rows.items()):
        yield ApplicationLine(product, tuple(_months(of)), newest, told)


def _months(rows: list[tuple[MonthlyRelease, str, Version, int, tuple[str, ...]]]) -> Iterator[ApplicationMonth]:
    usual: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for _, update, build, _, _ in rows:
        usual[build[2]][update] += 1
    by_month: defaultdict[date, list[tuple[MonthlyRelease, str, Version, int, tuple[str, ...]]]] = defaultdict(list)
    for row in rows:
        by_month[row[0].month].append(row)
    for month, of in sorted(by_month.items()):
        release, doubtful = of[0][0], False
        found: defaultdict[tuple[Version, int], dict[str, None]] = defaultdict(dict)
        for _, update, build, kb, cves in of:
            if update != usual[build[2]].most_common(1)[0][0]:
                doubtful = True
            else:
                found[build, kb] |= dict.fromkeys(cves)
        fixes = []
        for (build, kb), mended in sorted(found.items()):
            flaws = {c: release.flaws.get(c, _NO_FLAW) for c in mended}
            severity = min((f.severity for f in flaws.values()), key=SEVERITIES.index)
            fixes.append(
                ApplicationFix(
                    build, kb, tuple(sorted(flaws)), severity, tuple(sorted(c for c, f in flaws.items() if f.exploited))
                )
            )
        yield ApplicationMonth(month, release.released, tuple(fixes), doubtful)
