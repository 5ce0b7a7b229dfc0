"""What may stand where a WinRM service should, hosts out of reach, and scans that the operator stops."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from auditor.audit.context import AuditContext
from tests.lab.hostile import BANNER, Serve, black_hole, listening, says, trickles
from tests.lab.sshd import free_port
from tests.lab.windows.wsman import WsmanServer
from tests.lab.windows.wsman_faults import Faults
from tests.transports.test_faults_stop import stopped
from tests.transports.winrm.test_faults import FIRST, KEY, PROMPT
from tests.transports.winrm.test_login import http
from tests.transports.winrm.test_session import failed, read, reason, serving, target


def answers(*said: bytes) -> Serve:
    """One answer to each request, on one connection."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        for one in said:
            c.recv(65536)
            c.sendall(one)
        over.wait()

    return serve


NEGOTIATE = http(401, "WWW-Authenticate: Negotiate")
OTHERS: dict[str, tuple[Serve, str, str]] = {
    "404": (says(http(404)), "no-listener", "no WinRM"),
    "501": (says(http(501)), "no-listener", "no WinRM"),
    "403": (says(http(403)), "access-denied", "HTTP 403"),
    "500": (says(http(500)), "protocol", "HTTP 500"),
    "503": (says(http(503)), "protocol", "HTTP 503"),
    "302-to-nowhere": (says(http(302)), "protocol", "HTTP 302"),
    "no-offer": (says(http(401)), "auth-failed", "refused"),
    "ssh": (says(BANNER), "protocol", "does not speak HTTP"),
    "closes": (says(b"", then_closes=True), "protocol", "closed the connection"),
    "negotiates-nonsense": (answers(NEGOTIATE, http(401, "WWW-Authenticate: Negotiate AAAA")), "protocol", "malformed"),
    "negotiates-noise": (answers(NEGOTIATE, http(401, "WWW-Authenticate: Negotiate !!!")), "protocol", "malformed"),
    "negotiates-nothing": (answers(NEGOTIATE, http(401)), "protocol", "malformed"),
    "packed-badly": (
        says(b"HTTP/1.1 401 x\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
        "protocol",
        "unpacked",
    ),
    "silent": (says(b""), "timeout", "logging in"),
    "trickles": (trickles(b"HTTP/1.1 401 x\r\nX: " + b"y" * 60_000), "timeout", "logging in"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_else_may_listen_there(audit: AuditContext, name: str) -> None:
    serve, kind, word = OTHERS[name]
    start = time.monotonic()
    with listening(serve) as (_, port):
        message = failed(read(port, audit, times=(0.15, 20, 30)), kind, word)
    assert message.startswith(f"127.0.0.1 port {port}: ")
    assert time.monotonic() - start < PROMPT


@pytest.mark.parametrize(
    "serve", [says(b""), says(b"SSH-2.0-x\r\n"), says(b"", then_closes=True)], ids=["silent", "ssh", "closes"]
)
def test_what_speaks_no_tls(audit: AuditContext, serve: Serve) -> None:
    with listening(serve) as (_, port):
        result = read(port, audit, scheme="https", times=(0.1, 20, 30))
    assert result.error
    assert result.error.kind in ("protocol", "timeout")
    assert result.seconds < PROMPT


def test_hosts_that_cannot_be_reached(audit: AuditContext) -> None:
    failed(read(free_port(), audit), "refused", "Connection refused", "enable WinRM")
    failed(read(5985, audit, address="no-such-host.invalid"), "resolve", "name service")
    with black_hole() as (_, port):
        result = read(port, audit, times=(0.3, 20, 30))
    failed(result, "timeout", "no end within 0.3 s while connecting")
    assert result.seconds < PROMPT


def waits_for(server: WsmanServer, word: str) -> Callable[[], None]:
    def wait() -> None:
        end = time.monotonic() + 20
        while not any(word in line for line in list(server.log)) and time.monotonic() < end:
            time.sleep(0.01)

    return wait


@pytest.mark.parametrize(
    ("faults", "word", "outcome"),
    [
        ({"match": FIRST}, FIRST, "unreachable"),
        pytest.param({"match": "Receive", "no_wmi": True}, "Receive", "failed"),
        ({"match": KEY}, KEY, "partial"),
    ],
    ids=["first-question", "shell", "later-question"],
)
def test_stopped_by_the_operator(audit: AuditContext, faults: dict[str, Any], word: str, outcome: str) -> None:
    with serving(faults=Faults(answer="silence", **faults)) as server:
        result, took = stopped(target(server, times=(60, 60, 60)), audit, waits_for(server, word))
    assert took < 2
    assert result.outcome == outcome
    if outcome == "partial":
        assert "stopped by the operator" in reason(result, "hotfixes")
    else:
        failed(result, "interrupted", "stopped by the operator", outcome=outcome)


def test_stopped_while_logging_in(audit: AuditContext) -> None:
    accepted = threading.Event()

    def serve(c: socket.socket, over: threading.Event) -> None:
        accepted.set()
        over.wait()

    for scheme in ("http", "https"):
        accepted.clear()
        with listening(serve) as (_, port):
            result, took = stopped(target(port, scheme=scheme, times=(60, 60, 60)), audit, lambda: accepted.wait(20))
        failed(result, "interrupted", "stopped by the operator")
        assert took < 2
