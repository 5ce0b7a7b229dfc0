"""The packet layer of our SSH connections: blocking reads, one write per flight, ended by shutting the socket down."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from paramiko import SSHException
from paramiko.packet import Packetizer

# Bytes; we let a server send 32,768 at once (RFC 4253, 6.1, asks for 35,000). paramiko reads whatever length a server announces, before
# any login, and a number of a quarter of a megabyte takes it seconds.
MAX_PACKET = 1 << 16
MAX_BANNER = 8192


def _check(n: int) -> None:
    if n > MAX_PACKET:
        raise SSHException(f"the server announces a packet of {n} bytes")


class Bounded(Packetizer):
    """paramiko's own, holding no more of a packet or of the lines before the banner than there may be."""

    _lines = 0

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        _check(n)
        return super().read_all(n, check_rekey)

    def _read_timeout(self, timeout: float) -> bytes:
        got: bytes = super()._read_timeout(timeout)  # type: ignore[misc]  # the stubs leave it out
        self._lines += len(got)
        if self._lines > MAX_BANNER:
            raise SSHException("no SSH banner, only noise")
        return got


class Wire(Packetizer):
    """Packetizer with a blocking socket and one read per wakeup: paramiko's polls every 0.1 s (300 idle connections: 3000
    wakeups a second), starts a Timer thread per handshake, and takes two to four system calls per packet."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.sock, self.deadline, self.settled = sock, float("inf"), False
        self._in = bytearray()
        self._held: bytearray | None = bytearray()  # not None: collecting one flight (the first: our banner)
        self._shut = False

    @property
    def closed(self) -> bool:
        return self._shut

    def close(self) -> None:
        # shutdown, not close: only shutdown wakes a blocked recv, and the descriptor's number must not be given to another
        # connection while the reader thread may still use it. The reader closes the socket when it ends.
        self._shut = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # already gone

    def start_handshake(self, timeout: float) -> None:
        pass  # one clock only: the deadline

    def _fill(self) -> None:
        try:
            if not self.settled:  # a delayed ACK here is up to 40 ms in which sshd's next small
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # write stays held back (Nagle)
            data = self.sock.recv(32768 if self.settled else 4096)  # a thread's heap keeps what was once asked for
        except OSError:
            if self._shut:
                raise EOFError from None
            raise
        if not data:
            raise EOFError
        self._in += data

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        _check(n)
        while len(self._in) < n:
            self._fill()
        out = bytes(self._in[:n])
        del self._in[:n]
        return out

    def readline(self, timeout: float) -> str:
        while (end := self._in.find(b"\n")) < 0:
            if len(self._in) > 8192:
                raise SSHException("no SSH banner, only noise")
            self._fill()
        return self.read_all(end + 1).rstrip(b"\r\n").decode("utf-8", "replace")

    def hold(self) -> None:
        """Keep what is written, until `release` sends it in one piece."""
        self._held = bytearray()

    def release(self) -> None:
        """Send what was held."""
        held, self._held = self._held, None
        if held:
            self.write_all(bytes(held))

    def write_all(self, out: Any) -> None:
        if self._held is not None:
            self._held += out
            return
        view = memoryview(out)
        while view:
            try:
                view = view[self.sock.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:  # a peer that stopped reading must not hold us past the deadline
                poll = select.poll()
                poll.register(self.sock, select.POLLOUT)
                left = min(self.deadline - time.monotonic(), 3600.0)
                if left <= 0 or not poll.poll(left * 1000):
                    raise EOFError from None
            except OSError:
                raise EOFError from None
