"""Where the fix of an article comes from, beside numbered service packs: a hotfix, "the latest service pack", a third
party, or nowhere.

Sentences are looked at where they answer the problem (RESOLUTION, STATUS, WORKAROUND …); each family of phrases is one
pattern, with a cheap word that must be there first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from auditor.advisories.pattern import Pattern
from auditor.advisories.sources.kb.component import MAKER
from auditor.advisories.sources.kb.fixes import INDEX, line_of
from auditor.advisories.sources.kb.products import mentions, normal
from auditor.advisories.sources.kb.structure import Sentence, Structure, sentences

LATEST = Pattern(
    r"\b(?:corrected|fixed|resolved|addressed|included|available|incorporated) (?:in|by|with) (?:the|a) (?:latest|lastest|current|most recent|newest|recent)\b[^;]{0,90}?\bservice packs?\b"
    r"|\b(?:obtain|install|apply|get|use|upgrade to|update to|download|installing|applying|obtaining|upgrading to)\b(?: and (?:install|apply))? (?:the |your computer to the )?(?:latest|current|most recent|newest|lastest)\b[^;.]{0,90}?\bservice packs?\b",
    "latest lastest current recent newest",
)
_LATEST_NO = re.compile(
    r"\bfeatures?\b|how to obtain|\bbefore\b|\bprerequisite|\brequires?\b|for information on obtaining|make sure|verify|ensure|reappl|after (?:you )?(?:install|apply)|does not|not (?:been )?(?:fixed|corrected)|then (?:apply|install)|and (?:apply|install) the (?:hot)?fix",
    re.I,
)

HOTFIX = Pattern(
    r"\ba supported (?:fix|hotfix|patch|feature)\b"
    r"|\b(?:hot ?fix|fix|patch|update|updated? (?:\w+[ .]){0,3}\w*|correction|new(?:er)? version of \w+(?:\.\w+)?|security (?:update|patch)|private fix|quick fix)\b[^.;]{0,60}?\b(?:is|are|has been|have been|was|were|is now|are now)(?: now| also| currently)? (?:available|posted|made available|released|provided|developed|produced|issued)\b(?! (?:from|by) (?:the |your )?(?:manufacturer|vendor|third|hardware))"
    r"|\b(?:obtain|apply|install|download|get|request|use|contact [^.;]{0,80}?(?:to obtain|for|to request|and (?:ask|request) for)|wait for[^.;]{0,30} or obtain) (?:and (?:apply|install) )?(?:the |this |a |an |either )?(?:following |individual |appropriate |post-?\w+ |updated |English |new |supported |\w+-fix )*(?:hot ?fix|fix|patch|software update|(?:individual )?(?:update|package)|rollup|security rollup|QFE|correction|updated (?:\w+ )?(?:files?|drivers?|version|\w+\.\w{3}))\b(?!es)"
    r"|\bMicrosoft has (?:made available|released|developed|produced|provided|created|issued|corrected|posted|modified|updated|a)\b[^.;]{0,60}?\b(?:fix|hotfix|patch|update|updates|correction|version|driver|tool that|utility)\b"
    r"|\b(?:this|the) (?:hot ?fix|fix|patch|update) (?:has been|was|is|have been) (?:posted|available|made|included|intended)\b"
    r"|\bversion of this (?:fix|hotfix|patch|update|feature)\b|\bthis (?:fix|hotfix|patch) should have\b|\bindividual software update\b|\bsecurity rollup\b|\bhot ?fix rollup\b|\bQFE\b.{0,40}\bavailable"
    r"|\bfollowing files? (?:is|are) available for download from the Microsoft Download"
    r"|\bfixe?s? (?:described|mentioned|listed|discussed) (?:below|in this|in the)|\bcorrected (?:in|by) (?:the|a|an) (?:post|hot ?fix|fix|patch|update|QFE|Q\d+)",
    "fix patch update correct version rollup qfe microsoft package",
)
_HOTFIX_NO = re.compile(
    r"\b(?:no (?:known )?(?:hot ?fix|fix|patch|update)|not available|is not (?:yet )?available|future|will be (?:available|fixed|corrected|released)|after (?:you )?(?:install|apply|obtain)|before you (?:install|apply)|reappl\w*|re-appl\w*|remove the (?:hot ?fix|fix|patch)|uninstall|fixed (?:disk|drive)|does not fix|problem (?:occurs|described) (?:after|when) |under (?:development|investigation)|researching"
    r"|do not (?:install|apply)|caused by (?:the|a) (?:hot ?fix|patch|update)|when it becomes available|how to obtain)\b",
    re.I,
)

# Names that are no other company, though they are written like one.
_OURS = (
    r"Microsoft|Windows|NT|Exchange|Product|Internet|Systems|SNA|Knowledge|Web|This|The|To|If|For|In|You|Your|Service|World|On|At|From|Contact|Obtain|Install|Use|Update|Upgrade|Server|Workstation|Control|Panel|Setup|Registry|Editor|Network|"
    r"Start|Click|Select|Run|Copy|Replace|Remove|Change|Add|Office|Word|Excel|Access|Outlook|Visual|Basic|Support|Pack|NOTE|Note|IMPORTANT|WARNING|STATUS|CD|CD-ROM|DLL|EXE|BIOS|SCSI|TCP|IP|RAS|IIS|SMS|DNS|WINS|DHCP|ODBC|MAPI|MTA|SP\d\w?|Q\d+|Resource|Kit|Technical|Download|Center|Article|Base|"
    r"However|After|Before|When|While|Also|There|These|Those|Both|Most|Some|An?|It|As|By|Or|And|Then|Method|Step|Once|Other|Please|See|Because|Although|Check|Verify|Make|Try|Get|Go|Double-click|Right-click"
)
_NAME = rf"(?-i:\b(?!(?:{_OURS})\b)[A-Z][A-Za-z0-9&/-]*[a-zA-Z0-9](?:'s)?\b)"
_THEM = rf"(?:\b(?:vendors?|manufacturers?|suppliers?|OEM|third[- ]party|developers? of|provider of)\b|{_NAME})"
_NEWER = r"\b(?:fix(?:es)?|hot ?fix|patch(?:es)?|updat(?:es?|ed|ing)|upgrad(?:es?|ed|ing)|newer|newest|latest|later|most recent|current (?:version|driver|release|BIOS|firmware)s?|corrected|revised|replacements?|new (?:\w+ )?(?:version|driver|drivers|BIOS|firmware|release|copy|file|ROM)s?|compatible|supported driver|Windows NT drivers?|NT drivers?|availability|obtain\w*|acquir\w+|get a|solution|BIOS|firmware)\b"
# The forms in which these articles send somebody to a third party: (what the article must have beside it, pattern), where
# 0 is nothing, 1 the name of a maker of hardware or programs, 2 a disclaimer of somebody else's product.
VENDOR: tuple[tuple[int, Pattern], ...] = (
    (
        0,
        Pattern(
            rf"\b(?:contact(?:ing)?|check(?:ing)? with|consult|call|see|ask) [^.;]{{0,60}}?\b(?:vendors?|manufacturers?|suppliers?|OEM|developers?)\b[^;]{{0,140}}?{_NEWER}",
            "vendor manufacturer supplier oem developer",
        ),
    ),
    (
        1,
        Pattern(
            rf"\b(?:contact(?:ing)?|check(?:ing)? with|call) [^.;]{{0,40}}?{_THEM}[^;]{{0,140}}?{_NEWER}", "contact check call"
        ),
    ),
    (
        0,
        Pattern(
            r"\b(?:obtain(?:ed|ing)?|get|download(?:ed)?|available|acquired?|request|supplied|provided|updated?|drivers?) [^.;]{0,80}?\b(?:from|by|through) (?:the |your |its |their |that |computer |hardware |adapter |card |device |printer |software |system |original |equipment |modem |video |\w+'s )*(?:vendors?|manufacturers?|suppliers?|OEM|developers?)\b",
            "vendor manufacturer supplier oem developer",
        ),
    ),
    (
        1,
        Pattern(
            rf"\b(?:obtain(?:ed|ing)?|get|install|download(?:ed)?|available|acquired?|request(?:ed)?)\b [^;]{{0,90}}?\b(?:from|at|by|through|on) (?:the |your |its )?{_NAME}",
            "from at by through on",
        ),
    ),
    (
        2,
        Pattern(
            r"(?:^|\b(?:to|should|must|and|by|or|please|can|,) )(?:upgrad(?:e|ing)|updat(?:e|ing)|install(?:ing)?|us(?:e|ing)|replac(?:e|ing)|obtain(?:ing)?|download|get|apply|acquire)\b (?!feature|mode)[^.;]{0,100}?\b(?:versions? \d|\d+\.\d+\w? or |or later|or greater|or higher|later|latest|newer|newest|updated|current|new (?:\w+ )?(?:version|driver|release|copy|BIOS)|revised|patch|upgrade|Softpaq|SSD|SP\d{4})\b",
            "upgrad updat install us replac obtain download get apply acquire",
        ),
    ),
    (
        2,
        Pattern(
            rf"{_NAME},?(?: Inc\.?,?| Corporation| Corp\.?| Technologies| Systems| Software| Computer)* (?:has|have|provides?|does provide|offers?|supplies) (?:now |since |also )?(?:\w+ )?(?:released?|produced|developed|corrected|issued|made|provided|fixed|updated|created|resolved|addressed|posted|updat|upgrad|utilit|new)",
            "has have provide offer supplies",
        ),
    ),
    (
        2,
        Pattern(
            r"\b(?:fixed|corrected|resolved|addressed|fixes|corrects|resolves) [^.;]{0,60}?\b(?:version|release|revision|firmware|BIOS|driver|patch)\b",
            "fixed corrected resolved addressed fixes corrects resolves",
        ),
    ),
    (
        0,
        Pattern(
            r"\b(?:upgrad(?:e|ing)|updat(?:e|ing)|flash(?:ing)?|obtain|install|newer|latest|new)\b[^.;]{0,50}\b(?:BIOS|firmware|flash ROM|Softpaq)\b(?! upgrades\.)|\b(?:BIOS|firmware) (?:upgrade|update)\b(?!s\.)",
            "bios firmware rom softpaq",
        ),
    ),
)
_VENDOR_NO = re.compile(
    r"\b(?:for (?:more|additional|further) information (?:about|on|regarding) (?:how to|contacting)|how to contact|no warranty|not (?:yet )?(?:available|released)|unable to|is aware of|independent of Microsoft|vendor contact|before you contact|products? (?:discussed|mentioned|included)|from Microsoft|Microsoft Product|Microsoft Web|microsoft\.com|hardware compatibility list|\bHCL\b|"
    r"(?:click|see) the (?:following|article)|Contact List|research\w*|contact information|remove|uninstall\w*|disable|do not (?:use|install)|was (?:designed|written)|caused by|Microsoft provides|comes with (?:Microsoft )?Windows|Windows NT \d\.\d+ compact disc|workaround solution|in development|included with (?:Microsoft )?Windows|provided with Windows|service pack|feature|mode so that|(?:for )?(?:further|additional|more) information|Have Disk|out of the box)\b",
    re.I,
)
_THIRD_PARTY = re.compile(
    r"third-party\s+products?\s+(?:that\s+(?:is|are)\s+)?(?:discussed|mentioned|included)|manufactured\s+by|vendors?\s+independent\s+of\s+Microsoft|\bkb3rdparty|third-party\s+contact\s+information|Third-Party\s+Vendor\s+Contact",
    re.I,
)


_CORRECTED = re.compile(r"\b(?:corrected|fixed|resolved|addressed)\b", re.I)


@lru_cache(maxsize=8192)
def _vendor_needs(text: str) -> int | None:
    """What must stand beside a sentence (see VENDOR) for it to say that something is to be had from somebody other than
    Microsoft; None where it says no such thing."""
    lowered = text.lower()
    needed = [needs for needs, pattern in VENDOR if pattern.search(text, lowered)]
    return None if not needed or _VENDOR_NO.search(text) else min(needed)


def _from_vendor(text: str, level: Callable[[], int]) -> bool:
    """Is something to be had from somebody other than Microsoft? `level` is what the article has beside it."""
    needed = _vendor_needs(text)
    if needed is None or (needed and level() < needed):
        return False
    # What was corrected in a version of Microsoft's own is nobody else's.
    return not (_CORRECTED.search(text) and mentions(normal(text)) and level())


# The same sentences stand in thousands of articles: what each says is found once.
@lru_cache(maxsize=8192)
def _phrases(text: str) -> tuple[bool, bool]:
    """Does a sentence tell of the latest service pack, of a hotfix?"""
    lowered = text.lower()
    return (
        bool(LATEST.search(text, lowered)) and not _LATEST_NO.search(text),
        bool(HOTFIX.search(text, lowered)) and not _HOTFIX_NO.search(text),
    )


# Words by which a hotfix is Microsoft's own, whatever else the sentence names.
_OWN = re.compile(
    r"supported (?:fix|hotfix|patch|feature)|Microsoft has|Product Support|version of this|software update|rollup|Microsoft (?:Technical|Web|Download)|from Microsoft",
    re.I,
)
_CONFIRMED = re.compile(r"confirmed this to be a (?:problem|bug)|\bproblem in\b", re.I)


class ArticleOutcome(NamedTuple):
    """The ways beside numbered service packs, each with the sentence that says so (None where there is none).

    `hotfix_lines` and `latest_lines` are the product lines that the sentences are about, empty where they name none;
    `vendor_first`: what looks like a hotfix is a third party's."""

    hotfix: Sentence | None = None
    latest: Sentence | None = None
    vendor: Sentence | None = None
    hotfix_lines: frozenset[str] = frozenset()
    latest_lines: frozenset[str] = frozenset()
    vendor_first: bool = False


