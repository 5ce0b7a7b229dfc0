"""The cache folder: what is kept there is believed only where nobody else could have put it there, and is never needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.foundation import cache_folder


@pytest.fixture
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    return home / ".cache" / "auditor"


def test_what_is_kept_comes_back(folder: Path) -> None:
    assert cache_folder.recall("rules", "a") is None
    cache_folder.keep("rules", "a", b"content")
    assert cache_folder.recall("rules", "a") == b"content"
    assert cache_folder.recall("rules", "b") is cache_folder.recall("template", "a") is None
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("spoilt", ["", "cut", "byte", "folder"])
def test_what_is_damaged_is_not_there(folder: Path, spoilt: str) -> None:
    cache_folder.keep("rules", "a", b"content" * 100)
    file = folder / "rules-a"
    content = file.read_bytes()
    if spoilt == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({"": b"", "cut": content[:-1], "byte": content[:50] + b"X" + content[51:]}[spoilt])
    assert cache_folder.recall("rules", "a") is None
    cache_folder.keep("rules", "a", b"new")  # and does no harm


@pytest.mark.parametrize(("file", "above"), [(0o622, 0o700), (0o662, 0o700), (0o600, 0o777)])
def test_what_others_could_have_written_is_not_believed(folder: Path, file: int, above: int) -> None:
    cache_folder.keep("rules", "a", b"content")
    (folder / "rules-a").chmod(file)
    folder.chmod(above)
    assert cache_folder.recall("rules", "a") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another account")
@pytest.mark.parametrize("what", ["rules-a", "."])
def test_what_is_somebody_elses_is_not_believed(folder: Path, what: str) -> None:
    cache_folder.keep("rules", "a", b"content")
    os.chown(folder / what, 65534, -1)
    assert cache_folder.recall("rules", "a") is None


def test_a_folder_that_cannot_be_made_is_no_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    (home / ".cache").write_text("a file lies there")
    cache_folder.keep("rules", "a", b"content")
    assert cache_folder.recall("rules", "a") is None


def test_old_ones_make_room(folder: Path) -> None:
    for number in range(30):
        cache_folder.keep("rules", f"{number:02}", b"content")
        os.utime(folder / f"rules-{number:02}", (number, number))
    cache_folder.keep("template", "a", b"content")
    left = sorted(p.name for p in folder.iterdir())
    assert "rules-29" in left
    assert "rules-00" not in left
    assert len(left) <= 20
