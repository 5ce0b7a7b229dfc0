"""A server that falls silent, trickles or goes away at any byte of the login: the deadline ends it, and so does a shutdown."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import paramiko
import pytest
from paramiko.ssh_exception import IncompatiblePeer

from auditor.foundation.deadline import Deadline
from auditor.transports.ssh.errors import as_host_error
from auditor.transports.ssh.fast_path import open_exec
from auditor.transports.ssh.faults import DeadlineExceeded, Dropped, NoBanner
from auditor.transports.ssh.session import collect
from tests.lab.hostile import BANNER, Address, Host, listening, pours, relay, says, trickles
from tests.lab.sshd import user
from tests.transports.ssh.test_fast_path import SOON, answer, dial, login

LIMIT = 0.2
# Bytes after the banner that still arrive: into KEXINIT, the key exchange's answer, and what is encrypted. Where exactly each
# falls depends on the server's version, so only the first and the kind of error are held to.
BYTES = (0, 1300, 1500, 1800)


@pytest.fixture(scope="module")
def greeting(host: Host, key: Any) -> int:
    """Bytes of the server's version line."""
    opened = login(host, key)
    answer(opened)
    return len(opened.transport.remote_version) + 2


def ends_by_deadline(to: Address | Host, key: Any, one_flight: bool) -> str:
    """The phase it was in."""
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded) as e:
        login(to, key, "echo x; exec sleep 2", one_flight=one_flight, deadline=start + LIMIT)
    assert LIMIT - 0.05 < time.monotonic() - start < 10
    assert as_host_error(e.value, "web1").kind == "timeout"
    return e.value.phase


@pytest.mark.parametrize("one_flight", [True, False])
@pytest.mark.parametrize("after", BYTES)
def test_silence_from_some_byte_on(host: Host, key: Any, greeting: int, one_flight: bool, after: int) -> None:
    with listening(relay((host.address, host.port), greeting + after)) as address:
        phase = ends_by_deadline(address, key, one_flight)
    assert phase in ({"key exchange"} if after < 1000 else {"key exchange", "authentication", "command start"})


@pytest.mark.parametrize("after", BYTES)
def test_a_trickle_from_some_byte_on(host: Host, key: Any, greeting: int, after: int) -> None:
    with listening(relay((host.address, host.port), greeting + after, slow=0.02)) as address:
        ends_by_deadline(address, key, True)


@pytest.mark.parametrize("serve", [says(b""), trickles(b"hello\r\n"), trickles(b"x")], ids=["silent", "lines", "bytes"])
def test_a_banner_that_never_comes(key: Any, greeting: int, serve: Any) -> None:
    with listening(serve) as address:
        for one_flight in (True, False):
            assert ends_by_deadline(address, key, one_flight) == "banner"


@pytest.mark.parametrize(
    ("text", "error", "kind"),
    [
        (b"", NoBanner, "refused"),
        (b"Exceeded MaxStartups\r\n", NoBanner, "refused"),
        (b"SSH-1.5-old\r\n", IncompatiblePeer, "no-common-algorithm"),
        (b"HTTP/1.0 400\r\n" * 999, paramiko.SSHException, "protocol"),
        (b"\0" * 20000, paramiko.SSHException, "protocol"),
        (BANNER, Dropped, "protocol"),
    ],
    ids=["nothing", "said-why", "ssh1", "http", "binary", "only-a-banner"],
)
def test_what_is_no_banner(key: Any, text: bytes, error: type[Exception], kind: str) -> None:
    with listening(says(text, then_closes=True)) as address, pytest.raises(error) as e:
        login(address, key)
    assert as_host_error(e.value, "web1").kind == kind
    if isinstance(e.value, NoBanner):
        assert e.value.lines == text.decode().split("\r\n")[:-1]


def test_a_packet_without_end_is_not_held_in_memory(key: Any) -> None:
    """Before anybody is authenticated a server may announce a packet of 2 GB; only what a packet may have is read of it."""
    head, poured = BANNER + (0x7FFFFFFC).to_bytes(4, "big"), list[int]()
    with listening(pours(head, poured)) as address, pytest.raises(paramiko.SSHException) as e:
        login(address, key, deadline=time.monotonic() + 2)
    assert as_host_error(e.value, "web1").kind == "protocol"
    assert sum(poured) < 16_000_000  # what the two sockets' buffers take


@pytest.mark.parametrize("one_flight", [True, False])
@pytest.mark.parametrize("after", [-60, 0, 900, 1500])
def test_a_shutdown_from_outside_ends_a_login(host: Host, key: Any, greeting: int, one_flight: bool, after: int) -> None:
    """As the watchdog and Ctrl-C do it, from another thread."""
    start = time.monotonic()
    with listening(relay((host.address, host.port), max(0, greeting + after))) as address:
        sock = dial(address)
        timer = threading.Timer(0.1, sock.shutdown, (socket.SHUT_RDWR,))
        timer.start()
        with pytest.raises(paramiko.SSHException) as e:
            open_exec(
                sock,
                user=user(),
                auth=key,
                command="true",
                check_host_key=lambda k: None,
                deadline=start + 60,
                one_flight=one_flight,
            )
        timer.join()
    assert not isinstance(e.value, DeadlineExceeded)
    assert time.monotonic() - start < SOON


@pytest.mark.parametrize("why", ["timeout", "interrupted"])
def test_a_deadline_that_ends_the_output_keeps_what_came(host: Host, key: Any, greeting: int, why: Any) -> None:
    opened = login(host, key, "echo x; exec sleep 2")
    limit = Deadline(30, "reading").watch(lambda: opened.transport.wire.close())
    timer = threading.Timer(0.2, limit.expire, (why,))
    timer.start()
    out, _, status, truncated = collect(opened.channel, limit)
    timer.join()
    opened.transport.end()
    assert (out, status) == (b"x\n", None)
    assert truncated
    assert truncated.kind == why


def test_a_lost_connection_is_not_an_ordinary_end(host: Host, key: Any, greeting: int) -> None:
    """paramiko gives it as an end of file with exit status -1."""
    opened = login(host, key, "echo x; exec sleep 2")
    opened.transport.wire.close()
    _, _, status, truncated = collect(opened.channel, Deadline(30, "reading"))
    opened.transport.end()
    assert status is None
    assert truncated
    assert truncated.kind == "protocol"


def test_a_connection_that_is_gone_while_its_output_is_still_read(host: Host, key: Any) -> None:
    """Reading tells the server that it may send more: that this fails must not cost the scan, nor what came before."""
    with listening(relay((host.address, host.port), 1 << 30)) as address:
        opened = login(address, key, "head -c 200000 /dev/zero; exec sleep 2")
        end = time.monotonic() + SOON
        while len(opened.channel.in_buffer) < 200_000 and time.monotonic() < end:
            time.sleep(0.005)
        opened.transport.sock.shutdown(socket.SHUT_WR)  # the relay keeps its end open: only our writing fails
        _, _, status, truncated = collect(opened.channel, Deadline(30, "reading"))
        opened.transport.end()
    assert status is None
    assert truncated
    assert truncated.kind == "protocol"
