"""The vendor's own lists of what a service pack corrects ("List of Bugs Fixed in Windows NT 4.0 Service Pack 6"): what they say
settles a hotfix whose article was never brought up to date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.advisories.sources.kb.fixes import line_of
from auditor.advisories.sources.kb.products import mentions, normal
from auditor.advisories.sources.kb.structure import Structure

_TITLE = re.compile(r"\bbugs fixed in\b|\bfix ?list\b", re.I)
_NO_PACK = re.compile(r"\bHRP\b|hot ?fix rollup", re.I)
_PACKS = re.compile(r"\b(?:Service Packs?|SP) ?((?:\d[a-z]?(?:/\d?[a-z])?(?:, and |, | and | & )?)+)", re.I)
_SWITCH = re.compile(r"^Service Pack (\d[a-z]?)(?: Fixes)?[ \t]*\n", re.M)
_ENTRY = re.compile(r"^[ \t]*(?:- )?(Q\d{5,6})\b:?[ \t-]+(?!.*(?:List of Bugs|Fix ?list|How to Obtain))\S", re.M | re.I)


class FixList(NamedTuple):
    """A service pack of a product line corrects what these articles tell of."""

    line: str
    service_pack: str
    articles: frozenset[str]


def fix_lists(article: Structure) -> list[FixList]:
    """What a list says; empty where the article is none."""
    if not _TITLE.search(article.title) or _NO_PACK.search(article.title):
        return []
    lines = {line_of(m.id(v)) for m in mentions(normal(article.title)) for v in m.versions}
    return [FixList(line, pack, found) for pack, found in _by_pack(article) if found for line in sorted(lines)]


def _by_pack(article: Structure) -> Iterator[tuple[str, frozenset[str]]]:
    named = [p.lower() for m in _PACKS.finditer(article.title) for p in re.findall(r"(?<!/)\b\d[a-z]?", m[1])]
    text = article.text[article.begin : article.end]
    switches = list(_SWITCH.finditer(text))
    if len(named) == 1:
        yield named[0], frozenset(m[1] for m in _ENTRY.finditer(text))
        return
    for switch, after in zip(switches, [*switches[1:], None], strict=False):
        until = after.start() if after else len(text)
        yield switch[1].lower(), frozenset(m[1] for m in _ENTRY.finditer(text, switch.end(), until))
