"""Alpine's package versions, ordered as apk-tools 3 does (apk-package(5)): `1.2.3b_rc1~abcdef-r2`.

Numbers behind the first that begin with 0 are compared as text, before all others. What comes before the end of a version
are the suffixes of what was not released yet (alpha, beta, pre, rc); a later one (cvs, svn, git, hg, p) comes behind it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from auditor.versions.limit import bounded
from auditor.versions.number_key import number_key

_BEFORE, _AFTER = ("alpha", "beta", "pre", "rc"), ("cvs", "svn", "git", "hg", "p")
_SUFFIX = rf"_(?:{'|'.join(_BEFORE + _AFTER)})[0-9]*"
_VERSION = re.compile(rf"([0-9]+)((?:\.[0-9]+)*)([a-z]?)((?:{_SUFFIX})*)(?:~([0-9a-f]+))?(?:-r([0-9]+))?")
_ONE_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")
# What may stand at one place of a version, in the order of apk-tools: where two versions differ in that, this decides.
_EARLY, _END, _REVISION, _COMMIT, _NUMBER_OF_SUFFIX, _LATE, _LETTER, _NUMBER = (bytes((n,)) for n in range(1, 9))


@lru_cache(maxsize=65536)
def key(version: str) -> bytes:
    """Bytes whose order is apk's; ValueError where it is no version."""
    found = _VERSION.fullmatch(bounded(version))
    if not found:
        raise ValueError(f"not a version of Alpine's: {version!r}")
    first, more, letter, suffixes, commit, revision = found.groups()
    parts = [number_key(first), *(_NUMBER + _fraction(n) for n in more.split(".")[1:])]
    if letter:
        parts.append(_LETTER + letter.encode("ascii"))
    for name, number in _ONE_SUFFIX.findall(suffixes):
        early = name in _BEFORE
        place = (_BEFORE if early else _AFTER).index(name)
        parts.append(
            (_EARLY if early else _LATE) + bytes((place,)) + (_NUMBER_OF_SUFFIX + number_key(number) if number else b"")
        )
    if commit:
        parts.append(_COMMIT + commit.encode("ascii") + b"\0")
    if revision:
        parts.append(_REVISION + number_key(revision))
    return b"".join((*parts, _END))


def _fraction(digits: str) -> bytes:
    """A number behind the first: below every number of a digit or more where it begins with 0."""
    return b"\0" + digits.encode("ascii") + b"\0" if digits.startswith("0") else number_key(digits)


def older(version: str, than: str) -> bool:
    """True if `version` sorts before `than`."""
    return key(version) < key(than)
