"""Where the command writes, and what it says when it cannot or has nobody to ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cli.test_cli import write
from tests.conftest import Run
from tests.given import LINUX
from tests.lab.sshd import keygen
from tests.places import ROOT


def test_output_to_a_device_a_pipe_or_a_link_is_written_there(auditor: Run, home: Path) -> None:
    """They are no files to be replaced."""
    write(home / "f.json", LINUX)
    os.mkfifo(home / "pipe")
    (home / "link").symlink_to(home / "real")
    with subprocess.Popen(["cat", str(home / "pipe")], stdout=subprocess.PIPE, text=True) as reader:
        assert auditor("judge", "f.json", "--format", "json", "--output", "pipe").returncode == 0
        assert json.loads(reader.communicate(timeout=20)[0])["summary"]["targets"] == 1
    assert (home / "pipe").is_fifo()
    auditor("judge", "f.json", "--output", "link")
    assert (home / "link").is_symlink()
    assert "web1" in (home / "real").read_text()


def test_what_cannot_be_written_is_not_green(auditor: Run, home: Path) -> None:
    auditor("scan", "local", "--quiet", "--no-report")
    for words in (
        ["report", "export", "--output", "no/x.html", "--format", "json"],
        ["facts", "export", "local", "--output", "no/x"],
    ):
        done = auditor(*words)
        assert (done.returncode, "cannot be written" in done.stderr) == (2, True), words
    with open("/dev/full", "wb") as full:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        shown = subprocess.run(
            [sys.executable, "-m", "auditor", "report", "show"], stdout=full, stderr=subprocess.PIPE, env=env, check=False
        )
    assert (shown.returncode, b"standard output cannot be written" in shown.stderr) == (3, True)


def test_a_database_of_something_else_is_left_alone(auditor: Run, home: Path) -> None:
    import sqlite3

    with sqlite3.connect(home / "other.db") as db:
        db.execute("create table x (y)")
    db.close()
    done = auditor("scan", "local", "--history", "other.db", "--no-report")
    assert "is a database of something else" in done.stderr
    db = sqlite3.connect(home / "other.db")
    assert db.execute("select name from sqlite_master").fetchall() == [("x",)]
    db.close()


def test_explain_says_why_a_host_was_not_assessed(auditor: Run, home: Path) -> None:
    keygen(home / "key")
    auditor("scan", "ssh://127.0.0.1:1", "--key-file", "key", "--no-report", "--quiet")
    done = auditor("explain", "127.0.0.1:1", "linux-syncookies")
    assert done.returncode == 3
    assert "refused: 127.0.0.1 port 1: Connection refused" in done.stdout


def test_an_attestation_that_would_be_a_fault_is_not_written(auditor: Run, home: Path) -> None:
    done = auditor(
        "attest",
        "add",
        "Q181350",
        "n",
        "--state",
        "done",
        "--date",
        "2026-01-02",
        "--expires",
        "2026-01-01",
        "--file",
        "a.yaml",
    )
    assert (done.returncode, (home / "a.yaml").exists()) == (2, False)


def test_prompts_need_a_terminal(auditor: Run, home: Path) -> None:
    assert "--ask-password needs a terminal" in auditor("scan", "local", "--ask-password").stderr
    (home / "inventory.yaml").write_text("hosts: {a: {address: 127.0.0.1, port: 1}}\n")
    assert "there is no terminal to ask on" in auditor("keys", "accept").stderr


def test_inventory_check_says_what_matches_nothing(auditor: Run, home: Path) -> None:
    (home / "w.yaml").write_text(
        "- {rules: [linux-secrity-updates], targets: [goood, '@all'], owner: kim, reason: r, expires: 2020-01-01}\n"
    )
    (home / "inventory.yaml").write_text("hosts: {good: {}}\nwaivers: w.yaml\n")
    done = auditor("inventory", "check")
    assert done.returncode == 0
    assert "the waiver of kim for linux-secrity-updates expired on 2020-01-01" in done.stdout
    assert "no rule is called 'linux-secrity-updates'; did you mean linux-security-updates" in done.stdout
    assert "no host fits 'goood'; did you mean good?" in done.stdout
    assert "@all" not in done.stdout
