"""One SSH login, one exec, in the fewest round trips that any OpenSSH server takes (link.py)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from paramiko import Channel, PKey, SSHException, Transport

from auditor.transports.ssh.faults import DeadlineExceeded
from auditor.transports.ssh.link import Link


@dataclass
class Opened:
    """A session whose command was started; `one_flight` says how it was logged in to."""

    transport: Link
    channel: Channel
    one_flight: bool


def open_exec(
    sock: socket.socket,
    *,
    user: str,
    auth: PKey | Callable[[Transport], list[str]],
    command: str,
    check_host_key: Callable[[PKey], None],
    deadline: float,
    one_flight: bool = True,
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
        one_flight,
        close_stdin,
        host_key_types,
        deadline,
    )
    prepare(link)
    try:
        link.start_client(event=link.turn)
        if not link.turn.wait(max(0.0, deadline - time.monotonic())):
            raise DeadlineExceeded(link.phase)
        if not link.one_flight and link.active:
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
    return Opened(link, chan, link.one_flight)
