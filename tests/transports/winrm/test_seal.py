"""Whoever stands between can write anything in clear, and nothing of it is taken for the host's: MS-WSMV 2.2.9.1."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
import spnego._ntlm
from hypothesis import given
from hypothesis import strategies as st
from spnego._ntlm_raw.messages import Challenge, NegotiateFlags

from auditor.audit.context import AuditContext
from auditor.errors import HostError
from auditor.transports.winrm import seal
from tests.lab.windows.wsman_auth import ENCRYPTED
from tests.lab.windows.wsman_faults import Faults, Forge
from tests.lab.windows.wsman_soap import SoapFault
from tests.transports.winrm.test_session import failed, posed, read, reason, serving, verdicts

SOAP = "application/soap+xml;charset=UTF-8"
B = b"--Encrypted Boundary"
TAIL = B + b"--\r\n"


def _framed(payload: bytes, length: int | str, inner: bytes = b"application/HTTP-SPNEGO-session-encrypted") -> bytes:
    return (
        B + b"\r\n\tContent-Type: " + inner + b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length="
        + str(length).encode() + b"\r\n" + B + b"\r\n\tContent-Type: application/octet-stream\r\n" + payload + TAIL
    )  # fmt: skip


def _dummy(text: bytes) -> bytes:
    """NTLM's seal where nobody agreed on signing."""
    return struct.pack("<i", 16) + b"\x01" + bytes(15) + text


def _fault(_text: bytes) -> bytes:
    """What says that a key is not there."""
    return SoapFault(2150858752, "w:DestinationUnreachable", "not there").envelope("", "host").encode()


