"""One SSH login, one exec, in the fewest round trips paramiko can be made to take.

Everything that leans on paramiko's private methods is in this file; the block under TYPE_CHECKING is the full list of them, and
FAST_OK says at import whether the installed paramiko still has them (if not, every connection takes the plain path).

Who waits for whom (one line = one flight; OpenSSH holds small writes back until the last one is acknowledged, see docs/performance.md):
    PLAIN      banner | KEXINIT | key exchange | SERVICE_REQUEST | USERAUTH_REQUEST | CHANNEL_OPEN | exec
    FLIGHT     banner | KEXINIT | key exchange | SERVICE_REQUEST + USERAUTH_REQUEST | CHANNEL_OPEN + exec
    AHEAD      banner | KEXINIT | key exchange | SERVICE_REQUEST + USERAUTH_REQUEST + CHANNEL_OPEN + exec
    AHEAD_KEX  banner + KEXINIT + key exchange | SERVICE_REQUEST + USERAUTH_REQUEST + CHANNEL_OPEN + exec
FLIGHT is right for any OpenSSH server; the other two need a `KnownLogin` from an earlier login with the same host, user and key.
All of the fast path runs inside paramiko's own reader thread: no thread has to be woken between an answer and the next flight,
and as one thread does all of it, no answer can be handled before the mark "already sent" is set.
"""

from __future__ import annotations

import enum
import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
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

from auditor.model.target import KnownLogin
from auditor.transports.ssh.faults import DeadlineExceeded, Disconnected, Dropped, FastPathRefused, NoBanner
from auditor.transports.ssh.wire import Wire

KEX = "curve25519-sha256@libssh.org"
KEX_REPLY = 31  # SSH_MSG_KEX_ECDH_REPLY
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
        def _expect_packet(self, *types: int) -> None: ...
        def _log(self, level: int, msg: Any, *args: Any) -> None: ...
        def _negotiate_keys(self, m: Message) -> None: ...
        def _next_channel(self) -> int: ...
        def _parse_channel_open_success(self, m: Message) -> None: ...
        def _parse_disconnect(self, m: Message) -> None: ...
        def _parse_kex_init(self, m: Message) -> None: ...
        def _send_kex_init(self) -> None: ...
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
            "_expect_packet",
            "_kex_info",
            "_log",
            "_negotiate_keys",
            "_next_channel",
            "_parse_channel_open_failure",
            "_parse_channel_open_success",
            "_parse_disconnect",
            "_parse_kex_init",
            "_preferred_ciphers",
            "_preferred_kex",
            "_preferred_keys",
            "_send_kex_init",
            "_send_message",
            "_send_user_message",
        ]
    )
    and all(
        hasattr(AuthOnlyHandler, n)
        for n in ["_finalize_pubkey_algorithm", "_get_key_type_and_bits", "_get_session_blob", "_parse_userauth_failure"]
    )
    and KEX in getattr(Transport, "_kex_info", {})
)


class Level(enum.IntEnum):
    PLAIN = 0
    FLIGHT = 1
    AHEAD = 2
    AHEAD_KEX = 3


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


_own: Any = Transport  # its class attributes, which the stubs do not know


