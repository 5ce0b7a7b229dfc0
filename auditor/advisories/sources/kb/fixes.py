"""Which service pack first has the fix: the statements of an article, and its keywords.

A service pack is named in these articles as the fix, as a prerequisite, as the cause, as the affected level, as the
origin of a file, and in negations. Only statements of a known form count as a fix (FIXED, HAVE, IS_IN, INSTALL); what
stands in the way (OTHERWISE) takes a sentence out. A form is a pattern and the name of the reason, so that a fix can
say why it was taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from auditor.advisories.sources.kb.products import Mention, ProductLine, mentions, normal, product_id
from auditor.advisories.sources.kb.structure import Keyword, Sentence, Structure, sentences

# A service pack with its number. "Service Pack 4.0" is 4; doubled words happen; "Service Packs 4 and 5" names two.
PACK = re.compile(
    r"(?:Service Packs? )*(?:Service Packs?|(?<![\w-])SP)[ #-]{0,2}(\d)(?:\.0(?!\d))?([a-z])?(?![\w.]*\d)(?:/\d?[a-z])?(?: \((?:SP ?\d\w?|build [\w.]+)\))?",
    re.I,
)
TRIGGER = re.compile(r"service\s+packs?[\s#]+\d|sp ?\d")  # in lower case

_DONE = r"(?:correct|fix|resolv|address|eliminat|solv|rectif|repair|remedi)(?:ed|ied)"
# "was first corrected in ..."
FIXED = re.compile(
    rf"(?:^|: )(?:Fixed|Corrected|Resolved|Solved) in\b|\b(?:is|was|were|are|been|be|being)(?: (?:also|first|now|since|subsequently|later|both|partially|all|already|initially|apparently|permanently|now been))* {_DONE}(?:,? (?:and|or) [a-z]+ed)?"
    r",? (?:(?!(?:that|which|when|and|or)\b)[\w,()]+ ){0,6}?(?:in|by|with|as of|beginning with|starting with|starting in|beginning in|since|from|through|as part of|after)\b",
    re.I,
)
# "Service Pack 4 corrects this problem", "... includes an updated Hal.dll that resolves this issue"
HAVE = re.compile(
    r"\b(?:fixe?s?|corrects?|resolves?|addresses|address|eliminates?|solves?|cures?|prevents?) (?:this|the|these|both|that|all of these|most) (?:\w+ ){0,2}?(?:problems?|issues?|errors?|bugs?|behaviors?|throughput problem|situations?|limitations?)\b"
    r"|\b(?:contains?|includes?|has|have|provides?|delivers?)(?: \w+){0,2}? (?:fix|fixes|correction|patch|solution|resolution) (?:for|to|that) (?:this|the|these|both|that|correct|resolve|fix|address|change)\b"
    r"|\b(?:contains?|includes?|has|provides?)(?: \w+){0,2}? (?:fix|fixes) for\b",
    re.I,
)
UPDATED = re.compile(
    r"\b(?:contains?|includes?|provides?|has) (?:(?!been)\w+ ){0,2}?(?:updated|corrected|new|newer|fixed|correct|modified)\b",
    re.I,
)
# "The fix is available in Service Pack 2"
IS_IN = re.compile(
    r"\b(?<!all )(?:fix|fixes|correction|hotfix|patch|solution|resolution|this (?:update|functionality)|(?:fixed|corrected|updated|new|newer|capable) versions?|updated? \w+|(?:updated|fixed|corrected|newer) (?:\w+ )?(?:files?|drivers?|dll|\w+\.\w{3}))\b(?:(?!\b(?:that|which) (?:is|are)\b)[^;]){0,80}?"
    r"(?<!that )(?<!which )\b(?:is|are|was|were|has been|have been)(?: also| now| first)* (?:available|included|contained|provided|incorporated|implemented|found|part of|supplied|in)\b[^;]{0,25}?\b(?:in|with|on|by|as part of|of|as of|from|through)\b",
    re.I,
)
# "Support for the chipset has been added in Service Pack 2", where that is the answer.
ADDED = re.compile(
    r"\bsupport\b[^.;]{0,80}?\b(?:has been|was|is|have been) (?:added|provided)\b(?:[^.;]|\.(?=\d)){0,60}?\b(?:in|with|by)\b(?= (?:[A-Z][\w.]* |\d[\d.]* )*Service Pack)",
    re.I,
)
TO_RESOLVE = re.compile(
    r"\b(?:to|can|will|should|may|that|permanently) (?:permanently )?(?:resolve|correct|fix|eliminate|solve|address|prevent|avoid|remedy|cure|get around|work ?around|be (?:resolved|corrected|fixed|avoided|eliminated|solved|addressed|worked around|prevented) by)\b(?: [\w-]+){0,5}? (?:problems?|issues?|behaviors?|errors?|situations?|bugs?|vulnerabilit(?:y|ies)|messages?|this|these|it|symptoms?|limitations?|leaks?|crash|hang|failures?|installing|obtaining|applying|upgrading)\b",
    re.I,
)
_WORDS = r"(?:(?!\b(?:from|tool|utility|files?|driver|using|after|before|when|until|unless|included|hot ?fix|fix|patch|update to|located|by|while|to a|on a|to the|\w+\.\w{3})\b)[^.;:]|(?<=\d)\.(?=\d)){0,80}"
INSTALL = re.compile(
    rf"\b(?:install|installing|apply|applying|obtain|obtaining|upgrade|upgrading|update|updating|upgraded|get|download|use|move|going|deploy|run)\b(?: all| your| the| these| computers?| servers?| clients?)*(?: (?:to|with|either|at least))?{_WORDS}$",
    re.I,
)
# An instruction by itself, under RESOLUTION: its beginning, then INSTALL's words up to the pack.
ORDER = re.compile(
    r"^(?:NOTE: |However, |Please |Either |Wait for and |(?:For|In|On) [^,]{3,60}, |If [^,]{3,60}, |You (?:can|must|should|need to) |Increase [^,]{3,60} or )?"
    r"(?:Install|Apply|Obtain|Upgrade|Update)\b",
    re.I,
)
# A fix taken out of a service pack by hand, or something else between "fixed by" and the pack.
_BY_HAND = re.compile(r"\b(?:from|using|replacing|importing|copying|removing|located|or by|reinstalling|uninstalling)\b", re.I)
_WHEN = re.compile(
    r"\b(?:before|after|when|until|unless|without|while|if)(?: you| the| they| it| to| \w+ing)*(?: \w+)? ?$", re.I
)
_BARE = re.compile(r"(?<![\w.])(\d{1,2}\.\d{1,2}[a-z]?) $")
_INSTALLING = re.compile(r"by installing\b")
_STEP = re.compile(r"(?:^|\n)[ \t]*(?:(?!1[.)])\d{1,2}[.)]|[b-z]\.)[ \t]+$")  # a later step of several
_STRANGER = re.compile(r"(?:^|[ (])((?:[A-Z][\w+-]*[ ,]+)+)\d+(?:\.\d+)*[a-z]?[ ,]+$")
# What makes a sentence about a service pack no statement of a fix.
OTHERWISE = re.compile(
    r"\b(?:not (?:yet |been |fully |completely )?(?:fixed|corrected|resolved|included|addressed|eliminated|available|part|in|contained|implemented|solved|required)|(?:does|do|did|will|would) not (?:fix|correct|resolve|address|include|contain|solve|eliminate)"
    r"|isn't|doesn't|not updated|not been updated|may not|cannot|would not|revert\w*|no longer available|requires? (?:that|\w+ ){0,5}?(?:Service|SP)|prerequisite|before (?:you )?(?:install|apply)\w*|must (?:first )?(?:have|be running|be at)|prior to|scheduled to|similar|is included to|slated|inadvertently|left out|cumulative|supersedes?"
    r"|(?:list|listing) of|article numbers|(?:all(?: of)? the|other|additional|more|many|some|several|these|those|for) (?:known )?(?:bugs|problems|fixes|issues|hotfixes|articles|updates|changes) (?:that (?:are|were|have been) )?(?:first )?(?:fixed|corrected|addressed|resolved|included|contained|available)"
    r"|how to obtain|problems? (?:fixed|corrected|addressed) by|introduced (?:in|by|with)|caused by|as a result of|first appeared|began (?:in|with)|began occurring|following (?:Microsoft )?(?:Knowledge Base )?articles?|(?:and|then) (?:then )?(?:install|apply) (?:the |a )?(?:\w+[- ]){0,4}(?:hot ?fix|fix|patch|update)|this article (?:lists|contains|describes|is)"
    r"|regression (?:for|from|of)|re-?appl\w*|re-?install\w*|erroneously|should have the following|file attributes|features? (?:was|were|is|are) (?:first )?(?:included|added|available|introduced|implemented)|if you have not (?:yet |already )?(?:done so|installed)|despite|although|even (?:after|though|with)|still occurs?)\b",
    re.I,
)
_BEFORE_NO = re.compile(
    r"(?:post|pre|newer than|later than|since|prior to|earlier than|before|after)[ -]+(?:the )?(?:\w+ ){0,4}[\w.]*[ -]?$"
    r"|\b(?:update|hot ?fix|fix|patch|change|problem|bug|rollup|bundle|files?|drivers?|enhancement)s? (?:is available |available )?(?:to|for|in|of|from) (?:both )?(?:[A-Z][\w.]* |\d[\d.]* |and |or |, |the )*$"
    r"|\brunning (?:(?:[A-Z][\w.+]{0,60}|\d[\d.]{0,60})(?:[ ,]+|$)){1,40}$",
)
_AFTER_NO = re.compile(
    r"[- ,]*(?:Security Roll-?up|Hot ?fix|Roll-?up|post|security|COM\+? (?:hotfix )?rollup|Y2K|Option Pack|Pre-?Release|beta|(?:\w+ ){0,2}(?:hot ?fix|rollup|version|version of)\b|(?:CD|systems?|computers?|clients?|sites?|servers?|SDK|source)\b|is installed|installed|has been (?:applied|installed))",
    re.I,
)
PRIMARY = re.compile(r"\b(?:was|were|been) (?:first )?(?:corrected|fixed|resolved) in\b", re.I)
_TURN = re.compile(r",? (?:but|although|though|however|if you|so that|because|instead of|will resolve)\b|;|, not ")
# Articles that list others, or a service pack's contents: they describe no problem of their own.
INDEX = re.compile(
    r"\b(?:list of (?:bugs|articles|fixes|problems|confirmed)|bugs fixed|fixes (?:included )?in|read ?me|release notes|fix ?list|how to obtain|contents of|what's new)\b",
    re.I,
)
_ANSWER = ("RESOLUTION", "STATUS", "WORKAROUND", "CAUSE", "SOLUTION")


class Fix(NamedTuple):
    """One product line and the service pack that first has the fix."""

    product: str
    service_pack: str
    source: str  # prose, keyword
    text: str
    start: int
    primary: bool = True
    supposed: bool = False  # the text names the product without its version, and no version is in the article


# The Windows NT of articles about other products that say only "Windows NT".
SUPPOSED = "windows-nt-4.0"


def line_of(product: str) -> str:
    """Products with one line of service packs: Windows NT 4.0's editions but Terminal Server Edition."""
    return "windows-nt-4.0" if product.startswith("windows-nt-4.0") and not product.endswith("terminal-server") else product


