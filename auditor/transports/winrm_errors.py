"""Every exception of pywinrm, requests, spnego and TLS as one of the design's error kinds, with what to do about it; and
WS-Management's fault codes (wsmerror.h, MS-WSMV) and WMI's (wbemcli.h) as reasons.
"""

from __future__ import annotations

import binascii
import socket
import ssl
import struct

import requests
import spnego.exceptions
import urllib3.exceptions
from requests.exceptions import InvalidURL, ProxyError, TooManyRedirects
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from auditor.errors import ErrorKind, HostError, Refused

_DENIED = "this account may not; see docs/windows.md for the rights it needs"
_QUOTA = "too many operations or shells for this account; raise the quota or try later"
_SIZE = "the answer is larger than the service's envelope"
# Decimal as WSManFault's Code has them; Win32 and WMI numbers below, as MSFT_WmiError's error_Code has them.
FAULTS: dict[int, tuple[ErrorKind, str]] = {
    5: ("access-denied", _DENIED),
    2150859012: ("access-denied", _DENIED),
    2150859013: ("access-denied", _DENIED),
    2150859014: ("access-denied", _DENIED),
    2147749891: ("access-denied", _DENIED),
    2147942405: ("access-denied", _DENIED),
    2150859180: ("access-denied", "remote shells are not allowed on this host"),
    2150859229: ("access-denied", "the service does not take requests from other machines"),
    2150858815: ("quota", _QUOTA),
    **dict.fromkeys((2150859173, 2150859174, 2150859175, 2150859176, 2150859179), ("quota", _QUOTA)),
    **dict.fromkeys(range(2150859236, 2150859243), ("quota", _QUOTA)),
    **dict.fromkeys((2150858790, 2150858805, 2150858823, 2150858824, 2150858825), ("protocol", _SIZE)),
    2150858752: ("protocol", "this host does not have what was asked for"),
    2150858778: ("protocol", "this host does not take the query (it lacks the class, or does not filter)"),
    2150859042: ("protocol", "this host does not take the query"),
    2150858793: ("timeout", "the host did not finish within the operation's time"),
    2147749902: ("protocol", "this host does not have the WMI namespace"),
    2147749904: ("protocol", "this host does not have the WMI class"),
    2147749911: ("protocol", "this host does not take the query"),
}
TOO_LARGE = frozenset(code for code, (_, why) in FAULTS.items() if why == _SIZE)

# The first class that fits decides.
KINDS: tuple[tuple[type[BaseException], ErrorKind, str], ...] = (
    (socket.gaierror, "resolve", "check the address and this machine's name service"),
    (ConnectionRefusedError, "refused", "nothing listens there: enable WinRM (docs/windows.md), or check `scheme` and `port`"),
    (InvalidCredentialsError, "auth-failed", "check user and password, and how the service lets one log in (`auth`)"),
    (spnego.exceptions.SpnegoError, "auth-failed", "the login could not be completed"),
    (PermissionError, "auth-failed", "the server does not take this kind of login; see `auth`"),
    (TooManyRedirects, "protocol", "the server sends us elsewhere, which no WinRM does; the login was not given away"),
    (ProxyError, "refused", "the proxy does not let us through"),
    (requests.Timeout, "timeout", "the host does not answer; see `timeouts` in the inventory"),
    (TimeoutError, "timeout", "the host does not answer; is it up, and is the port open to this machine?"),
    (InvalidURL, "resolve", "this is no host name"),
    (ssl.SSLError, "protocol", "the TLS connection failed; is this the HTTPS port, and does it take our certificate?"),
    (OSError, "refused", "the host cannot be reached from here, or ended the connection"),
    (urllib3.exceptions.HTTPError, "protocol", "the server does not speak HTTP as it should"),
    (WinRMTransportError, "protocol", "the server does not speak WinRM as it should; see its event log"),
    (WinRMError, "protocol", "the exchange cannot go on"),
    # requests_ntlm and pywinrm take answers apart without looking.
    ((KeyError, ValueError, IndexError, StopIteration, AssertionError, AttributeError, TypeError, struct.error, binascii.Error),  # type: ignore[assignment]
     "protocol", "the server's answer is malformed; is this a WinRM service?"),
)  # fmt: skip


def refusal(e: BaseException) -> Refused | None:
    """The refusal of one question, after which the session goes on; None for everything else."""
    if isinstance(e, WinRMOperationTimeoutError):
        return Refused(*FAULTS[2150858793], code=2150858793)
    if isinstance(e, WSManFaultError):
        code = e.wmierror_code or e.wsman_fault_code or 0
        kind, why = FAULTS.get(code, ("protocol", "the host could not answer this"))
        return Refused(kind, f"{why} (fault {code or e.fault_subcode or 'without a code'})", code=code)
    if isinstance(e, WinRMTransportError) and e.code == 500:
        return Refused("protocol", "the host failed to answer this (HTTP 500); see its event log")
    return None


def as_host_error(e: BaseException, what: str) -> HostError:
    """The exception as a HostError that names the host; `what` is e.g. "sql1 port 5986"."""
    if isinstance(e, HostError):
        return HostError(e.kind, f"{what}: {e}")
    for cause in _causes(e):
        if isinstance(cause, HostError):
            return HostError(cause.kind, f"{what}: {cause}")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, what)
        if isinstance(cause, WinRMTransportError) and cause.code in (404, 405):
            return HostError("no-listener", f"{what}: HTTP {cause.code}; a web server, but no WinRM at this `path` and `port`")
    for cause in _causes(e):
        for kind_of, kind, remedy in KINDS:
            if isinstance(cause, kind_of) and type(cause) is not OSError and not _wrapper(cause):
                return HostError(kind, f"{what}: {_said(cause)}; {remedy}")
    return HostError("refused", f"{what}: {_said(e)}; the host ended the connection, or cannot be reached from here")


def _wrapper(e: BaseException) -> bool:
    """requests' and urllib3's own classes only wrap what happened; the innermost cause tells more."""
    return isinstance(
        e, (requests.ConnectionError, urllib3.exceptions.MaxRetryError, urllib3.exceptions.ProtocolError)
    ) and not (isinstance(e, (requests.Timeout, ProxyError)))


def _certificate(e: ssl.SSLCertVerificationError, what: str) -> HostError:
    """X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH; everything else is a matter of trust."""
    if e.verify_code in (62, 64):
        return HostError("tls-name-mismatch", f"{what}: {e.verify_message}; use the name in the certificate as `address`")
    return HostError("tls-untrusted", f"{what}: {e.verify_message}; name its authority with `ca_file`, or renew it")


def _causes(e: BaseException) -> list[BaseException]:
    """The exception and what it wraps, the innermost first."""
    found: list[BaseException] = []
    todo: list[object] = [e]
    while todo and len(found) < 20:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found[::-1]


def _said(e: BaseException) -> str:
    if isinstance(e, OSError) and e.strerror:
        return str(e.strerror)
    return str(e).strip().rstrip(".")[:200] or type(e).__name__
