"""Text from a host, made harmless for a terminal and a page.

A host's output may hold escape sequences that rewrite a terminal, and bidirectional controls that make a line read
as something else (CVE-2021-42574). Nothing of a host is shown without passing through here; HTML is escaped besides.
"""

from __future__ import annotations

import re

# C0 and C1 controls without tab and newline, DEL, line separators, bidirectional controls, BOM and lone surrogates.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with every harmful character written as its escape, e.g. `\\x1b`."""
    return _HARMFUL.sub(lambda m: m[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def cell(value: object) -> object:
    """A CSV cell: one line, and what a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV
    injection); anything but text stays what it is."""
    if not isinstance(value, str):
        return value
    text = " ".join(printable(value).split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def one_line(text: str, limit: int = 300) -> str:
    """`printable`, in one line of at most `limit` characters."""
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
