"""The command as a user runs it: exit codes, messages, files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from auditor.model.facts import HostFacts
from tests.conftest import SHARED, Run
from tests.given import LINUX, NODE, platform
from tests.lab.sshd import Sshd, keygen
from tests.places import ROOT


def write(path: Path, facts: HostFacts) -> Path:
    """Facts as a file, their package lists of today: the command judges by the day that it is, and old lists tell nothing."""
    if facts.updates:
        lists = tuple(replace(x, date=datetime.now(UTC)) for x in facts.updates.lists)
        facts = replace(facts, updates=replace(facts.updates, lists=lists))
    path.write_bytes(msgspec.json.encode(facts))
    return path


def test_scan_local_tells_stores_and_reports(auditor: Run, home: Path) -> None:
    done = auditor("scan", "local")
    assert done.returncode in (0, 1, 3)
    assert done.stderr == ""
    assert f"Report: {home}/auditor-report.html" in done.stdout
    assert "local: " in done.stdout
    listed = auditor("report", "list")
    assert "1 host, 0 not assessed" in listed.stdout
    assert auditor("report", "export", "--output", "copy.html").returncode == 0
    assert (home / "copy.html").read_bytes() == (home / "auditor-report.html").read_bytes()
    rule = "linux-syncookies"
    explained = auditor("explain", "local", rule)
    assert re.search(rf"^local: {rule} is \w+", explained.stdout)
    assert "Rule, as loaded now from" in explained.stdout
    shown = auditor("facts", "show", "local")
    assert "product: debian" in shown.stdout or "product:" in shown.stdout


def test_quiet_says_nothing_and_writes_its_files(auditor: Run, home: Path) -> None:
    done = auditor("scan", "local", "--quiet", "--report", "r.html")
    assert done.stdout + done.stderr == ""
    assert sorted(p.name for p in home.iterdir()) == ["auditor.db", "r.html"]
    assert (home / "r.html").stat().st_mode & 0o777 == 0o600


def test_output_by_its_suffix(auditor: Run, home: Path) -> None:
    auditor("scan", "local", "--output", "x.json", "--no-history", "--no-report")
    assert json.loads((home / "x.json").read_text())["schema"] == "auditor.run/1"
    assert not (home / "auditor.db").exists()
    assert not (home / "auditor-report.html").exists()
    auditor("scan", "local", "--output", "y.html", "--no-history")
    assert (home / "y.html").read_text().startswith("<!doctype html>") or "<!doctype html>" in (home / "y.html").read_text()[
        :20
    ]


OLD = platform(LINUX, product="debian-9")
CODES = [
    ([LINUX], [], 0),
    ([OLD], [], 1),
    ([platform(LINUX, product=None)], [], 3),
    ([OLD, platform(LINUX, product=None)], [], 1),
    ([OLD], ["--fail-on", "critical"], 1),
    ([NODE], ["--fail-on", "critical", "--rules", str(ROOT / "rules/windows/Q238009.yaml")], 0),
    ([NODE], ["--fail-on", "unrated"], 1),
    ([platform(LINUX, family=None, product=None)], [], 3),
]


@pytest.mark.parametrize(("facts", "options", "code"), CODES)
def test_exit_codes(auditor: Run, home: Path, facts: list[HostFacts], options: list[str], code: int) -> None:
    paths = [str(write(home / f"{n}.json", f)) for n, f in enumerate(facts)]
    done = auditor("judge", *paths, *options, "--format", "json")
    assert done.returncode == code, done.stdout[:2000]


def test_a_waiver_turns_the_exit_code_not_the_verdict(auditor: Run, home: Path) -> None:
    write(home / "f.json", OLD)
    (home / "w.yaml").write_text(
        "- {rules: [linux-end-of-support], targets: [web1], owner: kim, reason: soon, permanent: true}\n"
    )
    (home / "inventory.yaml").write_text("hosts: {}\nwaivers: w.yaml\n")
    done = auditor("judge", "f.json", "--format", "json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["summary"]["waived"] == 1
    assert document["summary"]["verdicts"]["noncompliant"] == 1


USAGE = [
    (["scan", "nothere"], "auditor scan ssh://nothere"),
    (["scan"], "Missing argument"),
    (["scna", "local"], "No such command"),
    (["scan", "local", "--fail-on", "severe"], "'severe' is no severity"),
    (["scan", "local", "--rules", "none.yaml"], "none.yaml:1: there is no such rule file"),
    (["scan", "local", "--secret", "hunter2"], "never the secret itself"),
    (["scan", "local", "--key-file", "nokey"], "there is no file nokey"),
    (["audit"], "no inventory was found"),
    (["audit", "--inventory", "gone.yaml"], "there is no inventory file gone.yaml"),
    (["judge"], "name either files or folders of facts"),
    (["judge", "nofile.json"], "nofile.json:1: No such file or directory"),
    (["rules", "show", "linux-syncookie"], "did you mean linux-syncookies"),
    (["record", "local", "-o", "/proc/no/such"], "cannot be written"),
    (["attest", "add", "Q1", "x", "--state", "done", "--file", "a.yaml"], "there is no rule 'Q1'"),
]


@pytest.mark.parametrize(("words", "says"), USAGE)
def test_usage_ends_with_2_and_a_message(auditor: Run, words: list[str], says: str) -> None:
    done = auditor(*words)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_history_that_cannot_be_used_costs_the_history_only(auditor: Run, home: Path) -> None:
    """A clear error, the report all the same, and no green exit code."""
    (home / "bad.db").write_text("no database at all " * 500)
    (home / "r").mkdir()
    done = auditor("scan", "local", "--history", "bad.db")
    assert "it is not a SQLite database" in done.stderr
    assert "the audit goes on without its history" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 3)
    assert (home / "auditor-report.html").exists()
    assert auditor("report", "list", "--history", "bad.db").returncode == 3


def test_a_report_that_cannot_be_written_is_said(auditor: Run, home: Path) -> None:
    done = auditor("scan", "local", "--report", "no/such/folder/r.html")
    assert "no/such/folder/r.html cannot be written: No such file or directory" in done.stderr


MALFORMED = [
    "{}",
    "[]",
    "null",
    '{"schema": "auditor.facts/2"}',
    "{",
    "[" * 100_000,
    '{"schema":"auditor.facts/1","target":"x","collected_at":"2026-01-01T00:00:00Z","extra":1}',
    "\x00",
    "",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_facts_that_are_none(auditor: Run, home: Path, text: str) -> None:
    (home / "f.json").write_text(text)
    done = auditor("judge", "f.json")
    assert done.returncode == 2
    assert "f.json:1: no facts of the form auditor.facts/1" in done.stderr
    assert "Traceback" not in done.stderr


def test_facts_travel(auditor: Run, home: Path) -> None:
    """Exported, imported elsewhere, judged the same."""
    auditor("scan", "local", "--no-report", "--quiet")
    exported = auditor("facts", "export", "local").stdout
    (home / "f.json").write_text(exported)
    assert "1 host imported" in auditor("facts", "import", "f.json", "--history", "other.db").stdout
    here, there = (
        auditor("judge", "--latest", "--format", "json"),
        auditor("judge", "--latest", "--history", "other.db", "--format", "json"),
    )
    assert json.loads(here.stdout)["summary"] == json.loads(there.stdout)["summary"]


def test_attestations_are_added_and_listed(auditor: Run, home: Path) -> None:
    (home / "inventory.yaml").write_text("hosts: {}\nattestations: a.yaml\n")
    done = auditor(
        "attest",
        "add",
        "Q181350",
        "notes1",
        "--state",
        "done",
        "--by",
        "kim",
        "--date",
        "2026-01-02",
        "--expires",
        "2026-02-01",
    )
    assert done.returncode == 0, done.stderr
    auditor("attest", "add", "Q181350", "notes1", "--state", "not-done", "--by", "kim", "--reference", "T: 1")
    listed = auditor("attest", "list").stdout.splitlines()
    assert listed[0] == "Q181350  notes1  done  by kim on 2026-01-02  (expired 2026-02-01)"
    assert listed[1].endswith("T: 1")


def test_recording_and_replay(auditor: Run, home: Path) -> None:
    assert auditor("record", "local", "-o", "rec").returncode == 0
    again = auditor("record", "local", "-o", "rec")
    assert (again.returncode, "holds a recording already" in again.stderr) == (2, True)
    replayed = json.loads(auditor("scan", "replay:rec", "--format", "json", "--no-history").stdout)
    assert replayed["targets"][0]["platform"]["product"]


def test_ping_stores_nothing(auditor: Run, home: Path) -> None:
    done = auditor("ping", "local")
    assert "clock difference: " in done.stdout
    assert not list(home.iterdir())


def test_ctrl_c_stops_promptly_and_keeps_what_there_is(home: Path) -> None:
    """One host answers, one hangs for ever; the run is stored as stopped early."""
    key = keygen(home / "key")
    with Sshd(home / "good") as good, Sshd(home / "hang", "ForceCommand exec sleep 60") as hang:
        for s in (good, hang):
            s.allow(key.with_suffix(".pub"))
        (home / "known").write_text(good.known_hosts_line() + hang.known_hosts_line())
        login = "user: root, key_file: key, known_hosts: known" if os.geteuid() == 0 else "key_file: key, known_hosts: known"
        (home / "inventory.yaml").write_text(
            f"defaults: {{address: 127.0.0.1, {login}}}\nhosts:\n  good: {{port: {good.port}}}\n  hang: {{port: {hang.port}}}\n"
        )
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(
            [sys.executable, "-m", "auditor", "audit", "--format", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        end = time.monotonic() + 30
        wal = home / "auditor.db-wal"  # where the first host's result shows up
        while not wal.exists() or b"good" not in wal.read_bytes():
            assert time.monotonic() < end
            time.sleep(0.05)
        pressed = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert time.monotonic() - pressed < 5
    assert "Traceback" not in err
    assert child.returncode in (1, 3)
    document = json.loads(out)
    assert document["run"]["interrupted"] is True
    outcomes = {t["name"]: (t["outcome"], (t["error"] or {}).get("kind")) for t in document["targets"]}
    assert outcomes["good"][0] in ("assessed", "partial")
    assert outcomes["hang"] == ("failed", "interrupted") or outcomes["hang"] == ("unreachable", "interrupted")
    with subprocess.Popen(
        [sys.executable, "-m", "auditor", "report", "list"], stdout=subprocess.PIPE, text=True, env=env
    ) as listed:
        assert "stopped early" in listed.communicate()[0]


def test_host_keys_are_reviewed_and_taken_never_over_another(auditor: Run, home: Path) -> None:
    with Sshd(home / "a") as a, Sshd(home / "b") as b:
        (home / "inventory.yaml").write_text(
            f"defaults: {{address: 127.0.0.1, known_hosts: known}}\nhosts: {{a: {{port: {a.port}}}, b: {{port: {b.port}}}}}\n"
        )
        wrong = f"[127.0.0.1]:{b.port} " + a.known_hosts_line().split(" ", 1)[1]
        (home / "known").write_text(wrong.rstrip("\n"))
        scanned = json.loads(auditor("keys", "scan", "--format", "json").stdout)
        assert {k["target"]: k["state"] for k in scanned} == {"a": "unknown", "b": "changed"}
        fingerprint = subprocess.run(["ssh-keygen", "-lf", str(a.host_key)], capture_output=True, text=True).stdout.split()[1]
        assert scanned[0]["fingerprint"] == fingerprint
        taken = auditor("keys", "accept", "--yes")
        assert "1 key added" in taken.stdout
        assert taken.returncode == 3
        assert (home / "known").read_text() == wrong + a.known_hosts_line()
        assert auditor("keys", "scan", "a").returncode == 0


def test_ssh_config_is_honoured_and_never_run(auditor: Run, home: Path) -> None:
    key = keygen(home / "key")
    (home / ".ssh").mkdir(mode=0o700)
    with Sshd(home / "s") as s:
        s.allow(key.with_suffix(".pub"))
        (home / "known").write_text(f"myalias {s.known_hosts_line().split(' ', 1)[1]}")
        (home / ".ssh" / "extra").write_text(
            f"Host box\n  HostKeyAlias myalias\n  UserKnownHostsFile {home}/known\n  ConnectTimeout 7\n"
        )
        config = f"Include extra\nHost box\n  HostName 127.0.0.1\n  Port {s.port}\n  User {os.environ.get('USER', 'root')}\n  IdentityFile {key}\n"
        (home / ".ssh" / "config").write_text(config)
        found = json.loads(auditor("scan", "ssh://box", "--format", "json", "--no-history", USER="root").stdout)
        assert found["targets"][0]["error"] is None
        assert found["targets"][0]["address"] == "127.0.0.1"
        (home / ".ssh" / "config").write_text(config + f'Match host 127.0.0.1 exec "touch {home}/ran"\n  Port 1\n')
        refused = json.loads(auditor("scan", "ssh://box", "--format", "json").stdout)["targets"][0]
        assert refused["outcome"] == "unreachable"
        assert re.search(r"\.ssh/config:7: .*`?Match exec", refused["error"]["message"])
        assert not (home / "ran").exists()


@pytest.mark.skipif(
    not (SHARED / "tools" / "contract_check.py").is_file(),
    reason="the contract check lies outside the project (AUDITOR_SHARED)",
)
def test_the_contracts_hold(home: Path) -> None:
    command = home / "auditor"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m auditor "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(SHARED / "tools" / "contract_check.py"), "--auditor", str(command)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
