"""CONTRIBUTING's steps, taken as they stand there on a copy of the tree: a collector, a check, a format."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_BLOCK = re.compile(
    r"^```(?:python|yaml)\n# (?:new file (?P<new>\S+)|(?P<path>\S+), below: (?P<below>[^\n]+))\n(?P<body>.*?)^```$", re.M | re.S
)


def apply(tree: Path) -> list[str]:
    """Every block of the page; the names of the files that it changed."""
    changed = []
    for block in _BLOCK.finditer((ROOT / "CONTRIBUTING.md").read_text()):
        file = tree / (block["new"] or block["path"])
        if block["new"]:
            assert not file.exists()
            file.parent.mkdir(exist_ok=True)
            file.write_text(block["body"])
        else:
            lines = file.read_text().splitlines(keepends=True)
            (place,) = [n for n, line in enumerate(lines, 1) if line.strip() == block["below"]]
            file.write_text("".join([*lines[:place], block["body"], *lines[place:]]))
        changed.append(file.name)
    return changed


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contributor")
    for part in ("auditor", "rules", "reports", "docs"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "CONTRIBUTING.md", folder)
    assert len(apply(folder)) == 10
    return folder


def auditor(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditor", *words]
    env = {**os.environ, "PYTHONPATH": str(tree), "HOME": str(tree)}
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1, 3), done.stderr
    return done


def test_the_steps_give_a_fact_a_verdict_and_a_format(tree: Path) -> None:
    assert "1 rule, no fault" in auditor(tree, "rules", "lint", "my-rules").stdout
    scan = auditor(tree, "scan", "local", "--rules", "my-rules", "--history", "a.db", "--no-report", "--format", "json")
    (target,) = json.loads(scan.stdout)["targets"]
    (finding,) = target["findings"]
    facts = json.loads(auditor(tree, "facts", "export", "local", "--history", "a.db").stdout)
    now = CLOCK.read_text().strip() if CLOCK.exists() else None
    assert facts.get("clock_source") == now
    assert finding["verdict"] == ("unknown" if now is None else "compliant" if now == "tsc" else "noncompliant")
    hosts = auditor(tree, "report", "show", "--history", "a.db", "--format", "hosts").stdout
    assert hosts == f"local\t{target['outcome']}\n"


def test_the_steps_break_no_test(tree: Path) -> None:
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    files = ["collectors/linux/test_recordings.py", "collectors/linux/test_script_output.py", "collectors/linux/test_coupling.py",
             "report/test_formats.py", "docs/test_house.py"]  # fmt: skip
    words = ["-q", "-p", "no:cacheprovider", "--deselect", "tests/report/test_formats.py::test_sarif_is_valid"]
    command = [sys.executable, "-m", "pytest", *words, *(f"tests/{file}" for file in files)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_steps_pass_lint_and_types(tree: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tree)
    for tool in (["ruff", "check", "auditor"], ["mypy", "auditor"]):
        done = subprocess.run([sys.executable, "-m", *tool], cwd=tree, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
