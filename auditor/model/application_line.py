"""What Microsoft's monthly documents say of one of its products that tells its level by a build of four numbers (SQL Server, Exchange Server)."""

from __future__ import annotations

import datetime

from msgspec import Struct

from auditor.model.finding import Severity

Version = tuple[int, ...]


class ApplicationFix(Struct, frozen=True, array_like=True):
    """Flaws that are mended from a build on, within its branch."""

    build: Version
    kb: int
    cves: tuple[str, ...]
    severity: Severity
    exploited: tuple[str, ...] = ()


class ApplicationMonth(Struct, frozen=True, array_like=True):
    """`month` is its first day. `doubtful`: a row names one branch and has the build of another, so that no build of a branch may be concluded from its
    absence."""

    month: datetime.date
    released: datetime.date | None
    fixes: tuple[ApplicationFix, ...]
    doubtful: bool = False


class ApplicationLine(Struct, frozen=True, array_like=True):
    """`product`: our id, as `sql-server-2019`; `months`: the oldest first, and only those that name builds."""

    product: str
    months: tuple[ApplicationMonth, ...]
    newest: datetime.date
    told: datetime.date | None
