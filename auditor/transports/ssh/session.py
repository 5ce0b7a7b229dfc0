"""SSH by paramiko: one connection, one exec. Direct connections take the fast path (fast_path.py), those through jump
hosts paramiko's plain one. Every host key on the way is checked before anything is sent to its host.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from paramiko import Channel, SSHException, Transport

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, Command, CommandResult, too_much
from auditor.transports.permits import Permits
from auditor.transports.session import LiveSession, SessionKind, known_windows
from auditor.transports.ssh import host_keys
from auditor.transports.ssh.algorithms import offer
from auditor.transports.ssh.errors import as_host_error
from auditor.transports.ssh.fast_path import open_exec
from auditor.transports.ssh.faults import DeadlineExceeded, Dropped, FastPathRefused
from auditor.transports.ssh.login import Login, login
from auditor.transports.ssh.wire import Bounded
from auditor.transports.tcp import connect, shut

T = TypeVar("T")
_LOST = TargetError("protocol", "the connection was lost in the middle of the answer; see the host's log")


class SshSession(LiveSession):
    """Connects when the first command is run, so that the command can travel with the login."""

    kind: SessionKind = "shell"
    compress = True

    def __init__(self, target: Target, deadline: Deadline, permits: Permits) -> None:
        self._target, self._deadline, self._permits = target, deadline, permits
        self.windows = known_windows(target)
        self._transports: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for transport in reversed(self._transports):
            close(transport)

    def run(self, command: Command) -> CommandResult:
        """HostError where there is no session; an answer that breaks off is a result with `truncated`."""
        self._permits.command(command)
        started = time.monotonic()
        channel = self._start(command)
        limit = self._deadline.limit(self._target.timeouts.command, "running the collection script")
        limit.watch(self._shut)
        if command.stdin:
            try:
                channel.sendall(command.stdin)
                channel.shutdown_write()
            except OSError:
                pass  # it did not want its stdin, or is gone: what it said tells
        stdout, stderr, status, truncated = collect(channel, limit)
        limit.done()
        return CommandResult(status, stdout, stderr, time.monotonic() - started, truncated)

    def _shut(self) -> None:
        for transport in self._transports:
            abort(transport)

    def _start(self, command: Command) -> Channel:
        """Reach the host, log in, start the command."""
        target = self._target
        own = login(target)
        if target.jump:
            transport = self._through(own)
            return self._guarded(target, lambda limit: _exec(transport, command, limit), "starting the script")
        try:
            return self._direct(own, command, one_flight=True)
        except FastPathRefused:
            return self._direct(own, command, one_flight=False)

    def _direct(self, own: Login, command: Command, *, one_flight: bool) -> Channel:
        target = self._target
        sock = self._guarded(
            target,
            lambda limit: connect(target.address or target.name, target.port or 22, limit, target.address_family),
            "connecting",
        )

        def start(limit: Deadline) -> Channel:
            limit.watch(lambda: shut(sock))
            with own.named():
                opened = open_exec(
                    sock,
                    user=own.user,
                    auth=own.key or own.attempt,
                    command=command.quoted,
                    check_host_key=host_keys.checker(target),
                    deadline=limit.at,
                    one_flight=one_flight,
                    close_stdin=not command.stdin,
                    host_key_types=host_keys.known_types(target),
                    prepare=lambda link: offer(link, target),
                )
            self._transports.append(opened.transport)
            return opened.channel

        return self._guarded(target, start, "logging in", 3)

    def _through(self, own: Login) -> Transport:
        """From the last jump host to the target."""
        transport: Transport = self._hop(self.beyond_jumps(), self._target, own, [])
        return transport

    def beyond_jumps(self) -> Channel:
        """Log in to each jump host in turn; returns the way from the last one to the target's own port."""
        route = [*self._target.jump, self._target]
        link: Any = None
        for number, hop in enumerate(self._target.jump):
            try:
                link = self._hop(link, hop, login(hop), route[number + 1 :])
            except HostError as e:
                if e.kind == "interrupted":
                    raise
                raise HostError("jump-failed", f"the jump host {hop.name}: {e.kind}: {e}") from None
        channel: Channel = link
        return channel

    def _hop(self, link: Any, hop: Target, own: Login, beyond: list[Target]) -> Any:
        sock = link or self._guarded(
            hop, lambda limit: connect(hop.address or hop.name, hop.port or 22, limit, hop.address_family), "connecting"
        )
        transport: Transport = self._guarded(
            hop, lambda limit: _plain(sock, hop, own, limit, self._transports), "logging in", 3
        )
        if not beyond:
            return transport
        end = (beyond[0].address or beyond[0].name, beyond[0].port or 22)

        def open_channel(limit: Deadline) -> Channel:
            limit.watch(lambda: abort(transport))
            return transport.open_channel("direct-tcpip", end, ("127.0.0.1", 0), timeout=limit.left)

        try:
            return self._guarded(hop, open_channel, f"opening the way to {end[0]} port {end[1]}")
        except HostError as e:
            if e.kind in ("timeout", "interrupted"):
                raise
            raise HostError("refused", f"cannot reach {end[0]} port {end[1]} from there: {e}") from None

    def _guarded(self, host: Target, step: Callable[[Deadline], T], doing: str, times: int = 1) -> T:
        """One step within its part of the time; whatever it raises becomes a HostError."""
        limit = self._deadline.limit(host.timeouts.connect * times, doing)
        try:
            return step(limit)
        except FastPathRefused:
            raise
        except Exception as e:
            if limit.over or isinstance(e, DeadlineExceeded) or (isinstance(e, TimeoutError) and limit.left < 0.01):
                error = limit.error()
                raise HostError(error.kind, f"{_place(host)}: {error}") from None
            raise as_host_error(e, _place(host)) from None
        finally:
            limit.done()