def outcome(article: Structure) -> ArticleOutcome:
    """The first sentence of each kind, in the sections that answer the problem."""
    if INDEX.search(article.title):
        return ArticleOutcome()
    hotfix = latest = vendor = before = None
    about_hotfix: set[str] = set()
    about_latest: set[str] = set()
    own = False
    level = lru_cache(maxsize=1)(partial(_level, article))
    for sentence in _answers(article):
        text = sentence.text
        tells_latest, tells_hotfix = _phrases(text)
        if tells_latest:
            latest = latest or sentence
            about_latest |= _about(article, sentence, None)
        if tells_hotfix:
            is_own = bool(_OWN.search(text))
            if hotfix is None or (is_own and not own):
                hotfix, own = sentence, is_own
            about_hotfix |= _about(article, sentence, before)
        if vendor is None and _from_vendor(text, level):
            vendor = sentence
        before = sentence
    if not (hotfix or latest or vendor):
        strange = _strange(article)
        elsewhere = list(_elsewhere(article)) if strange or article.holds("posted", "available for download") else []
        hotfix = next((s for s in elsewhere if _POSTED.search(s.text) and not _HOTFIX_NO.search(s.text)), None)
        if strange and not hotfix:
            vendor = next((s for s in elsewhere if _from_vendor(s.text, level)), None)
    return ArticleOutcome(hotfix, latest, vendor, frozenset(about_hotfix), frozenset(about_latest), bool(vendor) and not own)


