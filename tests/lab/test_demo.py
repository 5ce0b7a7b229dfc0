"""`make demo` does what it says, whatever this machine looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import demo


def test_demo(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "demo.html"
    assert demo.main(["--no-open", "--output", str(report)]) == 0
    page, shown = report.read_text(), capfd.readouterr().out
    for name in (*demo.WINRM, *demo.CARRIED, "this-machine", "web-2019", "old-backup"):
        assert name in page, name
    assert "auth-failed" in shown
    assert "refused" in shown
    assert "Windows NT Server 4.0, Terminal Server Edition, Service Pack 5" in shown
    assert "Windows Server 2025, build 26100" in shown
    assert str(tmp_path) in shown
    assert demo.PASSWORDS["DEMO_PASSWORD"] not in page + shown