FORGED: dict[str, Forge] = {
    "soap": lambda t, s: (200, SOAP, t),
    "no type": lambda t, s: (200, "", t),
    "xml": lambda t, s: (200, "text/xml", t),
    "multipart alone": lambda t, s: (200, "multipart/", t),
    "multipart/encrypted": lambda t, s: (200, "multipart/encrypted", t),
    "multipart/mixed": lambda t, s: (200, "multipart/mixed;boundary=x", t),
    "no boundary": lambda t, s: (200, 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"', t),
    "no protocol": lambda t, s: (200, 'multipart/encrypted;boundary="Encrypted Boundary"', t),
    "other protocol": lambda t, s: (200, ENCRYPTED.replace("SPNEGO", "CredSSP"), t),
    "longer protocol": lambda t, s: (200, ENCRYPTED.replace('encrypted";b', 'encryptedx";b'), t),
    "protocol in single quotes": lambda t, s: (200, ENCRYPTED.replace('"', "'"), t),
    "two protocols": lambda t, s: (200, ENCRYPTED + ';protocol="none"', t),
    "right type, text in clear": lambda t, s: (200, ENCRYPTED, t),
    "right type, nothing": lambda t, s: (200, ENCRYPTED, b""),
    "right type, no part": lambda t, s: (200, ENCRYPTED, TAIL),
    "right type, empty part": lambda t, s: (200, ENCRYPTED, _framed(b"", 0)),
    "right form, in clear": lambda t, s: (200, ENCRYPTED, _framed(t, len(t))),
    "no signature": lambda t, s: (200, ENCRYPTED, _framed(struct.pack("<i", 0) + t, len(t))),
    "negative signature": lambda t, s: (200, ENCRYPTED, _framed(struct.pack("<i", -4) + t, len(t))),
    "short signature": lambda t, s: (200, ENCRYPTED, _framed(struct.pack("<i", 8) + bytes(8) + t, len(t))),
    "signature of zeros": lambda t, s: (200, ENCRYPTED, _framed(struct.pack("<i", 16) + bytes(16) + t, len(t))),
    "signature of nobody": lambda t, s: (200, ENCRYPTED, _framed(_dummy(t), len(t))),
    "in clear before the sealed": lambda t, s: (200, ENCRYPTED, _framed(_dummy(t), len(t))[: -len(TAIL)] + s),
    "in clear behind the sealed": lambda t, s: (200, ENCRYPTED, s[: -len(TAIL)] + _framed(_dummy(t), len(t))),
    "a word before the sealed": lambda t, s: (200, ENCRYPTED, t + s),
    "a word behind the sealed": lambda t, s: (200, ENCRYPTED, s + t),
    "sealed, called soap": lambda t, s: (200, SOAP, s),
    "sealed, without an end": lambda t, s: (200, ENCRYPTED, s[: -len(TAIL)]),
    "sealed, another length": lambda t, s: (200, ENCRYPTED, s.replace(b"Length=", b"Length=1", 1)),
    "sealed, no length": lambda t, s: (200, ENCRYPTED, s.replace(b"Length=", b"Size=", 1)),
    "sealed, cut short": lambda t, s: (200, ENCRYPTED, s[:-90] + TAIL),
    "an error in clear": lambda t, s: (500, SOAP, _fault(t)),
    "an error called multipart": lambda t, s: (500, "multipart/encrypted", _fault(t)),
    "an error in the right form": lambda t, s: (500, ENCRYPTED, _framed(_dummy(_fault(t)), len(_fault(t)))),
    "not found, in clear": lambda t, s: (404, SOAP, _fault(t)),
}


@pytest.mark.parametrize("form", FORGED)
def test_nothing_that_is_not_sealed_is_read(audit: AuditContext, form: str) -> None:
    """The login passes; then every answer to a question about hotfixes is a forger's. He says that all is there."""
    host = posed()
    with serving(host, faults=Faults(answer="forged", match="Enumerate", times=None, forge=FORGED[form])) as server:
        result = read(server, audit)
        assert len(server.log) <= 2
    assert result.outcome == "unreachable"
    assert result.error
    assert result.error.kind in ("unencrypted-refused", "protocol"), result.error
    assert result.facts is None


@pytest.mark.parametrize("form", FORGED)
def test_a_forged_answer_in_the_middle_is_unknown(audit: AuditContext, form: str) -> None:
    key = "EnumKey HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\HotFix"
    with serving(faults=Faults(answer="forged", match=key, forge=FORGED[form])) as server:
        result = read(server, audit)
    assert result.outcome == "partial"
    assert reason(result, "hotfixes")
    assert result.facts
    assert result.facts.hotfixes is None
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"  # read before, and sealed


WEAK = {
    "no signing": NegotiateFlags.sign,
    "no sealing": NegotiateFlags.seal,
    "no session security": NegotiateFlags.extended_session_security,
    "no key of its own": NegotiateFlags.key_exch,
    "no 128 bits": NegotiateFlags.key_128,
}


@pytest.mark.parametrize("weak", WEAK)
def test_a_challenge_that_leaves_the_seal_out(audit: AuditContext, monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    """The flags of a challenge are anybody's to change; the seal they leave must not be one that is made without a key."""

    def weaker(flags: int, *args: Any, **more: Any) -> Any:
        return Challenge(flags & ~int(WEAK[weak]), *args, **more)

    monkeypatch.setattr(weaker, "unpack", Challenge.unpack, raising=False)  # the client's
    monkeypatch.setattr(spnego._ntlm, "Challenge", weaker)  # only the server makes one
    with serving() as server:
        failed(read(server, audit), "unencrypted-refused", "weak seal", "https")
        assert server.log == []


def test_no_second_login_over_a_sealed_connection(audit: AuditContext) -> None:
    """Answered with 401 in the middle, the client would log in again by whatever is offered."""

    def again(_text: bytes, _sealed: bytes) -> tuple[int, str, bytes]:
        return 401, "text/plain\r\nWWW-Authenticate: Negotiate", b""

    with serving(faults=Faults(answer="forged", match="Enumerate", times=None, forge=again)) as server:
        failed(read(server, audit), "auth-failed", "refused")
        assert server.requests == 4  # a login's three, and the question


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_body_is_opened_or_refused(noise: bytes, at: int) -> None:
    """Whatever is put into a sealed body, only what `unwrap` returned comes out."""
    secret = b"sealed by the key"
    good = _framed(struct.pack("<i", 16) + b"S" * 16 + b"x" * len(secret), len(secret))

    def unwrap(sealed: bytes, signature: bytes) -> bytes:
        if (sealed, signature) != (b"x" * len(secret), b"S" * 16):
            raise ValueError("not sealed by the key")
        return secret

    assert seal.opened(ENCRYPTED, good, unwrap, 16) == secret
    try:
        assert seal.opened(ENCRYPTED, good[:at] + noise + good[at:], unwrap, 16) == secret
    except (HostError, ValueError):
        pass


@pytest.mark.parametrize(
    "told",
    [
        ENCRYPTED,
        ENCRYPTED.replace(";", "; "),
        ENCRYPTED.replace("multipart/encrypted", "Multipart/Encrypted"),
        'multipart/encrypted;boundary="Encrypted Boundary";protocol="application/HTTP-SPNEGO-session-encrypted"',
    ],
)
def test_the_forms_that_windows_may_write(told: str) -> None:
    body = _framed(struct.pack("<i", 16) + b"S" * 16 + b"abc", 3)
    assert seal.opened(told, body, lambda sealed, _: sealed, 16) == b"abc"


def _opener(message: bytes) -> Callable[[bytes, bytes], bytes]:
    return lambda sealed, signature: message


def test_what_other_ciphers_sign_with() -> None:
    """Kerberos' signatures have other lengths (RFC 4121); one that is longer than the body is none."""
    body = _framed(struct.pack("<i", 60) + b"S" * 60 + b"abc", 3)
    assert seal.opened(ENCRYPTED, body, _opener(b"abc"), None) == b"abc"
    for size in (0, 15, 257, 10_000, -1):
        with pytest.raises(HostError, match="signature is not whole"):
            seal.opened(ENCRYPTED, _framed(struct.pack("<i", size) + b"S" * 60 + b"abc", 3), _opener(b"abc"), None)
