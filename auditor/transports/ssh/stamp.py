"""Is a file still the one that was read? What is remembered of it counts only as long as it is."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int, int] | None


def stamp(path: str | Path) -> Stamp:
    """Device, number, size and time of change of a file; None where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
