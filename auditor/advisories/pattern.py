"""Regular expressions with many alternatives, made quick: tried only on texts that hold a word one of them needs.

Looking for a word in a sentence costs a hundredth of trying the alternatives at each of its letters, and most
sentences hold none. tests/advisories/test_pattern.py holds every pattern against itself without its words.
"""

from __future__ import annotations

import re


class Pattern:
    """A pattern that ignores case. `words`: parts of words, in lower case, of which every match holds at least one; left
    out, they are all runs of letters in the pattern, so each alternative must have such a run that is not optional."""

    def __init__(self, pattern: str, words: str = "") -> None:
        self.compiled = re.compile(pattern, re.I)
        given = words.split() or re.findall(r"[a-z]{2,}", re.sub(r"\\[a-zA-Z]|\(\?[-a-z]*:", " ", pattern).lower())
        self.words = tuple(w for w in dict.fromkeys(given) if not any(o != w and o in w for o in given))

    def search(self, text: str) -> re.Match[str] | None:
        lowered = text.lower()
        for word in self.words:
            if word in lowered:
                return self.compiled.search(text)
        return None
