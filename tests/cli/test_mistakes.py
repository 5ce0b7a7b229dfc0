"""The same kind of mistake gets the same exit code, is noticed before a host is contacted, and says what is wrong."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from auditor.history import maintenance
from tests.conftest import Run as Auditor
from tests.history.test_queries import after
from tests.places import RECORDINGS, ROOT

RECORDING = RECORDINGS / "debian-12-root"
NOBODY = 65534

# What is named is not there: exit 2, whichever command is asked.
NOT_THERE = {
    "run": ["report show nosuch", "report export nosuch", "history diff nosuch", "history diff day0 nosuch", "judge --run nosuch", "report send nosuch"],
    "host": ["history host nosuch", "explain nosuch rule-0", "facts export nosuch", "history forget nosuch"],
    "rule": ["history rule nosuch", "explain web1 nosuch", "rules show nosuch"],
    "history": [f"{words} --history none.db" for words in ("history runs", "history check", "report list", "history host web1", "judge --latest", "explain web1 rule-0")],
}  # fmt: skip


@pytest.mark.parametrize("words", [w for several in NOT_THERE.values() for w in several])
def test_what_is_not_there_is_wrong_usage(auditor: Auditor, home: Path, words: str) -> None:
    after(home / "auditor.db", {"web1": "mc"}, {"web1": "cc"}).close()
    (home / "inventory.yaml").write_text("hosts: {}\nmail: {server: 127.0.0.1, sender: a@example.com, to: [b@example.com]}\n")
    done = auditor(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert "nosuch" in done.stderr or "there is no history none.db" in done.stderr


@pytest.mark.parametrize(
    "words", ["report show latest", "report export latest", "judge --run latest", "history diff latest day0"]
)
def test_latest_is_a_run(auditor: Auditor, home: Path, words: str) -> None:
    after(home / "auditor.db", {"web1": "mc"}, {"web1": "cc"}).close()
    done = auditor(*words.split())
    assert "no run" not in done.stderr
    assert done.returncode in ((0, 1, 3) if "judge" in words else (3,) if "export" in words else (0,)), done.stderr


# A history that cannot be one; what is said of it.
WRONG = {
    "none/h.db": "there is no folder",
    ".": "is a folder",
    "folder": "is a folder",
    "other.db": "is a database of something else",
    "file/h.db": "there is no folder",
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("command", ["scan", "audit"])
def test_a_wrong_history_is_noticed_before_a_host_is_contacted(auditor: Auditor, home: Path, name: str, command: str) -> None:
    (home / "folder").mkdir()
    (home / "file").touch()
    with closing(sqlite3.connect("other.db")) as db:
        db.execute("create table a (b)")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        (home / "inventory.yaml").write_text(f"hosts:\n  a: {{address: 127.0.0.1, port: {server.getsockname()[1]}}}\n")
        done = auditor(*([command] + (["a"] if command == "scan" else [])), "--history", name)
        assert WRONG[name] in done.stderr
        assert (done.returncode, done.stdout) == (2, "")
        with pytest.raises(TimeoutError):
            server.accept()
    assert not list(home.glob("*.html"))


@pytest.mark.parametrize("option", ["--output", "--report"])
@pytest.mark.parametrize("place", ["none/x.html", "folder", "file/x"])
def test_a_wrong_place_for_the_report_is_noticed_before_too(auditor: Auditor, home: Path, option: str, place: str) -> None:
    (home / "folder").mkdir()
    (home / "file").touch()
    done = auditor("scan", f"replay:{RECORDING}", option, place)
    assert done.returncode == 2
    assert place.partition("/")[0] in done.stderr
    assert not (home / "auditor.db").exists() or not auditor("history", "runs").stdout


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A folder that another user can reach, with a history of ours."""
    folder = Path(tempfile.mkdtemp(prefix="auditor-place-"))
    folder.chmod(0o755)
    after(folder / "a.db", {"web1": "mc"}).close()
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700)
    shutil.rmtree(folder)


