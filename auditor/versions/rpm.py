"""RPM versions, ordered as rpm's own rpmvercmp() does (rpm-version(7)): runs of digits and of letters in turn.

Numbers are newer than letters; `~` sorts before the end of a version, `^` just behind it; whatever else stands between two
runs only separates them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from auditor.versions.limit import MAX_EPOCH, bounded
from auditor.versions.number_key import number_key

_RUN = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
_VERSION = re.compile(r"[A-Za-z0-9._+~^%{}-]+")  # what rpm builds; anything else has no place in the order
_TILDE, _END, _CARET, _WORD, _NUMBER = (bytes((n,)) for n in range(1, 6))


@lru_cache(maxsize=65536)
def part_key(part: str) -> bytes:
    """The order of one part, a version or a release. ValueError where it is none."""
    if not _VERSION.fullmatch(bounded(part)):
        raise ValueError(f"not an RPM version: {part!r}")
    return b"".join(map(_run, _RUN.findall(part))) + _END


def _run(run: str) -> bytes:
    if run.isdigit():
        return _NUMBER + number_key(run)
    return _TILDE if run == "~" else _CARET if run == "^" else _WORD + run.encode("ascii") + b"\0"


def _parts(version: str) -> tuple[bytes, bytes]:
    epoch, _, rest = bounded(version).partition(":") if ":" in version else ("0", ":", bounded(version))
    if not re.fullmatch(r"[0-9]{1,10}", epoch) or int(epoch) > MAX_EPOCH:
        raise ValueError(f"not an RPM version: {version!r}")
    if rest.count("-") > 1:
        raise ValueError(f"not an RPM version, which has one dash at most: {version!r}")
    name, _, release = rest.partition("-")
    return int(epoch).to_bytes(4, "big") + part_key(name), part_key(release) if release else b""


@lru_cache(maxsize=65536)
def key(version: str) -> bytes:
    """Bytes whose order is rpm's, of `[epoch:]version[-release]`; ValueError where it is none. Without a release it stands
    before every release of its version."""
    return b"".join(_parts(version))


def older(version: str, than: str) -> bool:
    """True if `version` sorts before `than`; a release counts only where both have one (rpm's own rule for requirements)."""
    (a, release), (b, other) = _parts(version), _parts(than)
    return a < b or (a == b and bool(release and other) and release < other)
