"""Which of an article's product lines a part of its text is about: by the headings above it, and by lines that only name
a product ("Windows NT 4.0:", "For IIS 5.0:")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from auditor.advisories.sources.kb.fixes import line_of
from auditor.advisories.sources.kb.products import mentions, normal
from auditor.advisories.sources.kb.structure import Structure, fold

# The Windows that a component of it runs on: a heading "Windows 2000" in an article about IIS 5.0 is about IIS 5.0.
PLATFORM = {
    "iis-4.0": "windows-nt-4.0",
    "iis-5.0": "windows-2000",
    "iis-5.1": "windows-xp",
    "index-server-2.0": "windows-nt-4.0",
}
_SWITCH = re.compile(r"(?:If you are (?:running|using) |For |On |In )?(?P<name>[^;]{4,100}?):")
_SECTIONS = ("RESOLUTION", "SOLUTION")
_ELSEWHERE = ("RESOLUTION", "SOLUTION", "STATUS", "SUMMARY", "MORE INFORMATION", "WORKAROUND")


class Part(NamedTuple):
    """A stretch of text about some product lines (all of the article's where there are none); `under`: the name of its section, which
    extends from `section` to `until`."""

    lines: frozenset[str]
    start: int
    end: int
    under: str
    section: int
    until: int


@lru_cache(maxsize=4096)
def named_lines(text: str) -> frozenset[str]:
    """The product lines that a heading names, with the Windows that a component among them runs on."""
    found = {line_of(m.id(v)) for m in mentions(normal(text)) for v in m.versions}
    return frozenset(found | {PLATFORM[line] for line in found if line in PLATFORM})


def is_about(lines: frozenset[str], line: str) -> bool:
    """Is text about these lines about this one, too?"""
    return not lines or line in lines or PLATFORM.get(line) in lines


def parts(article: Structure, *, anywhere: bool = False) -> Iterator[Part]:
    """The parts that say how the problem is resolved; `anywhere`: of the whole article but what describes the problem."""
    main, lines = "", frozenset[str]()
    for section in article.sections:
        if section.level == 1:
            main, lines = section.name, frozenset()
        else:
            lines = named_lines(section.heading) or lines
        if main.startswith(_ELSEWHERE if anywhere else _SECTIONS) or (anywhere and not main):
            yield from _within(article.text, section.start, section.end, lines, main)


def _only_names(text: str) -> bool:
    """Does a line name products and say nothing else?"""
    words = normal(text)
    named = mentions(words)
    return bool(named) and named[0].start == 0 and len(words) - named[-1].end <= _REST


_REST = 20  # letters after the last product: "Service Pack 6a"


def _within(text: str, start: int, end: int, lines: frozenset[str], under: str) -> Iterator[Part]:
    """A section, cut where a paragraph only names a product."""
    at = start
    for m in re.finditer(r"(?:^|\n)[ \t]*\n([^\n]{4,110}:)[ \t]*\n[ \t]*\n", text[start:end]):
        switch = _SWITCH.fullmatch(fold(m[1]))
        found = named_lines(switch["name"]) if switch and _only_names(switch["name"]) else frozenset[str]()
        if found:
            yield Part(lines, at, start + m.start(1), under, start, end)
            at, lines = start + m.end(1), found
    yield Part(lines, at, end, under, start, end)
