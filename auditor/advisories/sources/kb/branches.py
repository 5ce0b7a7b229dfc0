"""The branches of an article's rule: for each product line the service pack that has the fix, or the packages that bring it.

A hotfix is asked for only where the article offers a package for the line; accepted are the numbers of the packages, of
the rollups that it offers, and of the rollups that contain it. A branch that has only a hotfix is `situational`, for
who has the problem, unless the article is about security.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from auditor.advisories.article import Article, ArticleFix, ArticleOffer, ProductVersion
from auditor.advisories.sources.kb.applications import PLATFORM_LINE, runs_on, split
from auditor.advisories.sources.kb.fixes import line_of
from auditor.advisories.sources.kb.headings import PLATFORM, is_about
from auditor.advisories.sources.kb.offers import TSE
from auditor.advisories.sources.kb.packages import Packages
from auditor.checks.hotfix import HotfixCheck
from auditor.checks.product_pack import ProductPackCheck
from auditor.checks.registry import AllOf, AnyOf, Check
from auditor.checks.service_pack import ServicePackCheck
from auditor.model.finding import Obligation
from auditor.rulebook.rule import Branch
from auditor.versions import server_products, service_pack_table

# Hotfixes that write a release candidate's name over the final pack's (Q293322, Q266433), and the entry by which 6a is
# told from 6 (Q246009).
_STAMPED = {
    ("windows-nt-4.0", "6"): ("Q246467",),
    ("windows-nt-4.0", "6a"): ("Q246467",),
    ("windows-nt-4.0-terminal-server", "6"): ("Q266433",),
}
_MARKED = {("windows-nt-4.0", "6a"): ("Q246009",)}


def branches(article: Article, known: Packages) -> tuple[list[Branch], str]:
    """The branches, and the application ("" for Windows itself) that they are all about."""
    lines = _lines(article)
    app = _application(article, lines)
    found: dict[str, Branch] = {}
    for line in lines:
        if split(line)[0] != app and not (app and line == TSE):
            continue
        pack = _pack(article, line, app, known)
        hotfix = _hotfix(article, line, known, bool(pack))
        pack = pack or (_listed_pack(hotfix, article, line, known) if hotfix else None)
        checks: list[Check] = [c for c in (pack, hotfix) if c is not None]
        if not checks:
            continue
        only_hotfix: Obligation | None = (
            None if pack or article.security or known.in_security_rollup(article.id) else "situational"
        )
        products, editions = (runs_on(line), ()) if split(line)[0] else platforms(article, line)
        found[line] = Branch(products, checks[0] if len(checks) == 1 else AnyOf(tuple(checks)), editions, only_hotfix)
    return list(_one_each(found)), app


def _lines(article: Article) -> list[str]:
    """The product lines that the article lists, and those of its fixes where it lists none that is known. A fix adds no line
    that is not listed: a keyword is a word of a list, and no product."""
    listed = list(dict.fromkeys(line_of(p.product) for p in article.products))
    usable = [line for line in listed if PLATFORM_LINE.fullmatch(line) or runs_on(line)]
    return usable or ([] if listed else list(dict.fromkeys(line_of(f.product) for f in article.fixes)))


def _application(article: Article, lines: list[str]) -> str:
    """The application that an article is about: the only one it lists, or the one that it names beside Windows as the part that
    fails. Where Windows itself is listed and nothing tells that a part fails, it is Windows."""
    bases = list(dict.fromkeys(split(line)[0] for line in lines if not PLATFORM_LINE.fullmatch(line)))
    if not bases:
        return ""
    if any(PLATFORM_LINE.fullmatch(line) and line != TSE for line in lines):
        return "iis" if "iis" in bases and _IIS.search(article.title) else ""
    with_fix = [b for b in bases if any(split(line_of(f.product))[0] == b for f in article.fixes)]
    return (with_fix or bases)[0]


_IIS = re.compile(r"\b(?:IIS|Inetinfo|Internet Information|Web Server|HTTP|HTR|FTP|URL|Virtual Director\w+|ASP)\b", re.I)


def _later_rollup(article: Article, line: str, pack: str, known: Packages) -> bool:
    """Does the article offer a rollup for the line that is for this service pack, or a later one? It would not, had the pack the fix."""
    windows = PLATFORM.get(line, line)
    needs = [
        known.needs.get((o.package, windows), "") for o in article.offers if o.elsewhere and is_about(frozenset(o.lines), line)
    ]
    return any(n and _order(n) >= _order(pack) for n in needs)


def _pack(article: Article, line: str, app: str, known: Packages) -> Check | None:
    """The highest of the service packs that the article names as the first to have the fix."""
    windows = line if not app else PLATFORM.get(line, "")
    packs: dict[str, ArticleFix] = {}
    for fix in article.fixes:
        of = line_of(fix.product)
        if fix.source == "keyword" and _later_rollup(article, line, fix.service_pack, known):
            continue
        if of in (line, windows) and (of not in packs or _order(fix.service_pack) > _order(packs[of].service_pack)):
            packs[of] = fix
    found = packs.get(line) or packs.get(windows)
    if found is None or _order(article.brought_by) >= _order(found.service_pack):
        return None  # "… After You Apply Service Pack 2": that pack is the cause, and no cure
    return _pack_check(line_of(found.product), found.service_pack, article)


def _pack_check(of: str, pack: str, article: Article) -> Check | None:
    if not service_pack_table.exists(of, pack):
        pack = pack.rstrip("abc")  # "Terminal Server Edition Service Pack 6a" is a slip for 6
        if not service_pack_table.exists(of, pack):
            return None
    if PLATFORM_LINE.fullmatch(of):
        return ServicePackCheck(pack, _STAMPED.get((of, pack), ()), _MARKED.get((of, pack), ()), _since(article, pack))
    return ProductPackCheck(of, pack) if server_products.known(of) else None


def _since(article: Article, pack: str) -> str:
    return article.brought_by if _order(article.brought_by) < _order(pack) else ""


def _listed_pack(hotfix: HotfixCheck, article: Article, line: str, known: Packages) -> Check | None:
    """The service pack that has one of the packages by another article's word, where this one names none."""
    windows = PLATFORM.get(line, line)
    pack = known.fixed_in((article.id, *hotfix.ids), windows)
    return _pack_check(windows, pack, article) if pack else None


