"""In which order the cumulative updates of one Windows build line came, from what Microsoft's monthly documents say of them.

What the documents say is wrong in places: builds of a sibling line, digits swapped, updates repeated in documents of other months. The
build decides, where it is of the line and fits between its neighbours; an update without a trusted build stands behind what
it takes the place of, else by its month. Months of which no document is known are gaps, and nothing is ordered across one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import NamedTuple

from auditor.versions.windows_build import Build


class CumulativeUpdate(NamedTuple):
    """`mended`: by the first day of a document's month, how many flaws that document says it mends. `build` as the documents have it, None
    where they have none (before 2021); `day`: when it came, where Microsoft's release information tells it, and then the build is from there too."""

    kb: int
    mended: Mapping[date, int]
    build: Build | None = None
    supersedes: frozenset[int] = frozenset()
    day: date | None = None

    @property
    def month(self) -> date:
        """That of its day, else the month whose document has most of its flaws, the earlier of equals: others repeat some, years before or after."""
        if self.day:
            return self.day.replace(day=1)
        return min(self.mended, key=lambda month: (-self.mended[month], month))


class UpdateOrder(NamedTuple):
    """`updates`, the oldest first; `months`: in which each came; `distrusted`: whose build is not used, and why; `gaps`: months between the
    first and the last document of which there is none."""

    updates: tuple[CumulativeUpdate, ...]
    months: dict[int, date]
    distrusted: dict[int, str]
    gaps: tuple[date, ...]

    def after(self, kb: int) -> tuple[CumulativeUpdate, ...] | None:
        """The updates that came after one; None where that is not known: it is not among them, or months are missing in between."""
        at = next((n for n, u in enumerate(self.updates) if u.kb == kb), None)
        if at is None or any(gap >= self.months[kb] for gap in self.gaps):
            return None
        return self.updates[at + 1 :]


# Lines whose updates are the same, with the same revisions: an enablement package makes one of the other.
# learn.microsoft.com/windows/release-health/release-information and windows11-release-information
FAMILIES = ((18362, 18363), (19041, 19042, 19043, 19044, 19045), (22621, 22631), (26100, 26200))


def family_of(line: int) -> tuple[int, ...]:
    """The lines that share a line's updates, itself among them."""
    return next((f for f in FAMILIES if line in f), (line,))


# Flaws: the smallest cumulative update of a month, of the documents of 2016 to 2026, mends ten. Servicing stacks, Secure Boot's lists, and what a
# document repeats of another month mend one to four.
OF_A_MONTH = 10
_MOST = 5_000  # updates of one line, which gets some fifteen a year


def order(updates: Iterable[CumulativeUpdate], line: int, documents: Collection[date]) -> UpdateOrder:
    """The order of the updates of a build line; `documents` are the first days of the months of which a document is known. ValueError where there are
    more updates than any line can have."""
    family = family_of(line)
    by_kb = {u.kb: u for u in sorted(updates, key=lambda u: u.kb)}
    if len(by_kb) > _MOST:
        raise ValueError(f"build line {line} has {len(by_kb):,} updates, more than {_MOST:,}")
    months = _months(by_kb)
    found = sorted(by_kb.values(), key=lambda u: (months[u.kb], u.build.revision or 0 if u.build else 0, u.kb))
    distrusted = {
        u.kb: f"build {u.build.line}.{u.build.revision} is of line {u.build.line}, not {line}"
        for u in found
        if u.build and u.build.line not in family
    }
    built = [u for u in found if u.kb not in distrusted and _revision(u) is not None]
    times = Counter(_revision(u) for u in built)
    for u in built:
        if times[_revision(u)] > 1 and u.build and not u.day:
            distrusted[u.kb] = f"build {u.build.line}.{u.build.revision} is that of another update, too"
    built = [u for u in built if u.kb not in distrusted]
    placed = _weightiest_rising(built, months)
    fitting = {u.kb for u in placed}
    for u in built:
        if u.kb not in fitting and u.build:
            distrusted[u.kb] = f"build {u.build.line}.{u.build.revision} does not fit among those of {months[u.kb]:%Y-%m}"
    for u in found:
        if u.kb not in fitting:
            placed.insert(_place(u, placed, months), u)
    return UpdateOrder(tuple(placed), months, distrusted, _gaps(documents))


def _months(by_kb: Mapping[int, CumulativeUpdate]) -> dict[int, date]:
    """The month of each: its own where it mends as much there as a month's update does, or that of what it takes the place of where that is later.
    A circle ends where it began."""
    months: dict[int, date] = {}
    for kb in by_kb:
        waiting, seen = [kb], set[int]()
        while waiting:
            at = by_kb[waiting[-1]]
            open_ = (
                [s for s in at.supersedes if s in by_kb and s not in months and s not in seen] if at.kb not in months else []
            )
            seen.add(at.kb)
            if open_:
                waiting += open_
                continue
            waiting.pop()
            settled = at.day or at.mended.get(at.month, 0) >= OF_A_MONTH
            replaced = () if settled else (months[s] for s in at.supersedes if s in months)
            months.setdefault(at.kb, max([at.month, *replaced]))
    return months


def _revision(update: CumulativeUpdate) -> int | None:
    return update.build.revision if update.build else None


def _weightiest_rising(updates: list[CumulativeUpdate], months: Mapping[int, date]) -> list[CumulativeUpdate]:
    """Of all runs of updates, in their order, whose revisions rise, the one that mends most in its updates' own months: what does not fit in it is the
    exception, not the rule, and what a document merely repeats of another month weighs little. Release information outweighs everything."""
    rank = {revision: n for n, revision in enumerate(sorted({_revision(u) or 0 for u in updates}), 1)}
    best: list[tuple[int, int]] = [(0, -1)] * (
        len(rank) + 1
    )  # Fenwick tree: by rank, the greatest weight of a run that ends there, and its end
    before: list[int] = []
    ends = (0, -1)
    for n, update in enumerate(updates):
        at = rank[_revision(update) or 0]
        weight, last = 0, -1
        k = at - 1
        while k > 0:
            weight, last = max((weight, last), best[k])
            k -= k & -k
        before.append(last)
        own = _MOST * _MOST if update.day else max(1, update.mended.get(months[update.kb], 0))
        reached = (weight + own, n)
        ends = max(ends, reached)
        k = at
        while k < len(best):
            best[k] = max(best[k], reached)
            k += k & -k
    run, n = [], ends[1]
    while n >= 0:
        run.append(updates[n])
        n = before[n]
    return run[::-1]


def _place(update: CumulativeUpdate, placed: list[CumulativeUpdate], months: Mapping[int, date]) -> int:
    """Behind what it takes the place of and before what takes its place; else behind the updates of its month."""
    behind = max((n + 1 for n, u in enumerate(placed) if u.kb in update.supersedes), default=0)
    before = min((n for n, u in enumerate(placed) if update.kb in u.supersedes), default=len(placed))
    by_month = max((n + 1 for n, u in enumerate(placed) if months[u.kb] <= months[update.kb]), default=0)
    return min(max(behind, by_month), max(before, behind))


def _gaps(documents: Collection[date]) -> tuple[date, ...]:
    if not documents:
        return ()
    month, end, gaps = min(documents), max(documents), []
    while month < end:
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        if month not in documents:
            gaps.append(month)
    return tuple(gaps)