def prose_fixes(article: Structure, lines: tuple[ProductLine, ...]) -> list[Fix]:
    """The fixes that the sentences name, in order, each product and pack once."""
    found: dict[tuple[str, str], Fix] = {}
    if INDEX.search(article.title):
        return []
    read_to = -1  # the paragraph that was read last ends there
    for trigger in TRIGGER.finditer(article.lower, article.begin, article.end):
        if trigger.start() < read_to:
            continue
        extent = article.paragraph(trigger.start())
        read_to = extent[1]
        before: Sentence | None = None
        for sentence in sentences(article.text, *extent):
            if TRIGGER.search(sentence.text.lower()):
                for fix in _read(article, sentence, before, lines):
                    found.setdefault((fix.product, fix.service_pack), fix)
            before = sentence
    by_line: dict[str, list[Fix]] = {}
    for fix in found.values():
        by_line.setdefault(line_of(fix.product), []).append(fix)
    # Where an article says of one product line both what first had the fix and something weaker, the former counts.
    return [f for f in found.values() if f.primary or not any(o.primary for o in by_line[line_of(f.product)])]


def _read(article: Structure, sentence: Sentence, before: Sentence | None, lines: tuple[ProductLine, ...]) -> Iterator[Fix]:
    text = normal(sentence.text)
    step = bool(_STEP.search(article.text, max(0, sentence.start - 12), sentence.start))
    start = _statement(text, article.section_at(sentence.start)[0].startswith(_ANSWER), step)
    if start is None:
        return
    named = mentions(text)
    packs = [p for p in PACK.finditer(text, start, _clause_end(text, start)) if not _no_fix(text, p, start)]
    previous: list[tuple[str, ...]] = []
    for p in packs:
        products = _products(text, p, named)
        stranger = _STRANGER.search(text[: p.start()])
        if not products and stranger and not any(m.start < p.start() and m.end > stranger.start(1) for m in named):
            continue  # a service pack of somebody else's product
        if not products:
            products = _bare(text, p, named, lines) or (previous[-1] if previous else _context(p, named, before, lines))
        previous.append(products)
        supposed = products == (SUPPOSED,) and not any(
            base == "windows-nt" and version
            for base, version in (*((m.base, m.versions) for m in named), *((line.base, line.version) for line in lines))
        )
        for product in products:
            number, primary = (p[1] + (p[2] or "")).lower(), bool(PRIMARY.search(text))
            yield Fix(product, number, "prose", sentence.text, sentence.start, primary, supposed)


