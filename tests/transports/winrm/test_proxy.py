"""Ways that the environment names, which are not taken, and the proxy that the inventory names, which is."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from pathlib import Path

import pytest

from auditor.audit.context import AuditContext
from tests.lab.hostile import Serve, listening, says, shut, trickles
from tests.lab.sshd import free_port
from tests.lab.windows.wsman_tls import Authority
from tests.transports.winrm.test_login import TOLD, ca, http, other
from tests.transports.winrm.test_session import failed, read, serving

__all__ = ["ca", "other"]  # fixtures


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_environment_has_no_effect(
    audit: AuditContext, ca: Authority, other: Authority, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("HOME", str(tmp_path))
    for address in ("127.0.0.1", "localhost"):
        with (tmp_path / ".netrc").open("a") as file:
            file.write(f"machine {address} login nobody password LAB-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(other.file))
    with serving(tls=ca.server() if scheme == "https" else None) as server:
        assert read(server, audit, ca_file=str(ca.file)).outcome == "assessed"
        if scheme == "https":
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                monkeypatch.setenv(name, str(ca.file))
            failed(read(server, audit), "tls-untrusted")
            cert, key = ca.client("auditor@localhost")
            more = {"auth": "certificate", "cert_file": str(cert), "cert_key_file": str(key), "ca_file": str(ca.file)}
            with serving(auth=("certificate",), tls=ca.server(clients=True)) as second:  # netrc would replace its header
                assert read(second, audit, **more).outcome == "assessed"


def proxy(asked: TOLD) -> Serve:
    """A web proxy: CONNECT for https, requests with a whole address for http."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        head = c.recv(65536)
        asked.append(head.partition(b"\r\n")[0])
        found = re.match(rb"(?:CONNECT |POST http://)([\w.]+):(\d+)", head)
        assert found
        with socket.create_connection((found[1].decode(), int(found[2]))) as up:
            if head.startswith(b"CONNECT"):
                c.sendall(b"HTTP/1.1 200 x\r\n\r\n")
                head = b""

            def forward(piece: bytes) -> None:
                with contextlib.suppress(OSError):
                    while piece:
                        up.sendall(piece.replace(b"POST http://%b:%b/" % found.groups(), b"POST /"))
                        piece = c.recv(65536)
                shut(up)

            thread = threading.Thread(target=forward, args=(head or c.recv(65536),))
            thread.start()
            with contextlib.suppress(OSError):
                while piece := up.recv(65536):
                    c.sendall(piece)
            shut(c)
            thread.join()

    return serve


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_the_inventory_names(audit: AuditContext, ca: Authority, scheme: str) -> None:
    asked: TOLD = []
    with listening(proxy(asked)) as (_, port), serving(tls=ca.server() if scheme == "https" else None) as server:
        result = read(server, audit, proxy=f"http://127.0.0.1:{port}", ca_file=str(ca.file))
    assert result.outcome == "assessed"
    assert len(asked) == server.connections == 2
    assert all(line.startswith(b"CONNECT " if scheme == "https" else b"POST http://") for line in asked)


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        (says(http(403), then_closes=True), "refused", ("proxy", "403")),
        (says(http(407), then_closes=True), "refused", ("proxy", "407")),
        (says(b""), "timeout", ()),
        (trickles(b"HTTP/1.1 200 x\r\nX: " + b"y" * 60_000), "timeout", ()),
        (None, "refused", ("proxy", "Connection refused")),
    ],
    ids=["forbidden", "wants-a-login", "silent", "trickles", "none"],
)
def test_proxies_that_do_not_let_us_through(
    audit: AuditContext, answers: Serve | None, kind: str, words: tuple[str, ...]
) -> None:
    with listening(answers or says(b"")) as (_, port), serving() as server:
        dead = f"http://127.0.0.1:{port if answers else free_port()}"
        failed(read(server, audit, scheme="https", proxy=dead, times=(0.3, 1, 5)), kind, *words)
        assert server.connections == 0
