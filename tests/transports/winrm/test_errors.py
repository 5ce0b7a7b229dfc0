"""The table of error kinds, held against every exception class of pywinrm, requests, urllib3, spnego, HTTP and TLS."""

from __future__ import annotations

import errno
import http.client
import inspect
import re
import socket
import ssl
import struct
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import ParseError

import pytest
import requests
import spnego.exceptions
import urllib3.exceptions
import winrm.exceptions as w
from requests.exceptions import ConnectionError as Wrapped
from urllib3.exceptions import MaxRetryError, ProtocolError

from auditor.errors import ERROR_KINDS, HostError, Refused
from auditor.transports.winrm.errors import FAULTS, KINDS, TOO_LARGE, as_host_error, refusal

WHERE = "sql1 port 5986"
MODULES: tuple[ModuleType, ...] = (w, requests.exceptions, urllib3.exceptions, spnego.exceptions, http.client, ssl)
POOL: Any = None
# Exceptions whose making needs more than a text.
GIVEN: dict[str, tuple[Any, ...]] = {
    "WSManFaultError": (500, "x", "<x/>", "reason"),
    "WinRMTransportError": ("http", 500, "x"),
    "ReadTimeoutError": (POOL, "/", "timed out"),
    "RequestError": (POOL, "/", "x"),
    "HostChangedError": (POOL, "/"),
    "MaxRetryError": (POOL, "/", None),
    "ConnectTimeoutError": ("x",),
    "NewConnectionError": (POOL, "x"),
    "NameResolutionError": ("h", POOL, socket.gaierror(-2, "Name or service not known")),
    "EmptyPoolError": (POOL, "x"), "FullPoolError": (POOL, "x"), "ClosedPoolError": (POOL, "x"), "PoolError": (POOL, "x"),
    "ProxyError": ("x", OSError("x")),
    "IncompleteRead": (b"",),
    "HeaderParsingError": ([], b""),
    "FeatureMissingError": (spnego.NegotiateOptions.use_sspi,),
    "NativeError": ("x",),
    "JSONDecodeError": ("x", "y", 0),
    "UnknownTransferEncoding": ("x",),
}  # fmt: skip
BY_MODULE: dict[str, tuple[Any, ...]] = {"requests.exceptions.ProxyError": ("x",), "urllib3.exceptions.IncompleteRead": (1, 2)}
NOISE = re.compile(r"\w(Error|Exception|Pool)\b|object at 0x|_ssl\.c|\[Errno|Traceback|^.*\(b?['\"]")


def name(cls: type[BaseException]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def everything() -> list[type[BaseException]]:
    found = {
        c
        for module in MODULES
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, Exception) and not issubclass(c, Warning) and c is not Exception
    }
    return sorted(found, key=name)


def made(cls: type[BaseException]) -> BaseException:
    if issubclass(cls, urllib3.exceptions.InvalidChunkLength):
        return cls(urllib3.HTTPResponse(preload_content=False), b"x")
    if issubclass(cls, urllib3.exceptions.IncompleteRead):
        return cls(1, 2)
    if issubclass(cls, spnego.exceptions.SpnegoError):
        return cls(0, context_msg="x") if cls is spnego.exceptions.SpnegoError else cls(context_msg="x")
    if issubclass(cls, ssl.SSLError):
        return cls(1, "[SSL: SOME_REASON] something went wrong (_ssl.c:1006)")
    return cls(*BY_MODULE.get(name(cls), GIVEN.get(cls.__name__, ("something went wrong",))))


def told(error: BaseException, kind: str, *words: str) -> None:
    made = as_host_error(error, WHERE)
    said = str(made).removeprefix(f"{WHERE}: ")
    assert (made.kind, said != str(made)) == (kind, True), made
    assert len(said) > 20
    assert not NOISE.search(said), said
    for word in words:
        assert word in said, said


def test_all_libraries_are_looked_at() -> None:
    assert {w.WSManFaultError, requests.ConnectTimeout, urllib3.exceptions.DecodeError, http.client.BadStatusLine} < set(
        everything()
    )
    assert len(everything()) > 80


@pytest.mark.parametrize("cls", everything(), ids=name)
def test_every_exception_has_a_kind_and_a_remedy(cls: type[BaseException]) -> None:
    assert any(issubclass(cls, of) for of, *_ in KINDS)
    error = as_host_error(made(cls), WHERE)
    assert error.kind in ERROR_KINDS - {"internal"}
    told(made(cls), error.kind)


def test_the_table_itself() -> None:
    seen: list[type[BaseException]] = []
    for classes, kind, remedy in KINDS:
        assert kind in ERROR_KINDS
        assert remedy.strip()
        for cls in classes if isinstance(classes, tuple) else (classes,):
            assert not any(issubclass(cls, earlier) for earlier in seen), f"{name(cls)} is never reached"
        seen += classes if isinstance(classes, tuple) else (classes,)


