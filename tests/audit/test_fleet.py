"""A small real fleet: differently configured sshd hosts, audited by the command as a user runs it; hosts that change.

Needs root: other users, their passwords and sudo rights, and network namespaces cannot be made without.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.linux.script import PRIVILEGED
from tests.conftest import Run
from tests.lab.netns import Namespace
from tests.lab.person import Person
from tests.lab.sshd import Sshd, free_port, keygen
from tests.places import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes users, sudo rights and network namespaces")
INIT_READABLE = (
    os.geteuid() == 0 and subprocess.run(["grep", "-q", "vdso", "/proc/1/maps"], capture_output=True).returncode == 0
)
PASSWORD = "pass word$1'2"


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    with Person(PASSWORD) as p:
        yield p


def audit(run: Run, *words: str, **env: str) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    done = run(*words, "--format", "json", **env)
    assert "Traceback" not in done.stderr, done.stderr
    document = json.loads(done.stdout)
    return {t["name"]: t | {"verdicts": {f["rule"]: f["verdict"] for f in t["findings"]}} for t in document["targets"]}, done


def collector(target: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in target["collectors"] if c["name"] == name)


def test_seven_hosts(auditor: Run, home: Path, person: Person) -> None:
    key, locked = keygen(home / "key"), keygen(home / "locked", "ecdsa", "pass phrase")
    person.may_sudo(*PRIVILEGED, nopasswd=False)
    with (
        Sshd(home / "plain") as plain,
        Sshd(home / "pw", "PasswordAuthentication yes") as pw,
        Sshd(home / "gate", host_key="rsa") as gate,
        Sshd(home / "other") as other,
    ):
        for s in (plain, pw, gate):
            s.allow(key.with_suffix(".pub"), locked.with_suffix(".pub"))
        (home / "known").write_text(
            plain.known_hosts_line()
            + pw.known_hosts_line()
            + gate.known_hosts_line()
            + f"[127.0.0.1]:{other.port} "
            + plain.known_hosts_line().split(" ", 1)[1]
        )
        (home / "inventory.yaml").write_text(f"""
defaults: {{address: 127.0.0.1, user: root, key_file: key, known_hosts: known}}
groups: {{sudo: {{user: {person.name}, become: {{method: sudo, password: env:SUDO_PW}}, password: env:SUDO_PW}}, app: {{}}}}
hosts:
  key: {{port: {plain.port}, groups: [app]}}
  encrypted: {{port: {plain.port}, key_file: locked, key_passphrase: env:PHRASE}}
  password: {{port: {pw.port}, user: {person.name}, password: env:SUDO_PW}}
  sudo: {{port: {pw.port}, groups: [sudo]}}
  jump: {{port: {plain.port}, jump: [gate]}}
  gate: {{port: {gate.port}}}
  changed-key: {{port: {other.port}}}
  closed: {{port: {free_port()}}}
  nobody: {{port: {plain.port}, user: no-such-user}}
