"""What many tests need: a clock that stands still, facts to judge, the installed command's own entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from auditor.audit.context import Audit
from auditor.rulebook.loader import Rulebook, load
from tests.places import ROOT

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHARED = Path(os.environ.get("AUDITOR_SHARED", ROOT.parent / "shared"))

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    return load()


@pytest.fixture
def audit(rulebook: Rulebook) -> Audit:
    """An audit by the shipped rules, at a fixed time."""
    return Audit(rulebook=rulebook, clock=lambda: NOW, marker=lambda: "m4rk3r")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME and a working folder of the test's own, and no agent or inventory from outside."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("SSH_AUTH_SOCK", "AUDITOR_INVENTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def auditor(home: Path) -> Run:
    """Run the command as a user does: in a process of its own, with nothing on standard input."""

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **more}
        command = [sys.executable, "-m", "auditor", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=120)

    return run
