"""Ctrl-C, whatever is under way: a message, exit code 3, no traceback, and promptly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.history.test_queries import after
from tests.mail.server import odd
from tests.places import ROOT

COMMANDS = [
    "scan hangs", "audit", "ping hangs", "keys scan hangs", "keys accept hangs --yes", "record hangs -o folder", "agent once nightly",
    "report send", "agent check", "inventory check", "advisories read -", "rules import - --output folder",
]  # fmt: skip


def from_a_terminal() -> None:
    """Whoever starts the tests in the background has Ctrl-C ignored, and what they start inherits that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", COMMANDS)
def test_it_ends_soon_and_says_so(home: Path, words: str, number: signal.Signals) -> None:
    """A host and a mail server that never say a word, and a standard input that never ends."""
    if number == signal.SIGTERM and words.split()[0] not in ("scan", "audit") and "once" not in words:
        pytest.skip("SIGTERM ends it as it ends any program")
    after(home / "auditor.db", {"web1": "mc"}).close()
    with odd(lambda c: time.sleep(20)) as port:
        (home / "inventory.yaml").write_text(
            f"hosts:\n  hangs: {{address: 127.0.0.1, port: {port}, timeouts: {{connect: 30, total: 60}}}}\n"
            f"mail: {{server: 127.0.0.1, port: {port}, security: none, sender: a@example.com, to: [b@example.com]}}\n"
            'schedule: {nightly: {at: "02:00"}}\n'
        )
        reader, writer = os.pipe()
        with subprocess.Popen(
            [sys.executable, "-m", "auditor", *words.split()], cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=from_a_terminal,
        ) as process:  # fmt: skip
            try:
                time.sleep(1.5)
                assert process.poll() is None, process.communicate()
                began = time.monotonic()
                process.send_signal(number)
                _, said = process.communicate(timeout=15)
            finally:
                process.kill()
                os.close(reader)
                os.close(writer)
    assert time.monotonic() - began < 10
    assert "stop" in said
    assert "Traceback" not in said
    assert "internal error" not in said
    assert process.returncode == 3