def as_nobody(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `auditor history …` as a user who is not the owner. The program is loaded before: its files may be root's alone."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    become = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    program = f"import os, auditor.cli.history; from auditor.cli import main; {become}; main()"
    return subprocess.run([sys.executable, "-c", program, *words], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="being two users needs root")
def test_what_belongs_to_somebody_else_says_whose_it_is(open_home: Path) -> None:
    done = as_nobody(open_home, "history", "runs", "--history", "a.db")
    assert "it belongs to root and the group root (mode 0600), and you are nobody; run auditor as its owner" in done.stderr
    assert done.returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="being two users needs root")
def test_a_folder_of_somebody_else_says_whose_it_is(open_home: Path) -> None:
    (open_home / "a.db").chmod(0o666)
    done = as_nobody(open_home, "history", "runs", "--history", "a.db")
    assert f"its folder {open_home} belongs to root and the group root (mode 0755), and you are nobody" in done.stderr
    assert done.returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny file system needs root")
def test_a_full_disk_is_called_full_and_the_audit_goes_on(auditor: Auditor, home: Path) -> None:
    disk = home / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], check=True)
    try:
        (disk / "fill").write_bytes(b"x" * 240_000)
        (home / "inventory.yaml").write_text(f"hosts:\n  r: {{connection: replay, path: {RECORDING}}}\n")
        done = auditor("audit", "--no-report", "--format", "json", "--history", "disk/a.db")
        assert "cannot be opened: the disk is full: " in done.stderr
        assert "standard output" not in done.stderr
        assert '"outcome": "assessed"' in done.stdout
        assert done.returncode in (1, 3)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# What writes validates before it writes, and leaves what there is.


def test_an_import_looks_at_its_folder_before_it_reads(auditor: Auditor, home: Path) -> None:
    (home / "file").touch()
    for words, said in (
        (["--output", "file"], "file"),
        (["--output", "file/x"], "no rules can be written to file/x"),
        (["--output", "out", "--retrieved", "2999-01-01"], "is yet to come"),
    ):
        done = auditor("rules", "import", "-", *words)
        assert said in done.stderr
        assert done.returncode == 2
    (home / "out").mkdir()
    (home / "out" / "other.jsonl").write_text('{"id": 7}\n')
    done = auditor("rules", "import", "-", "--output", "out")
    assert "out/other.jsonl:1: " in done.stderr
    assert done.returncode == 2
    assert (home / "out" / "other.jsonl").read_text() == '{"id": 7}\n'
    assert [p.name for p in (home / "out").iterdir()] == ["other.jsonl"]


def test_a_fingerprint_that_is_none_and_one_that_nobody_shows(auditor: Auditor, home: Path) -> None:
    done = auditor("keys", "accept", "ssh://127.0.0.1:1", "--fingerprint", "SHA256:abc")
    assert "is no fingerprint as `auditor keys scan` shows it" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")
    some = "SHA256:" + "a" * 43
    done = auditor("keys", "accept", "ssh://127.0.0.1:1", "--fingerprint", some)
    assert f"no host showed a key with the fingerprint {some}" in done.stdout
    assert done.returncode == 3


def test_half_a_backup_is_none(home: Path) -> None:
    class Full:
        def backup(self, to: object) -> None:
            raise OSError(28, "No space left on device")

    class Database:
        conn = Full()

    with pytest.raises(OSError, match="No space"):
        maintenance.backup(Database(), home / "copy.db")  # type: ignore[arg-type]  # a disk that is full in the midst of it
    assert not (home / "copy.db").exists()


# No document is put over a file of our own.
OVER = [
    "scan r --output h.db --format json", "scan r --report inventory.yaml", "audit --output waivers.yaml", "audit --report h.db-wal",
    "audit --report same.html --output same.html", "judge --latest --output h.db", "facts export r --output h.db",
    "report export --output inventory.yaml", "report send --preview h.db", "history backup inventory.yaml", "history restore h.db",
]  # fmt: skip


