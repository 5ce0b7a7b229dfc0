"""One Windows and what its months ask for, from all monthly documents together: what is stored, and what hosts are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from msgspec.structs import replace

from auditor.advisories.feeds.windows_updates import UpdateKind, WindowsDocuments, WindowsFix, WindowsUpdates
from auditor.model.finding import SEVERITIES, Severity
from auditor.model.monthly_release import MonthlyFlaw, MonthlyRelease
from auditor.model.update_line import SERVER_SERIES, MonthFix, OrderedUpdate, StandIn, UpdateLine, UpdateMonth, second_tuesday
from auditor.versions.update_order import OF_A_MONTH, CumulativeUpdate, UpdateOrder, family_of
from auditor.versions.windows_build import Build
from auditor.versions.windows_products import PRODUCTS
from auditor.versions.windows_revisions import revisions

CORE = " core"  # behind the product's id: the line of its Server Core installations
_ALONE: tuple[UpdateKind, ...] = ("security-only", "separate")
_NO_FLAW = MonthlyFlaw("unrated", False)


def update_lines(releases: Iterable[MonthlyRelease]) -> Iterator[UpdateLine]:
    """The line of every Windows that the documents name; of a server that has both installations two."""
    documents = WindowsDocuments(releases)
    known = {product: documents.updates(product) for product in documents.products}
    own = {r.month for r in documents.releases}
    documented = tuple(sorted({month for k in known.values() for month in k.order.months.values()} & own))
    families: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)
    for product, of in known.items():
        families[_family(product)] |= {u.kb for u in of.order.updates} | of.unplaced
    for product, of in known.items():
        fixes = documents.fixes(product)
        full, core = [f for f in fixes if f.full], [f for f in fixes if f.core]
        # What is cumulative for another Windows of the same line may be so for this one, too.
        others = families[_family(product)] - {u.kb for u in of.order.updates}
        line = replace(_line(product, documents, of, full or core), unplaced=tuple(sorted(others)))
        yield replace(line, documents=documented)
        if full and core:
            yield replace(
                _line(product, documents, of, core), product=product + CORE, documents=documented, unplaced=line.unplaced
            )


def _family(product: str) -> tuple[int, ...]:
    return family_of(next(p.builds[-1] for p in PRODUCTS if p.id == product))


def _line(product: str, documents: WindowsDocuments, known: WindowsUpdates, fixes: list[WindowsFix]) -> UpdateLine:
    levels = {u.kb: n for n, u in enumerate(known.order.updates)}
    releases = {r.month: r for r in documents.releases}
    updates = tuple(_ordered(known, releases))
    months, beside = _months(fixes, known, updates, releases)
    newest = documents.releases[-1]
    return UpdateLine(
        product=product,
        line=next(p.builds[-1] for p in PRODUCTS if p.id == product),
        updates=updates,
        hotpatches=tuple(_hotpatches(fixes, known, levels)),
        others=tuple(_others(product, updates)),
        months=months,
        beside=beside,
        gaps=tuple(g for g in known.order.gaps if g not in _told_of(product)),
        newest=newest.month,
        told=newest.revised,
    )


def _ordered(known: WindowsUpdates, releases: dict[date, MonthlyRelease]) -> Iterator[OrderedUpdate]:
    """The order, with what is sure of each. Documents repeat updates of other months; where the document of the right month is missing, such an
    update looks like one out of band."""
    order = known.order
    main: dict[date, CumulativeUpdate] = {}
    for u in order.updates:
        month = order.months[u.kb]
        weight = u.mended.get(month, 0)
        if weight >= OF_A_MONTH and (month not in main or weight > main[month].mended[month]):
            main[month] = u
    holds: dict[int, int] = {}
    after_main = set[date]()
    for n, u in enumerate(order.updates):
        month = order.months[u.kb]
        is_main = main.get(month) is u
        if is_main:
            after_main.add(month)
        revision = u.build.revision if u.build and u.kb not in order.distrusted else None
        placed = is_main or revision is not None
        doubt = order.distrusted.get(u.kb, "") or known.corrected.get(u.kb, "")
        holds[u.kb] = n if placed else min(n, max((holds[s] for s in u.supersedes if s in holds), default=0))
        sure = is_main
        if not is_main and month in after_main:
            sure = revision is not None and (
                _follows(n, main, order)
                or ((month in releases and _is_fresh(releases[month])) and _is_near(revision, main[month], main, order))
            )
        elif not is_main:
            before = (month - timedelta(days=1)).replace(day=1)
            sure = revision is not None and before in releases
        yield OrderedUpdate(u.kb, month, revision, doubt, placed, holds[u.kb], sure or u.day is not None)


def _follows(place: int, main: dict[date, CumulativeUpdate], order: UpdateOrder) -> bool:
    """Does another month's main update with a higher build come after an update, without a gap between?"""
    month = order.months[order.updates[place].kb]
    for later in order.updates[place + 1 :]:
        until = order.months[later.kb]
        if until > month and main.get(until) is later:
            return bool(later.build) and later.kb not in order.distrusted and not any(month < gap < until for gap in order.gaps)
    return False


def _is_fresh(release: MonthlyRelease) -> bool:
    """Was a document last revised before the updates of the next month came, so that it can hold none of them?"""
    following = (release.month + timedelta(days=32)).replace(day=1)
    return release.revised is not None and release.revised < second_tuesday(following)


