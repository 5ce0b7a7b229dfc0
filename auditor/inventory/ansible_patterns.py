"""Names of hosts in Ansible's inventories: a port behind a colon, and ranges, `web[01:12:2]:2222`.

What Ansible refuses is refused here: it does not read such a file at all. A range is counted before anything is made of it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

MAX_HOSTS = 100_000  # that one inventory may stand for
_LONGEST = 1000  # characters of one pattern
_LETTERS = string.ascii_letters  # a to z, then A to Z
_NAME = re.compile(r"(?:[A-Za-z0-9_]|\[[^\]]*\])(?:[\w.-]|\[[^\]]*\])*(?<![._-])")
_IPV6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?")  # at least two colons


def spread(pattern: str, limit: int = MAX_HOSTS) -> tuple[list[str], int | None]:
    """Every host that a pattern stands for, and the port behind it. ValueError, for people, where Ansible refuses it, or where
    there are more than `limit`."""
    if len(pattern) > _LONGEST:
        raise ValueError(f"a name of {len(pattern):,} characters is none")
    if pattern.startswith("---"):
        raise ValueError(f"{pattern[:40]!r} is no name of a host; is this YAML?")
    name, port = _port(pattern)
    parts = list(_parts(name))
    count = 1
    for part in parts:
        count *= len(part) if isinstance(part, _Range) else 1
    if count > limit:
        raise ValueError(f"{pattern[:60]!r} stands for {count:,} hosts; {limit:,} are read")
    names = [""]
    for part in parts:
        names = [head + tail for head in names for tail in (part if isinstance(part, _Range) else (part,))]
    return names, port


def _port(pattern: str) -> tuple[str, int | None]:
    if bracketed := re.fullmatch(r"\[([^\[\]]+)\]:(\d{1,9})", pattern):
        return bracketed[1], int(bracketed[2]) or None
    at = pattern.rfind(":")
    if at < 0 or at < pattern.rfind("]"):
        return pattern, None
    name, digits = pattern[:at], pattern[at + 1 :]
    if digits.isdigit() and digits.isascii() and _NAME.fullmatch(name) and not _IPV6.fullmatch(pattern):
        return name, int(digits) or None
    return pattern, None


class _Range:
    """The words of one range; made when they are wanted."""

    def __init__(self, text: str, whole: str) -> None:
        bounds = text.split(":")
        if len(bounds) not in (2, 3) or not bounds[1] or (len(bounds) == 3 and not bounds[2]):
            raise ValueError(f"{whole[:60]!r}: [{text[:40]}] is no range of the form [from:to] or [from:to:step]")
        first, last = bounds[0] or "0", bounds[1]
        step = self._number(bounds[2], whole) if len(bounds) == 3 else 1
        if step == 0:
            raise ValueError(f"{whole[:60]!r}: a step of zero leads nowhere")
        self._fill = 0
        if len(first) == len(last) == 1 and first in _LETTERS and last in _LETTERS:
            if _LETTERS.index(first) > _LETTERS.index(last):
                raise ValueError(f"{whole[:60]!r}: {first} comes behind {last}")
            self._letters = True
            self._numbers = range(_LETTERS.index(first), _LETTERS.index(last) + 1, step)
            return
        if first.startswith("0") and len(first) > 1:
            self._fill = len(first)
            if len(first) != len(last):
                raise ValueError(f"{whole[:60]!r}: {first} and {last} differ in length")
        self._letters = False
        self._numbers = range(self._number(first, whole), self._number(last, whole) + 1, step)

    @staticmethod
    def _number(text: str, whole: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise ValueError(f"{whole[:60]!r}: {text[:40]!r} is no number")
        return int(text)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(
            [_LETTERS[n] for n in self._numbers] if self._letters else [str(n).zfill(self._fill) for n in self._numbers]
        )


def _parts(name: str) -> Iterator[str | _Range]:
    left = name
    while "[" in left and not _IPV6.fullmatch(left):
        head, _, rest = left.partition("[")
        inside, closed, left = rest.partition("]")
        if not closed:
            raise ValueError(f"{name[:60]!r}: a bracket is not closed")
        yield head
        yield _Range(inside, name)
    yield left
