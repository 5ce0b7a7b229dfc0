"""RPM versions, ordered as rpm's own rpmvercmp() does (rpm-version(7)): runs of digits and of letters in turn.

Numbers are newer than letters; `~` sorts before the end of a version, `^` just behind it; whatever else stands between two
runs only separates them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from auditor.versions.limit import bounded

_RUN = re.compile(r"\d+|[A-Za-z]+|[~^]")
_VERSION = re.compile(r"[A-Za-z0-9._+~^%{}-]+")  # what rpm builds; anything else has no place in the order
_TILDE, _END, _CARET, _WORD, _NUMBER = range(5)
Key = tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=65536)
def part_key(part: str) -> Key:
    """The order of one part, a version or a release. ValueError where it is none."""
    if not _VERSION.fullmatch(bounded(part)):
        raise ValueError(f"not an RPM version: {part!r}")
    found = []
    for run in _RUN.findall(part):
        if run.isdigit():
            found.append((_NUMBER, int(run), ""))
        else:
            found.append((_TILDE if run == "~" else _CARET if run == "^" else _WORD, 0, run))
    return (*found, (_END, 0, ""))


def sort_key(version: str) -> tuple[int, Key, Key | None]:
    """The order of `[epoch:]version[-release]`; ValueError where it is none."""
    epoch, _, rest = bounded(version).partition(":") if ":" in version else ("0", ":", bounded(version))
    if not re.fullmatch(r"[0-9]{1,9}", epoch):
        raise ValueError(f"not an RPM version: {version!r}")
    if rest.count("-") > 1:
        raise ValueError(f"not an RPM version, which has one dash at most: {version!r}")
    name, _, release = rest.partition("-")
    return int(epoch), part_key(name), part_key(release) if release else None


def older(version: str, than: str) -> bool:
    """True if `version` sorts before `than`; a release counts only where both have one (rpm's own rule for requirements)."""
    a, b = sort_key(version), sort_key(than)
    if a[:2] != b[:2]:
        return a[:2] < b[:2]
    return a[2] is not None and b[2] is not None and a[2] < b[2]
