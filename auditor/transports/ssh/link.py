"""paramiko's Transport, made to log in and start one command in few round trips.

Everything that leans on paramiko's private methods is in this file; the block under TYPE_CHECKING is the full list of them, and
FAST_OK says at import whether the installed paramiko still has them (if not, every connection takes the plain path).

Who waits for whom (one line = one flight; OpenSSH holds small writes back until the last one is acknowledged, see docs/performance.md):
    PLAIN      banner | KEXINIT | key exchange | SERVICE_REQUEST | USERAUTH_REQUEST | CHANNEL_OPEN | exec
    ONE FLIGHT banner | KEXINIT | key exchange | SERVICE_REQUEST + USERAUTH_REQUEST | CHANNEL_OPEN + exec
One flight is right for any OpenSSH server. All of it runs inside paramiko's own reader thread: no thread has to be woken between an answer and the next flight,
and as one thread does all of it, no answer can be handled before the mark "already sent" is set.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from paramiko import AuthenticationException, Channel, ChannelException, Message, PKey, SSHException, Transport
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import (
    MSG_SERVICE_ACCEPT,
    MSG_UNIMPLEMENTED,
    cMSG_CHANNEL_EOF,
    cMSG_CHANNEL_OPEN,
    cMSG_CHANNEL_REQUEST,
    cMSG_SERVICE_REQUEST,
    cMSG_USERAUTH_REQUEST,
)
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.ssh_exception import IncompatiblePeer, PartialAuthentication

from auditor.transports.ssh.faults import DeadlineExceeded, Disconnected, Dropped, FastPathRefused, NoBanner
from auditor.transports.ssh.wire import Wire

KEX = "curve25519-sha256"  # RFC 8731
WINDOW = 1 << 18  # bounds what a server can make us hold; paramiko's own 2 MB is too much for 300 at once
logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else Python prints paramiko's tracebacks on stderr

if TYPE_CHECKING:

    class _Base(Transport):  # the private surface of Transport that is used or overridden here
        _preferred_ciphers: tuple[str, ...]
        _preferred_kex: tuple[str, ...]
        _preferred_keys: tuple[str, ...]
        _kex_info: ClassVar[dict[str, Any]]
        _handler_table: dict[int, Callable[[Message], None]]
        _channels: Any

        def _activate_outbound(self) -> None: ...
        def _auth_trigger(self) -> None: ...
        def _check_banner(self) -> None: ...
        def _log(self, level: int, msg: Any, *args: Any) -> None: ...
        def _next_channel(self) -> int: ...
        def _parse_channel_open_success(self, m: Message) -> None: ...
        def _parse_disconnect(self, m: Message) -> None: ...
        def _parse_channel_open_failure(self, m: Message) -> None: ...
        def _send_message(self, m: Message) -> None: ...
        def _send_user_message(self, m: Message) -> None: ...
        def run(self) -> None: ...

    class _BaseAuth(AuthOnlyHandler):
        def _finalize_pubkey_algorithm(self, key_type: str) -> str: ...
        def _get_key_type_and_bits(self, key: PKey) -> tuple[str, Any]: ...
        def _get_session_blob(self, key: PKey, service: str, username: str, algorithm: str) -> bytes: ...
        def _parse_userauth_failure(self, m: Message) -> None: ...
else:
    _Base, _BaseAuth = Transport, AuthOnlyHandler

FAST_OK = (
    all(
        hasattr(Transport, n)
        for n in [
            "_activate_outbound",
            "_auth_trigger",
            "_check_banner",
            "_kex_info",
            "_log",
            "_next_channel",
            "_parse_channel_open_failure",
            "_parse_channel_open_success",
            "_parse_disconnect",
            "_preferred_ciphers",
            "_preferred_kex",
            "_preferred_keys",
            "_send_message",
            "_send_user_message",
        ]
    )
    and all(
        hasattr(AuthOnlyHandler, n)
        for n in ["_finalize_pubkey_algorithm", "_get_key_type_and_bits", "_get_session_blob", "_parse_userauth_failure"]
    )
    and "curve25519-sha256@libssh.org" in getattr(Transport, "_kex_info", {})
)


class _Auth(_BaseAuth):
    """AuthOnlyHandler: unlike AuthHandler it does not answer SERVICE_ACCEPT with a second USERAUTH_REQUEST."""

    def request(self, user: str, key: PKey) -> Message:
        self.auth_method, self.username = "publickey", user
        key_type, bits = self._get_key_type_and_bits(key)  # the certificate's, if one is loaded
        algorithm = self._finalize_pubkey_algorithm(key_type)  # RSA: rsa-sha2-512 (EXT_INFO may not be here yet)
        signature = key.sign_ssh_data(self._get_session_blob(key, "ssh-connection", user, algorithm), algorithm)
        m = Message()
        m.add_byte(cMSG_USERAUTH_REQUEST)
        for s in (user, "ssh-connection", "publickey"):
            m.add_string(s)
        m.add_boolean(True)
        for part in (algorithm, bits, signature):
            m.add_string(part)
        return m

    def _parse_userauth_failure(self, m: Message) -> None:
        super()._parse_userauth_failure(m)  # sets saved_exception for "partial" and "method not allowed"
        raise self.transport.get_exception() or AuthenticationException("Authentication failed.")  # ends the reader: no wait


def _first(wanted: Iterable[str], normal: Iterable[str]) -> tuple[str, ...]:
    """`normal` with the wanted ones in front: nothing paramiko accepts is lost, nothing it refuses comes in."""
    normal = tuple(normal)
    front = tuple(w for w in wanted if w in normal)
    return front + tuple(n for n in normal if n not in front)


def _behind(known: str, new: str, normal: Iterable[str]) -> tuple[str, ...]:
    """`normal` with a new one right behind a known one, as good as it."""
    return tuple(n for name in normal for n in ((name, new) if name == known else (name,)))


_own: Any = Transport  # its class attributes, which the stubs do not know


class Link(_Base):
    """paramiko's Transport, whose reader thread does the whole login by itself."""

    # Ciphers: AES-GCM first, which authenticates what it encrypts, in one pass of the processor's own instructions.
    _preferred_ciphers = _first(("aes128-gcm@openssh.com", "aes256-gcm@openssh.com"), _own._preferred_ciphers)
    # Key exchange: post-quantum hybrids first, as paramiko has them; one costs 0.2 ms of CPU (docs/performance.md). The name of RFC
    # 8731 is the same algorithm as curve25519's older one; paramiko knows only that, and some servers offer only the newer.
    _kex_info: ClassVar[dict[str, Any]] = {**_own._kex_info, KEX: KexCurve25519}
    _preferred_kex = _behind("curve25519-sha256@libssh.org", KEX, _own._preferred_kex)

    def __init__(
        self,
        sock: socket.socket,
        check: Callable[[PKey], None],
        user: str,
        key: PKey | None,
        command: str,
        one_flight: bool,
        close_stdin: bool,
        host_key_types: Collection[str],
        deadline: float,
    ) -> None:
        super().__init__(sock, default_window_size=WINDOW, packetizer_class=Wire)
        sock.settimeout(None)  # Transport set 0.1 s, to poll; Wire.close wakes us instead
        assert isinstance(self.packetizer, Wire)
        self.wire, self.wire.deadline = self.packetizer, deadline
        if "ssh-rsa" in host_key_types:  # the key's type in known_hosts, not a signature algorithm
            host_key_types = ("rsa-sha2-512", "rsa-sha2-256", *host_key_types)
        if host_key_types:
            self._preferred_keys = _first(host_key_types, self._preferred_keys)
        self.check, self.user, self.key, self.command, self.close_stdin = check, user, key, command, close_stdin
        self.one_flight = one_flight and key is not None and FAST_OK
        self.phase = "banner"
        self.error: Exception | None = None  # what the host-key check raised
        self.channel = Channel(0)  # the only strong reference: paramiko's own map is weak
        self.exec_sent = self.ahead = False
        self.turn = threading.Event()  # set at NEWKEYS and at the end of the thread

        self.clear_to_send_timeout = max(0.0, deadline - time.monotonic())

    @property
    def auth_timeout(self) -> float:  # paramiko starts this clock anew for every step of an authentication
        return max(0.0, self.wire.deadline - time.monotonic())

    @auth_timeout.setter
    def auth_timeout(self, value: float) -> None:
        pass

    # -- transport layer -------------------------------------------------------------------------------------------------------
    def run(self) -> None:
        try:
            super().run()
        finally:  # paramiko's own clean-up can be skipped by an error in its handlers
            self.active = False
            self.wire.close()
            self.turn.set()
            self.channel.event.set()
            self.sock.close()

    def _log(self, level: int, msg: Any, *args: Any) -> None:
        if self.logger.isEnabledFor(level):
            super()._log(level, msg, *args)

    def _parse_debug(self, m: Message) -> None:
        pass  # sshd sends a few at every login; paramiko escapes them char by char

    def _filter_algorithm(self, kind: str) -> tuple[str, ...]:
        return tuple(getattr(self, f"_preferred_{kind}"))  # we disable none; asked for some 16 times a login

    def _check_banner(self) -> None:
        self.wire.release()
        lines: list[str] = []
        try:
            while not (line := self.wire.readline(0)).startswith("SSH-"):
                lines.append(line[:200])
                if len(lines) > 50:
                    raise SSHException("no SSH banner, only noise")
        except (EOFError, ConnectionError):
            raise NoBanner(lines) from None
        if not line.startswith(("SSH-2.0-", "SSH-1.99-")):
            raise IncompatiblePeer(f"not an SSH 2 server: {line[:80]!r}")
        self.remote_version, self.phase = line, "key exchange"
        if not line.startswith("SSH-2.0-OpenSSH_"):  # only there is the order of handling known
            self.one_flight = False

    def _activate_outbound(self) -> None:
        if self.initial_kex_done:  # a later re-key
            super()._activate_outbound()
            return
        assert self.host_key is not None
        try:
            self.check(self.host_key)  # before NEWKEYS: nothing of ours is sent to the wrong host
        except Exception as e:
            self.error = e
            raise
        self.phase = "authentication"
        self.wire.hold()
        super()._activate_outbound()  # NEWKEYS; ours may follow without waiting for the server's
        if self.one_flight and self.key is not None:
            self.ahead = True
            self._handler_table[MSG_SERVICE_ACCEPT] = lambda m: None
            self._handler_table[MSG_UNIMPLEMENTED] = self._refused  # paramiko would log it and wait for ever
            auth = self.auth_handler = _Auth(self)
            m = Message()
            m.add_byte(cMSG_SERVICE_REQUEST)
            m.add_string("ssh-userauth")
            self._send_message(m)
            self._send_message(auth.request(self.user, self.key))
        self.wire.release()

    def _refused(self, m: Message) -> None:
        raise FastPathRefused(f"server does not take message {m.get_int()} now")

    def _parse_disconnect(self, m: Message) -> None:
        self.saved_exception = Disconnected(m.get_int(), m.get_text())

    # -- the one channel -------------------------------------------------------------------------------------------------------
    def _auth_trigger(self) -> None:
        super()._auth_trigger()
        self.phase = "command start"
        if self.one_flight and not self.exec_sent:
            self._send_open()

    def _send_open(self) -> None:
        """CHANNEL_OPEN and exec in one flight: OpenSSH numbers channels from 0, so the first is 0 (checked when it answers)."""
        self.exec_sent = True  # the mark, set before anything is sent
        chan: Any = self.channel
        chan.chanid = self._next_channel()
        self._channels.put(chan.chanid, chan)
        self.channels_seen[chan.chanid] = True
        chan._set_transport(self)
        chan._set_window(self.default_window_size, self.default_max_packet_size)
        corked = self.wire._held is not None
        if not corked:
            self.wire.hold()
        m = Message()
        m.add_byte(cMSG_CHANNEL_OPEN)
        m.add_string("session")
        for number in (chan.chanid, self.default_window_size, self.default_max_packet_size):
            m.add_int(number)
        self._send_message(m)
        self._send_exec(0, self._send_message)  # _send_user_message would wait 30 s for what this thread reads
        if not corked:
            self.wire.release()

    def _parse_channel_open_success(self, m: Message) -> None:
        super()._parse_channel_open_success(m)
        if self.exec_sent and self.channel.remote_chanid != 0:
            raise FastPathRefused(f"first channel is {self.channel.remote_chanid}, not 0")

    def _parse_channel_open_failure(self, m: Message) -> None:
        super()._parse_channel_open_failure(m)
        raise self.get_exception() or ChannelException(0, "refused")

    def _send_exec(self, remote: int, send: Callable[[Message], None]) -> None:
        m = Message()
        m.add_byte(cMSG_CHANNEL_REQUEST)
        m.add_int(remote)
        m.add_string("exec")
        m.add_boolean(True)
        m.add_string(self.command)
        send(m)
        if self.close_stdin:
            m = Message()
            m.add_byte(cMSG_CHANNEL_EOF)
            m.add_int(remote)
            send(m)

    # -- the caller's thread ---------------------------------------------------------------------------------------------------
    def plain(self, auth: PKey | Callable[[Transport], list[str]], deadline: float) -> None:
        """Paramiko's own calls, one step after the other. Those that take no timeout (exec_command) are not used."""
        rest = self.auth_publickey(self.user, auth) if isinstance(auth, PKey) else auth(self)
        if rest:  # returned, not raised: the key alone is not enough
            raise PartialAuthentication(rest)
        self.phase = "command start"
        self.channel = self.open_session(timeout=max(0.0, deadline - time.monotonic()))
        self._send_exec(self.channel.remote_chanid, self._send_user_message)

    def verdict(self, e: Exception, deadline: float) -> Exception:
        """What to tell the caller of a failed open_exec."""
        if self.error is not None:
            return self.error
        if time.monotonic() >= deadline - 0.01:
            return DeadlineExceeded(self.phase)
        if isinstance(e, (EOFError, ConnectionError)):
            e = Dropped(self.phase)
        if self.ahead and not isinstance(e, (NoBanner, IncompatiblePeer, FastPathRefused)):
            # One flight is what any client may send, so a "no" to the key is final, and a command that may already have been
            # started is not tried again.
            if isinstance(e, AuthenticationException) or (self.authenticated and isinstance(e, Dropped)):
                return e
            refused = FastPathRefused(f"fast path refused during {self.phase}: {e}")
            refused.__cause__ = e
            return refused
        return e

    def end(self) -> None:
        """Close the connection and wait for the reader thread."""
        self.wire.close()
        if self.is_alive():
            self.join(2.0)
        else:
            self.sock.close()
        self._handler_table = {}  # bound methods: without this only the cycle collector frees us
        self.auth_handler = None
