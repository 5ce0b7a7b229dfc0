"""Logging in over WinRM: whom we trust, whom we tell a password, and what the environment may not change."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.context import AuditContext
from tests.lab.hostile import Serve, listening, says
from tests.lab.windows.wsman_faults import Faults
from tests.lab.windows.wsman_tls import Authority, TlsFiles
from tests.transports.winrm.test_session import failed, read, serving, target

TOLD = list[bytes]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "Other authority")


def recording(serve: Serve, told: TOLD) -> Serve:
    """Keeps what a client said, before it is answered."""

    def serving_it(c: socket.socket, over: threading.Event) -> None:
        told.append(c.recv(65536))
        serve(c, over)

    return serving_it


def http(status: int, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} x", *lines, "Content-Length: 0", "", ""]).encode()


@pytest.mark.parametrize("how", [{"password": "env:LAB_WRONG"}, {"user": "nobody"}], ids=["password", "user"])
def test_a_login_that_is_refused(audit: AuditContext, how: dict[str, Any]) -> None:
    with serving() as server:
        failed(read(server, audit, **how), "auth-failed", "password", "the server offers: Negotiate, Kerberos")
        assert server.requests == 3  # one attempt: accounts are locked after a few
        assert server.log == []


def test_a_certificate_of_a_known_authority(audit: AuditContext, ca: Authority) -> None:
    with serving(tls=ca.server()) as server:
        for address in ("127.0.0.1", "localhost"):
            result = read(server, audit, ca_file=str(ca.file), address=address)
            assert (result.outcome, result.target.relaxed) == ("assessed", ())


@pytest.mark.parametrize(
    ("names", "expired", "trusted", "kind", "word"),
    [
        (("other.example",), False, True, "tls-name-mismatch", "use the name in the certificate"),
        ((), True, True, "tls-untrusted", "expired"),
        ((), False, False, "tls-untrusted", "`ca_file`"),
    ],
    ids=["name", "expired", "unknown"],
)
def test_certificates_that_are_not_trusted(
    audit: AuditContext, ca: Authority, names: tuple[str, ...], expired: bool, trusted: bool, kind: str, word: str
) -> None:
    with serving(tls=ca.server(*names, expired=expired)) as server:
        more = {"ca_file": str(ca.file)} if trusted else {}
        failed(read(server, audit, **more), kind, word)
        assert server.requests == 0
        ignoring = read(server, audit, certificate_checking="ignore", **more)
    assert ignoring.outcome == "assessed"
    assert ignoring.target.relaxed == ("w: the server's certificate is not checked",)


def test_a_ca_file_that_is_none(audit: AuditContext, ca: Authority, tmp_path: Path) -> None:
    with serving(tls=ca.server()) as server:
        failed(read(server, audit, ca_file=str(tmp_path / "no")), "tls-untrusted", "there is no file")
        failed(read(server, audit, ca_file=__file__), "tls-untrusted", "no certificate in PEM form")


def test_client_certificates(audit: AuditContext, ca: Authority, other: Authority) -> None:
    def given(certificate: tuple[Path, Path], key: Path | None = None) -> dict[str, Any]:
        return {"auth": "certificate", "cert_file": str(certificate[0]), "cert_key_file": str(key or certificate[1]),
                "ca_file": str(ca.file), "user": None, "password": None}  # fmt: skip

    ours = ca.client("auditor@localhost")
    with serving(auth=("certificate",), tls=ca.server(clients=True)) as server:
        assert read(server, audit, **given(ours)).outcome == "assessed"
        served = server.requests
        failed(read(server, audit, **given(ca.client("nobody@localhost"))), "auth-failed", "refused")
        failed(read(server, audit, **given(ours, other.client("x@localhost")[1])), "auth-failed", "do not belong together")
        failed(read(server, audit, **given((Path(__file__), ours[1]))), "auth-failed", "not in PEM form")
        foreign = read(server, audit, **given(other.client("auditor@localhost")))
        # TLS 1.3 tells it after the handshake, and the reset may overtake the alert.
        assert foreign.error
        assert foreign.error.kind in ("auth-failed", "refused", "protocol")
        assert server.requests == served + 1
        failed(read(server, audit, **given(ours), scheme="http"), "unencrypted-refused", "needs scheme https")
        failed(read(server, audit, **given(ours) | {"cert_file": None}), "auth-failed", "`cert_file`")


def test_basic_over_tls(audit: AuditContext, ca: Authority) -> None:
    with serving(auth=("basic",), tls=ca.server()) as server:
        assert read(server, audit, auth="basic", ca_file=str(ca.file)).outcome == "assessed"
        wrong = {"auth": "basic", "password": "env:LAB_WRONG", "ca_file": str(ca.file)}
        failed(read(server, audit, **wrong), "auth-failed", "the server offers: Basic")


def test_basic_over_http_is_not_even_tried(audit: AuditContext) -> None:
    with serving(auth=("basic",)) as server:
        failed(read(server, audit, auth="basic"), "unencrypted-refused", "use scheme https")
        assert server.connections == 0


def test_a_server_that_offers_only_basic_over_http(audit: AuditContext) -> None:
    told: TOLD = []
    with listening(recording(says(http(401, 'WWW-Authenticate: Basic realm="a, b"', "Connection: close")), told)) as (_, port):
        failed(read(port, audit), "unencrypted-refused", "only Basic over HTTP")
    assert len(told) == 1
    assert b"authorization" not in told[0].lower()


@pytest.mark.parametrize(
    "faults", [Faults(answer="plain", match="Enumerate"), Faults(answer="html", match="Enumerate")], ids=["right", "html"]
)
def test_an_answer_in_clear_where_encryption_was_agreed(audit: AuditContext, faults: Faults) -> None:
    with serving(faults=faults) as server:
        failed(read(server, audit), "unencrypted-refused", "came unencrypted", "not read")
        assert len(server.log) == 1


def test_a_server_that_lets_anybody_in(audit: AuditContext) -> None:
    """Without a login there are no keys; nothing is asked in clear."""
    told: TOLD = []
    with listening(recording(says(http(200)), told)) as (_, port):
        failed(read(port, audit), "unencrypted-refused", "without NTLM")
    assert b"Enumerate" not in b"".join(told)


@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}/wsman", "http://[bad", "file:///etc/passwd"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_redirects_are_not_followed(audit: AuditContext, ca: Authority, scheme: str, where: str) -> None:
    tls: TlsFiles | None = ca.server() if scheme == "https" else None
    with serving() as elsewhere, serving(tls=tls, faults=Faults(redirect=where.format(port=elsewhere.port))) as server:
        failed(read(server, audit, ca_file=str(ca.file)), "protocol", "HTTP 302", "the login was not given away")
        assert elsewhere.connections == 0
        assert server.requests == 1


def test_what_cannot_work_is_told_before_anything_is_sent(audit: AuditContext) -> None:
    with serving() as server:
        for more, kind, word in (
            ({"user": None}, "auth-failed", "needs `user`"),
            ({"password": None}, "auth-failed", "needs `user` and `password`"),
            ({"password": "env:LAB_NONE"}, "secret-unavailable", "LAB_NONE"),
            ({"auth": "kerberos"}, "auth-failed", "kerberos"),
            ({"address": "127.0.0.1/x?"}, "resolve", "no host name"),
            ({"address": "x..y"}, "resolve", "no host name"),
            ({"address": "a" * 70 + ".invalid"}, "resolve", ""),
            ({"proxy": "socks5://127.0.0.1:1"}, "resolve", "`proxy`"),
        ):
            failed(read(server, audit, **more), kind, word)
        assert server.connections == 0
        assert target(server).relaxed == ()
