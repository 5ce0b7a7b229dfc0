"""Servers that misbehave, each on a port of its own on 127.0.0.1, and what a test needs to hold a scan against them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from auditor.model.target import Target, Timeouts
from tests.lab.sshd import Sshd, keygen, user

Address = tuple[str, int]
Serve = Callable[[socket.socket, threading.Event], None]
BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[Address]:
    """Every connection is served by a thread, which must return when the event is set and its socket shut down."""
    listener = socket.create_server(("127.0.0.1", 0))
    over, sockets, threads = threading.Event(), [listener], list[threading.Thread]()

    def one(c: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve(c, over)

    def loop() -> None:
        with contextlib.suppress(OSError):
            while True:
                sockets.append(listener.accept()[0])
                threads.append(threading.Thread(target=one, args=(sockets[-1],), name="hostile"))
                threads[-1].start()

    accepting = threading.Thread(target=loop, name="accepting")
    accepting.start()
    try:
        yield listener.getsockname()
    finally:
        over.set()
        shut(listener)
        accepting.join()
        for s in sockets:
            shut(s)
        for t in threads:
            t.join()
        for s in sockets:
            s.close()


def shut(s: socket.socket) -> None:
    with contextlib.suppress(OSError):
        s.shutdown(socket.SHUT_RDWR)


def says(text: bytes, *, then_closes: bool = False) -> Serve:
    """Says its text, and then nothing; or ends the connection in an orderly way, having read what the client said."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        c.sendall(text)
        if then_closes:
            c.shutdown(socket.SHUT_WR)
            while c.recv(65536):
                pass
        over.wait()

    return serve


def trickles(text: bytes, step: float = 0.02) -> Serve:
    """A byte now and then, for ever: no single read ever times out."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        at = 0
        while not over.wait(step):
            c.sendall(text[at % len(text) :][:1])
            at += 1

    return serve


def pours(head: bytes, poured: list[int]) -> Serve:
    """Its head, and then as much as the client will take; `poured` counts it."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        c.sendall(head)
        while not over.is_set():
            poured.append(c.send(bytes(65536)))

    return serve


def relay(to: Address, allow: int, *, slow: float = 0.0) -> Serve:
    """Passes on `allow` bytes of what a real server says, then nothing, or a byte now and then; stays connected."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        with socket.create_connection(to) as up:

            def forward() -> None:
                with contextlib.suppress(OSError):
                    while data := c.recv(65536):
                        up.sendall(data)
                shut(up)

            forwarding = threading.Thread(target=forward, name="forward")
            forwarding.start()
            left = allow
            with contextlib.suppress(OSError):
                while left and (data := up.recv(min(left, 4096))):
                    c.sendall(data)
                    left -= len(data)
                while slow and not over.wait(slow) and (data := up.recv(1)):
                    c.sendall(data)
            over.wait()
            shut(c)
            forwarding.join()

    return serve


@contextlib.contextmanager
def black_hole() -> Iterator[Address]:
    """A port whose accept queue is full: the kernel drops every SYN, as a silent firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(64):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.2)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            raise RuntimeError("the accept queue does not fill up")
        yield listener.getsockname()


class Host(Sshd):
    """A real sshd with one key that logs in, and what that key's sessions run."""

    def __init__(self, folder: Path, *config: str) -> None:
        super().__init__(folder, *config)
        self.key, self._pids = keygen(folder / "key"), folder / "pids"
        self.known = folder / "known_hosts"
        self.known.write_text(self.known_hosts_line())
        self.opens()

    def opens(self, options: str = "") -> None:
        """The key may do what it likes, within these options of authorized_keys."""
        self.authorized.write_text("")
        self.allow(self.key.with_suffix(".pub"), options=options)

    def forces(self, script: str) -> None:
        """Whatever is asked for, this is run; it is killed at the end of the test at the latest."""
        self._pids.write_text("")
        forced = self.folder / "forced.sh"
        forced.write_text(f"echo $$ >>{self._pids}\n{script}\n")
        self.opens(f'command="exec sh {forced}"')

    def wait_for_command(self) -> None:
        """Until a forced command has begun; sh tells by its pid."""
        end = time.monotonic() + 20
        while not self._pids.read_text() and time.monotonic() < end:
            time.sleep(0.01)

    def end_commands(self) -> None:
        """What hangs on purpose does not see that its client is gone."""
        for pid in self._pids.read_text().split() if self._pids.exists() else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def __exit__(self, *why: object) -> None:
        self.end_commands()
        super().__exit__(*why)

    def target(self, *, times: tuple[float, float, float] = (20, 20, 60), **more: Any) -> Target:
        """`times`: connect, command, total."""
        said: dict[str, Any] = {
            "name": "t",
            "address": self.address,
            "port": self.port,
            "user": user(),
            "key_file": str(self.key),
            "known_hosts": (str(self.known),),
        }
        return Target(**said | {"timeouts": Timeouts(*times)} | more)


@contextlib.contextmanager
def no_leaks() -> Iterator[None]:
    """No thread, descriptor or child process is left behind; those that are about to end are given time to."""
    before = _held()
    yield
    end = time.monotonic() + 5
    while (left := _held() - before) and time.monotonic() < end:
        time.sleep(0.01)
    assert not left, left


def _held() -> set[object]:
    """Live threads but the one watchdog, which is for all tests, and open descriptors."""
    threads = {t for t in threading.enumerate() if t.name != "deadlines"}
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            descriptors.add((name, os.readlink(f"/proc/self/fd/{name}")))
    children = set(Path("/proc/self/task", str(os.getpid()), "children").read_text().split())
    return threads | descriptors | children
