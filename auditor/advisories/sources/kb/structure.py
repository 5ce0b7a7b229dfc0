"""The form of a Microsoft Knowledge Base article as text: header, APPLIES TO, sections, sentences, keyword block.

Every part keeps its offset, so that whatever is read from it can be shown with its line. Nothing here knows what a
sentence means.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

MONTHS = {m: n for n, m in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1)}
HEADER = re.compile(r"DOCUMENT:[ \t]*(Q\d{4,7})(?:[ \t]+(\d{1,2})-([A-Z]{3})-(\d{4}))?(?:[ \t]+\[(\w+)\])?", re.I)
_TITLE = re.compile(r"^TITLE[ \t]*:[ \t]*(.*)", re.M)
_APPLIES = re.compile(r"^The information in this article applies to:?[ \t]*\n", re.M | re.I)
_RULE = re.compile(r"^[-=]{20,}[ \t]*$", re.M)
_UNDERLINE = re.compile(r"\n(===+|---+)[ \t]*$", re.M)
_HEADING = re.compile(r"[^\s=-][^\n]{0,90}")
_FOOTER = re.compile(r"^Keywords[ \t]*:([^\n]*(?:\n[ \t]+kb[^\n]*)*)", re.M)
_WORD = re.compile(r"\S+")
_LABELLED = re.compile(r"^(Technology|Version|Hardware|Issue type|Solution Type)[ \t]*:[ \t]*([^\n]*)", re.M)
_QUERY_WORDS = re.compile(r"^Additional (?:query|reference) words?:", re.M | re.I)
# A sentence ends at a stop before white space and a beginning; "U.S. Service Pack" and the like are no ends.
_END = re.compile(
    r"[.!?](?<![ .(][A-Z]\.)(?<!e\.g\.)(?<!i\.e\.)(?<!\bvs\.)(?<!\bNo\.)(?<!\bInc\.)(?<!Corp\.)(?<!\bSt\.)[\")']?\s+(?=[\"'(A-Z0-9\\%])|\.(?=This (?:problem|bug|issue)|NOTE:)|\n[ \t]*\n\s*"
)
_MARK = re.compile(r"-or-|-and-|[-*o]|\d{1,2}[.)]", re.I)
_BULLET = re.compile(r"\n[ \t]*(?:-or-|-and-|[-*o][ \t]+(?=\S)|\d{1,2}[.)][ \t]+)", re.I)


class Sentence(NamedTuple):
    """White space folded; `start` is the offset of its first letter in the article."""

    text: str
    start: int


class ArticleSection(NamedTuple):
    """A heading underlined by `=` (level 1) or `-` (level 2), as written and in capitals, and the extent of what stands
    under it."""

    heading: str
    name: str
    level: int
    start: int
    end: int


class Bullet(NamedTuple):
    """One entry of the APPLIES TO list, unexpanded, without its dash, lines joined."""

    text: str
    start: int


class Keyword(NamedTuple):
    """One keyword of an article's keyword block, and its place."""

    text: str
    start: int


