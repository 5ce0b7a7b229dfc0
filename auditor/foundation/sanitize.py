"""Text from a host, made harmless for a terminal and a page.

A host's output may hold escape sequences that rewrite a terminal, and bidirectional controls that make a line read
as something else (CVE-2021-42574). Nothing of a host is shown without passing through here; HTML is escaped besides.
"""

from __future__ import annotations

import json
import re

# C0 and C1 controls without tab and newline, line separators, lone surrogates, and every format character (Unicode's
# category Cf: bidirectional controls, U+061C among them, zero-width ones, tags), but the soft hyphen, which only breaks words.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f]"
)


def printable(text: str) -> str:
    """The text with every harmful character written as its escape, e.g. `\\x1b`."""
    return _HARMFUL.sub(lambda m: m[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def harmless_json(document: bytes) -> bytes:
    """JSON text with every harmful character as JSON's own escape, which reads back as the same data."""
    text = document.decode("utf-8")
    return _HARMFUL.sub(lambda m: json.dumps(m[0])[1:-1], text).encode() if _HARMFUL.search(text) else document


def cell(value: object) -> object:
    """A CSV cell: one line, and what a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV
    injection); anything but text stays what it is."""
    if not isinstance(value, str):
        return value
    text = " ".join(printable(value).split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def one_line(text: str, limit: int = 300) -> str:
    """`printable`, in one line of at most `limit` characters. It is cut before it is made printable, and again after."""
    line = " ".join(printable(" ".join(text[: 4 * limit].split())[: limit + 1]).split())
    whole = len(line) <= limit and len(text) <= 4 * limit
    return line if whole else line[: limit - 1].rstrip() + "…"


def counted(number: int, noun: str) -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
