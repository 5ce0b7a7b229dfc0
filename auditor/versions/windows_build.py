"""Windows builds: `20348.2700` is build line 20348 with update build revision (UBR) 2700.

Every build line gets its own updates, so revisions are compared only within one line: 19045.4000 is neither newer nor
older than 22631.3000 as far as fixes go. A build without a revision says nothing about its updates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_BUILD = re.compile(r"(\d{1,6})(?:\.(\d{1,9}))?")


class Build(NamedTuple):
    """`revision` is None where it is not known."""

    line: int
    revision: int | None


def parse(text: str) -> Build:
    """Read `LINE` or `LINE.UBR`; ValueError for anything else."""
    found = _BUILD.fullmatch(text)
    if not found:
        raise ValueError(f"not a Windows build: {text!r}")
    return Build(int(found[1]), int(found[2]) if found[2] else None)


def reaches(build: str, required: Iterable[str]) -> bool | None:
    """Is the build at or after the one `required` of its own line? None where no required build is of its line, or
    where its revision is not known."""
    own = parse(build)
    wanted = next((b for b in map(parse, required) if b.line == own.line), None)
    if wanted is None or own.revision is None or wanted.revision is None:
        return None
    return own.revision >= wanted.revision
