"""Debian package versions, ordered as deb-version(7) says: epoch, upstream version, Debian revision.

The parts are compared in turns of non-digits and digits; in the non-digits `~` sorts before everything, even the end
of the part, and letters sort before all other characters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from auditor.versions.limit import bounded

_TURN = re.compile(r"(\D*)(\d*)")
# What deb-version(7) allows. Without it nonsense has a place too, mostly behind every true version.
_UPSTREAM, _REVISION = re.compile(r"[0-9][A-Za-z0-9.+~:-]*"), re.compile(r"[A-Za-z0-9.+~]+")
Part = tuple[tuple[tuple[int, ...], int], ...]


class Split(NamedTuple):
    """A version taken apart; `revision` is None for a native package."""

    epoch: int
    upstream: str
    revision: str | None


def split(version: str) -> Split:
    """Take `[epoch:]upstream[-revision]` apart.

    Raises ValueError where the epoch is no number, the upstream version does not begin with a digit, or there is a
    character that no version has, or it is longer than any version."""
    epoch, colon, rest = bounded(version).partition(":") if ":" in version else ("", "", bounded(version))
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    wrong = not _UPSTREAM.fullmatch(upstream) or (dash and not _REVISION.fullmatch(revision))
    if wrong or (colon and not (epoch.isascii() and epoch.isdecimal())):
        raise ValueError(f"not a Debian version: {version!r}")
    return Split(int(epoch) if colon else 0, upstream, revision if dash else None)


def _weight(char: str) -> int:
    return -1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 0x110000


def _key(part: str) -> Part:
    # A part that ends weighs 0 there: above "~" (-1), below everything else.
    turns = [((*(_weight(c) for c in text), 0), int(number or 0)) for text, number in _TURN.findall(part)]
    return tuple(turns)


@lru_cache(maxsize=65536)
def sort_key(version: str) -> tuple[int, Part, Part]:
    """A key by which `sorted`, `<` and `==` follow dpkg --compare-versions; ValueError as `split`."""
    epoch, upstream, revision = split(version)
    return epoch, _key(upstream), _key(revision or "0")


def older(version: str, than: str) -> bool:
    """True if `version` sorts before `than`."""
    return sort_key(version) < sort_key(than)
