"""Microsoft Knowledge Base articles as they were published as text, 1990s to 2002: one document, one `Article`.

The flow: the document's form (kb_structure), its products (kb_products), then each question by a file of its own:
which service pack has the fix (kb_fixes), where else it comes from (kb_outcome), what must be present (kb_component).
Where two statements contradict each other, the article is marked `confidence: low`.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from auditor.advisories.article import (
    Article,
    ArticleContent,
    ArticleFix,
    ArticleFixList,
    ArticleOffer,
    Evidence,
    ProductVersion,
)
from auditor.advisories.decode import decode
from auditor.advisories.sources.kb.backlog import backlog
from auditor.advisories.sources.kb.cause import brought_by
from auditor.advisories.sources.kb.component import component
from auditor.advisories.sources.kb.contents import contents
from auditor.advisories.sources.kb.files import builds, file_versions
from auditor.advisories.sources.kb.fix_lists import fix_lists
from auditor.advisories.sources.kb.fixes import SUPPOSED, Fix, keyword_fixes, line_of, prose_fixes
from auditor.advisories.sources.kb.offers import Offer, needed_packs, offers, own_file
from auditor.advisories.sources.kb.outcome import ArticleOutcome, outcome
from auditor.advisories.sources.kb.products import product_lines
from auditor.advisories.sources.kb.security import bulletins, is_security
from auditor.advisories.sources.kb.severity import severity
from auditor.advisories.sources.kb.structure import Structure

_product_lines = lru_cache(maxsize=4096)(lambda bullet: tuple(product_lines(bullet)))  # the same few bullets stand everywhere
# Release notes offer a package without a word about a problem and its resolution.
_POSTED = re.compile(r"\bhot\s?fix\s+has\s+been\s+posted\b", re.I)


def read(document: bytes, name: str = "") -> Article:
    """Read one article. Raises ValueError, with the reason for people, where it is no whole article."""
    article = Structure(decode(document))
    lines = tuple(line for bullet in article.applies_to for line in _product_lines(bullet.text))
    prose = prose_fixes(article, lines)
    keywords, presp = keyword_fixes(article.keywords)
    fixes, doubts = _together(prose, keywords)
    ways = outcome(article)
    hotfix_only = _only_hotfix(ways, presp, {line_of(f.product) for f in fixes})
    latest_sp = bool(ways.latest) and not fixes and not presp
    vendor_fix = bool(ways.vendor) and not fixes and not hotfix_only and not latest_sp
    part = component(article)
    some = ways.hotfix or presp or article.holds("rollup", "cumulative") or article.near(_POSTED, "posted")
    offered = offers(article) if some or own_file(article) else []
    evidence: dict[str, list[Evidence]] = {}

    def note(field: str, text: str, start: int) -> None:
        item = Evidence(article.line(start), text)
        if item not in evidence.setdefault(field, []):
            evidence[field].append(item)

    for f in fixes:
        note("fixes", f.text, f.start)
    for field, wanted, sentence in (
        ("hotfix_only", hotfix_only, ways.hotfix),
        ("latest_sp", latest_sp, ways.latest),
        ("vendor_fix", vendor_fix, ways.vendor),
    ):
        if wanted and sentence:
            note(field, sentence.text, sentence.start)
    if hotfix_only:
        for f in presp:
            note("hotfix_only", f.text, f.start)
    if part:
        note("requires_component", part.text, part.start)
    for o in offered:
        note("offers", o.text, o.start)
    held = contents(article, offered)
    for c in held:
        note("contains", f"{c.package}{' without' if c.without else ''}: {' '.join(sorted(c.items))}", c.start)
    queue, words = backlog(article) if vendor_fix else (None, None)
    if words:
        note("backlog", words.text, words.start)
    stated, sentence = severity(article)
    if sentence:
        note("severity", sentence.text, sentence.start)
    return Article(
        id=article.id,
        title=article.title,
        revised=article.revised,
        applies_to=tuple(b.text for b in article.applies_to),
        fixes=tuple(ArticleFix(f.product, f.service_pack, "keyword" if f.source == "keyword" else "prose") for f in fixes),
        hotfix_only=hotfix_only,
        latest_sp=latest_sp,
        vendor_fix=vendor_fix,
        no_fix=not (fixes or hotfix_only or latest_sp or vendor_fix),
        requires_component=part.name if part else None,
        severity=stated,
        evidence={field: tuple(items) for field, items in evidence.items()},
        confidence="low" if doubts else "high",
        doubts=tuple(doubts),
        hotfix=bool(presp or (ways.hotfix and not ways.vendor_first)),
        hotfix_lines=tuple(sorted(ways.hotfix_lines | {line_of(f.product) for f in presp})),
        backlog=queue,
        security=is_security(article),
        component_services=part.services if part else (),
        products=tuple(dict.fromkeys(ProductVersion(line.id, line.packs, line.edition) for line in lines)),
        file_versions=file_versions(article) if ways.hotfix or presp else {},
        builds=tuple(sorted(builds(article))) if offered else (),
        offers=tuple(_offer(o, ways.latest_lines) for o in offered),
        contains=tuple(ArticleContent(c.package, tuple(sorted(c.lines)), tuple(sorted(c.items)), c.without) for c in held),
        bulletins=bulletins(article),
        fix_lists=tuple(ArticleFixList(f.line, f.service_pack, tuple(sorted(f.articles))) for f in fix_lists(article)),
        brought_by=brought_by(article),
        before_packs=tuple(ArticleFix(f.product, f.service_pack, "keyword") for f in presp),
        needs_pack=needed_packs(article) if offered else {},
        sha256=hashlib.sha256(document).hexdigest(),
        document=name,
    )


def _offer(o: Offer, latest: frozenset[str]) -> ArticleOffer:
    """`latest`: the product lines of which some sentence says that the latest service pack has the fix."""
    return ArticleOffer(
        o.package, tuple(sorted(o.lines)), o.elsewhere, o.or_latest or bool(o.lines & latest), o.posted, o.superseded
    )


def _together(prose: list[Fix], keywords: list[Fix]) -> tuple[list[Fix], list[str]]:
    """A keyword adds a fix where the prose names none for its product line; where both name one, they should agree."""
    doubts = [f"Windows NT's version is not named, {SUPPOSED} is supposed" for f in prose if f.supposed][:1]
    named: dict[str, set[str]] = {}
    for f in prose:
        named.setdefault(line_of(f.product), set()).add(f.service_pack)
    for line, packs in named.items():
        if len(packs) > 1:
            doubts.append(f"the text names service packs {' and '.join(sorted(packs))} as the first to have the fix for {line}")
    added: dict[str, Fix] = {}
    for k in keywords:
        packs = named.get(line_of(k.product), set())
        if k.product.startswith("visual-") and any(line.startswith("visual-studio") for line in named):
            continue  # a language's service pack is Visual Studio's
        if not packs:
            added.setdefault(k.product, k)
        elif k.service_pack not in packs and not {p.rstrip("a") for p in packs} & {k.service_pack}:
            doubts.append(f"the text names service pack {' and '.join(sorted(packs))}, the keyword {k.text} another")
    return [*prose, *added.values()], doubts


def _only_hotfix(ways: ArticleOutcome, presp: list[Fix], fixed: set[str]) -> bool:
    """Has some product line only a hotfix? `fixed` are the lines that a numbered service pack mends."""
    if any(line_of(f.product) not in fixed for f in presp):
        return True
    if not ways.hotfix or ways.vendor_first:
        return False
    if not fixed and not ways.latest:
        return True
    # Fixed for some lines, by number or "the latest": a hotfix counts where it is for other lines by name.
    other = fixed | ways.latest_lines
    return bool(other and ways.hotfix_lines and ways.hotfix_lines - other)
