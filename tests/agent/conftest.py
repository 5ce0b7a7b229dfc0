"""What the agent's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.house import House


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)
