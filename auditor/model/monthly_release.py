"""A month of Microsoft's security updates, as its document tells it; nothing is ordered or trusted yet."""

from __future__ import annotations

import datetime

from msgspec import Struct

from auditor.model.finding import Severity


class MonthlyFix(Struct, frozen=True):
    """One update for some products: what the document says once or many times. `kb` is its number, 0 for Edge's, which have none; `build` the fixed build as written, which
    may be prose; `supersedes` the numbers of updates that it takes the place of, as far as they are numbers; `subtype` as written
    ("Security Update", "Monthly Rollup", "Security Only"); `cves` what it mends."""

    kb: int
    products: tuple[str, ...]
    build: str
    supersedes: tuple[int, ...]
    subtype: str
    cves: tuple[str, ...]


class MonthlyFlaw(Struct, frozen=True):
    """A CVE of the month, with its gravest severity on any product, and whether attacks were seen when the document was revised."""

    severity: Severity
    exploited: bool


class MonthlyRelease(Struct, frozen=True, kw_only=True):
    """`document` is its id as written ("2022-Mar", "2017-May-B", "Oct-OOB"), since a month may have several; `month` is its first day; `released` when the document first came, `revised` its last revision. `products`: the names of each product
    id, which may be several; `unread`: fixes without an update's number (links, packages of other systems)."""

    document: str
    month: datetime.date
    released: datetime.date | None
    revised: datetime.date | None
    products: dict[str, tuple[str, ...]]
    fixes: tuple[MonthlyFix, ...]
    flaws: dict[str, MonthlyFlaw]
    unread: int = 0
