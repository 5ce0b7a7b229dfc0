"""Fixes for particular problems: judged where somebody asks, told as one count where nobody does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.cli.json_output import encoded
from auditor.history.store import Store
from tests.checks.test_old_windows import HOSTS
from tests.conftest import Run

FACTS, *_ = HOSTS["NT 4.0 SP6a"]


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "nt4.json"
    path.write_bytes(encoded(FACTS))
    return path


def obligations(document: str) -> set[str]:
    return {f["obligation"] for t in json.loads(document)["targets"] for f in t["findings"]}


def test_on_demand_only(facts: Path, auditor: Run) -> None:
    assert "situational" not in obligations(auditor("judge", facts, "--format", "json").stdout)
    assert "situational" in obligations(auditor("judge", facts, "--format", "json", "--situational").stdout)


def test_the_inventory_may_ask_for_them(facts: Path, auditor: Run, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    for word, wanted in (("true", True), ("false", False)):
        inventory.write_text(f"hosts: {{a: {{connection: local}}}}\nsituational: {word}\n")
        found = obligations(auditor("judge", facts, "--format", "json", "--inventory", inventory).stdout)
        assert ("situational" in found) is wanted
    inventory.write_text("hosts: {a: {connection: local}}\nsituational: sometimes\n")
    done = auditor("judge", facts, "--inventory", inventory)
    assert done.returncode == 2
    assert f"{inventory}:2: situational is true or false" in done.stderr


def test_the_others_are_one_count_with_the_command_that_lists_them(facts: Path, auditor: Run) -> None:
    text = auditor("judge", facts).stdout
    line = next(x for x in text.splitlines() if "not judged" in x)
    count = int(line.split()[2])
    assert count > 100
    assert "auditor advisories search situational windows-nt-4.0;" in line
    listed = auditor("advisories", "search", "situational", "windows-nt-4.0").stdout.splitlines()
    assert len(listed) >= count
    assert f"{count} fixes for particular problems" in auditor("judge", facts, "--format", "html").stdout
    assert "not judged" not in auditor("judge", facts, "--situational").stdout


def test_the_count_is_kept_with_the_run(facts: Path, auditor: Run, tmp_path: Path) -> None:
    history = tmp_path / "h.db"
    auditor("facts", "import", facts, "--history", history)
    with Store(history) as store:
        run = store.run(store.latest_of(FACTS.target))
    assert run.rulebook.left["windows-nt-4.0-server"] > 100


def test_explain_says_that_nobody_asked(facts: Path, auditor: Run, tmp_path: Path) -> None:
    history = tmp_path / "h.db"
    auditor("facts", "import", facts, "--history", history)
    ident = auditor("advisories", "search", "situational", "windows-nt-4.0").stdout.split()[0]
    done = auditor("explain", FACTS.target, ident, "--history", history)
    assert done.returncode == 2
    assert f"{ident} is about a particular problem, and nobody asked for these" in done.stderr
