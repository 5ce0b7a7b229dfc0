"""Regular expressions with many alternatives, made quick: tried only on texts that hold a word one of them needs.

Looking for a word in a text costs a hundredth of trying the alternatives at each of its letters, and most texts hold
none. tests/advisories/test_pattern.py holds every pattern against itself without its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Words that stand in every other article and so tell nothing.
_GENERAL = frozenset(["service", "services", "server", "microsoft", "windows", "client", "network", "version", "user", "file"])
_ATOM = re.compile(
    r"(?P<look>\(\?<?[!=])|(?P<open>\((?:\?(?:-?[a-z]+)?:)?)|(?P<close>\))|(?P<bar>\|)|(?P<set>\[\]?[^\]]*\])"
    r"|(?P<escape>\\.)|(?P<plain>.)",
    re.S,
)
_TIMES = re.compile(r"(?P<none>[?*]|\{0?,\d*\}|\{0\})\??|(?P<some>\+|\{\d+(?:,\d*)?\})\??")
_Words = frozenset[str]


class Pattern:
    """A pattern that ignores case. `words`: parts of words, in lower case, of which every match holds at least one; left out, they are
    read from the pattern. Raises ValueError where an alternative has none, so that the pattern could be tried on any text."""

    def __init__(self, pattern: str, words: str = "") -> None:
        self.compiled = re.compile(pattern, re.I)
        found = frozenset(words.split()) or _alternatives(iter(_tokens(pattern)))
        if not found:
            raise ValueError(f"an alternative has no word that every match must hold: {pattern[:80]}")
        self.words = tuple(sorted(w for w in found if not any(o != w and o in w for o in found)))

    def search(self, text: str, lowered: str = "") -> re.Match[str] | None:
        """The first match; `lowered` is the text in lower case, for who tries many patterns on one text."""
        lowered = lowered or text.lower()
        for word in self.words:
            if word in lowered:
                return self.compiled.search(text)
        return None


class _Token:
    """One atom and how often it must come: `kind` is a group of _ATOM."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind, self.text, self.times = kind, text, ""


def _tokens(pattern: str) -> Iterator[_Token]:
    at = 0
    while at < len(pattern):
        m = _ATOM.match(pattern, at)
        assert m is not None  # the last alternative takes anything
        token = _Token(m.lastgroup or "", m[0])
        at = m.end()
        if token.kind in ("close", "set", "escape", "plain") and (times := _TIMES.match(pattern, at)):
            token.times = times.lastgroup or ""
            at = times.end()
        yield token


def _alternatives(tokens: Iterator[_Token]) -> _Words:
    """The words of which a match needs one, up to the end of the group; none where some alternative needs none."""
    found: list[_Words] = []
    needed: list[_Words] = []  # of the sequence at hand: each is needed
    run = ""

    def end_run() -> None:
        nonlocal run
        if len(run.strip()) > 1:
            needed.append(frozenset([run.strip().lower()]))
        run = ""

    for token in tokens:
        if token.kind == "plain" and token.text != "." and not token.times:
            run += token.text
            continue
        if token.kind == "escape" and not token.text[1].isalnum() and not token.times:
            run += token.text[1]
            continue
        if token.kind == "plain" and token.times == "some" and token.text != ".":
            run += token.text
        end_run()
        if token.kind == "close":
            break
        if token.kind == "bar":
            found.append(_best(needed))
            needed = []
        elif token.kind in ("open", "look"):
            inner, times = _group(tokens)
            if token.kind == "open" and times != "none" and inner:
                needed.append(inner)
    else:
        end_run()
    found.append(_best(needed))
    return frozenset().union(*found) if all(found) else frozenset()


def _group(tokens: Iterator[_Token]) -> tuple[_Words, str]:
    """What is in a group, and how often the group must come."""
    last: list[_Token] = []

    def up_to_its_end() -> Iterator[_Token]:
        for token in tokens:
            last[:] = [token]
            yield token

    inner = _alternatives(up_to_its_end())
    return inner, last[0].times if last else ""


def _best(needed: list[_Words]) -> _Words:
    """Of several sets of which a match needs one each, the one that tells most: whose shortest word is longest."""

    def tells(words: _Words) -> tuple[bool, int]:
        return not words & _GENERAL, min(map(len, words))

    return max(needed, key=tells, default=frozenset())