def _strange(article: Structure) -> bool:
    """Does the article disclaim somebody else's product?"""
    return article.near(_THIRD_PARTY, "third-party", "manufactured", "independent", "kb3rdparty") is not None


def _level(article: Structure) -> int:
    if _strange(article):
        return 2
    return 1 if MAKER.search(article.text, article.title_at, article.begin + 600) else 0


# An updated file that Microsoft has put up, told of outside the sections that answer.
_POSTED = Pattern(
    r"\b(?:updated|new|fixed|corrected)\b[^.;]{0,60}?\b(?:version|file|tool|driver|\w+\.\w{3})\b[^;]{0,80}?\b(?:posted|available)\b[^;]{0,60}?\b(?:Microsoft(?:'s)? (?:FTP|Web|Download|Software)|download from the (?:following|Microsoft))",
    "updated new fixed corrected",
)


def _about(article: Structure, sentence: Sentence, before: Sentence | None) -> set[str]:
    """The product lines that a sentence is about: its own, those of "confirmed this to be a problem in ..." before it,
    or those of the subsection's heading."""
    for text in (
        sentence.text,
        before.text if before and _CONFIRMED.search(before.text) else "",
        article.section_at(sentence.start)[1],
    ):
        found = {line_of(m.id(v)) for m in mentions(normal(text)) for v in m.versions} if text else set()
        if found:
            return found
    return set()


_TRIGGER = (
    "fix",
    "patch",
    "roll",
    "vendor",
    "manufactur",
    "third",
    "supplier",
    "oem",
    "contact",
    "available",
    "obtain",
    "upgrad",
    "updat",
    "bios",
    "firmware",
    "softpaq",
    "version",
    "driver",
    "install",
    "provide",
    "service",
    "released",
    "correct",
)


def _answers(article: Structure) -> Iterator[Sentence]:
    main = ""
    for section in article.sections:
        if section.level == 1:
            main = section.name
        if main.startswith(("RESOLUTION", "STATUS", "WORKAROUND", "SOLUTION")) and any(
            w in article.lower[section.start : section.end] for w in _TRIGGER
        ):
            yield from sentences(article.text, section.start, section.end)


def _elsewhere(article: Structure) -> Iterator[Sentence]:
    """Where articles about somebody else's product say what to do when they have no section for it."""
    main = ""
    for section in article.sections:
        if section.level == 1:
            main = section.name
        if main.startswith(("MORE INFORMATION", "CAUSE", "SUMMARY")):
            yield from sentences(article.text, section.start, section.end)
