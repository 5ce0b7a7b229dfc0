"""Every exception of paramiko and of sockets as one of the error kinds of docs/contracts.md, with what to do about it."""

from __future__ import annotations

import errno
import socket

from paramiko import ssh_exception as p
from paramiko.pkey import UnknownKeyType

from auditor.errors import ErrorKind, HostError
from auditor.transports.ssh import faults as f

# The first class that fits decides, so the special ones come first. `None`: the message says which kind it is.
KINDS: tuple[tuple[type[BaseException], ErrorKind, str], ...] = (
    (socket.gaierror, "resolve", "check the address and this machine's name service"),
    (p.PasswordRequiredException, "key-locked", "name the key's passphrase with `key_passphrase`, or use an agent"),
    (p.PartialAuthentication, "auth-failed", "the server wants more than one proof; give the password beside the key"),
    (
        p.BadAuthenticationType,
        "auth-failed",
        "the server takes other ways to log in than were tried; see `key_file` and `password`",
    ),
    (f.DeadlineExceeded, "timeout", "see `timeouts` in the inventory"),
    (p.AuthenticationException, "auth-failed", "check the user, the key or the password, and the server's authorized_keys"),
    (p.BadHostKeyException, "host-key-changed", "check the host's fingerprint with its owner"),
    (
        p.IncompatiblePeer,
        "no-common-algorithm",
        "the server offers only algorithms that are refused here as unsafe; update it (`weak_ciphers: true` takes old ciphers and MACs, which reports then say)",
    ),
    (p.MessageOrderError, "protocol", "the server breaks the order of messages of its key exchange; nothing was sent to it"),
    (p.ChannelException, "protocol", "the server takes the login and opens no session; see its MaxSessions and its log"),
    (p.ProxyCommandFailure, "jump-failed", "a proxy command failed"),
    (p.CouldNotCanonicalize, "resolve", "ssh_config asks for canonical names, and this one has none"),
    (p.ConfigParseError, "protocol", "the ssh_config cannot be read"),
    (UnknownKeyType, "auth-failed", "the key is of a type that is not supported"),
    (f.NoBanner, "refused", "the port is open, but no SSH server greets there (too many logins at once, or another service)"),
    (f.Dropped, "protocol", "the server closed the connection; see its log"),
    (f.Disconnected, "protocol", "the server ended the connection; see its log"),
    (p.NoValidConnectionsError, "refused", "nothing listens there, or a firewall says no"),
    (TimeoutError, "timeout", "the host does not answer; is it up, and is the port open to this machine?"),
    (ConnectionRefusedError, "refused", "nothing listens there, or a firewall says no"),
    (OSError, "refused", "the host cannot be reached from here"),
    (p.SSHException, "protocol", "the server does not speak SSH as it should; see its log"),
    (EOFError, "protocol", "the server closed the connection; see its log"),
)


def as_host_error(e: BaseException, what: str) -> HostError:
    """The exception as a HostError that names the host; `what` is e.g. "web1 (10.0.0.5 port 22)"."""
    if isinstance(e, HostError):
        return e
    for kind_of, kind, remedy in KINDS:
        if isinstance(e, kind_of):
            if isinstance(e, f.Disconnected) and (e.code == 14 or "authentication failures" in e.text.lower()):
                kind, remedy = "auth-failed", "too many keys were refused; name the right one with `key_file`"
            if isinstance(e, p.AuthenticationException) and "transport shut down" in str(e):  # nobody was refused
                kind, remedy = "protocol", "the server closed the connection; see its log"
            if isinstance(e, p.AuthenticationException) and str(e) == "Authentication timeout.":
                kind, remedy = "timeout", "see `timeouts` in the inventory"
            if isinstance(e, OSError) and e.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
                remedy = "there is no route to it from here, or it is down"
            tried = getattr(e, "tried", "") if kind == "auth-failed" else ""
            return HostError(kind, f"{what}: {_said(e)}{tried and f', {tried}'}; {remedy}")
    return HostError("internal", f"{what}: {type(e).__name__}: {e}")


def _said(e: BaseException) -> str:
    if isinstance(e, OSError) and e.strerror:
        return e.strerror
    return str(e).strip().rstrip(".") or type(e).__name__
