"""Which revision each cumulative update of a Windows 10, 11 or Server build line brings, and when it came, by Microsoft's release information.

The monthly documents have no builds before 2021, wrong ones now and then, and never those of previews. The table (windows_revisions.tsv, with its
sources) ends on 2026-08-12; what came later is taken from the documents alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Revision(NamedTuple):
    """The UBR that an update brings, and the day on which it came."""

    revision: int
    day: date


_TABLE = Path(__file__).with_suffix(".tsv")


@cache
def _by_line() -> dict[int, dict[int, Revision]]:
    found: defaultdict[int, dict[int, Revision]] = defaultdict(dict)
    for row in _TABLE.read_text(encoding="ascii").splitlines():
        if not row.startswith("#"):
            line, revision, kb, day = row.split("\t")
            found[int(line)][int(kb)] = Revision(int(revision), date.fromisoformat(day))
    return dict(found)


def revisions(line: int) -> Mapping[int, Revision]:
    """The revisions of a build line (the first of those that share their updates) by the update's number; none where none is known."""
    return _by_line().get(line, {})


def all_numbers() -> Iterable[int]:
    """The numbers of all updates that the table has."""
    return (kb for of in _by_line().values() for kb in of)
