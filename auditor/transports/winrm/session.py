"""WinRM by pywinrm: WMI questions one by one, and a shell where WMI is refused.

A lane is one pywinrm Protocol and one TCP connection: NTLM seals a connection's messages in their order, so a lane that has
failed is not used again. What pywinrm leaves open is closed here: redirects and environment (http_layer.py), time limits
that hold from outside, and plain answers where encrypted ones were agreed.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import certifi
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError
from winrm.protocol import Protocol
from winrm.transport import HAVE_KERBEROS, Transport

from auditor.errors import HostError, Refused
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.model.windows import Cell
from auditor.transports import tcp
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, Command, CommandResult, too_much
from auditor.transports.permits import Permits
from auditor.transports.ssh.tunnel import Tunnel
from auditor.transports.winrm import seal, wsman
from auditor.transports.winrm.errors import TOO_LARGE, as_host_error, refusal
from auditor.transports.winrm.http_layer import Adapter

T = TypeVar("T")
OPERATION_SECONDS = 20  # what one operation may take on the host before it answers with a time-out (w:OperationTimeout)
UTF_8 = 65001
_AT_MOST = (1000, 50, 5)  # rows to an answer; fewer where they do not fit the service's envelope
_MAX_ROWS, _MAX_PULLS = 20_000, 500


class WinrmSession:
    """Up to three lanes to one host, each with a login of its own."""

    known_login = None
    recorded_at = None

    def __init__(self, target: Target, deadline: Deadline, permits: Permits) -> None:
        self._target, self._deadline, self.permits = target, deadline, permits
        self._lanes: list[WinrmLane] = []
        self.lanes = 1 if target.jump else 3
        self.round_trip = 0.0
        self._password: str | None = None
        try:
            _check(target)
        except HostError as e:
            raise HostError(e.kind, f"{_place(target)}: {e}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for lane in self._lanes:
            lane.close()

    def lane(self, deadline: Deadline | None = None) -> WinrmLane:
        """One more connection, logged in with its first question."""
        lane = WinrmLane(self._target, deadline or self._deadline, self)
        self._lanes.append(lane)
        return lane

    def password(self) -> str | None:
        """The secret, fetched once for all lanes: a password manager may ask a person."""
        if self._password is None and self._target.password:
            self._password = secret_refs.resolve(self._target.password)
        return self._password

    def run(self, command: Command) -> CommandResult:
        """A WinRS shell for one command. Signal and deletion go over a lane of their own where this one is over, and have as
        long as a login: a host that has just been silent may stay so."""
        lane = self.lane()
        try:
            return lane.run(command)
        finally:
            if lane.left_behind and not (self._deadline.stop and self._deadline.stop.asked.is_set()):
                limit = self._deadline.limit(self._target.timeouts.connect * 3, "ending the shell")
                with contextlib.suppress(HostError):
                    (self.lane(limit) if lane.is_over else lane).clean_up(*lane.left_behind)


class WinrmLane:
    """One connection. Refused says that one question was refused, HostError that this lane is over."""

    def __init__(self, target: Target, deadline: Deadline, session: WinrmSession) -> None:
        self._target, self._deadline, self._session = target, deadline, session
        self._place = _place(target)
        self._to = f"{target.scheme}://{_bracketed(target.address or target.name)}:{target.real_port}{target.path or '/wsman'}"
        self._sockets: list[socket.socket] = []
        self._received = 0  # bytes of the enumeration that is being read
        self._tunnel: Tunnel | None = None
        self._protocol: Protocol | None = None
        self._transport: _Transport | None = None
        self._limit: Deadline | None = None
        self._over: HostError | None = None
        self.left_behind: tuple[str, str | None] | None = None  # a shell and its command that could not be ended

    @property
    def is_over(self) -> bool:
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
        out, err, status, cut = bytearray(), bytearray(), None, None
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
                    cut = too_much()
                    break
            self.clean_up(shell, running)
        except HostError as e:
            cut = TargetError(e.kind, str(e))
        return CommandResult(status, bytes(out), bytes(err), time.monotonic() - started, cut)

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
        """One request. After anything but a refusal the lane is over, because its seals may be out of step."""
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
        self._transport = transport = _Transport(self._to, target, self._session.password(), self._dial)
        protocol = Protocol(
            self._to, transport="certificate" if target.auth == "certificate" else "ntlm", username=target.user or "-", password="-",
            cert_pem=target.cert_file, cert_key_pem=target.cert_key_file, proxy=None,
            ca_trust_path=_authorities(target), read_timeout_sec=OPERATION_SECONDS + 1, operation_timeout_sec=OPERATION_SECONDS,
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


class _Transport(Transport):
    """pywinrm's transport, with its doors shut."""

    def __init__(self, to: str, target: Target, password: str | None, dial: Callable[[str, int], socket.socket]) -> None:
        self.offered = ""  # the ways to log in that the server named when it refused one
        self.limit: Deadline | None = None
        self._target, self._dial = target, dial
        super().__init__(
            endpoint=to,
            username=target.user,
            password=password,
            ca_trust_path=_authorities(target),
            cert_pem=target.cert_file,
            cert_key_pem=target.cert_key_file,
            server_cert_validation="validate",  # `ignore` would silence warnings of the whole process; see log_in
            auth_method=target.auth,
            message_encryption="never",  # switched on in log_in, once the session is prepared
            proxy=None,
            read_timeout_sec=OPERATION_SECONDS + 1,
        )
        self._encrypted = target.scheme == "http"

    def log_in(self, limit: Deadline) -> None:
        """Prepare the session; over HTTP, log in and agree on encryption."""
        self.limit = limit
        session = self.build_session()
        session.trust_env = False  # neither proxies, nor certificate bundles, nor ~/.netrc
        session.proxies = {"http": self._target.proxy, "https": self._target.proxy} if self._target.proxy else {}
        session.verify = self._target.certificate_checking == "validate" and _authorities(self._target)
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(self._dial))
        if self._encrypted:
            auth: Any = session.auth
            if self._target.auth == "kerberos" and not getattr(auth, "winrm_encryption_available", False):
                raise HostError("unencrypted-refused", "this Kerberos library cannot encrypt messages; use scheme https")
            self.setup_encryption(session)
            if self._target.auth == "ntlm" and getattr(auth, "session_security", None) is None:
                raise HostError(
                    "unencrypted-refused",
                    "the server let us in without NTLM, so nothing could be encrypted; is this a WinRM service?",
                )
            if self._target.auth == "ntlm":
                seal.demand_strong_ntlm(auth.session_security._context)
                auth.response_hook = _no_second_login

    def _send_message_request(self, session: requests.Session, prepared: requests.PreparedRequest) -> requests.Response:
        if self.limit:
            self.read_timeout_sec = self.limit.left  # type: ignore[assignment]  # requests takes fractions of a second
        response = session.send(prepared, timeout=self.read_timeout_sec, allow_redirects=False)
        if response.status_code == 401:
            told = re.sub(r'"[^"]*"', "", response.headers.get("WWW-Authenticate", ""))
            self.offered = ", ".join(words[0] for offer in told.split(",") if (words := offer.split()) and "=" not in words[0])
            if self._encrypted and self.offered and self.offered.lower() == "basic":
                raise HostError(
                    "unencrypted-refused",
                    "the server offers only Basic over HTTP, which would show the password; enable Negotiate, or use scheme https",
                )
            raise InvalidCredentialsError("the login was refused")
        if response.status_code == 200:
            return response
        text = self._get_message_response_text(response) if response.content else b""
        raise WinRMTransportError("http", response.status_code, text.decode("utf-8", "replace"))

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        if not self.encryption:
            return wsman.guard(response.content)
        ntlm = self._target.auth == "ntlm"
        told = response.headers.get("Content-Type", "")
        return wsman.guard(seal.opened(told, response.content, self._unwrap, seal.NTLM_SIGNATURE if ntlm else None))

    def _unwrap(self, sealed: bytes, signature: bytes) -> bytes:
        auth: Any = self.session.auth  # type: ignore[union-attr]
        if self._target.auth == "ntlm":
            return bytes(auth.session_security.unwrap(sealed, signature))
        return bytes(auth.unwrap_winrm(urlsplit(self.endpoint).hostname, sealed, signature))