@lru_cache(maxsize=4096)  # the same sentences stand in thousands of articles
def _statement(text: str, answer: bool, step: bool) -> int | None:
    """Where a statement of a fix begins in a sentence; None where it is none. `answer`: it stands in a section that
    answers the problem; `step`: it is one of several steps."""
    if OTHERWISE.search(text):
        return None
    pack = PACK.search(text)
    if not pack:
        return None
    if (
        (m := FIXED.search(text))
        and (after := PACK.search(text, m.end()))
        and (_INSTALLING.match(text, m.end() - 2) or not _BY_HAND.search(text[m.end() - 3 : after.start()]))
    ):
        return m.end()
    install = INSTALL.search(text[: pack.start()])
    if install and not _WHEN.search(text[: install.start()]):
        if TO_RESOLVE.search(text):
            return pack.start()
        if answer and not step and (order := ORDER.match(text)) and install.start() <= order.end():
            return pack.start()
    if answer and (m := ADDED.search(text)) and PACK.search(text, m.end() - 3):
        return m.end() - 3
    have = HAVE.search(text, pack.end()) or (UPDATED.search(text, pack.end()) if answer else None)
    if have and have.start() - pack.end() < 40 and (answer or "this" in have[0].lower()):
        return 0
    if (
        (m := IS_IN.search(text))
        and PACK.search(text, m.end())
        and (answer or m[0].lower().startswith(("fix", "hotfix", "correction")))
    ):
        return m.end()
    return None


