"""The public archive of articles and the two seeds, where they lie beside the project or $AUDITOR_SHARED says."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import SHARED


def _there(path: Path) -> Path | None:
    return path if path.exists() else None


ARCHIVE = _there(SHARED / "advisories" / "kb" / "kb-articles.zip")
SEEDS = _there(SHARED / "seeds")
