"""How long a version may be: comparing takes numbers and texts apart, and no vendor's is longer than some eighty."""

from __future__ import annotations

MAX_VERSION = 255  # characters
MAX_EPOCH = 2_147_483_647  # dpkg's and rpm's epochs are integers of 32 bits


def bounded(version: str) -> str:
    """The version itself; ValueError where it is longer than any is."""
    if len(version) > MAX_VERSION:
        raise ValueError(f"a version of {len(version):,} characters is none: {version[:40]!r}…")
    return version
