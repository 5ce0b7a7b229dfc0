"""What the service's account, or anybody, plants in a folder that it may write leads nobody astray who works there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.errors import HistoryError, HostError
from auditor.foundation import own_files
from auditor.foundation.files import put_file
from auditor.history import maintenance
from auditor.history.lock import holder, only_one
from auditor.history.store import Store
from auditor.transports.ssh import host_keys
from tests.conftest import Run

NOBODY = 65534
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")


@pytest.fixture(params=["everybody's", pytest.param("the service's", marks=ROOT)])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that somebody else may write: by its mode, or since it is his."""
    made = tmp_path / "service"
    made.mkdir()
    if request.param == "everybody's":
        made.chmod(0o777)
    else:
        os.chown(made, NOBODY, NOBODY)
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that the planter may not touch."""
    found = tmp_path / "shadow"
    found.write_text("root:secret\n")
    found.chmod(0o640)
    return found


def untouched(victim: Path) -> bool:
    s = victim.stat()
    return victim.read_text() == "root:secret\n" and (s.st_uid, stat.S_IMODE(s.st_mode)) == (os.geteuid(), 0o640)


def lock(path: Path) -> None:
    with only_one(path, "a test"):
        pass


def output(path: Path) -> None:
    if fault := put_file(path, b"new"):
        raise OSError(fault)


def backup(path: Path) -> None:
    with Store(path.parents[1] / "h.db") as s:
        maintenance.backup(s.db, path)


def restore(path: Path) -> None:
    with Store(path.parents[1] / "h.db") as s:
        maintenance.backup(s.db, path.parents[1] / "copy.db")
    maintenance.restore(path, path.parents[1] / "copy.db", __import__("datetime").datetime(2026, 1, 1))


def known_hosts(path: Path) -> None:
    host_keys.append(path, ["h ssh-ed25519 AAAA\n"])


OPENERS: list[Callable[[Path], None]] = [lock, output, lambda p: Store(p).close(), backup, restore, known_hosts]
NAMES = ["lock", "output", "history", "backup", "restore", "known_hosts"]


@pytest.mark.parametrize("do", OPENERS, ids=NAMES)
def test_a_link_in_the_place_of_a_file(folder: Path, victim: Path, do: Callable[[Path], None]) -> None:
    (folder / "x").symlink_to(victim)
    with pytest.raises((OSError, HistoryError, HostError)):
        do(folder / "x")
    assert untouched(victim)
    assert (folder / "x").is_symlink()


@pytest.mark.parametrize("do", OPENERS, ids=NAMES)
def test_a_link_in_the_place_of_a_folder(folder: Path, victim: Path, do: Callable[[Path], None]) -> None:
    (folder / "below").symlink_to(victim.parent)
    before = sorted(p.name for p in victim.parent.iterdir())
    with pytest.raises((OSError, HistoryError, HostError)):
        do(folder / "below" / "shadow")
    assert untouched(victim)
    assert {p.name for p in victim.parent.iterdir()} - set(before) <= {"h.db", "h.db-wal", "h.db-shm", "copy.db"}


@pytest.mark.parametrize("do", OPENERS, ids=NAMES)
def test_a_link_to_nowhere_makes_nothing(folder: Path, do: Callable[[Path], None]) -> None:
    (folder / "x").symlink_to(folder.parent / "made")
    with pytest.raises((OSError, HistoryError, HostError)):
        do(folder / "x")
    assert not (folder.parent / "made").exists()


def test_a_second_name_of_a_file_is_no_lock(folder: Path, victim: Path) -> None:
    os.link(victim, folder / "x")
    with pytest.raises(HistoryError, match="not a lock of ours"):
        lock(folder / "x")
    assert untouched(victim)


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: os.mkdir(p)], ids=["pipe", "folder"])
def test_what_is_no_file_is_no_lock(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "x")
    with pytest.raises(HistoryError):
        lock(folder / "x")
    assert holder(folder / "x") is None


@ROOT
def test_a_file_of_anothers_is_no_lock_and_keeps_its_owner(folder: Path) -> None:
    (folder / "x").write_text("somebody's")
    os.chown(folder / "x", 12345, 12345)
    with pytest.raises(HistoryError, match="not a lock of ours"):
        lock(folder / "x")
    assert ((folder / "x").read_text(), (folder / "x").stat().st_uid) == ("somebody's", 12345)


@ROOT
def test_a_lock_that_root_makes_is_the_services(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    lock(folder / "x")
    assert (folder / "x").stat().st_uid == NOBODY
    lock(folder / "x")  # and again, now that it is there


def test_links_of_ones_own_are_followed(tmp_path: Path) -> None:
    """Where nobody else may write, a link says what its owner wants."""
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "r.html").write_text("old")
    (tmp_path / "real" / "l.html").symlink_to("r.html")
    assert put_file(tmp_path / "link" / "l.html", b"new") == ""
    assert (tmp_path / "real" / "l.html").is_symlink()
    assert (tmp_path / "real" / "r.html").read_text() == "new"
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be written" in put_file(tmp_path / "loop", b"x")


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    assert put_file(Path("/dev/null"), b"x") == ""
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert put_file(tmp_path / "pipe", b"through") == ""
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert "cannot be written" in put_file(tmp_path, b"x")
    assert "cannot be written" in put_file(tmp_path / "no" / "such", b"x")


def test_a_relative_path_and_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    for path in ("r.html", "./r.html", "a/../r.html", f"{tmp_path}//a/.././r.html"):
        assert put_file(Path(path), path.encode()) == ""
        assert (tmp_path / "r.html").read_bytes() == path.encode()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_command_says_what_it_refuses(folder: Path, victim: Path, auditor: Run) -> None:
    for name in ("r.html", "out.json", "h.db", "h.db.lock"):
        (folder / name).symlink_to(victim)
    done = auditor("scan", "local", "--no-history", "--report", str(folder / "r.html"), "--quiet")
    assert "symbolic link in a folder that others may write" in done.stderr
    done = auditor("scan", "local", "--no-history", "--no-report", "--output", str(folder / "out.json"))
    assert "symbolic link" in done.stderr
    done = auditor("scan", "local", "--no-report", "--history", str(folder / "h.db"))
    assert "symbolic link" in done.stderr
    assert untouched(victim)


def test_a_folder_may_be_swapped_meanwhile(tmp_path: Path, victim: Path) -> None:
    """What was opened stays what it was: names are looked up in it, not in the path again."""
    folder = tmp_path / "f"
    folder.mkdir()
    with own_files.place(folder / "x") as (at, name):
        folder.rename(tmp_path / "moved")
        folder.symlink_to(victim.parent)
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=at))
    assert (tmp_path / "moved" / "x").exists()
    assert untouched(victim)
