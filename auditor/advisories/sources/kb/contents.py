"""What a package contains and replaces: the lists of articles and bulletins in the article that offers it.

"Fixes included in the SRP: Q241041 …", "this cumulative package contains the following fixes: MS01-026 …", "these patches
supersede those provided in the following security bulletins: …", "includes the functionality from …".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from auditor.advisories.sources.kb.headings import parts
from auditor.advisories.sources.kb.offers import REFERENCE, Offer
from auditor.advisories.sources.kb.security import BULLETIN
from auditor.advisories.sources.kb.structure import Structure

_INTRODUCES = re.compile(
    r"\b(?:roll-?up|SRP|cumulative|package|patch(?:es)?|hot\s?fix(?:es)?|this\s+fix|pack)\b(?:[^.]|\.(?=\d)){0,200}?\b(?:includes?|contains?|supersedes?|replaces?)\b"
    r"|\bfixes\s+(?:that\s+are\s+)?included\s+in\s+the\b|\bfollowing\s+fixes\s+are\s+included\b|\bincludes?\s+the\s+binary\s+files\b",
    re.I,
)
_SENDS = re.compile(
    r"\bclick\s+the|\bsection\s+of\s+the|\bfor\s+(?:more|additional)\s+information|\bplease\s+see\b|\bbefore\s+you\b|\brequires?\b|\bis\s+included\s+in\b|\bintroduce",
    re.I,
)
# "For information on what fixes are included with this package, please see the following articles": stands under SYMPTOMS.
_WHAT_IS_IN = re.compile(r"\bwhat\s+fixes\s+are\s+(?:included|contained)\b[^.:]{0,120}:\n", re.I)
# "This issue is documented at: http://support.microsoft.com/support/kb/articles/q179/1/07.asp"
_DOCUMENTED = re.compile(r"\bis\s+documented\s+at:\s+http://\S{1,60}/q(\d{3})/(\d)/(\d\d)\.asp", re.I)
_WITHOUT = re.compile(r"\bdo(?:es)?\s+not\s+(?:include|contain|supersede|replace)|\bnot\s+included\b", re.I)
_FUNCTIONALITY = re.compile(
    r"includes\s+the\s+functionality\s+from\s(?:[^.]|\.(?=\d)){0,200}\([^)\s]{0,120}\bID=(\d{6})\)", re.I
)
_LIST_OF_BULLETINS = re.compile(
    r"(?:[ \t]*Microsoft\s+Security\s+Bulletin\s+MS\d\d-\d{3}[^\n]*\n(?:[ \t]+[^\n]+\n)*[ \t]*\n)+", re.I
)
_LIST_OF_IDS = re.compile(r"(?:^[ \t]*ARTICLE-ID ?: ?Q\d{5,6}[^\n]*\n(?:[ \t]+\S[^\n]*\n)*(?:[ \t]*\n)*)+", re.M)
_RUN = re.compile(r"(?:^[ \t]{2,}Q\d{5,6}[ \t]+\S[^\n]*\n(?:[ \t]{2,}(?!Q\d{5,6}[ \t])\S[^\n]*\n)*(?:[ \t]*\n)+)+", re.M)


class Content(NamedTuple):
    """A package contains these articles, packages and bulletins (`Q241041`, `MS01-026`), or is `without` them, for these product lines
    (all where none is named); `start` is the place of the list."""

    package: str
    lines: frozenset[str]
    items: frozenset[str]
    without: bool
    start: int


def contents(article: Structure, offered: Iterable[Offer]) -> list[Content]:
    """What the packages that an article offers itself contain; empty where it has no such list."""
    own = [o for o in offered if not o.elsewhere]
    if not own or not article.holds("contain", "includ", "supersede", "replace", "documented at"):
        return []
    found = []
    for part in parts(article, anywhere=True):
        for items, without, start in _lists(article.text[part.start : part.end]):
            items -= {article.id}
            here = (
                {o.package for o in own if part.start <= o.start < part.end}
                or {o.package for o in own if part.section <= o.start < part.until}
                or {o.package for o in own}
            )
            found += [Content(p, part.lines, items - {p}, without, part.start + start) for p in sorted(here) if items - {p}]
    for m in _WHAT_IS_IN.finditer(article.text, article.begin, article.end):
        if run := _RUN.match(article.text, article.text.find("\n", m.end()) + 1, article.end):
            items = frozenset(r[1] for r in REFERENCE.finditer(run[0]))
            found += [Content(o.package, frozenset(), items - {o.package}, False, run.start()) for o in own]
    return found


def _lists(text: str) -> Iterator[tuple[frozenset[str], bool, int]]:
    for m in _FUNCTIONALITY.finditer(text):
        yield frozenset({f"Q{m[1]}"}), False, m.start()
    for m in _DOCUMENTED.finditer(text):
        yield frozenset({f"Q{m[1]}{m[2]}{m[3]}"}), False, m.start()
    for run in _RUN.finditer(f"{text}\n\n"):
        yield from _told(text, run, frozenset(r[1] for r in REFERENCE.finditer(run[0])))
    for run in _LIST_OF_IDS.finditer(f"{text}\n\n"):
        yield from _told(text, run, frozenset(re.findall(r"Q\d{5,6}", run[0])))
    for run in _LIST_OF_BULLETINS.finditer(f"{text}\n\n"):
        yield from _told(text, run, frozenset(b.upper() for b in BULLETIN.findall(run[0])))


def _told(text: str, run: re.Match[str], items: frozenset[str]) -> Iterator[tuple[frozenset[str], bool, int]]:
    """A list, if the paragraph before it says that it is what a package holds, or does not hold."""
    before = text[: run.start()].rstrip()
    paragraph = before[max(0, before.rfind("\n\n")) :]
    if _WITHOUT.search(paragraph):
        yield items, True, run.start()
    elif _INTRODUCES.search(paragraph) and not _SENDS.search(paragraph):
        yield items, False, run.start()
