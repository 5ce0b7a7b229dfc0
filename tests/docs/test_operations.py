"""What docs/operations.md tells an operator to type and to write: each command exists with its options, and the inventory
passes the agent's own check."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from auditor.cli import cli
from tests.conftest import Run
from tests.places import ROOT

DOCS = ROOT / "docs"
TEXT = (DOCS / "operations.md").read_text()
_CALL = re.compile(r"(?:^|[\s=])(?:/opt/auditor/bin/)?auditor ((?:[a-z]|--version).*)$")
CALLS = [
    found[1].split(" #")[0].split(" > ")[0].split(" ExecStart")[0].strip()
    for line in TEXT.replace("\\\n", " ").splitlines()
    if line.startswith("    ") and (found := _CALL.search(line))
]


@pytest.mark.parametrize("call", CALLS)
def test_a_command_that_an_operator_types_is_one(call: str) -> None:
    command: click.Command = cli
    words = shlex.split(call)
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found, call
        command = found
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--version", "--help"}
    assert {w for w in words if w.startswith("--")} <= known, call


def test_there_are_commands_to_check() -> None:
    assert len(CALLS) >= 12


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
def test_the_first_night_is_a_unit_that_systemd_takes(tmp_path: Path) -> None:
    (once,) = re.findall(r"once\.conf <<'EOF'\n(.*?)    EOF\n", TEXT, re.DOTALL)
    unit = (DOCS / "systemd" / "auditor.service").read_text()
    (tmp_path / "auditor.service.d").mkdir()
    for path, text in (("auditor.service", unit), ("auditor.service.d/once.conf", re.sub(r"(?m)^    ", "", once))):
        (tmp_path / path).write_text(text.replace("/opt/auditor/bin/auditor", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "auditor.service")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_inventory_is_one(home: Path, auditor: Run) -> None:
    (block,) = [b for b in re.findall(r"((?:^    .*\n)+)", TEXT, re.MULTILINE) if "schedule:" in b]
    text = re.sub(r"^    ", "", block, flags=re.MULTILINE)
    for name in ("ssh-key", "win-password"):
        (home / name).write_text("x\n")
        (home / name).chmod(0o600)
    text = text.replace("/run/credentials/auditor.service", str(home)).replace("/var/lib/auditor", str(home))
    (home / "inventory.yaml").write_text(text)
    done = auditor("agent", "check", "--history", "a.db")
    wanting = [line for line in done.stdout.splitlines() if line.startswith("wanting: ")]
    assert [w for w in wanting if not w.startswith("wanting: mail: ")] == []  # its server is an example's
    assert done.stderr == ""
    assert "nightly: 2 hosts" in done.stdout
    assert "note:" not in done.stdout