def wrapped(e: BaseException) -> BaseException:
    """As requests and urllib3 hand on what a socket says."""
    return Wrapped(MaxRetryError(POOL, "/wsman", ProtocolError("Connection aborted.", e)))


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (wrapped(socket.gaierror(socket.EAI_NONAME, "Name or service not known")), "resolve", "Name or service not known"),
        (wrapped(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")), "refused", "enable WinRM"),
        (wrapped(OSError(errno.EHOSTUNREACH, "No route to host")), "refused", "No route to host"),
        (wrapped(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")), "refused", "reset by peer"),
        (wrapped(PermissionError(errno.EPERM, "Operation not permitted")), "refused", "not permitted"),
        (wrapped(http.client.RemoteDisconnected("Remote end closed connection without response")), "protocol", "closed the"),
        (wrapped(TimeoutError("timed out")), "timeout", "is it up"),
        (wrapped(HostError("protocol", "an answer of more than 4 MB")), "protocol", "4 MB"),
        (PermissionError("Access denied: Server did not respond with NTLM challenge token"), "auth-failed", "`auth`"),
        (w.InvalidCredentialsError("the login was refused"), "auth-failed", "check user and password"),
        (spnego.exceptions.BadMICError(context_msg="x"), "protocol", "altered"),
        (spnego.exceptions.InvalidTokenError(context_msg="x"), "auth-failed", "could not be completed"),
        (w.WinRMTransportError("http", 404, ""), "no-listener", "HTTP 404"),
        (w.WinRMTransportError("http", 403, ""), "access-denied", "HTTP 403"),
        (w.WinRMTransportError("http", 407, ""), "refused", "proxy"),
        (w.WinRMTransportError("http", 400, ""), "protocol", "HTTP 400"),
        (ParseError("no element found"), "protocol", "malformed"),
        (KeyError("www-authenticate"), "protocol", "malformed"),
        (struct.error("unpack requires a buffer of 4 bytes"), "protocol", "malformed"),
        (requests.exceptions.ProxyError(OSError("Tunnel connection failed: 403 Forbidden")), "refused", "403 Forbidden"),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol (_ssl.c:1006)"), "protocol", "unsupported protocol"),
        (type("GSSError", (Exception,), {})("no credentials"), "auth-failed", "klist"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)  # fmt: skip
def test_what_people_meet(error: BaseException, kind: str, word: str) -> None:
    told(error, kind, word)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("UNSUPPORTED_PROTOCOL", "no-common-algorithm"),
        ("TLSV1_ALERT_UNKNOWN_CA", "auth-failed"),
        ("WRONG_VERSION_NUMBER", "protocol"),
    ],
)
def test_what_openssl_says(reason: str, kind: str) -> None:
    error = ssl.SSLError(1, f"[SSL: {reason}] words (_ssl.c:1006)")
    error.reason = reason
    told(wrapped(error), kind)


def test_a_fault_of_our_own() -> None:
    error = as_host_error(ZeroDivisionError("division by zero"), WHERE)
    assert (error.kind, str(error)[: len(WHERE)]) == ("internal", WHERE)


def test_what_came_before_is_not_the_cause() -> None:
    """A shell is tried where WMI refused; what goes wrong with the shell is told, not the refusal."""
    try:
        try:
            raise Refused("access-denied", "WMI says no")
        except Refused:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")  # noqa: B904
    except OSError as e:
        told(e, "refused", "reset by peer")


def fault(code: int | None, wmi: int | None = None) -> w.WSManFaultError:
    return w.WSManFaultError(500, "m", "<secret/>", "the host's own words", wsman_fault_code=code, wmierror_code=wmi)


@pytest.mark.parametrize("code", FAULTS)
def test_faults(code: int) -> None:
    for e in (fault(code), fault(None, code)):
        refused = refusal(e)
        assert refused
        assert (refused.kind, refused.code) == (FAULTS[code][0], code)
        assert str(code) in str(refused)
        assert "own words" not in str(refused)  # they are in the host's language


def test_other_refusals() -> None:
    assert {2150858824, 2150858823} <= TOO_LARGE
    assert refusal(fault(1359)).kind == "protocol"  # type: ignore[union-attr]
    assert refusal(w.WinRMOperationTimeoutError()).kind == "timeout"  # type: ignore[union-attr]
    assert refusal(w.WinRMTransportError("http", 500, "")).kind == "protocol"  # type: ignore[union-attr]
    for e in (w.WinRMTransportError("http", 400, ""), ConnectionResetError(), HostError("timeout", "x"), ValueError("x")):
        assert refusal(e) is None