def _place(host: Target) -> str:
    return f"{host.address or host.name} port {host.port or 22}"


def _plain(sock: Any, hop: Target, own: Login, limit: Deadline, transports: list[Any]) -> Transport:
    """paramiko's own login, step by step."""
    transport = Transport(sock, packetizer_class=Bounded)
    offer(transport, hop)
    transports.append(transport)
    limit.watch(lambda: abort(transport))
    host_keys.prefer_known(transport, hop)
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = limit.left
    transport.start_client(timeout=limit.left)
    if not transport.is_active():
        raise transport.get_exception() or Dropped("key exchange")
    host_keys.checker(hop)(transport.get_remote_server_key())
    left = own.attempt(transport)
    if left:
        raise HostError("auth-failed", f"the server wants {' and '.join(left)} besides")
    return transport


def _exec(transport: Transport, command: Command, limit: Deadline) -> Channel:
    limit.watch(lambda: abort(transport))
    channel = transport.open_session(timeout=limit.left)
    channel.settimeout(limit.left)
    channel.exec_command(command.quoted)
    if not command.stdin:
        channel.shutdown_write()
    return channel


def collect(channel: Channel, limit: Deadline) -> tuple[bytes, bytes, int | None, TargetError | None]:
    """Both streams at once (draining one alone can deadlock), bounded in size and time, and why they broke off."""
    out, err = bytearray(), bytearray()
    channel.settimeout(0.0)
    bell = _Bell()
    channel.in_buffer.set_event(bell)  # type: ignore[arg-type]  # duck-typed; no public call wakes for both streams
    channel.in_stderr_buffer.set_event(bell)  # type: ignore[arg-type]
    while True:
        bell.reset()
        over = channel.closed or channel.eof_received
        try:
            while channel.recv_ready() and len(out) <= MAX_STDOUT:
                out += channel.recv(65536)
            while channel.recv_stderr_ready() and not limit.over:
                err += channel.recv_stderr(65536)[: max(0, MAX_STDERR - len(err))]
        except (EOFError, OSError, SSHException):
            # Reading tells the host that it may send more, which fails where the connection is gone.
            return bytes(out), bytes(err), None, limit.truncated() if limit.over else _LOST
        if len(out) > MAX_STDOUT:
            return bytes(out[:MAX_STDOUT]), bytes(err), None, too_much()
        if over:
            break
        if not bell.wait(limit.left) or limit.over:
            limit.expire("timeout")
            return bytes(out), bytes(err), None, limit.truncated()
    if limit.over:
        return bytes(out), bytes(err), None, limit.truncated()
    told = channel.status_event.wait(min(limit.left, 5.0)) and channel.exit_status != -1
    if not told and not channel.eof_received:
        return bytes(out), bytes(err), None, _LOST
    return bytes(out), bytes(err), channel.exit_status if told else None, None


class _Bell:
    """An event that a BufferedPipe may not clear: two pipes share it, and one being empty says nothing of the other."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set, self.wait, self.is_set, self.reset = self._event.set, self._event.wait, self._event.is_set, self._event.clear

    def clear(self) -> None:
        return None


def abort(transport: Any) -> None:
    """End every wait on a connection, from any thread. Closing a channel of a jump host would write to it, which fails
    where it is gone and blocks where it does not read, so the one socket below all is shut down."""
    sock = transport.sock
    while not isinstance(sock, socket.socket):
        sock = sock.get_transport().sock
    shut(sock)


def close(transport: Any) -> None:
    """End a connection and its thread."""
    if hasattr(transport, "end"):
        transport.end()
    else:
        transport.packetizer.complete_handshake()  # else its timer thread lives on until the handshake's time is up
        with contextlib.suppress(EOFError, OSError, SSHException):  # the jump host below it may be gone
            transport.close()
