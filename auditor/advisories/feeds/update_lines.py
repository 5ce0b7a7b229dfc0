"""One Windows and what its months ask for, from all monthly documents together: what is stored, and what hosts are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from auditor.advisories.feeds.windows_updates import OF_A_MONTH, ProductFix, UpdateKind, WindowsDocuments, WindowsUpdates
from auditor.model.finding import SEVERITIES, Severity
from auditor.model.monthly_release import MonthlyFlaw, MonthlyRelease
from auditor.model.update_line import Hotpatch, MonthFix, OrderedUpdate, UpdateLine, UpdateMonth, second_tuesday
from auditor.versions.update_order import CumulativeUpdate, UpdateOrder
from auditor.versions.windows_build import Build
from auditor.versions.windows_products import PRODUCTS

CORE = " core"  # behind the product's id: the line of its Server Core installations
_ALONE: tuple[UpdateKind, ...] = ("security-only", "separate")
_NO_FLAW = MonthlyFlaw("unrated", False)


def update_lines(releases: Iterable[MonthlyRelease]) -> Iterator[UpdateLine]:
    """The line of every Windows that the documents name; of a server that has both installations two."""
    documents = WindowsDocuments(releases)
    for product in documents.products:
        fixes = documents.fixes(product)
        known = documents.updates(product)
        full, core = [f for f in fixes if f.full], [f for f in fixes if f.core]
        yield _line(product, product, documents, known, full or core)
        if full and core:
            yield _line(product, product + CORE, documents, known, core)


def _line(product: str, name: str, documents: WindowsDocuments, known: WindowsUpdates, fixes: list[ProductFix]) -> UpdateLine:
    levels = {u.kb: n for n, u in enumerate(known.order.updates)}
    months, beside = _months(fixes, known, levels, {r.month: r for r in documents.releases})
    newest = documents.releases[-1]
    return UpdateLine(
        product=name,
        line=next(p.builds[-1] for p in PRODUCTS if p.id == product),
        updates=tuple(_ordered(known, {r.month: r for r in documents.releases})),
        hotpatches=tuple(_hotpatches(fixes, known, levels)),
        months=months,
        beside=beside,
        gaps=known.order.gaps,
        newest=newest.month,
        told=newest.revised,
    )


def _ordered(known: WindowsUpdates, releases: dict[date, MonthlyRelease]) -> Iterator[OrderedUpdate]:
    """The order, with what is sure of each. Documents repeat updates of other months; where the document of the right month is missing, such an
    update looks like one out of band. It is none where a month's own main update with a higher build follows without a gap, or where the document
    was last revised before the next month's updates came. Its place is sure by its build, and else only behind what it takes the place of."""
    order = known.order
    main: dict[date, int] = {}
    for u in order.updates:
        month = order.months[u.kb]
        if month not in main or len(known.flaws[u.kb]) > len(known.flaws[main[month]]):
            main[month] = u.kb
    places = {u.kb: n for n, u in enumerate(order.updates)}
    seen_main = set[date]()
    for n, u in enumerate(order.updates):
        month = order.months[u.kb]
        is_main = main[month] == u.kb and len(known.flaws[u.kb]) >= OF_A_MONTH
        before = (month - timedelta(days=1)).replace(day=1)
        late = month in seen_main or (main[month] == u.kb and not is_main)
        early = not late and not is_main and (before in order.gaps or before not in releases)
        if main[month] == u.kb:
            seen_main.add(month)
        trusted = u.kb not in order.distrusted
        revision = u.build.revision if u.build and trusted else None
        of_month = _is_of_month(u, n, month, releases[month].revised, main, order)
        holds = n if is_main or revision is not None else max((places[s] + 1 for s in u.supersedes if s in places), default=0)
        yield OrderedUpdate(
            u.kb,
            month,
            revision,
            not (late or early) or (trusted and of_month and not early),
            order.distrusted.get(u.kb, ""),
            min(holds, n),
        )


