"""Numbers of Knowledge Base articles."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=65536)
def article(ident: str) -> str:
    """Q246009 and KB246009 are the same article; in 2001 the letters changed."""
    return ident[:40].upper().removeprefix("KB").removeprefix("Q")
