"""Programs that some tests need beside Python. Where one is missing its tests are skipped by name, in CI they fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def need(package: str, *programs: Path | None) -> None:
    """`package` is what apt-get would install; `programs` are what has to be there for it to count as installed."""
    if all(p is not None and p.exists() for p in programs):
        return
    if os.environ.get("CI"):
        pytest.fail(f"{package} is not installed, and in CI it has to be: see tests/packages.sh", pytrace=False)
    pytest.skip(f"{package} is not installed")