def _is_near(revision: int, own: CumulativeUpdate, main: dict[date, CumulativeUpdate], order: UpdateOrder) -> bool:
    """Is a revision no further from its month's main update than one month's is from the next? A digit that was mistyped usually is."""
    known = [
        u.build.revision for u in main.values() if u.build and u.kb not in order.distrusted and u.build.revision is not None
    ]
    steps = [b - a for a, b in pairwise(sorted(known))]
    return bool(own.build and steps) and revision - ((own.build and own.build.revision) or 0) <= median(steps)


def _mending(fixes: list[WindowsFix]) -> dict[tuple[date, str], set[int]]:
    """By document and flaw, the updates that mend it."""
    found: defaultdict[tuple[date, str], set[int]] = defaultdict(set)
    for f in fixes:
        for cve in f.fix.cves:
            found[f.release.month, cve].add(f.fix.kb)
    return found


def _hotpatches(fixes: list[WindowsFix], known: WindowsUpdates, levels: dict[int, int]) -> Iterator[StandIn]:
    """Each hotpatch stands for the cumulative update that mends what it mends, in the same document."""
    mending = _mending(fixes)
    for kb, kind in sorted(known.beside.items()):
        if kind == "hotpatch":
            together = {levels[k] for kbs in mending.values() if kb in kbs for k in kbs if k in levels}
            build: Build | None = known.builds.get(kb)
            if together:
                yield StandIn(kb, build.revision if build else None, min(together))


def _told_of(product: str) -> set[date]:
    """The months of which release information tells the updates of a product."""
    return {told.day.replace(day=1) for told in revisions(_family(product)[0]).values()}


def _others(product: str, updates: tuple[OrderedUpdate, ...]) -> Iterator[StandIn]:
    """Previews, and what else no document names: each holds the updates that its revision reaches."""
    known = {u.kb for u in updates}
    for kb, told in revisions(_family(product)[0]).items():
        if kb not in known and (told.revision >= SERVER_SERIES) <= ("server" in product):
            month = told.day.replace(day=1)
            held = [
                n for n, u in enumerate(updates) if (u.month < month if u.revision is None else u.revision <= told.revision)
            ]
            yield StandIn(kb, told.revision, max(held, default=-1))


def _months(
    fixes: list[WindowsFix], known: WindowsUpdates, updates: tuple[OrderedUpdate, ...], releases: dict[date, MonthlyRelease]
) -> tuple[tuple[UpdateMonth, ...], tuple[UpdateMonth, ...]]:
    """What each month asks for, and what stands beside the cumulative updates. A flaw is of its document's month, and of its update's where that came
    later: documents repeat updates of later months."""
    levels = {u.kb: n for n, u in enumerate(updates)}
    mains: dict[date, int] = {}
    for n, u in enumerate(known.order.updates):
        if u.mended.get(known.order.months[u.kb], 0) >= OF_A_MONTH:
            mains.setdefault(known.order.months[u.kb], n)
    found: defaultdict[tuple[date, int | None, bool, tuple[int, ...]], dict[str, MonthlyFlaw]] = defaultdict(dict)
    for (document, cve), kbs in _mending(fixes).items():
        level = min((levels[kb] for kb in kbs if kb in levels), default=None)
        alone = {kb for kb in kbs if known.beside.get(kb) in _ALONE}
        sure = True
        if level is not None:
            update = updates[level]
            # What comes before its month's main update may be of an earlier month, which changes nothing here; after it, of a later one.
            month, sure = (
                max(document, update.month),
                update.sure or (update.placed and level <= mains.get(update.month, level)),
            )
            if cve.startswith("ADV") and known.order.updates[level].mended.get(update.month, 0) < OF_A_MONTH:
                continue  # a notice, not a flaw: what an optional update brings for it comes with the next month's
            if not update.placed:  # whatever its place is, the main update of a later month holds it
                alone.add(update.kb)
                level = next((n for n, u in enumerate(updates) if u.placed and u.sure and u.month > month), len(updates))
        else:
            month = max(document, known.months[min(kbs)])
            if any(known.beside.get(k) in ("security-only", "hotpatch") for k in kbs):
                sure = False  # the month's cumulative update mends it too, and the document does not say so
                level = next((n for n, u in enumerate(updates) if u.placed and u.sure and u.month > month), len(updates))
            else:
                alone |= _successors(alone, known)
        if month not in releases:  # its own document is missing, so nobody knows what else it asks for
            continue
        found[month, level, sure, tuple(sorted(alone))][cve] = releases[document].flaws.get(cve, _NO_FLAW)
    by_month: dict[bool, defaultdict[date, list[MonthFix]]] = {True: defaultdict(list), False: defaultdict(list)}
    for (month, level, sure, alternatives), flaws in sorted(
        found.items(), key=lambda pair: (pair[0][0], pair[0][1] or 0, pair[0][3])
    ):
        severity: Severity = min((f.severity for f in flaws.values()), key=SEVERITIES.index)
        exploited = tuple(sorted(cve for cve, f in flaws.items() if f.exploited))
        fix = MonthFix(level, sure, alternatives, tuple(sorted(flaws)), severity, exploited)
        by_month[level is not None][month].append(fix)

    def told(of: dict[date, list[MonthFix]]) -> tuple[UpdateMonth, ...]:
        return tuple(UpdateMonth(m, releases[m].released, tuple(of[m])) for m in sorted(of))

    return told(by_month[True]), told(by_month[False])


def _successors(kbs: set[int], known: WindowsUpdates) -> set[int]:
    """What takes the place of any of them, at any depth, among what stands beside the cumulative updates."""
    found, waiting = set(kbs), list(kbs)
    while waiting and len(found) < _MOST_SUCCESSORS:
        new = known.replaced_by.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return found


_MOST_SUCCESSORS = 500  # the servicing stacks of ten years are a hundred
