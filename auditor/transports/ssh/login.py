"""Who we are to a host: keys with their certificates, the agent, a password."""

from __future__ import annotations

import contextlib
import getpass
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

from msgspec import Struct
from paramiko import AuthenticationException, BadAuthenticationType, PasswordRequiredException, PKey, SSHException, Transport
from paramiko.agent import Agent
from paramiko.pkey import UnknownKeyType

from auditor.errors import HostError
from auditor.foundation import secret_refs
from auditor.model.target import Target
from auditor.transports.ssh.stamp import Stamp, stamp

USUAL_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_loading = threading.Lock()


class Login(Struct):
    """`key` where one key is all there is, for the fast path; otherwise `attempt` tries everything in turn."""

    user: str
    key: PKey | None
    attempt: Callable[[Transport], list[str]]

    @contextmanager
    def named(self) -> Iterator[None]:
        """A refusal of the fast path says, as any other does, who was refused."""
        try:
            yield
        except AuthenticationException as e:
            if self.key:
                e.tried = tried(self.user, [self.key])  # type: ignore[attr-defined]  # for people: errors.py
            raise


def login(target: Target) -> Login:
    """What the target's options, ssh_config, the agent and ~/.ssh offer. Raises HostError `key-locked`,
    `secret-unavailable` or `auth-failed`."""
    user = target.user or getpass.getuser()
    password = secret_refs.resolve(target.password) if target.password else None
    if target.key_file:
        keys = [_key(target.key_file, _passphrase(target), target.certificate_file)]
    else:
        offered = target.identity_files or USUAL_KEYS
        keys = [_key(p, _passphrase(target), target.certificate_file) for p in offered if Path(p).expanduser().is_file()]
    agent = not target.key_file and bool(os.environ.get("SSH_AUTH_SOCK"))
    alone = keys[0] if len(keys) == 1 and not agent and password is None else None
    return Login(user, alone, lambda transport: _attempt(transport, user, keys, agent, password))


def _passphrase(target: Target) -> str | None:
    return secret_refs.resolve(target.key_passphrase) if target.key_passphrase else None


def _key(path: str, passphrase: str | None, certificate: str | None) -> PKey:
    full = str(Path(path).expanduser())
    stamps = tuple(stamp(p) for p in (full, certificate or f"{full}-cert.pub"))
    with _loading:  # once for all hosts: reading and decrypting a key is dear
        return _load(full, passphrase, certificate, stamps)


@lru_cache(maxsize=64)
def _load(path: str, passphrase: str | None, certificate: str | None, stamps: tuple[Stamp, ...]) -> PKey:
    with contextlib.suppress(OSError):  # as ssh refuses it; what cannot be looked at is told below
        info = Path(path).stat()
        if info.st_uid == os.geteuid() and info.st_mode & 0o077:
            raise HostError(
                "auth-failed",
                f"{path} can be read by others (mode {info.st_mode & 0o777:04o}), so it is not used: chmod 600 {path}",
            )
    beside = certificate or (f"{path}-cert.pub" if Path(f"{path}-cert.pub").is_file() else None)
    try:
        key = PKey.from_path(path, passphrase.encode() if passphrase else None)  # type: ignore[arg-type]  # the stubs say str, cryptography wants bytes
        if beside:
            key.load_certificate(str(Path(beside).expanduser()))
    except PasswordRequiredException:
        raise HostError(
            "key-locked", f"{path} is encrypted; name its passphrase with `key_passphrase`, or use an agent"
        ) from None
    except OSError as e:
        raise HostError("auth-failed", f"{e.filename or path}: {e.strerror}; the key cannot be read") from None
    except (SSHException, ValueError, TypeError, UnknownKeyType) as e:
        if passphrase:
            raise HostError("key-locked", f"{path} cannot be opened with the passphrase that `key_passphrase` names") from None
        locked = "password" in str(e).lower() or "encrypted" in str(e).lower()
        kind, remedy = (
            ("key-locked", "name its passphrase with `key_passphrase`") if locked else ("auth-failed", "is it a private key?")
        )
        raise HostError(kind, f"{path} cannot be read as a key: {e}; {remedy}") from None  # type: ignore[arg-type]
    return key


def _attempt(transport: Transport, user: str, keys: list[PKey], agent: bool, password: str | None) -> list[str]:
    """Keys first, then the agent's, then the password, as password or keyboard-interactive. Returns what the server
    still wants after a success in part. Raises the last refusal."""
    if not keys and not agent and password is None:
        raise HostError(
            "auth-failed", f"there is nothing to log in as {user} with: give a key_file or a password, or start an agent"
        )
    with closing(Agent()) if agent else nullcontext() as link:  # it signs, so it has to stay open until the end
        return _offer(transport, user, [*keys, *(link.get_keys() if link else ())], password)


def _offer(transport: Transport, user: str, keys: list[PKey], password: str | None) -> list[str]:
    try:
        return _offered(transport, user, keys, password)
    except AuthenticationException as e:
        e.tried = tried(user, keys, password)  # type: ignore[attr-defined]  # for people: errors.py
        raise


def tried(user: str, keys: list[PKey], password: str | None = None) -> str:
    """Who we said we are, and with what: the fingerprints are those that the server's log has."""
    with_what = [f"{key.get_name()} {key.fingerprint}" for key in keys[:5]] + (["a password"] if password is not None else [])
    more = f" and {len(keys) - 5} more keys" if len(keys) > 5 else ""
    return f"as {user} with {', '.join(with_what) or 'nothing'}{more}"


def _offered(transport: Transport, user: str, keys: list[PKey], password: str | None) -> list[str]:
    refusal: AuthenticationException = AuthenticationException("no key was accepted")
    for key in keys:
        try:
            left = transport.auth_publickey(user, key)
        except BadAuthenticationType as e:
            refusal = e
            break
        except AuthenticationException as e:
            if not transport.is_active():
                raise
            refusal = e
            continue
        if not left or password is None:
            return left
        break
    if password is None:
        raise refusal
    try:
        return transport.auth_password(user, password, fallback=False)
    except BadAuthenticationType as e:
        if "keyboard-interactive" not in e.allowed_types:
            raise
        return transport.auth_interactive(user, lambda title, text, prompts: [password for _ in prompts])