def _hotfix(article: Article, line: str, known: Packages, beside_a_pack: bool) -> HotfixCheck | None:
    """The packages for a line. None where "the latest service pack", whichever that was, is an alternative that no number
    tells: a host may have it."""
    offered = [o for o in article.offers if is_about(frozenset(o.lines), line)]
    offered = [o for o in offered if o.lines] or offered  # what is said of the line itself goes before what is said of all
    if not offered and known.handed_out(article.id, line):
        offered = [ArticleOffer(article.id, (line,))]
    offered = [o for o in offered if not o.elsewhere or known.covers(o.package, line)]
    if not offered or (not beside_a_pack and any(o.or_latest for o in offered) and not _known_otherwise(article, line, known)):
        return None
    direct = dict.fromkeys(o.package for o in sorted(offered, key=lambda o: (o.elsewhere, o.package != article.id)))
    same = known.same(article)
    direct |= dict.fromkeys((*same, *known.with_its_files(article, line)))
    ids = list(direct) + [p for p in known.containing(frozenset({article.id, *direct}), line) if p not in direct]
    best = max(ids, key=lambda p: known.size(p, line))
    step = best if known.size(best, line) else max((ids[0], *same))  # of articles with one package the newest tells of it
    return HotfixCheck(
        tuple(ids),
        settled_by=step if step != ids[0] else "",
        after=known.needs.get((step, PLATFORM.get(line, line)), ""),
        product=line if server_products.known(line) else "",
    )


def _known_otherwise(article: Article, line: str, known: Packages) -> bool:
    """Does a list name the pack, or a keyword (kbWinNT400PreSP7Fix) say that no service pack has the fix?"""
    if known.fixed_in((article.id,), PLATFORM.get(line, line)):
        return True
    last = service_pack_table.last_of(PLATFORM.get(line, line))
    return any(
        line_of(p.product) in (line, PLATFORM.get(line)) and _order(p.service_pack) > _order(last) for p in article.before_packs
    )


def platforms(article: Article, line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The product ids of a line that the article lists, and their editions. Enterprise Edition is Windows NT Server 4.0
    with additions and counts as one; a line that is not listed counts whole."""
    listed = [p for p in article.products if line_of(p.product) == line]
    if line == "windows-nt-4.0" and listed:
        editions = {p.product.removeprefix("windows-nt-4.0").lstrip("-") for p in listed}
        if "" in editions or {"server", "workstation"} <= editions:
            return ("windows-nt-4.0",), ()
        names = {
            "server": ("windows-nt-4.0-server", "windows-nt-4.0-enterprise"),
            "enterprise": ("windows-nt-4.0-enterprise",),
            "workstation": ("windows-nt-4.0-workstation",),
        }
        return tuple(sorted({n for e in editions for n in names.get(e, ("windows-nt-4.0",))})), ()
    return (line,), _editions(listed) if line.startswith("windows-nt-3") else ()


def _editions(listed: list[ProductVersion]) -> tuple[str, ...]:
    found = {p.edition for p in listed}
    return () if "" in found or len(found) != 1 else tuple(found)


def _one_each(found: dict[str, Branch]) -> Iterator[Branch]:
    """Several versions of one application on the same Windows are told apart by the check alone: together they are one branch."""
    by_products: dict[tuple[str, ...], list[Branch]] = {}
    for branch in found.values():
        by_products.setdefault((*branch.products, *branch.editions), []).append(branch)
    for same in by_products.values():
        same = [b for b in same if b.obligation is None] or same
        yield same[0] if len(same) == 1 else replace(same[0], check=AllOf(tuple(b.check for b in same)))


def _order(pack: str) -> tuple[int, str]:
    m = re.match(r"(\d+)([a-z]?)", pack)
    return (int(m[1]), m[2]) if m else (0, "")
