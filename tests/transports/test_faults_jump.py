"""Through jump hosts: each is checked and told of by name, and what is wrong behind the last is told of the target."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.target import Target
from tests.lab.hostile import BANNER, Host, listening, pours, says
from tests.lab.sshd import free_port, keygen
from tests.transports.test_faults import PROMPT, SERVERS, at, failed, hostile, known_hosts

# paramiko's own login, which is the one through jump hosts, does not tell these apart.
NO_BANNER = ("closes", "says-why", "ssh1", "http", "noise")


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("hop")) as h:
        yield h


def through(host: Host, *jump: Target, **more: Any) -> Target:
    return host.target(jump=jump, **more)


def test_two_jump_hosts(host: Host, hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    with Host(tmp_path) as second:
        target = through(host, hop.target(name="one"), second.target(name="two"))
        result = scan(target, audit, Stop())
    assert result.error is None
    assert result.facts
    assert (result.facts.method or "").startswith("ssh through one, two, ")
    assert result.findings


@pytest.mark.parametrize("name", SERVERS)
def test_what_answers_in_the_jump_hosts_place(host: Host, audit: AuditContext, name: str) -> None:
    _, kind, _, hangs = SERVERS[name]
    start = time.monotonic()
    with hostile(name) as address:
        jump = at(host, address, name="hop", times=(0.12, 60, 60) if hangs else (60, 60, 60))
        kind = "" if name in NO_BANNER else f"{kind}: "
        message = scan(through(host, jump), audit, Stop()).error
    assert message
    assert message.kind == "jump-failed", message
    assert f"the jump host hop: {kind}" in message.message
    assert time.monotonic() - start < PROMPT


@pytest.mark.parametrize("name", SERVERS)
def test_what_answers_behind_the_jump_host(host: Host, hop: Host, audit: AuditContext, name: str) -> None:
    _, kind, _, hangs = SERVERS[name]
    start = time.monotonic()
    with hostile(name) as address:
        target = at(host, address, jump=(hop.target(name="hop"),), times=(0.12, 60, 60) if hangs else (60, 60, 60))
        if name == "black-hole":  # it is the jump host that cannot reach it
            target = at(host, address, jump=(hop.target(name="hop", times=(0.3, 60, 60)),))
            kind = "jump-failed"
        error = scan(target, audit, Stop()).error
    assert error
    if name in NO_BANNER:
        assert error.kind in ("protocol", "refused", "no-common-algorithm")
    else:
        assert error.kind == kind, error
    assert time.monotonic() - start < PROMPT


def test_a_jump_host_on_a_closed_port(host: Host, audit: AuditContext) -> None:
    jump = at(host, ("127.0.0.1", free_port()), name="hop")
    assert "the jump host hop: refused: " in _jump_failed(through(host, jump), audit)


def _jump_failed(target: Target, audit: AuditContext) -> str:
    result = scan(target, audit, Stop())
    assert result.error
    assert (result.outcome, result.error.kind) == ("unreachable", "jump-failed"), result.error
    return result.error.message


def test_a_closed_port_behind_the_jump_host(host: Host, hop: Host, audit: AuditContext) -> None:
    port = free_port()
    message = _jump_failed(through(host, hop.target(name="hop"), port=port), audit)
    assert f"cannot reach 127.0.0.1 port {port} from there" in message


def test_a_jump_host_that_forwards_nothing(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    with Host(tmp_path, "AllowTcpForwarding no") as strict:
        message = _jump_failed(through(host, strict.target(name="hop")), audit)
    assert "the jump host hop: refused: cannot reach" in message
    assert "prohibited" in message


def test_a_jump_host_that_takes_another_key(host: Host, hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    jump = hop.target(name="hop", key_file=str(keygen(tmp_path / "wrong")))
    assert "the jump host hop: auth-failed: " in _jump_failed(through(host, jump), audit)


def test_a_jump_host_with_another_host_key(host: Host, hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    """Nothing is sent to it: no login is tried there."""
    kind, key = keygen(tmp_path / "other").with_suffix(".pub").read_text().split()[:2]
    tried = hop.log().count("publickey")
    line = hop.known_hosts_line()
    for text, said in (
        (f"[{hop.address}]:{hop.port} {kind} {key}\n", "host-key-changed"),
        (f"@revoked {line}", "host-key-revoked"),
        ("", "unknown-host-key"),
    ):
        jump = hop.target(name="hop", known_hosts=known_hosts(tmp_path, text))
        assert f"the jump host hop: {said}: " in _jump_failed(through(host, jump), audit)
    assert hop.log().count("publickey") == tried


def test_what_is_wrong_with_the_target_itself(host: Host, hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    jump = (hop.target(name="hop"),)
    failed(host.target(jump=jump, key_file=str(keygen(tmp_path / "wrong"))), audit, "auth-failed")
    failed(host.target(jump=jump, known_hosts=known_hosts(tmp_path, "")), audit, "unknown-host-key")
    failed(
        host.target(jump=jump, known_hosts=known_hosts(tmp_path, f"@revoked {host.known_hosts_line()}")),
        audit,
        "host-key-revoked",
    )


@pytest.mark.parametrize("where", ["jump host", "target"])
def test_the_total_limit_holds_on_the_way(host: Host, hop: Host, audit: AuditContext, where: str) -> None:
    start = time.monotonic()
    with listening(says(BANNER)) as address:
        long = (60, 60, 60)
        if where == "target":
            target = at(host, address, jump=(hop.target(name="hop", times=long),), times=(60, 60, 0.4))
            failed(target, audit, "timeout")
        else:
            _jump_failed(through(host, at(host, address, name="hop", times=long), times=(60, 60, 0.4)), audit)
    assert time.monotonic() - start < PROMPT


def test_a_command_that_hangs_behind_a_jump_host(host: Host, hop: Host, audit: AuditContext) -> None:
    host.forces("echo x; exec sleep 1000")
    try:
        result = scan(through(host, hop.target(name="hop"), times=(20, 0.5, 60)), audit, Stop())
    finally:
        host.end_commands()
        host.opens()
    assert result.error
    assert (result.outcome, result.error.kind) == ("failed", "timeout")
    assert "0.5 s" in result.error.message


class Leaves(paramiko.ServerInterface):
    """Goes away when it is shown a key, as a host does that is shut down at that moment."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self.transport = transport

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.transport.close()
        return AUTH_FAILED


