"""What Microsoft's monthly documents together say of one Windows, put in order once, when they are imported."""

from __future__ import annotations

import datetime

from msgspec import Struct

from auditor.model.finding import Severity


class OrderedUpdate(Struct, frozen=True, array_like=True):
    """An update that holds all before it. `month` is the first day of the month that it belongs to; `revision` the UBR that it brings, None where
    none is known or trusted, and then `doubt` may say why. `placed`: that its place in the order is right, by its build or as its month's main
    update; `holds`: how many of the line's updates, from the first, it is sure to hold beside itself; `sure`: that it is of its month, and of no
    other one of which there is no document."""

    kb: int
    month: datetime.date
    revision: int | None = None
    doubt: str = ""
    placed: bool = True
    holds: int = 0
    sure: bool = True


class StandIn(Struct, frozen=True, array_like=True):
    """An update that stands for the one at `level` in the line's order, and holds what that one does (-1: none of them). A hotpatch needs no restart and has
    a lower UBR than the cumulative update that it stands for."""

    kb: int
    revision: int | None
    level: int


class MonthFix(Struct, frozen=True, array_like=True):
    """Flaws that are mended by the same updates. `level`: the place in the line's order from which on they are mended, None where no cumulative
    update mends them; `sure`: that they can be missing, and do not belong to a month of which there is no document; `alone`: updates any of which mends
    them by being listed. `severity` is the gravest; `exploited`: those that were attacked."""

    level: int | None
    sure: bool
    alone: tuple[int, ...]
    cves: tuple[str, ...]
    severity: Severity
    exploited: tuple[str, ...] = ()


class UpdateMonth(Struct, frozen=True, array_like=True):
    """A month's updates of one Windows. `month` is its first day, `released` the day on which they came."""

    month: datetime.date
    released: datetime.date | None
    fixes: tuple[MonthFix, ...]

    @property
    def ident(self) -> str:
        """The id of the monthly release, as `MSRC-2026-Mar`."""
        return ident(self.month)


class UpdateLine(Struct, frozen=True, array_like=True):
    """One Windows, by its product id. `updates`: the oldest first; `hotpatches`, and `others` such as previews, stand for them; `beside`: what mends flaws by being listed alone, and in no cumulative update;
    `gaps`: months of which neither a document nor release information is known; `documents`: months whose document has the updates of any Windows; `newest`:
    the last month of which there is any document; `told`: the day of its last revision. `known`: the
    numbers of all updates that any document names, for any product."""

    product: str
    line: int
    updates: tuple[OrderedUpdate, ...]
    hotpatches: tuple[StandIn, ...]
    others: tuple[StandIn, ...]
    months: tuple[UpdateMonth, ...]
    beside: tuple[UpdateMonth, ...]
    gaps: tuple[datetime.date, ...]
    newest: datetime.date
    told: datetime.date | None
    documents: tuple[datetime.date, ...] = ()
    unplaced: tuple[int, ...] = ()
    known: frozenset[int] = frozenset()


# On build line 26100 the updates of Windows Server have UBRs from here on since 2026-01 (KB5073379), while Windows 11's went on below.
SERVER_SERIES = 30_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def ident(month: datetime.date) -> str:
    """The id of a monthly release, in the words of its document."""
    return f"MSRC-{month.year}-{_MONTHS[month.month - 1]}"


def second_tuesday(month: datetime.date) -> datetime.date:
    """The day of a month on which Microsoft publishes its updates."""
    first = month.replace(day=1)
    return first + datetime.timedelta(days=(1 - first.weekday()) % 7 + 7)


def last_release(today: datetime.date) -> datetime.date:
    """The last such day that is over, as a month's first day: what came today may not be published everywhere yet."""
    month = today.replace(day=1)
    return month if second_tuesday(month) < today else (month - datetime.timedelta(days=1)).replace(day=1)


def month_of(name: str) -> datetime.date | None:
    """The month of a monthly release's id; None for any other rule's."""
    prefix, _, rest = name.partition("-")
    year, _, month = rest.partition("-")
    if prefix != "MSRC" or month not in _MONTHS or not year.isdecimal():
        return None
    return datetime.date(int(year), _MONTHS.index(month) + 1, 1)
