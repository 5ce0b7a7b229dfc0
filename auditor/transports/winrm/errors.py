"""Every exception of pywinrm, requests, spnego and TLS as one of the error kinds of docs/contracts.md, with what to do about it; and
WS-Management's fault codes (wsmerror.h, MS-WSMV) and WMI's (wbemcli.h) as reasons.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import struct

import requests.exceptions
import spnego.exceptions
import urllib3.exceptions
from winrm.exceptions import (
    AuthenticationError,
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

# HTTP's own words, where there is no SOAP fault.
_STATUS: dict[int, tuple[ErrorKind, str]] = {
    403: ("access-denied", "it lets nobody in from here, or not this account"),
    **dict.fromkeys((404, 405, 501), ("no-listener", "a web server, but no WinRM at this `path` and `port`")),
    407: ("refused", "the proxy wants a login of its own, which auditor does not have"),
}
_TLS_VERSION: tuple[ErrorKind, str] = ("no-common-algorithm", "it speaks no TLS that this machine takes; see docs/windows.md")
_TLS_OURS: tuple[ErrorKind, str] = ("auth-failed", "the server does not take our client certificate; see `cert_file`")
# OpenSSL's reasons that say more than that TLS failed.
_TLS: dict[str, tuple[ErrorKind, str]] = {
    "NO_CERTIFICATE_OR_CRL_FOUND": ("tls-untrusted", "`ca_file` holds no certificate in PEM form"),
    "PEM lib": ("auth-failed", "`cert_file` or `cert_key_file` is not in PEM form, or the key has a passphrase"),
    "KEY_VALUES_MISMATCH": ("auth-failed", "`cert_file` and `cert_key_file` do not belong together"),
    "WRONG_VERSION_NUMBER": ("protocol", "what answers speaks no TLS; is this the HTTPS port, or is `scheme` http?"),
    **dict.fromkeys(("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE",
                     "NO_PROTOCOLS_AVAILABLE", "DH_KEY_TOO_SMALL", "UNSAFE_LEGACY_RENEGOTIATION_DISABLED"), _TLS_VERSION),
    **dict.fromkeys(("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
                     "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
                     "TLSV13_ALERT_CERTIFICATE_REQUIRED"), _TLS_OURS),
}  # fmt: skip
Classes = type[BaseException] | tuple[type[BaseException], ...]

# The first row that fits anything in the chain of causes decides.
KINDS: tuple[tuple[Classes, ErrorKind, str], ...] = (
    ((requests.exceptions.ProxyError, urllib3.exceptions.ProxyError), "refused", "the proxy does not let us through; see `proxy`"),
    (socket.gaierror, "resolve", "check the address and this machine's name service"),
    ((requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema,
      urllib3.exceptions.LocationValueError, urllib3.exceptions.ProxySchemeUnsupported),
     "resolve", "`address` is no host name, or `proxy` not of the form http://host:port"),
    (ConnectionRefusedError, "refused", "nothing listens there: enable WinRM (docs/windows.md), or check `scheme` and `port`"),
    (AuthenticationError, "auth-failed", "check user and password, and how the service lets one log in (`auth`)"),
    (spnego.exceptions.BadMICError, "protocol", "an answer was altered on its way, or sealed with other keys; it was not read"),
    ((spnego.exceptions.SpnegoError, spnego.exceptions.NativeError, spnego.exceptions.FeatureMissingError),
     "auth-failed", "the login could not be completed"),
    (PermissionError, "auth-failed", "the server does not take this kind of login; see `auth`"),  # requests_ntlm's
    (requests.TooManyRedirects, "protocol", "the server sends us elsewhere, which no WinRM does; the login was not given away"),
    (urllib3.exceptions.NewConnectionError, "refused", "the host cannot be reached from here"),
    ((requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError, WinRMOperationTimeoutError),
     "timeout", "the host does not answer; is it up, is the port open to this machine? See also `timeouts`"),
    (ssl.SSLError, "protocol", "the TLS connection failed; is this the HTTPS port?"),
    ((requests.exceptions.SSLError, urllib3.exceptions.SSLError), "protocol", "the TLS connection failed"),
    (http.client.RemoteDisconnected, "protocol", "the server closed the connection without an answer; see its event log"),
    (http.client.IncompleteRead, "protocol", "the connection ended in the middle of an answer"),
    ((urllib3.exceptions.DecodeError, requests.exceptions.ContentDecodingError), "protocol", "an answer could not be unpacked"),
    (http.client.HTTPException, "protocol", "what answers does not speak HTTP; is this the right port?"),
    (WinRMTransportError, "protocol", "the server does not speak WinRM as it should; see its event log"),
    (WinRMError, "protocol", "the exchange cannot go on"),
    (OSError, "refused", "the host cannot be reached from here, or ended the connection"),
    # requests_ntlm and pywinrm take answers apart without looking.
    ((KeyError, ValueError, IndexError, StopIteration, AssertionError, AttributeError, TypeError, struct.error, SyntaxError),
     "protocol", "the server's answer is malformed; is this a WinRM service?"),
    (urllib3.exceptions.HTTPError, "protocol", "the server does not speak HTTP as it should"),
)  # fmt: skip
# Of the kerberos extra, by name, because it may not be installed.
_KERBEROS = ("KrbError", "BasicAuthError", "GSSError", "KerberosExchangeError", "MutualAuthenticationError")
# Classes whose text is an object's insides; what they mean stands in the table.
_WORDLESS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, TimeoutError, LookupError,
             ValueError, TypeError, AttributeError, AssertionError, StopIteration, struct.error, SyntaxError,
             WinRMOperationTimeoutError, spnego.exceptions.BadMICError)  # fmt: skip


def refusal(e: BaseException) -> Refused | None:
    """The refusal of one question, after which the session goes on; None for everything else."""
    if isinstance(e, Refused):
        return e
    if isinstance(e, WinRMOperationTimeoutError):
        return Refused(*FAULTS[2150858793], code=2150858793)
    if isinstance(e, WSManFaultError):
        code = e.wmierror_code or e.wsman_fault_code or 0
        kind, why = FAULTS.get(code, ("protocol", "the host could not answer this"))
        return Refused(kind, f"{why} (fault {code or str(e.fault_subcode or 'without a code')[:100]})", code=code)
    if isinstance(e, WinRMTransportError) and e.code == 500:
        return Refused("protocol", "the host failed to answer this (HTTP 500); see its event log")
    return None


def as_host_error(e: BaseException, what: str) -> HostError:
    """The exception as a HostError that names the host; `what` is e.g. "sql1 port 5986"."""
    causes = _causes(e)
    for cause in causes:
        if isinstance(cause, HostError):
            return HostError(cause.kind, f"{what}: {cause}")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, what)
        if type(cause).__name__ in _KERBEROS:
            return HostError(
                "auth-failed", f"{what}: Kerberos: {cause}; is there a ticket (klist), and is `address` the full name?"
            )
    for classes, kind, remedy in KINDS:
        for cause in causes:
            if isinstance(cause, PermissionError) and cause.errno and classes is PermissionError:
                continue  # the system's, not requests_ntlm's
            if isinstance(cause, classes):
                if isinstance(cause, ssl.SSLError):
                    kind, remedy = _TLS.get(getattr(cause, "reason", None) or _said(cause), (kind, remedy))
                if isinstance(cause, WinRMTransportError):
                    kind, remedy = _STATUS.get(cause.code, (kind, remedy))
                said = _said(cause) or (_first_words(causes) if classes is KINDS[0][0] else "")
                return HostError(kind, f"{what}: {said}{'; ' if said else ''}{remedy}")
    return HostError("internal", f"{what}: a fault of auditor itself, please report it: {type(e).__name__}: {e}")


def _certificate(e: ssl.SSLCertVerificationError, what: str) -> HostError:
    """X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH; everything else is a matter of trust."""
    said = getattr(e, "verify_message", "the certificate is not good").rstrip(".")
    code = getattr(e, "verify_code", 0)
    if code in (62, 64):
        return HostError("tls-name-mismatch", f"{what}: {said}; use the name in the certificate as `address`")
    if code in (9, 10):  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
        return HostError("tls-untrusted", f"{what}: {said}; renew it, or set this machine's clock right")
    return HostError("tls-untrusted", f"{what}: {said}; name the authority that made the certificate with `ca_file`")


def _causes(e: BaseException) -> list[BaseException]:
    """The exception and what it wraps, the innermost first. Not what it only came after: that may be a refusal by WMI, where
    a shell is tried next."""
    found: list[BaseException] = []
    todo: list[object] = [e]
    while todo and len(found) < 20:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [*one.args, getattr(one, "reason", None), one.__cause__]
    return found[::-1]


def _said(e: BaseException) -> str:
    """The exception's own words, where they are meant for people."""
    if isinstance(e, WinRMTransportError):
        return f"HTTP {e.code}"
    if isinstance(e, ssl.SSLError):
        return re.sub(r"^\[[^\]]*\] | \(_ssl\.c:\d+\)$", "", str(e.strerror or e)).strip()
    if isinstance(e, OSError) and e.strerror:
        return str(e.strerror)
    if isinstance(e, requests.TooManyRedirects):
        return str(e)
    if isinstance(e, _WORDLESS):
        return ""
    return re.sub(r"^SpnegoError \(\d+\): |, Context: .*", "", str(e)).strip().rstrip(".")[:200]


def _first_words(causes: list[BaseException]) -> str:
    """What a proxy's error wraps, such as `Connection refused` or `Tunnel connection failed: 403 Forbidden`."""
    return next((said for c in causes if isinstance(c, OSError) and (said := _said(c))), "")
