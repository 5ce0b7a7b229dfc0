"""Hosts that fail, as `scan` tells of them: which kind of error, how soon, and what to do about it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.foundation.deadline import Stop
from auditor.model.target import Target, Timeouts
from tests.lab.hostile import BANNER, Address, Host, black_hole, listening, says, trickles
from tests.lab.sshd import free_port, keygen

PROMPT = 15.0  # seconds: far above what is needed, far below the limits that a prompt answer must not wait for
LONG = Timeouts(connect=60, command=60, total=60)

# What answers on the port; the kind; a word that the message must have; does only a time limit end it?
SERVERS: dict[str, tuple[Any, str, str, bool]] = {
    "black-hole": (None, "timeout", "connecting", True),
    "silent": (says(b""), "timeout", "logging in", True),
    "only-a-banner": (says(BANNER), "timeout", "logging in", True),
    "endless-lines": (trickles(b"hello\r\n"), "timeout", "logging in", True),
    "closes": (says(b"", then_closes=True), "refused", "too many logins", False),
    "says-why": (says(b"Exceeded MaxStartups\r\n", then_closes=True), "refused", "Exceeded MaxStartups", False),
    "banner-and-closes": (says(BANNER, then_closes=True), "protocol", "closed", False),
    "ssh1": (says(b"SSH-1.5-old\r\n"), "no-common-algorithm", "SSH-1.5-old", False),
    "http": (says(b"HTTP/1.0 400 Bad Request\r\n" * 400), "protocol", "noise", False),
    "noise": (says(bytes(range(11, 255)) * 80), "protocol", "noise", False),
    "noise-after-banner": (says(BANNER + bytes(range(11, 255)) * 80), "protocol", "", False),
}


def at(host: Host, address: Address, **more: Any) -> Target:
    return host.target(address=address[0], port=address[1], **more)


def failed(target: Target, audit: AuditContext, kind: str, word: str = "") -> str:
    """The message of a scan that reached nothing; it names the host's address and says more than that."""
    result = scan(target, audit, Stop())
    assert result.error
    assert (result.outcome, result.error.kind, result.findings) == ("unreachable", kind, ()), result.error
    assert word in result.error.message
    assert str(target.port) in result.error.message
    return result.error.message


def hostile(name: str) -> contextlib.AbstractContextManager[Address]:
    return listening(SERVERS[name][0]) if SERVERS[name][0] else black_hole()


@pytest.mark.parametrize("name", SERVERS)
def test_what_answers_on_the_port(host: Host, audit: AuditContext, name: str) -> None:
    _, kind, word, hangs = SERVERS[name]
    times = (0.1, 60, 60) if hangs else (60, 60, 60)
    start = time.monotonic()
    with hostile(name) as address:
        failed(at(host, address, times=times), audit, kind, word)
    assert time.monotonic() - start < PROMPT


@pytest.mark.parametrize("name", [name for name in SERVERS if SERVERS[name][3]])
def test_the_total_limit_holds_for_every_step(host: Host, audit: AuditContext, name: str) -> None:
    start = time.monotonic()
    with hostile(name) as address:
        failed(at(host, address, times=(60, 60, 0.3)), audit, "timeout", "0.3 s")
    assert time.monotonic() - start < PROMPT


def test_closed_port(host: Host, audit: AuditContext) -> None:
    failed(at(host, ("127.0.0.1", free_port())), audit, "refused", "nothing listens there")


@pytest.mark.parametrize("name", ["bad..name", "a" * 64 + ".example", "xn--\u00fc.example"])
def test_what_cannot_be_a_host_name(host: Host, audit: AuditContext, name: str) -> None:
    """Told without asking the name service."""
    failed(at(host, (name, 22)), audit, "resolve")


@pytest.mark.parametrize(
    "config",
    [
        "KexAlgorithms diffie-hellman-group1-sha1",
        "Ciphers chacha20-poly1305@openssh.com",
        "Ciphers aes128-ctr\nMACs umac-64@openssh.com",
    ],
)
def test_a_server_that_offers_only_what_is_refused(audit: AuditContext, tmp_path: Path, config: str) -> None:
    with Host(tmp_path, config) as h:
        failed(h.target(), audit, "no-common-algorithm", "update it")


def known_hosts(tmp_path: Path, text: str) -> tuple[str, ...]:
    """A file of its own for each text: what was read is kept for the life of the process."""
    path = tmp_path / f"known{len(list(tmp_path.iterdir()))}"
    path.write_text(text)
    return (str(path),)


def test_an_unknown_host_key(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    seen = host.log().count("Accepted publickey")
    message = failed(host.target(known_hosts=known_hosts(tmp_path, "")), audit, "unknown-host-key", "SHA256:")
    assert "auditor keys" in message
    assert host.log().count("Accepted publickey") == seen


def test_a_changed_host_key(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    kind, key = keygen(tmp_path / "other").with_suffix(".pub").read_text().split()[:2]
    wrong = known_hosts(tmp_path, f"# changed\n[{host.address}]:{host.port} {kind} {key}\n")
    for checking in ("strict", "accept-new"):
        failed(host.target(known_hosts=wrong, host_key_checking=checking), audit, "host-key-changed", f"{wrong[0]}:2")


def test_a_revoked_host_key(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    """Also where another line still vouches for it, and whoever it is said to be revoked for."""
    line = host.known_hosts_line()
    for text in (f"@revoked {line}", f"{line}@revoked {line}", f"@revoked * {line.split(' ', 1)[1]}{line}"):
        target = host.target(known_hosts=known_hosts(tmp_path, text), host_key_checking="accept-new")
        failed(target, audit, "host-key-revoked", "@revoked")


def test_accept_new_keeps_the_key(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    result = scan(host.target(known_hosts=(str(file),), host_key_checking="accept-new"), audit, Stop())
    assert (result.error, bool(result.findings)) == (None, True)
    assert file.read_text() == host.known_hosts_line()


def test_a_wrong_key(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    start = time.monotonic()
    failed(host.target(key_file=str(keygen(tmp_path / "wrong")), timeouts=LONG), audit, "auth-failed", "authorized_keys")
    assert time.monotonic() - start < PROMPT