class Link(_Base):
    """paramiko's Transport, whose reader thread does the whole login by itself."""

    _preferred_ciphers = _first(("aes128-gcm@openssh.com", "aes256-gcm@openssh.com"), _own._preferred_ciphers)
    # The RFC 8731 name is the same algorithm; paramiko knows only the older one, and some servers offer only the newer.
    _kex_info: ClassVar[dict[str, Any]] = {**_own._kex_info, "curve25519-sha256": KexCurve25519}
    _preferred_kex = _first((KEX, "curve25519-sha256"), ("curve25519-sha256", *_own._preferred_kex))

    def __init__(
        self,
        sock: socket.socket,
        check: Callable[[PKey], None],
        user: str,
        key: PKey | None,
        command: str,
        level: Level,
        known: KnownLogin | None,
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
        if key is None or not FAST_OK:
            level = Level.PLAIN
        self.level, self.known = (level if known else min(level, Level.FLIGHT)), known
        self.phase = "banner"
        self.error: Exception | None = None  # what the host-key check raised
        self.kex_ahead: KexCurve25519 | None = None
        self.kex_name = ""
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
        if self.level == Level.AHEAD_KEX and self.known and self.known.kex == KEX:
            self.ahead = True
            self._send_kex_init()  # both join our banner in the first flight
            self.kex_ahead = KexCurve25519(self)  # no first_kex_packet_follows: the server cannot tell that we did
            self.kex_ahead.start_kex()  # not wait for its KEXINIT, and it reads in order
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
            self.level = Level.PLAIN
        elif self.known and line != self.known.server:
            self.level = min(self.level, Level.FLIGHT)

    def _send_kex_init(self) -> None:
        if self.kex_ahead is None:  # else run() asks for what _check_banner sent
            super()._send_kex_init()

    def _negotiate_keys(self, m: Message) -> None:
        engine, self.kex_ahead = self.kex_ahead, None
        if engine is None:
            super()._negotiate_keys(m)
            return
        self._parse_kex_init(m)
        if type(self.kex_engine) is not KexCurve25519:
            raise FastPathRefused("the server's key exchange has changed")
        self.kex_engine = engine
        self._expect_packet(KEX_REPLY)

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
        self.kex_name = KEX if isinstance(self.kex_engine, KexCurve25519) else ""
        self.phase = "authentication"
        if self.known and self.known.host_key != self.host_key.fingerprint:
            self.level = min(self.level, Level.FLIGHT)
        self.wire.hold()
        super()._activate_outbound()  # NEWKEYS; ours may follow without waiting for the server's
        if self.level >= Level.FLIGHT and self.key is not None:
            self.ahead = True
            self._handler_table[MSG_SERVICE_ACCEPT] = lambda m: None
            self._handler_table[MSG_UNIMPLEMENTED] = self._refused  # paramiko would log it and wait for ever
            auth = self.auth_handler = _Auth(self)
            m = Message()
            m.add_byte(cMSG_SERVICE_REQUEST)
            m.add_string("ssh-userauth")
            self._send_message(m)
            self._send_message(auth.request(self.user, self.key))
            if self.level >= Level.AHEAD:
                self._send_open()
        self.wire.release()

    def _refused(self, m: Message) -> None:
        raise FastPathRefused(f"server does not take message {m.get_int()} now")

    def _parse_disconnect(self, m: Message) -> None:
        self.saved_exception = Disconnected(m.get_int(), m.get_text())

    # -- the one channel -------------------------------------------------------------------------------------------------------
    def _auth_trigger(self) -> None:
        super()._auth_trigger()
        self.phase = "command start"
        if self.level >= Level.FLIGHT and not self.exec_sent:
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
            # FLIGHT is what any client may do, so its "no" to the key is final. For the rest only a command that may already
            # have been started is not tried again.
            if (self.level == Level.FLIGHT and isinstance(e, AuthenticationException)) or (
                self.authenticated and isinstance(e, Dropped)
            ):
                return e
            refused = FastPathRefused(f"fast path refused during {self.phase}: {e}")
            refused.__cause__ = e
            return refused
        return e

    def end(self) -> None:
        self.wire.close()
        if self.is_alive():
            self.join(2.0)
        else:
            self.sock.close()
        self._handler_table = {}  # bound methods: without this only the cycle collector frees us
        self.auth_handler = None


@dataclass
class Opened:
    """A session whose command was started. `known`: to keep for the next time; None where this server cannot be spoken
    to ahead."""

    transport: Link
    channel: Channel
    level: Level
    known: KnownLogin | None


def open_exec(
    sock: socket.socket,
    *,
    user: str,
    auth: PKey | Callable[[Transport], list[str]],
    command: str,
    check_host_key: Callable[[PKey], None],
    deadline: float,
    level: Level = Level.FLIGHT,
    known: KnownLogin | None = None,
    close_stdin: bool = False,
    host_key_types: Collection[str] = (),
    prepare: Callable[[Transport], None] = lambda _: None,
) -> Opened:
    """Log in over a connected socket (TCP_NODELAY set) and start `command`; the socket is ours from here on, also on failure.

    auth: a private key (certificate loaded if there is one), or a call such as lambda t: t.auth_password(user, password).
    check_host_key raises to refuse; what it raises is what the caller gets. It runs in the reader thread, before NEWKEYS.
    prepare may change what the transport offers before anything is sent.
    host_key_types: those known_hosts has for this host, else a host known by its RSA key would show another one.
    deadline: time.monotonic(). To end the wait earlier: sock.shutdown(SHUT_RDWR) from any thread.
    """
    link = Link(
        sock,
        check_host_key,
        user,
        auth if isinstance(auth, PKey) else None,
        command,
        level,
        known,
        close_stdin,
        host_key_types,
        deadline,
    )
    prepare(link)
    try:
        link.start_client(event=link.turn)
        if not link.turn.wait(max(0.0, deadline - time.monotonic())):
            raise DeadlineExceeded(link.phase)
        if link.level == Level.PLAIN and link.active:
            link.plain(auth, deadline)
        chan = link.channel
        if not chan.event.wait(max(0.0, deadline - time.monotonic())):
            raise DeadlineExceeded(link.phase)
        if not chan.event_ready:
            raise link.get_exception() or (EOFError() if not link.active else SSHException("the server does not run commands"))
    except BaseException as e:
        verdict = link.verdict(e, deadline) if isinstance(e, Exception) else e
        link.end()
        if verdict is e:
            raise
        raise verdict from (verdict.__cause__ or e)
    link.phase, link.wire.settled = "output", True
    assert link.host_key is not None
    teach = isinstance(auth, PKey) and FAST_OK and link.remote_version.startswith("SSH-2.0-OpenSSH_")
    return Opened(
        link, chan, link.level, KnownLogin(link.remote_version, link.host_key.fingerprint, link.kex_name) if teach else None
    )