def _no_second_login(response: requests.Response, **_: Any) -> requests.Response:
    """requests_ntlm logs in anew whenever it is answered with 401, by whatever the answer offers."""
    return response


def _check(target: Target) -> None:
    """What cannot be done, or not safely, is refused before anything is sent."""
    if re.search(r"[\s/\\@?#\[\]]", target.address or target.name):
        raise HostError("resolve", "this is no host name and no address; see `address`")
    if target.auth == "basic" and target.scheme != "https":
        raise HostError(
            "unencrypted-refused", "Basic over HTTP would show the password to everybody on the way; use scheme https"
        )
    if target.auth == "certificate" and target.scheme != "https":
        raise HostError("unencrypted-refused", "a client certificate needs scheme https")
    if target.auth in ("ntlm", "basic") and not (target.user and target.password):
        raise HostError("auth-failed", f"{target.auth} needs `user` and `password` (or --user and --secret)")
    if target.auth == "certificate" and not (target.cert_file and target.cert_key_file):
        raise HostError("auth-failed", "auth certificate needs `cert_file` and `cert_key_file`")
    if target.auth == "kerberos" and not HAVE_KERBEROS:
        raise HostError("auth-failed", "Kerberos needs the kerberos extra: pip install 'auditor[kerberos]'")
    for name in ("ca_file", "cert_file", "cert_key_file"):
        if (path := getattr(target, name)) and not (Path(path).is_file() and os.access(path, os.R_OK)):
            raise HostError(
                "tls-untrusted" if name == "ca_file" else "auth-failed",
                f"`{name}`: there is no file {path}, or it may not be read",
            )


def _authorities(target: Target) -> str:
    """The CA file given, else the system's authorities, not those that come with a Python package."""
    usual = ssl.get_default_verify_paths()
    return target.ca_file or usual.cafile or usual.capath or certifi.where()


def _place(target: Target) -> str:
    return f"{target.address or target.name} port {target.real_port}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
