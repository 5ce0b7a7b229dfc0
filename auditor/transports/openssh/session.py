"""SSH by the system's ssh(1), with the operator's own ssh_config: for what paramiko no longer speaks.

That is SHA-1 key exchange and host keys of old servers, GSSAPI, keys in hardware, host certificates. What ssh_config allows
is the operator's decision; what it may not relax is on the command line (options.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.transports.child_process import Child
from auditor.transports.command import Command, CommandResult
from auditor.transports.openssh import errors, options, relaxed
from auditor.transports.openssh.relaxed import Settings
from auditor.transports.permits import Permits
from auditor.transports.session import LiveSession, SessionKind, known_windows

_NEWEST = 70_000  # bytes at the end of a log in which a line that just came is looked for; a piece has 65,536
_LOST = TargetError("protocol", "the connection was lost in the middle of the answer; see the host's log")


class OpensshSession(LiveSession):
    """One ssh for the one command; the jump hosts of the inventory are its children."""

    kind: SessionKind = "shell"
    compress = True

    def __init__(self, target: Target, deadline: Deadline, permits: Permits) -> None:
        self._target, self._deadline, self._permits = target, deadline, permits
        self.windows = known_windows(target)
        self.relaxed: tuple[str, ...] = ()  # what ssh_config relaxed for this session, once there was one

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def run(self, command: Command) -> CommandResult:
        """HostError where there is no session; an answer that breaks off is a result with `truncated`."""
        self._permits.command(command)
        started, target = time.monotonic(), self._target
        route = (*target.jump, target)
        ssh = program(target)
        limits = [self._deadline.limit(sum(h.timeouts.connect for h in route) * 4, "connecting and logging in")]
        with _logs(len(route)) as (paths, descriptors):
            words = options.words(ssh, target, paths, command.quoted, _usual(ssh))
            with Child(words, env=options.environment(os.environ), logs=descriptors) as child:

                def heard() -> None:
                    log = child.logged[-1]
                    told = b"Authenticated to " in log[-_NEWEST:] or b"master session id" in log[-_NEWEST:]
                    if len(limits) == 1 and told and errors.logged_in(_text(log)):
                        limits[0].done()
                        limits.append(self._deadline.limit(target.timeouts.command, "running the collection script"))
                        limits[1].watch(child.kill)

                limits[0].watch(child.kill)
                child.feed(command.stdin)
                stdout, stderr, truncated = child.read(heard)
                status = child.end()
        for limit in limits:
            limit.done()
        logs = [_text(log) for log in child.logged]
        if limits[0].over or not errors.logged_in(logs[-1]):
            raise _failure(route, logs, stderr, limits[0])
        if limits[-1].over:
            truncated = limits[-1].truncated()
        if status < 0 or (status == 255 and not errors.status_told(logs[-1])):
            if "open failed: " in logs[-1] or " request failed on channel" in logs[-1]:
                raise errors.of_log(logs[-1], place(target))
            truncated = truncated or _LOST
        self.relaxed = relaxed.relaxed(target, lambda host: _settings(ssh, host, self._deadline), _usual(ssh))
        return CommandResult(None if truncated else status, stdout, stderr, time.monotonic() - started, truncated)


def program(target: Target) -> str:
    """The path of ssh; HostError where it cannot serve this target."""
    for host in (*target.jump, target):
        if host.password or host.key_passphrase:
            kind, what = ("auth-failed", "password") if host.password else ("key-locked", "key_passphrase")
            raise HostError(
                kind,  # type: ignore[arg-type]
                f"{place(host)}: `{what}` is not for connection openssh: ssh runs in BatchMode, with keys, agents and GSSAPI "
                "only; load the key into an agent, or use connection ssh",
            )
        if (host.address or host.name).startswith("-") or (host.user or "").startswith("-"):
            raise HostError("resolve", f"{place(host)}: this is no host name or user")
    ssh = shutil.which("ssh")
    if not ssh:
        raise HostError("internal", "connection openssh needs OpenSSH's client, and there is no `ssh` in the PATH; install it")
    return ssh


@lru_cache(maxsize=8)
def _usual(ssh: str) -> Settings:
    """What this ssh does, and which options it has, where no file says anything."""
    return _settings(ssh, None, Deadline(10, "asking ssh for its options"))


def _settings(ssh: str, host: Target | None, deadline: Deadline) -> Settings:
    """What ssh would do for a host; empty where it does not say (before OpenSSH 6.8)."""
    words = [ssh, "-G", *(options.login(host) if host else ("-F", "none")), "--", options.address(host)]
    limit = deadline.limit(10, "asking ssh for its settings")
    with Child(words, env=options.environment(os.environ)) as child:
        limit.watch(child.kill)
        child.feed(b"")
        stdout, _, _ = child.read()
        status = child.end()
    limit.done()
    return relaxed.read(stdout.decode("utf-8", "replace")) if status == 0 else {}


def place(host: Target) -> str:
    """The host for people; without a port where ssh_config gives it."""
    return f"{host.address or host.name} port {host.port}" if host.port else host.address or host.name


@contextlib.contextmanager
def _logs(count: int) -> Iterator[tuple[list[str], list[int]]]:
    """Named pipes for the logs: ssh closes every descriptor that it inherits, and a file could be made to fill the disk."""
    with tempfile.TemporaryDirectory(prefix="auditor-ssh-") as folder, contextlib.ExitStack() as stack:
        paths, descriptors = [str(Path(folder, f"log{n}")) for n in range(count)], []
        for path in paths:
            os.mkfifo(path, 0o600)
            descriptors.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # for writing too: so that no ssh waits for a reader
            stack.callback(os.close, descriptors[-1])
        yield paths, descriptors


def _text(log: bytearray) -> str:
    return log.decode("utf-8", "replace")


def _failure(route: tuple[Target, ...], logs: list[str], stderr: bytes, limit: Deadline) -> HostError:
    """Why there was no login: the first host on the way that was not reached, or that led no further."""
    for number, (host, log) in enumerate(zip(route, logs, strict=True)):
        last, there = number == len(route) - 1, errors.logged_in(log)
        if there and not last and "open failed: " not in log:
            continue
        if limit.over and (last or not there):
            error = HostError(limit.error().kind, f"{place(host)}: {limit.error()}")
        else:
            error = errors.of_log(log, place(host), stderr if last else b"")
        if last or error.kind == "interrupted":
            return error
        if there:
            beyond = place(route[number + 1])
            return HostError("jump-failed", f"the jump host {host.name}: cannot reach {beyond} from there: {error}")
        return HostError("jump-failed", f"the jump host {host.name}: {error.kind}: {error}")
    raise AssertionError("the last host always gives a reason")