@pytest.mark.parametrize("words", OVER)
def test_no_document_is_put_over_a_file_of_our_own(auditor: Auditor, home: Path, words: str) -> None:
    (home / "inventory.yaml").write_text(
        f"hosts:\n  r: {{connection: replay, path: {RECORDING}}}\nhistory: h.db\nwaivers: waivers.yaml\n"
        "mail: {server: 127.0.0.1, sender: a@example.com, to: [b@example.com]}\n"
    )
    (home / "waivers.yaml").write_text("# none yet\n")
    assert auditor("audit", "--quiet", "--no-mail", "--no-report").returncode in (0, 1, 3)
    before = {p.name: p.read_bytes() for p in home.iterdir() if p.is_file() and "-" not in p.name and p.suffix != ".lock"}
    done = auditor(*words.split(), *(["--history", "h.db"] if "restore" in words else []))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert {
        p.name: p.read_bytes() for p in home.iterdir() if p.is_file() and "-" not in p.name and p.suffix != ".lock"
    } == before


@pytest.mark.parametrize(
    "setting", ["{report: inventory.yaml}", "{metrics: h.db}", "{report: x, metrics: x}", '{report: "h.{audit}"}']
)
def test_no_night_writes_over_a_file_of_our_own(auditor: Auditor, home: Path, setting: str) -> None:
    (home / "inventory.yaml").write_text(
        f"hosts:\n  r: {{connection: replay, path: {RECORDING}}}\nhistory: h.db\nschedule: {{db: {{at: '02:00'}}}}\nagent: {setting}\n"
    )
    for words in (("agent", "check"), ("agent", "once", "db")):
        done = auditor(*words)
        assert "name another file" in done.stderr
        assert done.returncode == 2


@pytest.mark.parametrize(
    "words",
    [["scan", ""], ["audit", "--limit", ""], ["audit", "--output", ""], ["history", "runs", "--history", ""], ["judge", ""]],
)
def test_an_empty_word_is_a_variable_that_was_not_set(auditor: Auditor, home: Path, words: list[str]) -> None:
    done = auditor(*words)
    assert "one of the words is empty" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("name", ["a?b.db", "c#d%41.db", "é ü.db"])
def test_a_backup_of_any_name_comes_back(auditor: Auditor, home: Path, name: str) -> None:
    after(home / "auditor.db", {"web1": "mc"}).close()
    assert auditor("history", "backup", name).returncode == 0
    (home / "auditor.db").unlink()
    done = auditor("history", "restore", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "day0" in auditor("history", "runs").stdout
    assert {p.name for p in home.glob("*")} >= {name, "auditor.db"}
    assert not (home / "a").exists()


FACTS = (
    '{"schema": "auditor.facts/1", "target": %s, "collected_at": "%s", "platform": {"family": "linux", "product": "debian-12"}}'
)


@pytest.mark.parametrize(
    ("target", "when", "said"),
    [('""', "2026-01-01T00:00:00Z", "is no name of a host"), ('"a\\nb"', "2026-01-01T00:00:00Z", "is no name of a host"),
     (f'"{"x" * 3000}"', "2026-01-01T00:00:00Z", "is no name of a host"), ('"h"', "2999-01-01T00:00:00Z", "which is yet to come"),
     ('"h"', "2020-01-01T00:00:00Z", "the history knows newer ones, of 2026-01-01 00:00 UTC")],
)  # fmt: skip
def test_facts_that_cannot_be_are_not_imported(auditor: Auditor, home: Path, target: str, when: str, said: str) -> None:
    (home / "known.json").write_text(FACTS % ('"h"', "2026-01-01T00:00:00Z"))
    (home / "f.json").write_text(FACTS % (target, when))
    assert auditor("facts", "import", "known.json").returncode == 0
    before = auditor("history", "runs").stdout
    done = auditor("facts", "import", "f.json")
    assert said in done.stderr
    assert (done.returncode, done.stdout) == (2, "")
    assert auditor("history", "runs").stdout == before


def test_a_name_that_no_rule_has_is_noticed_wherever_it_stands(auditor: Auditor, home: Path) -> None:
    (home / "inventory.yaml").write_text(
        f"hosts:\n  r: {{connection: replay, path: {RECORDING}}}\n  w: {{connection: winreg, address: 192.0.2.1}}\n"
        "accept_unknown: {linux-stale-proceses: nobody knows}\n"
    )
    said = auditor("inventory", "check").stdout
    assert "accept_unknown: no rule is called 'linux-stale-proceses'; did you mean linux-stale-processes?" in said
    assert "wanting: w: winreg: it needs `user` and `password`" in said