def _is_of_month(
    update: CumulativeUpdate, place: int, month: date, revised: date | None, main: dict[date, int], order: UpdateOrder
) -> bool:
    if revised is not None and revised < second_tuesday(_next(month)):
        return True
    follows = next((f for f in order.updates[place + 1 :] if main[order.months[f.kb]] == f.kb), None)
    if update.build is None or follows is None or follows.build is None or follows.kb in order.distrusted:
        return False
    return not any(month < gap < order.months[follows.kb] for gap in order.gaps)


def _next(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def _hotpatches(fixes: list[ProductFix], known: WindowsUpdates, levels: dict[int, int]) -> Iterator[Hotpatch]:
    """Each hotpatch stands for the cumulative update that mends what it mends, in the same document."""
    mending: defaultdict[tuple[date, str], set[int]] = defaultdict(set)
    for f in fixes:
        for cve in f.fix.cves:
            mending[f.release.month, cve].add(f.fix.kb)
    for kb, kind in sorted(known.beside.items()):
        if kind == "hotpatch":
            together = {levels[k] for kbs in mending.values() if kb in kbs for k in kbs if k in levels}
            build: Build | None = known.builds.get(kb)
            if together:
                yield Hotpatch(kb, build.revision if build else None, min(together))


def _months(
    fixes: list[ProductFix], known: WindowsUpdates, levels: dict[int, int], releases: dict[date, MonthlyRelease]
) -> tuple[tuple[UpdateMonth, ...], tuple[UpdateMonth, ...]]:
    """What each month asks for, and what stands beside the cumulative updates. An update's month decides, not the document that repeats it."""
    mending: defaultdict[tuple[date, str], set[int]] = defaultdict(set)
    for f in fixes:
        for cve in f.fix.cves:
            mending[f.release.month, cve].add(f.fix.kb)
    found: defaultdict[tuple[date, int | None, tuple[int, ...]], dict[str, MonthlyFlaw]] = defaultdict(dict)
    for (document, cve), kbs in mending.items():
        level = min((levels[kb] for kb in kbs if kb in levels), default=None)
        alone = {kb for kb in kbs if known.beside.get(kb) in _ALONE}
        kb = known.order.updates[level].kb if level is not None else min(kbs)
        month = known.order.months[kb] if level is not None else known.months[kb]
        if level is None and any(known.beside.get(k) in ("security-only", "hotpatch") for k in kbs):
            level = next((n for n, u in enumerate(known.order.updates) if known.order.months[u.kb] >= month), None)
            level = len(known.order.updates) if level is None else level  # only being listed will tell
        if level is None:
            alone |= _successors(alone, known)
        flaw = releases[document].flaws.get(cve, _NO_FLAW)
        found[month, level, tuple(sorted(alone))][cve] = flaw
    by_month: dict[bool, defaultdict[date, list[MonthFix]]] = {True: defaultdict(list), False: defaultdict(list)}
    for (month, level, alternatives), flaws in sorted(
        found.items(), key=lambda pair: (pair[0][0], pair[0][1] or 0, pair[0][2])
    ):
        severity: Severity = min((f.severity for f in flaws.values()), key=SEVERITIES.index)
        exploited = tuple(sorted(cve for cve, f in flaws.items() if f.exploited))
        by_month[level is not None][month].append(MonthFix(level, alternatives, tuple(sorted(flaws)), severity, exploited))

    def told(of: dict[date, list[MonthFix]]) -> tuple[UpdateMonth, ...]:
        return tuple(UpdateMonth(m, releases[m].released, tuple(of[m])) for m in sorted(of))

    return told(by_month[True]), told(by_month[False])


def _successors(kbs: set[int], known: WindowsUpdates) -> set[int]:
    """What takes the place of any of them, at any depth, among what stands beside the cumulative updates."""
    found, before = set(kbs), set[int]()
    while found != before:
        before = set(found)
        found |= {kb for kb, replaced in known.replaces.items() if replaced & found and known.beside.get(kb) == "separate"}
    return found
