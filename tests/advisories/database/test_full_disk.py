"""A disk that is full while an import writes."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.advisories.database.index import AdvisoryIndex
from tests.advisories import given
from tests.places import ROOT


def _imported(folder: Path, db: Path, most: int = resource.RLIM_INFINITY) -> subprocess.CompletedProcess[str]:
    """`most`: so many bytes a file may have, as if there were no more room (setrlimit(2), RLIMIT_FSIZE; needs no root)."""
    words = [sys.executable, "-m", "auditor", "advisories", "import", str(folder), "--advisories", str(db), "--quiet"]
    return subprocess.run(
        words, cwd=folder.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip


def _put(folder: Path, first: int, last: int) -> None:
    folder.mkdir(exist_ok=True)
    for n in range(first, last):
        (folder / f"{n}.json").write_bytes(given.osv(f"ALSA-2026:{n}", ("AlmaLinux:9", f"package-{n}", f"1-{n}.el9")))


@pytest.mark.parametrize("room", [4096, 20_000, 120_000])
def test_an_import_without_room_leaves_the_old_database(tmp_path: Path, room: int) -> None:
    folder, db = tmp_path / "feed", tmp_path / "advisories.db"
    _put(folder, 0, 3)
    assert _imported(folder, db).returncode == 0
    _put(folder, 1000, 4000)
    full = _imported(folder, db, db.stat().st_size + room)
    assert full.returncode == 3, full.stderr
    assert "Traceback" not in full.stderr
    assert str(db) in full.stderr
    assert len(AdvisoryIndex(db).idents()) == 3
    assert sqlite3.connect(db).execute("pragma integrity_check").fetchone() == ("ok",)
    assert _imported(folder, db).returncode == 0
    assert len(AdvisoryIndex(db).idents()) == 3003
