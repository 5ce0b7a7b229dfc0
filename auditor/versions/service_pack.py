"""Windows service packs: `6`, `6a`, `0` (none) and what CSDVersion says (`Service Pack 6, RC 1.3`).

The leading number of CSDVersion decides (Q238009's rule; a numeric ServicePackMajor can be wrong, Q293322). A letter
after the number is a later issue of the same pack (6a after 6); a release candidate comes before the pack it names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# Hotfixes that are known to write a release candidate's name over the final pack's: Q246467 "Service Pack 6, RC 1.3" (Q293322),
# Q266433 "Service Pack 1, RC 1.1" on Windows 2000; and Q246009, whose mark only the final 6a has.
STAMPERS = ("Q246467", "Q266433", "Q246009")
_LONGEST = 80  # characters of any that Windows writes
_WRITTEN = re.compile(
    r"\s*(?:Service Pack\s*)?(\d{1,3})([a-z]?)(?:\.0)?\s*(?:,?\s*((?:RC|Beta|v\.|Build)[^\n]{0,40}))?\s*", re.IGNORECASE
)


class ServicePack(NamedTuple):
    """`candidate` is the text after the number of a pack that was not the final one ("RC 1.3"), else empty."""

    number: int
    letter: str
    candidate: str

    def reaches(self, required: ServicePack) -> bool | None:
        """Is this pack `required` or later? None where a release candidate of just that number cannot tell."""
        if self.number != required.number:
            return self.number > required.number
        if self.candidate:
            return None
        return self.letter >= required.letter


def is_candidate(text: str) -> bool:
    """Does the text name a release candidate or a build, as faulty hotfixes stamp it (Q222507, Q266433, Q293322)?"""
    found = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST else None
    return bool(found and found[3])


@lru_cache(maxsize=1024)
def parse(text: str) -> ServicePack:
    """Read a service pack as the facts or CSDVersion write it; ValueError if it is neither."""
    found = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        raise ValueError(f"not a service pack: {text[:_LONGEST]!r}")
    return ServicePack(int(found[1]), found[2].lower(), (found[3] or "").strip())
