"""A listen backlog that an article names as too small: "binds a backlog queue of five"."""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import Sentence, Structure, fold

_NUMBERS = {
    word: n for n, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
}
_BACKLOG = re.compile(
    rf"\bbacklog\s+(?:queue\s+|value\s+|limit\s+)?(?:of|is|to)\s+(?:only\s+)?(\d{{1,4}}|{'|'.join(_NUMBERS)})\b", re.I
)


def backlog(article: Structure) -> tuple[int | None, Sentence | None]:
    """The number and the words; None where the article names none."""
    if "backlog" not in article.lower or not (m := _BACKLOG.search(article.text, article.begin, article.end)):
        return None, None
    return _NUMBERS.get(m[1].lower(), int(m[1]) if m[1].isdigit() else 0), Sentence(fold(m[0]), m.start())
