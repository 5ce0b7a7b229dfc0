"""Debian package versions, ordered as deb-version(7) says: epoch, upstream version, Debian revision.

The parts are compared in turns of non-digits and digits; in the non-digits `~` sorts before everything, even the end
of the part, and letters sort before all other characters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from auditor.versions.limit import MAX_EPOCH, bounded
from auditor.versions.number_key import number_key

_TURN = re.compile(r"(\D*)(\d*)")
# What deb-version(7) allows. Without it nonsense has a place too, mostly behind every true version.
_UPSTREAM, _REVISION = re.compile(r"[0-9][A-Za-z0-9.+~:-]*"), re.compile(r"[A-Za-z0-9.+~]+")
_TILDE, _END = 1, b"\x02"


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


def _text(text: str) -> bytes:
    """Characters that are no digits, `~` first, then the end, letters, all others."""
    return bytes(_TILDE if c == "~" else ord(c) if c.isalpha() else ord(c) + 0x80 for c in text) + _END


def _part(part: str) -> bytes:
    return b"".join(_text(text) + number_key(number) for text, number in _TURN.findall(part))


@lru_cache(maxsize=65536)
def key(version: str) -> bytes:
    """Bytes whose order is that of dpkg --compare-versions; ValueError as `split`, and for an epoch that dpkg refuses."""
    epoch, upstream, revision = split(version)
    if epoch > MAX_EPOCH:
        raise ValueError(f"not a Debian version, whose epoch is too large: {version!r}")
    return epoch.to_bytes(4, "big") + _part(upstream) + _part(revision or "0")


def older(version: str, than: str) -> bool:
    """True if `version` sorts before `than`."""
    return key(version) < key(than)
