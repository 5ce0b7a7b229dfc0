"""Is this the host it should be: a server's key against known_hosts, before anything is sent to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from paramiko import PKey, Transport

from auditor.errors import HostError
from auditor.foundation import own_files
from auditor.foundation.sanitize import counted
from auditor.model.target import Target
from auditor.transports.ssh import known_hosts
from auditor.transports.ssh.known_hosts import KnownHost, KnownHosts
from auditor.transports.ssh.stamp import Stamp, stamp

USUAL = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")
_writing = threading.Lock()


def files(target: Target) -> tuple[str, ...]:
    """The known_hosts files that count for a target; the first is the one that `accept-new` writes."""
    return target.known_hosts or tuple(str(Path(p).expanduser()) for p in USUAL)


@lru_cache(maxsize=64)
def _read(paths: tuple[str, ...], stamps: tuple[Stamp, ...]) -> KnownHosts:
    return known_hosts.read(paths)


def _known(paths: tuple[str, ...]) -> KnownHosts:
    """Read once for all hosts, and again where a file is another: an agent lives for years."""
    return _read(paths, tuple(stamp(p) for p in paths))


def name_of(target: Target) -> tuple[str, int]:
    """Under which name and port known_hosts has the target; an alias stands for both."""
    return (target.alias, 22) if target.alias else (target.address or target.name, target.port or 22)


def known_types(target: Target) -> tuple[str, ...]:
    """The key types that known_hosts has for the target: asked for first, so that the key shown is one we know."""
    return tuple(dict.fromkeys(e.key_type for e in _entries(target) if not e.marker))


def _entries(target: Target) -> list[KnownHost]:
    try:
        return _known(files(target)).keys(*name_of(target))
    except OSError as e:
        raise HostError("unknown-host-key", f"{e.filename}: {e.strerror}; the known hosts cannot be read") from None


def checker(target: Target) -> Callable[[PKey], None]:
    """A function that raises HostError unless the server's key is the one known."""

    def check(key: PKey) -> None:
        judge(target, key.get_name(), key.asbytes())

    return check


def prefer_known(transport: Transport, target: Target) -> None:
    """Ask a server for the key types we know first: the key it shows is then one we can check."""
    types = known_types(target)
    offered = transport.get_security_options()
    if types:
        offered.key_types = sorted(
            offered.key_types, key=lambda t: t not in types and not ("ssh-rsa" in types and t.startswith("rsa-"))
        )


def judge(target: Target, key_type: str, key: bytes, *, keep: bool = True) -> None:
    """Raises HostError `host-key-revoked`, `host-key-changed` or `unknown-host-key`; a key that is new is kept where
    the target's `host_key_checking` is accept-new, unless `keep` is False."""
    host, port = name_of(target)
    shown = f"{host} port {port} shows {key_type} {known_hosts.fingerprint(key)}"
    entries = _entries(target)
    if any(e.marker == "@revoked" and e.key == key for e in entries):
        raise HostError(
            "host-key-revoked", f"{shown}, which is marked @revoked; do not trust this host until its owner explains it"
        )
    plain = [e for e in entries if not e.marker]
    if any(e.key == key for e in plain):
        return
    other = [e for e in plain if e.key_type == key_type]
    if other:
        raise HostError(
            "host-key-changed",
            f"{shown}, but {other[0].place} has another key. If the host was set up anew, check the fingerprint there, remove that line "
            "and run `auditor keys scan` and `accept`; if not, somebody may be in between",
        )
    if plain:
        raise HostError(
            "unknown-host-key",
            f"{shown}; {plain[0].place} knows this host by {plain[0].key_type} only. `auditor keys scan` shows it for review",
        )
    if any(e.marker == "@cert-authority" for e in entries):
        raise HostError(
            "unknown-host-key", f"{shown}, and is known by a host certificate authority only, which this transport cannot check"
        )
    if keep and target.host_key_checking == "accept-new":
        _keep(target, host, port, key_type, key)
        return
    bad = _known(files(target)).bad
    aside = f" ({counted(len(bad), 'line')} there cannot be read, the first is {bad[0]})" if bad else ""
    raise HostError(
        "unknown-host-key",
        f"{shown}, and {files(target)[0]} does not know it{aside}. Review it with `auditor keys scan`, take it with `auditor keys accept`",
    )


def _keep(target: Target, host: str, port: int, key_type: str, key: bytes) -> None:
    line = known_hosts.line(host, port, key_type, key)
    path = Path(files(target)[0])
    with _writing:
        if any(not e.marker for e in _entries(target)):  # another target of this run met the same host in the meantime
            judge(target, key_type, key, keep=False)
            return
        append(path, [line])


def append(path: Path, lines: list[str]) -> None:
    """Add lines to a known_hosts file, never touching those that are there. HostError where it cannot be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        own_files.check(path)
        with path.open("a+b") as file:
            file.seek(0, 2)
            if file.tell():
                file.seek(-1, 2)
                whole = file.read(1) == b"\n"
            else:
                whole = True
            file.write((b"" if whole else b"\n") + "".join(lines).encode())
    except OSError as e:
        raise HostError("unknown-host-key", f"{path} cannot be written: {e.strerror}") from None
