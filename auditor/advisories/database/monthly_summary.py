"""What there is of Microsoft's monthly documents: from when to when, what is missing, what of it is not believed, and what nobody here reads."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec import Struct

from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.feeds.windows_names import named


class MonthlySummary(Struct, frozen=True, kw_only=True):
    """`first` and `newest` are first days of months; `missing`: months between them without a document; `distrusted`: by the number of an update, why its
    build in the documents is not used; `unread`: names of products that nothing here judges."""

    documents: int
    first: date
    newest: date
    missing: tuple[date, ...]
    distrusted: dict[str, str]
    unread: tuple[str, ...]


def summary(index: AdvisoryIndex) -> MonthlySummary | None:
    """None where there is no such document."""
    months, count, unread = set[date](), 0, set[str]()
    for release in index.months():
        count += 1
        months.add(release.month)
        unread.update(name for names in release.products.values() for name in names if named(name) is None)
    if not months:
        return None
    distrusted = {f"KB{u.kb}": u.doubt for line in index.lines() for u in line.updates if u.doubt}
    first, newest = min(months), max(months)
    between, month = [], first
    while month < newest:
        if month not in months:
            between.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    return MonthlySummary(
        documents=count, first=first, newest=newest, missing=tuple(between), distrusted=distrusted, unread=tuple(sorted(unread))
    )


def ranges(months: tuple[date, ...]) -> str:
    """Months as people write them: `2020-03, 2024-07 to 2024-12`."""
    runs: list[list[date]] = []
    for month in months:
        if runs and (runs[-1][-1] + timedelta(days=32)).replace(day=1) == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(f"{r[0]:%Y-%m}" + (f" to {r[-1]:%Y-%m}" if len(r) > 1 else "") for r in runs)
