"""Regular expressions with many alternatives, made quick: tried only on texts that hold a word one of them needs.

Looking for a word in a sentence costs a hundredth of trying the alternatives at each of its letters, and most
sentences hold none. tests/advisories/test_pattern.py holds every pattern against itself without its words.
"""

from __future__ import annotations

import re

# Words that name nothing by themselves; an alternative must have another one.
_GENERAL = frozenset(
    [
        "service",
        "services",
        "server",
        "microsoft",
        "for",
        "of",
        "and",
        "the",
        "in",
        "to",
        "or",
        "on",
        "remote",
        "client",
        "network",
        "version",
        "user",
        "volume",
        "file",
        "print",
    ]
)


class Pattern:
    """A pattern that ignores case. `words`: parts of words, in lower case, of which every match holds at least one; left
    out, they are all runs of letters in the pattern, so each alternative must have such a run that is not optional and
    not too general to tell anything."""

    def __init__(self, pattern: str, words: str = "") -> None:
        self.compiled = re.compile(pattern, re.I)
        plain = re.sub(r"\\[a-zA-Z]|\(\?[-a-z]*:|\w\?", " ", pattern.replace("\\.", ".")).lower()
        given = words.split() or [
            w for w in re.findall(r"[a-z0-9.]{2,}", plain) if w not in _GENERAL and w.strip("0123456789.")
        ]
        self.words = tuple(w for w in dict.fromkeys(given) if not any(o != w and o in w for o in given))

    def search(self, text: str, lowered: str = "") -> re.Match[str] | None:
        """The first match; `lowered` is the text in lower case, for who tries many patterns on one text."""
        lowered = lowered or text.lower()
        for word in self.words:
            if word in lowered:
                return self.compiled.search(text)
        return None