class Structure:
    """An article taken apart. Raises ValueError (what is wrong, for people) where it is no whole article."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = text.lower()
        header = HEADER.match(text)
        if not header:
            raise ValueError("does not begin with a DOCUMENT line: no Knowledge Base article, or cut off at its beginning")
        self.id = header[1].upper()
        self.revised = _date(header)
        self.topic = (header[5] or "").lower()
        footer = _FOOTER.search(text, text.rfind("\nKeywords") + 1)  # the last: a sample in the text may look like it
        if footer is None:
            raise ValueError(f"{self.id} is cut off: the keyword block at an article's end is missing")
        self._keywords = footer.span(1)
        self.labels = {m[1].lower(): m[2].strip() for m in _LABELLED.finditer(text, footer.end())}
        title = _TITLE.search(text, header.end(), footer.start())
        self.title = fold(title[1]) if title else ""
        self.title_at = title.start(1) if title else 0
        applies = _APPLIES.search(text, 0, footer.start())
        begin = header.end()
        self.applies_to: tuple[Bullet, ...] = ()
        if applies:
            rule = _RULE.search(text, applies.end(), footer.start())
            until = rule.start() if rule else applies.end()
            self.applies_to = tuple(_bullets(text, applies.end(), until))
            begin = rule.end() if rule else applies.end()
        words = _QUERY_WORDS.search(text, begin, footer.start())
        self.begin = begin
        self.end = begin + len(text[begin : words.start() if words else footer.start()].rstrip("= \t\n"))
        self.sections = tuple(self._sections())
        self._lines: list[int] | None = None

    @property
    def keywords(self) -> Iterator[Keyword]:
        """The keywords of the keyword block, in its order."""
        for m in _WORD.finditer(self.text, *self._keywords):
            yield Keyword(m[0], m.start())

    def _sections(self) -> Iterator[ArticleSection]:
        """The text before the first heading is a section without a name."""
        found: list[tuple[int, str, re.Match[str]]] = []
        for rule in _UNDERLINE.finditer(self.text, self.begin, self.end):
            start = self.text.rfind("\n", self.begin, rule.start()) + 1
            heading = self.text[start : rule.start()]
            if self.text[start - 2 : start] == "\n\n" and _HEADING.fullmatch(heading):
                found.append((start, fold(heading), rule))
        starts = [start for start, _, _ in found] + [self.end]
        if starts[0] > self.begin:
            yield ArticleSection("", "", 1, self.begin, starts[0])
        for n, (_, heading, rule) in enumerate(found):
            yield ArticleSection(heading, heading.upper(), 1 if rule[1][0] == "=" else 2, rule.end(), starts[n + 1])

    def holds(self, *words: str) -> bool:
        """Does the article hold any of these words, given in lower case?"""
        return any(word in self.lower for word in words)

    def near(self, pattern: re.Pattern[str], *words: str, before: int = 80, after: int = 160) -> re.Match[str] | None:
        """The first match around one of these words, given in lower case: a pattern without a fixed beginning is slow over a whole text.
        All of the document is looked at."""
        found: list[re.Match[str]] = []
        for word in words:
            at = self.lower.find(word)
            while at >= 0:
                if m := pattern.search(self.text, max(0, at - before), at + after):
                    found.append(m)
                    break
                at = self.lower.find(word, at + len(word))
        return min(found, key=lambda m: m.start(), default=None)

    def line(self, offset: int) -> int:
        """The number of the line at an offset, from 1."""
        if self._lines is None:
            self._lines = [m.start() for m in re.finditer("\n", self.text)]
        return bisect_right(self._lines, offset - 1) + 1

    def line_text(self, offset: int) -> str:
        """The line at an offset, white space folded."""
        end = self.text.find("\n", offset)
        return fold(self.text[self.text.rfind("\n", 0, offset) + 1 : end if end >= 0 else len(self.text)])

    def section_at(self, offset: int) -> tuple[str, str]:
        """The name of the section, in capitals, and the heading of the subsection, as written, that an offset stands in."""
        name = sub = ""
        for s in self.sections:
            if s.start > offset:
                break
            name, sub = (s.name, "") if s.level == 1 else (name, s.heading)
        return name, sub

    def paragraph(self, offset: int) -> tuple[int, int]:
        """The extent of the paragraph around an offset: up to blank lines or the section's ends."""
        section = next((s for s in self.sections if s.start <= offset < s.end), None)
        low, high = (section.start, section.end) if section else (self.begin, self.end)
        start = self.text.rfind("\n\n", low, offset)
        end = self.text.find("\n\n", offset, high)
        return (low if start < 0 else start + 2), (high if end < 0 else end)


def _date(header: re.Match[str]) -> date | None:
    month = MONTHS.get((header[3] or "").upper())
    try:
        return date(int(header[4]), month, int(header[2])) if month else None
    except ValueError:
        return None


def _bullets(text: str, start: int, end: int) -> Iterator[Bullet]:
    at = start
    lines: list[re.Match[str]] = []
    for m in re.finditer(r"^[ \t]*([-*•])[ \t]+|^[ \t]*$", text[start:end], re.M):
        if lines and (body := fold(text[at : start + m.start()])):
            yield Bullet(body, at)
        lines = [m] if m[1] else []
        at = start + m.end()
    if lines and (body := fold(text[at:end])):
        yield Bullet(body, at)


_LONGEST = 4_000  # characters of a sentence that are looked at; what follows is a table, or no article's


def fold(text: str) -> str:
    """White space folded to single blanks, none at the ends."""
    return " ".join(text.split())


def sentences(text: str, start: int, end: int) -> Iterator[Sentence]:
    """The sentences between two offsets; list items count as such."""
    at = start
    # Where one sentence ends and the next begins: behind a stop, and around the mark of a list item.
    cuts = [(m.end(), m.end()) for m in _END.finditer(text, start, end)]
    cuts += [(m.start(), m.end()) for m in _BULLET.finditer(text, start, end)]
    for stop, resume in [*sorted(cuts), (end, end)]:
        body = fold(text[at:stop])[:_LONGEST]
        if body and not _MARK.fullmatch(body):
            yield Sentence(body, at + len(text[at:stop]) - len(text[at:stop].lstrip()))
        at = max(at, resume)
