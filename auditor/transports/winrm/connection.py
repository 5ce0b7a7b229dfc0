"""One WMI connection: one pywinrm Protocol over one TCP connection."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from winrm.protocol import Protocol

from auditor.errors import HostError, Refused
from auditor.foundation.deadline import Deadline
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.model.windows import Cell
from auditor.transports import tcp
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, Command, CommandResult, too_much
from auditor.transports.ssh.tunnel import Tunnel
from auditor.transports.winrm import wsman
from auditor.transports.winrm.errors import TOO_LARGE, as_host_error, refusal
from auditor.transports.winrm.preconditions import place
from auditor.transports.winrm.sealed_transport import OPERATION_SECONDS, SealedTransport, authorities

if TYPE_CHECKING:
    from auditor.transports.winrm.session import WinrmSession


T = TypeVar("T")
UTF_8 = 65001
_AT_MOST = (1000, 50, 5)  # rows to an answer; fewer where they do not fit the service's envelope
_MAX_ROWS, _MAX_PULLS = 20_000, 500


class WinrmConnection:
    """One connection. Refused says that one question was refused, HostError that this connection is over."""

    def __init__(self, target: Target, deadline: Deadline, session: WinrmSession) -> None:
        self._target, self._deadline, self._session = target, deadline, session
        self._place = place(target)
        self._to = f"{target.scheme}://{_bracketed(target.address or target.name)}:{target.real_port}{target.path or '/wsman'}"
        self._sockets: list[socket.socket] = []
        self._received = 0  # bytes of the enumeration that is being read
        self._tunnel: Tunnel | None = None
        self._protocol: Protocol | None = None
        self._transport: SealedTransport | None = None
        self._limit: Deadline | None = None
        self._over: HostError | None = None
        self.left_behind: tuple[str, str | None] | None = None  # a shell and its command that could not be ended

    @property
    def is_over(self) -> bool:
        """Did it fail, so that nothing can be asked over it any more?"""
        return self._over is not None

    def rows(self, wql: str) -> tuple[dict[str, Cell], ...]:
        """All rows of a WQL query on root/cimv2. An enumeration without end is given up."""
        self._session.permits.query(wql)
        for at_most in _AT_MOST:
            try:
                return self._rows(wql, at_most)
            except Refused as e:
                if e.code not in TOO_LARGE or at_most == _AT_MOST[-1]:
                    raise
        raise AssertionError("the last size returns or raises")

    def _rows(self, wql: str, at_most: int) -> tuple[dict[str, Cell], ...]:
        self._received = 0
        answer = self._ask(wsman.enumerate_wql(self._to, OPERATION_SECONDS, wql, at_most))
        found, context = list(wsman.rows(answer)), wsman.context(answer)
        pulls = 0
        while context:
            if len(found) > _MAX_ROWS or pulls > _MAX_PULLS or self._received > MAX_STDOUT:
                with contextlib.suppress(HostError):
                    self._ask(wsman.release(self._to, OPERATION_SECONDS, context))
                raise Refused("protocol", f"the enumeration has no end: it was given up after {len(found)} rows")
            answer = self._ask(wsman.pull(self._to, OPERATION_SECONDS, context, at_most))
            found.extend(wsman.rows(answer))
            context = wsman.context(answer)
            pulls += 1
        return tuple(found)

    def registry(self, method: str, key: str, name: str | None = None) -> Mapping[str, Cell]:
        """The results of one StdRegProv method on a key below HKEY_LOCAL_MACHINE, ReturnValue among them."""
        self._session.permits.registry(method, key, name)
        return wsman.fields(self._ask(wsman.invoke_registry(self._to, OPERATION_SECONDS, method, key, name)))

    def run(self, command: Command) -> CommandResult:
        """Create, Command, Send, Receive until it is done, Signal, Delete."""
        self._session.permits.command(command)
        started = time.monotonic()
        shell = self._step(lambda p: p.open_shell(codepage=UTF_8, noprofile=True))
        self.left_behind = (shell, None)
        out, err, status, truncated = bytearray(), bytearray(), None, None
        try:
            running = self._step(
                lambda p: p.run_command(
                    shell, command.argv[0], command.argv[1:], console_mode_stdin=False, skip_cmd_shell=False
                )
            )
            self.left_behind = (shell, running)
            self._step(lambda p: p.send_command_input(shell, running, command.stdin, end=True))
            done = False
            while not done:
                try:
                    pieces = self._step(lambda p: p.get_command_output_raw(shell, running))
                except Refused as e:
                    if e.kind != "timeout":
                        raise
                    continue  # it still runs and has said nothing new; our own deadline ends that
                out += pieces[0][: MAX_STDOUT - len(out)]
                err += pieces[1][: MAX_STDERR - len(err)]
                done, status = pieces[3], pieces[2] if pieces[3] else None
                if len(out) >= MAX_STDOUT:
                    truncated = too_much()
                    break
            self.clean_up(shell, running)
        except HostError as e:
            truncated = TargetError(e.kind, str(e))
        return CommandResult(status, bytes(out), bytes(err), time.monotonic() - started, truncated)

    def clean_up(self, shell: str, running: str | None) -> None:
        """End the command and delete the shell, so that nothing is left on the host."""
        if running:
            with contextlib.suppress(Refused):
                self._step(lambda p: p.cleanup_command(shell, running))
        self._step(lambda p: p.close_shell(shell, close_session=False))
        self.left_behind = None

    def close(self) -> None:
        """End the connection; from our side only."""
        if self._limit:
            self._limit.done()
        if self._transport:
            self._transport.close_session()
        for sock in self._sockets:
            sock.close()
        if self._tunnel:
            self._tunnel.__exit__(None, None, None)

    def _ask(self, message: str) -> Any:
        def ask(protocol: Protocol) -> Any:
            answer = protocol.send_message(message)
            self._received += len(answer)
            return wsman.body(answer)

        return self._step(ask)

    def _step(self, step: Callable[[Protocol], T]) -> T:
        """One request. After anything but a refusal the connection is over, because its seals may be out of step."""
        if self._over:
            raise self._over
        try:
            if self._protocol is None:
                self._protocol = self._log_in()
            return step(self._protocol)
        except Exception as e:
            error = self._fault(e)
        raise error  # out here, so that it does not keep the exception and with it an answer and its socket

    def _fault(self, e: Exception) -> HostError:
        if self._protocol is not None and (refused := refusal(e)):  # without a login, no question was refused
            return refused
        limit = self._limit
        if limit and (limit.over or limit.left < 0.01):  # a read time-out may come before the watchdog
            error = limit.error()
            self._over = HostError(error.kind, f"{self._place}: {error}")
        else:
            self._over = self._explained(e)
        return self._over

    def _log_in(self) -> Protocol:
        """The login goes first, under a limit of its own; then everything under the command's."""
        target = self._target
        self._limit = self._deadline.limit(target.timeouts.connect * 3, "connecting and logging in").watch(self._shut)
        self._transport = transport = SealedTransport(self._to, target, self._session.password(), self._dial)
        protocol = Protocol(
            self._to, transport="certificate" if target.auth == "certificate" else "ntlm", username=target.user or "-", password="-",
            cert_pem=target.cert_file, cert_key_pem=target.cert_key_file, proxy=None,
            ca_trust_path=authorities(target), read_timeout_sec=OPERATION_SECONDS + 1, operation_timeout_sec=OPERATION_SECONDS,
        )  # fmt: skip
        protocol.transport = transport
        transport.log_in(self._limit)
        self._limit.done()
        self._limit = self._deadline.limit(target.timeouts.command, "reading over WinRM").watch(self._shut)
        transport.limit = self._limit
        return protocol

    def _dial(self, host: str, port: int) -> socket.socket:
        assert self._limit
        if self._protocol is not None and self._protocol.transport.encryption:
            raise HostError("protocol", "the server closed the connection in the middle of the exchange")
        if self._target.jump:
            if self._tunnel:
                self._tunnel.__exit__(None, None, None)  # an NTLM login takes two connections, one after the other
            self._tunnel = Tunnel(self._target, port, self._deadline)
            sock = self._tunnel.socket()
        else:
            limit = self._deadline.limit(self._target.timeouts.connect, "connecting")
            try:
                sock = tcp.connect(host.strip("[]"), port, limit)
                self._session.round_trip = tcp.round_trip(sock)
            except OSError:
                if limit.over or limit.left < 0.01:
                    raise limit.error() from None
                raise
            finally:
                limit.done()
        sock.settimeout(min(self._limit.left, self._target.timeouts.connect * 3))  # for the TLS handshake, or a proxy's answer
        self._sockets.append(sock.dup())  # TLS takes the original over; both are one connection
        if self._limit.over:
            self._shut()
        return sock

    def _shut(self) -> None:
        for sock in self._sockets:
            tcp.shut(sock)

    def _explained(self, e: Exception) -> HostError:
        error = as_host_error(e, self._place)
        if error.kind == "auth-failed" and self._transport and self._transport.offered:
            return HostError(error.kind, f"{error} (the server offers: {self._transport.offered})")
        return error


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