def test_a_host_that_goes_away_in_the_middle_of_the_login_refused_nobody(
    host: Host, hop: Host, audit: AuditContext, tmp_path: Path
) -> None:
    """paramiko calls it a failed authentication, and whoever reads that looks for a wrong key."""
    host_key = paramiko.ECDSAKey.generate()

    def serve(c: socket, over: threading.Event) -> None:
        transport = paramiko.Transport(c)
        transport.add_server_key(host_key)
        transport.start_server(server=Leaves(transport), event=threading.Event())
        over.wait()
        transport.close()
        transport.join(5)

    with listening(serve) as address:
        line = f"[127.0.0.1]:{address[1]} {host_key.get_name()} {host_key.get_base64()}\n"
        target = at(host, address, known_hosts=known_hosts(tmp_path, line))
        failed(target, audit, "protocol", "closed")
        failed(at(host, address, known_hosts=target.known_hosts, jump=(hop.target(name="hop"),)), audit, "protocol")


@pytest.mark.parametrize("head", [b"", BANNER + (0x7FFFFFFC).to_bytes(4, "big")], ids=["line", "packet"])
def test_a_jump_host_that_pours_is_not_held_in_memory(host: Host, audit: AuditContext, head: bytes) -> None:
    """A line or a packet without end, before anybody is authenticated."""
    poured: list[int] = []
    with listening(pours(head, poured)) as address:
        _jump_failed(through(host, at(host, address, name="hop", times=(0.3, 60, 60))), audit)
    assert sum(poured) < 16_000_000


def test_a_limit_that_ends_a_jump_leaves_the_other_limits_in_force(host: Host, hop: Host, audit: AuditContext) -> None:
    """The thread that keeps all limits ends a connection within a connection: that must neither fail nor hold it up."""
    jump = hop.target(name="hop")
    with listening(says(BANNER)) as address:
        for _ in range(2):
            failed(at(host, address, jump=(jump,), times=(0.12, 60, 60)), audit, "timeout")
    ended = threading.Event()
    Deadline(0.05, "waiting").watch(ended.set)
    assert ended.wait(5)
