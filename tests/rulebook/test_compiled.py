"""Rules that were read before: the same rulebook as from the files, and never one of other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import FileFaults
from auditor.foundation import cache_folder, resources
from auditor.rulebook import loader
from auditor.rulebook.compiled import Placed
from auditor.rulebook.loader import load
from auditor.rulebook.rulebook import Rulebook

SOMAXCONN = (resources.folder("rules") / "linux" / "somaxconn.yaml").read_text()


def same(one: Rulebook, other: Rulebook) -> bool:
    return (one.rules, one.places, one.digest, one.left) == (other.rules, other.places, other.digest, other.left)


@pytest.fixture
def read(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The YAML files that were read, in their order."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    files: list[str] = []
    real = loader._yaml

    def noted(path: Path, faults: list[str]) -> list[Placed]:
        files.append(path.name)
        return real(path, faults)

    monkeypatch.setattr(loader, "_yaml", noted)
    return files


def test_the_second_start_reads_no_yaml(read: list[str]) -> None:
    first = load()
    assert len(read) > 30
    read.clear()
    assert same(load(), first)
    assert read == []


def test_a_changed_byte_is_read(read: list[str], home: Path) -> None:
    file = home / "mine.yaml"
    file.write_text(SOMAXCONN)
    before = load([str(file)])
    file.write_text(SOMAXCONN.replace("severity: ", "severity:  ", 1) + "# a comment\n")
    load([str(file)])
    assert read == ["mine.yaml"] * 2
    file.write_text(SOMAXCONN)
    assert same(load([str(file)]), before)
    assert read == ["mine.yaml"] * 2


def test_faults_are_told_each_time(read: list[str], home: Path) -> None:
    (home / "good.yaml").write_text(SOMAXCONN)
    (home / "bad.yaml").write_text("id: X\nnonsense: 1\n")
    for _ in range(2):
        with pytest.raises(FileFaults, match="nonsense"):
            load([str(home / "good.yaml"), str(home / "bad.yaml")])
    assert read.count("bad.yaml") == 2


def test_other_code_reads_anew(read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    read.clear()
    monkeypatch.setattr(cache_folder, "stamp", lambda *_: "another release")
    load()
    assert len(read) > 30


@pytest.mark.parametrize("kept", [b"", b"\xc1", b"\x91\x90", b"\x90"])
def test_what_is_kept_and_is_none_of_it_is_read_anew(read: list[str], monkeypatch: pytest.MonkeyPatch, kept: bytes) -> None:
    first = load()
    read.clear()
    monkeypatch.setattr(cache_folder, "recall", lambda *_: kept)
    assert same(load(), first)
    assert len(read) > 30


def test_rules_for_particular_problems_are_not_forgotten(read: list[str], home: Path) -> None:
    """What one call leaves out must not be missing in the next."""
    (home / "kb" / "situational").mkdir(parents=True)
    (home / "kb" / "situational" / "one.yaml").write_text(SOMAXCONN)
    (home / "kb" / "two.yaml").write_text(SOMAXCONN.replace("id: ", "id: other-", 1))
    assert len(load([str(home / "kb")]).rules) == 1
    assert len(load([str(home / "kb")], situational=True).rules) == 2
    assert len(load([str(home / "kb")]).rules) == 1