def _clause_end(text: str, start: int) -> int:
    """Where a statement ends: what a sentence says after it is about something else."""
    first = PACK.search(text, start)
    turn = _TURN.search(text, first.end()) if first else None
    return turn.start() if turn else len(text)


def _no_fix(text: str, pack: re.Match[str], start: int) -> bool:
    """A pack that is named for something else than the fix: a rollup, "post-Service Pack 3", an update to it."""
    before = text[start if ADDED.search(text) else 0 : pack.start()]
    return bool(_BEFORE_NO.search(before) or _AFTER_NO.match(text, pack.end()))


def _products(text: str, pack: re.Match[str], named: tuple[Mention, ...]) -> tuple[str, ...]:
    """The products that stand beside a pack: before it ("Windows NT 4.0 Service Pack 4") or after it ("... for Windows NT 4.0")."""
    for m in named:
        if m.start >= pack.end() and re.fullmatch(
            r",? (?:or later |and later )?(?:for|of|to|on|from)(?: the)? ", text[pack.end() : m.start]
        ):
            return _ids(m)
    at = max((m for m in named if m.end <= pack.start()), key=lambda m: m.end, default=None)
    if at is None or not re.fullmatch(
        r"[ ,'-]*(?:s |running |with |the |by |in |applying |its |latest |U\.S\. )*", text[at.end : pack.start()]
    ):
        return ()
    ids = list(_ids(at))
    if not ids:
        return ()
    index = named.index(at)
    while index and re.fullmatch(r",? (?:and|or)? ?", text[named[index - 1].end : named[index].start] or "-"):
        index -= 1
        ids = [*_ids(named[index], at), *ids]
    return tuple(dict.fromkeys(ids))


def _bare(text: str, pack: re.Match[str], named: tuple[Mention, ...], lines: tuple[ProductLine, ...]) -> tuple[str, ...]:
    """A version alone before the pack ("... and 4.0 Service Pack 3"): of the article's products that have it."""
    version = _BARE.search(text[: pack.start()])
    if not version:
        return ()
    bases = [m.base for m in reversed(named) if m.end <= pack.start()] + [
        line.base for line in lines if line.version == version[1]
    ]
    own = [b for b in bases if any(line.base == b and line.version == version[1] for line in lines)] or bases
    return (product_id(own[0].removesuffix("-client"), version[1]),) if own else ()


def _ids(m: Mention, like: Mention | None = None) -> tuple[str, ...]:
    versions = m.versions or (like.versions if like and like.base == m.base else ())
    return tuple(product_id(m.base, v, m.edition if v == "4.0" else "") for v in versions)


