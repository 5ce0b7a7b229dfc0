"""Numbers of Knowledge Base articles."""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBERED = re.compile(r"(?:KB|Q)(\d{4,8})(?!\d)")


@lru_cache(maxsize=65536)
def article(ident: str) -> str:
    """Q246009 and KB246009 are the same article; in 2001 the letters changed. What follows the number (`-v2`, a language's
    letter, a system) tells hotfixes of one article apart."""
    found = _NUMBERED.match(ident[:40].upper())
    return found[1] if found else ident[:40].upper().removeprefix("KB").removeprefix("Q")