""")
        secrets = {"SUDO_PW": PASSWORD, "PHRASE": "pass phrase"}
        found, done = audit(auditor, "audit", "--inventory", "inventory.yaml", **secrets)
        stored = auditor("report", "show", "--format", "json")
    errors = {name: t["error"]["kind"] for name, t in found.items() if t["error"]}
    assert errors == {"changed-key": "host-key-changed", "closed": "refused", "nobody": "auth-failed"}
    for name in ("key", "encrypted", "jump", "gate", "sudo", "password"):
        assert found[name]["platform"]["product"].startswith("debian-"), name
        assert found[name]["verdicts"]["linux-syncookies"] == "compliant", name
    # Root and sudo may look into all processes; a user without either cannot, and says so.
    # Where not even root may read process 1 (a container), that is said and stays unknown.
    for name in ("key", "sudo"):
        reason = collector(found[name], "stale_processes")["reason"]
        assert (reason == "") is INIT_READABLE or "even with root's rights" in reason, reason
    assert found["sudo"]["verdicts"]["linux-stale-processes"] == found["key"]["verdicts"]["linux-stale-processes"]
    assert found["password"]["verdicts"]["linux-stale-processes"] in ("unknown", "pending")
    assert "without root's rights" in collector(found["password"], "stale_processes")["reason"]
    assert done.returncode in (1, 3)
    assert PASSWORD not in done.stdout + done.stderr + stored.stdout
    assert {t["name"]: t["outcome"] for t in json.loads(stored.stdout)["targets"]} == {
        n: t["outcome"] for n, t in found.items()
    }


@pytest.mark.parametrize(
    ("nopasswd", "secret", "reason"),
    [(True, None, ""), (False, "wrong", "sudo-denied"), (False, None, "sudo-denied")],
    ids=["without a password", "a wrong password", "no password given"],
)
def test_sudo(auditor: Run, home: Path, person: Person, nopasswd: bool, secret: str | None, reason: str) -> None:
    """What sudo refuses is partial with the reason, and the rest is read."""
    person.may_sudo(*PRIVILEGED, nopasswd=nopasswd)
    key = keygen(home / "key")
    with Sshd(home / "s") as s:
        s.allow(key.with_suffix(".pub"))
        (home / "known").write_text(s.known_hosts_line())
        become = "{method: sudo, password: env:WRONG}" if secret else "{method: sudo}"
        (home / "i.yaml").write_text(
            f"hosts: {{h: {{address: 127.0.0.1, port: {s.port}, user: {person.name}, key_file: key, known_hosts: known, become: {become}}}}}\n"
        )
        found, _ = audit(auditor, "scan", "h", "--inventory", "i.yaml", "--no-history", WRONG=secret or "")
    assert found["h"]["error"] is None
    for name in ("listeners", "stale_processes"):
        said = collector(found["h"], name)["reason"]
        if reason:
            assert reason in said, name
        else:
            assert said == "" or "even with root's rights" in said, name
    assert collector(found["h"], "packages")["reason"] == ""


def test_a_host_that_changes(home: Path) -> None:
    """Its verdicts follow: a lower cap, a listener with a backlog of five, its overflow, and all of it undone."""
    key, port = keygen(home / "key"), free_port()
    with Namespace() as ns, Sshd(home / "s", prefix=ns.prefix) as s:
        s.allow(key.with_suffix(".pub"))
        (home / "known").write_text(s.known_hosts_line())
        (home / "i.yaml").write_text(
            f"hosts: {{h: {{address: 127.0.0.1, port: {s.port}, user: root, key_file: key, known_hosts: known}}}}\n"
        )
        env = {**os.environ, "PYTHONPATH": str(ROOT)}

        def verdicts() -> dict[str, tuple[str, str]]:
            command = [*ns.prefix, sys.executable, "-m", "auditor", "scan", "h", "--inventory", "i.yaml", "--format", "json"]
            done = subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=60)
            (target,) = json.loads(done.stdout)["targets"]
            return {f["rule"]: (f["verdict"], f["observed"]) for f in target["findings"]}

        ns.sysctl("net.core.somaxconn", 4096)
        before = verdicts()
        assert before["linux-somaxconn"][0] == before["linux-accept-queue-overflow"][0] == "compliant"
        assert before["linux-listen-backlog"][0] == "not_applicable", "only sshd listens, on loopback"
        ns.sysctl("net.core.somaxconn", 128)
        assert verdicts()["linux-somaxconn"] == ("noncompliant", "net.core.somaxconn = 128")
        listener = ns.listen(port, 5)
        small = verdicts()["linux-listen-backlog"]
        assert small[0] == "noncompliant"
        assert f"0.0.0.0:{port} python3 backlog 5 (asked for 5)" in small[1]
        ns.flood(port, 20)
        full = verdicts()
        assert full["linux-accept-queue-overflow"][0] == "noncompliant"
        assert "ListenOverflows 0" not in full["linux-accept-queue-overflow"][1]
        listener.kill()
        listener.wait()
        capped = ns.listen(port, 100_000)
        assert "asked for at least 128" in verdicts()["linux-listen-backlog"][1]
        capped.kill()
        capped.wait()
        ns.sysctl("net.core.somaxconn", 4096)
        after = verdicts()
        assert after["linux-somaxconn"][0] == "compliant"
        assert after["linux-listen-backlog"][0] == "not_applicable"
        assert after["linux-accept-queue-overflow"][0] == "noncompliant", "the counter remembers"