def _context(
    pack: re.Match[str], named: tuple[Mention, ...], before: Sentence | None, lines: tuple[ProductLine, ...]
) -> tuple[str, ...]:
    """A pack without a product and its version: the sentence's own, the sentence before, the article's."""
    near = [m for m in named if m.end <= pack.start()] or named
    if near and not near[-1].versions and near[-1].end + 1 == pack.start():
        near = [m for m in near if m.base == near[-1].base]  # "IIS 5.0 or Windows NT Service Pack 5" is not IIS's pack
    bases = {m.base for m in near}
    for m in reversed(near):
        if m.versions and len(m.versions) == 1:
            return _ids(m)
    if before:
        for m in reversed(mentions(normal(before.text))):
            if len(m.versions) == 1 and (not bases or m.base in bases):
                return _ids(m)
    own = {
        (line.base.removesuffix("-client"), line.version, "terminal-server" if line.edition == "terminal-server" else "")
        for line in lines
        if line.version and (not bases or line.base in bases)
    }
    if not own and bases == {"windows-nt"}:
        return (SUPPOSED,)
    plain = {o for o in own if not o[2]} or own
    return (product_id(*next(iter(plain))),) if len(plain) == 1 else ()


# Keywords: (product as the keyword has it, product id). The number follows: kbWinNT400sp4fix, kbExchange550sp3fix.
_KEYWORD_PRODUCTS: tuple[tuple[str, str], ...] = (
    (r"(?:OS)?WinNTS?400|WinNT4|NT400|nt4", "windows-nt-4.0"),
    (r"(?:OS)?WinNT351", "windows-nt-3.51"),
    (r"(?:OS)?WinNT350", "windows-nt-3.5"),
    (r"TSE400|TSE|NTTermServ400", "windows-nt-4.0-terminal-server"),
    (r"(?:OS)?Win2000", "windows-2000"),
    (r"(?:OS)?WinXP", "windows-xp"),
    (r"Exchange2000|exc2000|exc2k", "exchange-2000"),
    (r"VS97", "visual-studio-97"),
    (r"Office(?P<office>97|2000|XP)", "office-{office}"),
    (r"CommServ(?P<commerce>\d{4})", "commerce-server-{commerce}"),
    (r"HIS2000|HostIntegServ2000", "host-integration-server-2000"),
    (r"SQLServ(?P<sql>\d{3,4})", "sql-server-{sql}"),
)
_KEYWORD_BASES: tuple[tuple[str, str], ...] = (
    ("Exchange", "exchange"), ("exc", "exchange"), ("SNA", "sna-server"), ("sms", "sms"), ("IIS", "iis"), ("VS", "visual-studio"), ("vb[pe]?", "visual-basic"),
    ("VC", "visual-c++"), ("VFP", "visual-foxpro"), ("MDAC", "mdac"), ("IE", "internet-explorer"), ("SiteServer", "site-server"),
    ("SiteServ", "site-server"), ("SBS", "small-business-server"), ("Proxy", "proxy-server"),
)  # fmt: skip
_KEYWORD = re.compile(
    r"(?:kb)?(?P<product>"
    + "|".join(p for p, _ in _KEYWORD_PRODUCTS)
    + "|(?:"
    + "|".join(b for b, _ in _KEYWORD_BASES)
    + r")\d{2,4})(?P<pre>pre)?sp(?P<pack>\d[ab]?)_?(?P<fix>fix|fi$)?",
    re.I,
)


def keyword_fixes(keywords: Iterable[Keyword]) -> tuple[list[Fix], list[Fix]]:
    """What the keywords name: fixes in a numbered service pack, and `preSP` ones, which are hotfixes."""
    packs: list[Fix] = []
    hotfixes: list[Fix] = []
    for word in keywords:
        if "sp" not in word.text and "sp" not in word.text.lower():
            continue
        for m in _KEYWORD.finditer(word.text):
            product = _keyword_product(m["product"])
            pre = bool(m["pre"])
            if not product or not m["fix"]:
                continue
            (hotfixes if pre else packs).append(Fix(product, m["pack"].lower(), "keyword", word.text, word.start))
    return packs, hotfixes


def _keyword_product(words: str) -> str:
    for pattern, product in _KEYWORD_PRODUCTS:
        if m := re.fullmatch(pattern, words, re.I):
            return product.format(**{k: v.lower() for k, v in m.groupdict().items() if v})
    m = re.fullmatch(r"([a-z+]+?)(\d{2,4})", words, re.I)
    if not m:
        return ""
    base = next((b for name, b in _KEYWORD_BASES if re.fullmatch(name, m[1], re.I)), "")
    digits = m[2]
    version = digits if digits.startswith("20") and len(digits) == 4 else f"{digits[0]}.{digits[1:].rstrip('0') or '0'}"
    return product_id(base, version) if base else ""
