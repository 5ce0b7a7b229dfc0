"""Both ways to log in, in one flight and plainly, with every kind of key, against a real sshd."""

from __future__ import annotations

import ast
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.auth_handler import AuthOnlyHandler

from auditor.foundation.deadline import Deadline
from auditor.transports.ssh import link
from auditor.transports.ssh.errors import as_host_error
from auditor.transports.ssh.fast_path import Opened, open_exec
from auditor.transports.ssh.session import collect
from tests.lab.hostile import Address
from tests.lab.sshd import Sshd, keygen, user

SOON = 20.0  # for what is done at once, on a machine that may be busy
KINDS = {"ed25519": "ed25519", "ecdsa": "ecdsa", "rsa": "rsa", "stranger": "ed25519", "certed": "ed25519", "certrsa": "rsa"}
ADMITTED = ("ed25519", "ecdsa", "rsa", "certed", "certrsa")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def keys(folder: Path) -> dict[str, paramiko.PKey]:
    """A key of every kind, two of them with a certificate only."""
    authority = keygen(folder / "ca")
    found = {}
    for name, kind in KINDS.items():
        path = keygen(folder / name, kind)
        found[name] = paramiko.PKey.from_path(path)
        if name.startswith("cert"):
            sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "t", "-n", user(), "-V", "+1h", f"{path}.pub"]
            subprocess.run(sign, check=True)
            found[name].load_certificate(f"{path}-cert.pub")
    return found


@pytest.fixture(scope="module")
def sshd(folder: Path, keys: dict[str, paramiko.PKey]) -> Iterator[Sshd]:
    with Sshd(folder / "sshd", f"TrustedUserCAKeys {folder}/ca.pub") as s:
        s.allow(*(folder / f"{kind}.pub" for kind in ("ed25519", "ecdsa", "rsa")))
        yield s


def dial(to: Sshd | Address) -> socket.socket:
    sock = socket.create_connection((to.address, to.port) if isinstance(to, Sshd) else to)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def login(to: Sshd | Address, auth: Any, command: str = "echo out; echo err >&2; exit 3", **more: Any) -> Opened:
    """As session.py does it, with any host key taken."""
    usual: dict[str, Any] = {"check_host_key": lambda key: None, "deadline": time.monotonic() + SOON, "close_stdin": True}
    return open_exec(dial(to), user=user(), auth=auth, command=command, **usual | more)


def answer(opened: Opened) -> tuple[bytes, bytes, int | None]:
    """The whole answer of a command that ends by itself."""
    out, err, status, truncated = collect(opened.channel, Deadline(SOON, "reading"))
    opened.transport.end()
    assert truncated is None
    return out, err, status


@pytest.mark.parametrize("one_flight", [True, False])
@pytest.mark.parametrize("kind", ADMITTED)
def test_both_ways_with_every_key(sshd: Sshd, keys: dict[str, Any], kind: str, one_flight: bool) -> None:
    opened = login(sshd, keys[kind], one_flight=one_flight)
    assert opened.one_flight is one_flight
    out, err, status = answer(opened)
    assert (out, err[-4:], status) == (b"out\n", b"err\n", 3)


@pytest.mark.parametrize("one_flight", [True, False])
def test_wrong_key_is_told_at_once(sshd: Sshd, keys: dict[str, Any], one_flight: bool) -> None:
    """Never a wait for the deadline."""
    start = time.monotonic()
    with pytest.raises(paramiko.SSHException) as e:
        login(sshd, keys["stranger"], one_flight=one_flight, deadline=start + 60)
    assert time.monotonic() - start < SOON
    assert as_host_error(e.value, "web1").kind == "auth-failed"
    assert answer(login(sshd, keys["ed25519"], one_flight=False))[2] == 3


@pytest.mark.parametrize("one_flight", [True, False])
def test_host_key_is_refused_before_anything_is_sent(
    sshd: Sshd, keys: dict[str, Any], tmp_path: Path, one_flight: bool
) -> None:
    class Changed(Exception):
        pass

    def check(key: paramiko.PKey) -> None:
        raise Changed

    seen = sshd.log().count("Accepted publickey")
    with pytest.raises(Changed):
        login(sshd, keys["ed25519"], f"touch {tmp_path}/done", one_flight=one_flight, check_host_key=check)
    assert answer(login(sshd, keys["ed25519"]))[2] == 3  # a login later, so the first would have been seen
    assert sshd.log().count("Accepted publickey") == seen + 1
    assert not list(tmp_path.iterdir())


def test_password_that_is_not_taken(sshd: Sshd) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        login(sshd, lambda transport: transport.auth_password(user(), "wrong"))


def test_paramiko_still_has_what_the_fast_path_leans_on() -> None:
    """If this fails after an update of paramiko, every login is slow: read link.py against its changes."""
    assert link.FAST_OK
    here, there = socket.socketpair()
    with here, there:
        transport = paramiko.Transport(here)
        for declared, owner in (("_Base", transport), ("_BaseAuth", AuthOnlyHandler(transport))):
            assert [name for name in _private_names(declared) if not hasattr(owner, name)] == []
    assert link.KEX in link.Link._kex_info


def test_post_quantum_key_exchange_comes_first_and_weaker_ciphers_last() -> None:
    """Nothing that paramiko accepts is lost, and nothing that it refuses comes in."""
    usual: Any = paramiko.Transport
    assert link.Link._preferred_kex[0] == usual._preferred_kex[0] == "mlkem768x25519-sha256"
    assert set(link.Link._preferred_kex) == {*usual._preferred_kex, link.KEX}
    assert link.Link._preferred_ciphers[:2] == ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
    assert set(link.Link._preferred_ciphers) == set(usual._preferred_ciphers)


def test_without_the_private_names_every_login_is_plain(
    sshd: Sshd, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "FAST_OK", False)
    opened = login(sshd, keys["ed25519"])
    assert opened.one_flight is False
    assert answer(opened)[2] == 3


def _private_names(owner: str) -> list[str]:
    """What the block under TYPE_CHECKING declares, which is the full list by that file's own word."""
    tree = ast.parse(Path(link.__file__).read_text())
    (found,) = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == owner]
    names = [n.name if isinstance(n, ast.FunctionDef) else n.target.id for n in found.body]  # type: ignore[attr-defined]
    assert names
    return names
