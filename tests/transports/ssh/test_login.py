"""Who we are to a host: keys, certificates, the agent, passwords; and what is said where none fits."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.foundation.deadline import Stop
from auditor.model.target import Target
from tests.lab.sshd import Sshd, keygen, user


@pytest.fixture
def host(home: Path) -> Iterator[tuple[Sshd, Target]]:
    """A server that knows one key and one certificate authority, and a target that names no key."""
    (home / ".ssh").mkdir(mode=0o700)
    keygen(home / "ca")
    with Sshd(home / "s", f"TrustedUserCAKeys {home}/ca.pub") as s:
        (home / "known").write_text(s.known_hosts_line())
        yield s, Target(name="h", address="127.0.0.1", port=s.port, user=user(), known_hosts=(str(home / "known"),))


def outcome(target: Target, audit: AuditContext) -> str:
    result = scan(target, audit, Stop())
    return result.error.kind if result.error else "read"


def test_the_usual_keys_are_found(home: Path, host: tuple[Sshd, Target], audit: AuditContext) -> None:
    server, target = host
    assert outcome(target, audit) == "auth-failed", "there is nothing to log in with yet"
    keygen(home / ".ssh" / "id_rsa", "rsa")
    server.allow(keygen(home / ".ssh" / "id_ecdsa", "ecdsa").with_suffix(".pub"))
    assert outcome(target, audit) == "read", "the second of the two is taken"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_beside_the_key(home: Path, host: tuple[Sshd, Target], audit: AuditContext, kind: str) -> None:
    _, target = host
    key = keygen(home / "certified", kind)
    with_key = replace(target, key_file=str(key))
    assert outcome(with_key, audit) == "auth-failed"
    sign = ["ssh-keygen", "-q", "-s", str(home / "ca"), "-I", "t", "-n", user(), "-V", "+1h", f"{key}.pub"]
    subprocess.run(sign, check=True)
    renamed = key.rename(home / f"{kind}-renamed")  # keys are read once, so this one gets a new name
    (home / "certified-cert.pub").rename(home / f"{kind}-renamed-cert.pub")
    assert outcome(replace(target, key_file=str(renamed)), audit) == "read"


def test_the_agent(home: Path, host: tuple[Sshd, Target], audit: AuditContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real ssh-agent that holds a key whose file is gone."""
    server, target = host
    key = keygen(home / "key")
    server.allow(key.with_suffix(".pub"))
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    sock, pid = re.search(r"SSH_AUTH_SOCK=([^;]+)", said), re.search(r"SSH_AGENT_PID=(\d+)", said)
    assert sock
    assert pid
    monkeypatch.setenv("SSH_AUTH_SOCK", sock[1])
    try:
        assert outcome(target, audit) == "auth-failed", "the agent is empty"
        subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**os.environ, "SSH_AUTH_SOCK": sock[1]})
        key.unlink()
        assert outcome(target, audit) == "read"
    finally:
        subprocess.run(["kill", pid[1]], check=False)


def test_encrypted_keys(home: Path, host: tuple[Sshd, Target], audit: AuditContext, monkeypatch: pytest.MonkeyPatch) -> None:
    server, target = host
    key = keygen(home / "locked", "ed25519", "pass phrase")
    server.allow(key.with_suffix(".pub"))
    monkeypatch.setenv("RIGHT", "pass phrase")
    monkeypatch.setenv("WRONG", "something else")
    assert outcome(replace(target, key_file=str(key)), audit) == "key-locked"
    assert outcome(replace(target, key_file=str(key), key_passphrase="env:WRONG"), audit) == "key-locked"
    assert outcome(replace(target, key_file=str(key), key_passphrase="env:UNSET"), audit) == "secret-unavailable"
    assert outcome(replace(target, key_file=str(key), key_passphrase="env:RIGHT"), audit) == "read"


@pytest.mark.parametrize(
    "content", ["", "no key at all", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_what_is_no_key(home: Path, host: tuple[Sshd, Target], audit: AuditContext, content: str) -> None:
    _, target = host
    (home / f"broken{len(content)}").write_text(content)
    assert outcome(replace(target, key_file=str(home / f"broken{len(content)}")), audit) == "auth-failed"


def test_a_key_that_is_taken_away_is_refused_the_next_time(home: Path, host: tuple[Sshd, Target], audit: AuditContext) -> None:
    server, target = host
    key = keygen(home / "key")
    server.allow(key.with_suffix(".pub"))
    again = replace(target, key_file=str(key))
    assert outcome(again, audit) == "read"
    server.authorized.write_text("")
    assert outcome(again, audit) == "auth-failed"
