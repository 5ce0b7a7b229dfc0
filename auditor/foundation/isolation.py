"""Computing on what a host said, where it can be ended: child processes with limits of time and memory.

A regular expression or a large sort holds the interpreter, and no thread can be stopped from outside. So answers are read
and judged by children, each on one host's answer at a time: what takes too long or grows too large is killed and costs
that host alone, signals are answered meanwhile, and several answers are read at once on several cores.

The children are forked by a nursery that was itself forked before any connection was opened, so that none of them holds a
host's socket or a secret. They end with the process that they work for, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import struct
import threading
import warnings
from collections.abc import Callable
from queue import LifoQueue
from types import TracebackType
from typing import Self

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline

Work = Callable[[bytes], bytes]

MEMORY = 512_000_000  # bytes that a child may take beyond what it began with; an answer of 16 MB takes some 200
MAX_RESULT = 48_000_000  # bytes of what a child may hand back
_SIZE = struct.Struct(">Q")
_FORK, _KILL = b"f", b"k"
_LOST = "the process that read its answer ended without a word; was the machine out of memory? Try again"


class Guard:
    """`work` is done in at most `children` processes at once; it must be a pure function that holds no lock. A context:
    leaving it ends them all."""

    def __init__(self, work: Work, children: int | None = None) -> None:
        self._work = work
        self._free: LifoQueue[_Child | None] = LifoQueue()
        for _ in range(children or os.cpu_count() or 1):
            self._free.put(None)
        self._nursery: socket.socket | None = None
        self._pid = 0
        self._turn = threading.Lock()  # one request to the nursery at a time

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = _fork()
        if self._pid == 0:
            _as_child(theirs.fileno())
            _nursery(theirs, self._work)
        theirs.close()
        self._nursery = ours
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._nursery
        self._nursery.close()  # it kills its children and ends
        while not self._free.empty():
            if child := self._free.get():
                child.link.close()
        os.waitpid(self._pid, 0)

    def compute(self, given: bytes, deadline: Deadline) -> bytes:
        """`work(given)`. Time begins when a child is free. HostError `limit` where it took too long or too much memory,
        `interrupted` where the run was stopped, `internal` where it raised."""
        child = self._free.get() or self._born()
        clean = False
        try:
            limit = deadline.limit(deadline.seconds, deadline.what).watch(child.abandon)
            try:
                said = child.ask(given)
            finally:
                limit.done()
            clean = said is not None and not limit.over
            if limit.over == "interrupted":
                raise limit.error()
            if said is None:
                late = f"reading its answer took longer than {limit.seconds:g} s"
                raise HostError("limit", f"{late}; is it what a host of this kind says?") if limit.over else _ended(child.lost)
        finally:
            if not clean:
                self._kill(child)
            self._free.put(child if clean else None)
        mark, body = said[:1], said[1:]
        if mark == b"+":
            return body
        raise HostError("limit" if mark == b"m" else "internal", body.decode("utf-8", "replace"))

    def _born(self) -> _Child:
        ours, theirs = socket.socketpair()
        with self._turn:
            assert self._nursery
            socket.send_fds(self._nursery, [_FORK], [theirs.fileno()])
            pid = int(self._nursery.recv(20) or b"0")
        theirs.close()
        return _Child(pid, ours)

    def _kill(self, child: _Child) -> None:
        child.link.close()
        with self._turn, contextlib.suppress(OSError):
            assert self._nursery
            self._nursery.send(_KILL + str(child.pid).encode())
            self._nursery.recv(20)


def _ended(why: str) -> HostError:
    return HostError("limit", why) if why else HostError("worker-lost", _LOST)


class _Child:
    """One child, from its user's side."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid, self.link = pid, link
        self.lost = ""

    def abandon(self) -> None:
        """End the wait for it, from any thread."""
        self.link.shutdown(socket.SHUT_RDWR)

    def ask(self, given: bytes) -> bytes | None:
        """Its answer; None where there will be none, `lost` says why as far as it is known."""
        try:
            self.link.sendall(_SIZE.pack(len(given)))
            self.link.sendall(given)
            (size,) = _SIZE.unpack(_exactly(self.link, _SIZE.size))
            if size > MAX_RESULT:
                self.lost = f"what was read of its answer is larger than {MAX_RESULT // 1_000_000} MB"
                return None
            return _exactly(self.link, size)
        except (OSError, EOFError):
            return None


def _exactly(link: socket.socket, size: int) -> bytes:
    held = bytearray(size)
    view, at = memoryview(held), 0
    while at < size:
        count = link.recv_into(view[at:])
        if not count:
            raise EOFError
        at += count
    return bytes(held)


# Below: what runs in the children. They know no thread but their own.


def _fork() -> int:
    with warnings.catch_warnings():
        # From Python 3.12 on: forking beside threads may deadlock a child that waits for a lock one of them held. These
        # take none: they read pipes and call a pure function.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _as_child(keep: int) -> None:
    """Signals are the parent's business; no file of its but `keep` stays open."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX") if keep < 1024 else keep + 4096)


def _nursery(link: socket.socket, work: Work) -> None:
    """Fork and kill children as asked, until the parent is gone. Only its own, not yet waited for, are killed, so that no
    number is used twice meanwhile."""
    children: set[int] = set()
    while True:
        try:
            said, files, _, _ = socket.recv_fds(link, 64, 1)
        except OSError:
            said, files = b"", []
        if not said:
            break
        if said == _FORK:
            pid = os.fork()
            if pid == 0:
                link.close()
                _serve(socket.socket(fileno=files[0]), work)
            os.close(files[0])
            children.add(pid)
        else:
            pid = int(said[1:])
            if pid in children:
                children.discard(pid)
                _end(pid)
        link.send(str(pid).encode())
    for pid in children:
        _end(pid)
    os._exit(0)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _serve(link: socket.socket, work: Work) -> None:
    """One task after the other, until the parent closes the link."""
    _limit_memory()
    try:
        while True:
            (size,) = _SIZE.unpack(_exactly(link, _SIZE.size))
            said = _done(work, _exactly(link, size))
            link.sendall(_SIZE.pack(len(said)))
            link.sendall(said)
    except (OSError, EOFError, MemoryError):
        pass  # the parent is gone, or what it gave is larger than the memory: it sees the link end
    finally:
        os._exit(0)


def _done(work: Work, given: bytes) -> bytes:
    try:
        return b"+" + work(given)
    except MemoryError:
        return b"m" + f"reading its answer took more than {MEMORY // 1_000_000} MB of memory".encode()
    except RecursionError:
        return b"m" + b"its answer is nested too deeply to be read"
    except Exception as e:
        return b"!" + f"a fault of auditor itself, please report it: {type(e).__name__}: {e}"[:2000].encode("utf-8", "replace")


def _limit_memory() -> None:
    with open("/proc/self/statm", "rb") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
