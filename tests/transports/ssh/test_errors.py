"""The table of error kinds, held against every exception class of the installed paramiko and of sockets."""

from __future__ import annotations

import errno
import importlib
import inspect
import pkgutil
import socket
from typing import Any

import paramiko
import pytest
from paramiko import ssh_exception as p
from paramiko.pkey import UnknownKeyType

from auditor.errors import ERROR_KINDS, HostError
from auditor.transports.ssh import faults
from auditor.transports.ssh.errors import KINDS, as_host_error

# Modules that cannot be imported here, and why.
FOREIGN = {"paramiko._winapi": "Windows only", "paramiko.win_pageant": "Windows only"}
# Exceptions that the table need not have, and why they cannot reach it.
ELSEWHERE = {
    "paramiko.ber.BERException": "parsing a key file; login.py turns what PKey raises into key-locked or auth-failed",
    "paramiko.hostkeys.InvalidHostKey": "paramiko's known_hosts reader, which is not used (known_hosts.py)",
    "paramiko.packet.NeedRekeyException": "raised and caught within paramiko's reader thread",
    "paramiko.sftp.SFTPError": "no SFTP is spoken",
}
KEY = paramiko.ECDSAKey.generate()
GIVEN: dict[type[BaseException], tuple[Any, ...]] = {
    p.BadAuthenticationType: ("Bad authentication type", ["password"]),
    p.PartialAuthentication: (["password"],),
    p.BadHostKeyException: ("web1", KEY, KEY),
    p.NoValidConnectionsError: ({("10.0.0.5", 22): ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")},),
    p.ProxyCommandFailure: ("nc web1 22", "gone"),
    p.ChannelException: (1, "Administratively prohibited"),
    faults.NoBanner: (["Exceeded MaxStartups"],),
    faults.Dropped: ("key exchange",),
    faults.Disconnected: (2, "Too many authentication failures"),
    faults.DeadlineExceeded: ("banner",),
    UnknownKeyType: ("ssh-foo", b""),
}
WHERE = "web1 (10.0.0.5 port 22)"


def name(cls: type[BaseException]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def exceptions_of(module: Any, prefix: str) -> set[type[BaseException]]:
    return {
        c
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, BaseException) and c.__module__.startswith(prefix)
    }


def paramikos() -> list[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(paramiko.__path__, "paramiko."):
        if module.name not in FOREIGN:
            found |= exceptions_of(importlib.import_module(module.name), "paramiko.")
    return sorted(found, key=name)


def ours() -> list[type[BaseException]]:
    return sorted(exceptions_of(faults, "auditor."), key=name)


def test_all_of_paramiko_is_looked_at() -> None:
    assert {p.SSHException, p.MessageOrderError, UnknownKeyType} < set(paramikos())
    assert set(ELSEWHERE) < {name(cls) for cls in paramikos()}  # nothing in the list that is gone


@pytest.mark.parametrize("cls", [*paramikos(), *ours()], ids=lambda cls: cls.__qualname__)
def test_every_exception_has_a_kind_and_a_remedy(cls: type[BaseException]) -> None:
    fitting = [(kind, remedy) for of, kind, remedy in KINDS if issubclass(cls, of)]
    if name(cls) in ELSEWHERE:
        assert not fitting  # else the reason there is stale
        return
    error = as_host_error(_made(cls), WHERE)
    assert error.kind in ERROR_KINDS - {"internal"}
    assert str(error).startswith(f"{WHERE}: ")
    assert len(str(error)) > len(f"{WHERE}: ; ") + len(min((remedy for _, remedy in fitting), key=len))


def _made(cls: type[BaseException]) -> BaseException:
    if cls.__name__ == "AuthFailure":  # of paramiko's new-style log-in, with a result of its own
        return cls(importlib.import_module("paramiko.auth_strategy").AuthResult(strategy=None))
    return cls(*GIVEN.get(cls, ("something went wrong",)))


def test_the_table_itself() -> None:
    for number, (cls, kind, remedy) in enumerate(KINDS):
        assert kind in ERROR_KINDS
        assert remedy.strip()
        hidden = [name(earlier) for earlier, *_ in KINDS[:number] if issubclass(cls, earlier)]
        assert not hidden, f"{name(cls)} is never reached"


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "resolve", "name service"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refused", "nothing listens"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "refused", "no route"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "refused", "no route"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "timeout", "is it up"),
        (TimeoutError("timed out"), "timeout", "is it up"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "refused", "reset"),
        (EOFError(), "protocol", "closed"),
        (p.PasswordRequiredException("encrypted"), "key-locked", "key_passphrase"),
        (p.AuthenticationException("Authentication failed."), "auth-failed", "authorized_keys"),
        (p.AuthenticationException("Authentication timeout."), "timeout", "timeouts"),
        (p.AuthenticationException("Authentication failed: transport shut down or saw EOF"), "protocol", "closed"),
        (p.BadAuthenticationType("no", ["password"]), "auth-failed", "password"),
        (p.IncompatiblePeer("no acceptable ciphers"), "no-common-algorithm", "no acceptable ciphers"),
        (faults.Disconnected(2, "Too many authentication failures"), "auth-failed", "key_file"),
        (faults.Disconnected(14, "No more"), "auth-failed", "key_file"),
        (faults.Disconnected(11, "Bye"), "protocol", "Bye"),
        (faults.NoBanner(["Not allowed at this time"]), "refused", "Not allowed at this time"),
        (faults.DeadlineExceeded("key exchange"), "timeout", "key exchange"),
        (ZeroDivisionError("division by zero"), "internal", "ZeroDivisionError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_people_meet(error: BaseException, kind: str, word: str) -> None:
    made = as_host_error(error, WHERE)
    assert made.kind == kind, made
    assert word in str(made)
    assert str(made).startswith(WHERE)


def test_what_is_told_already_is_left_alone() -> None:
    told = HostError("host-key-changed", "web1 shows another key")
    assert as_host_error(told, WHERE) is told
