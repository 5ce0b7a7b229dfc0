"""Programs that some tests need beside Python. Where one is missing its tests are skipped by name, in CI they fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def need(package: str, *programs: Path | None) -> None:
    """`package` is what apt-get would install; `programs` are what has to be there for it to count as installed."""
    if not all(p is not None and p.exists() for p in programs):
        skip(f"{package} is not installed (tests/packages.sh)")


def need_root(why: str) -> None:
    if os.geteuid():
        skip(f"only root can: {why}")


def skip(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"in CI nothing is skipped: {why}", pytrace=False)
    pytest.skip(why)
