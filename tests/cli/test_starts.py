"""Every command starts as people start it: in an interpreter of its own, which has imported nothing before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.cli import COMMANDS
from tests.places import RECORDINGS, ROOT

RECORDING = str(RECORDINGS / "busybox-only")
# What each command does at least once for real; the others show their help.
WORK: dict[str, list[str]] = {
    "scan": ["scan", f"replay:{RECORDING}", "--no-history", "--no-report"],
    "ping": ["ping", f"replay:{RECORDING}"],
    "rules": ["rules", "show", "Q238009"],
    "commands": ["commands"],
    "facts": ["facts", "schema"],
    "advisories": ["advisories", "show", "Q238009"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_real_start(home: Path, command: str) -> None:
    words = WORK.get(command, [command, "--help"])
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "auditor", *words],
        capture_output=True,
        text=True,
        env=env,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr
