"""A program that is run here: in a process group of its own, bounded in time and output, ended as a whole from outside."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from auditor.errors import HostError
from auditor.model.run import TargetError
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, too_much

MAX_LOG = 256_000  # bytes; what ssh has to say of one login is below 20 KB


class Child:
    """`kill` may be called from any thread and is what a Deadline watches; it ends the group, and a `read` under way even
    where something that left the group still holds the output open.

    `logs` are descriptors, not blocking, of which `read` keeps what comes beside the output (in `logged`)."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, logs: Sequence[int] = ()) -> None:
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, bufsize=0, start_new_session=True
            )
        except OSError as e:
            raise HostError("internal", f"cannot start {argv[0]}: {e.strerror}") from None
        self._bell, self._ring = os.pipe()
        self._lock, self._gone = threading.Lock(), False
        self._logs = dict(zip(logs, range(len(logs)), strict=True))
        self.logged = [bytearray() for _ in logs]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind:
            self.kill()
        self.end()

    def feed(self, data: bytes) -> None:
        """Its whole stdin."""
        stdin = self._process.stdin
        assert stdin
        view = memoryview(data)
        try:
            while view:
                view = view[stdin.write(view) :]
        except BrokenPipeError:
            pass  # it did not want its stdin; what it printed is read all the same
        stdin.close()

    def read(self, heard: Callable[[], None] = lambda: None) -> tuple[bytes, bytes, TargetError | None]:
        """Both streams at once, until they end; what stderr has beyond its bound is read and dropped. `heard` is called
        when a log has grown."""
        out, err = bytearray(), bytearray()
        with selectors.DefaultSelector() as ready:
            assert self._process.stdout
            assert self._process.stderr
            streams = {self._process.stdout.fileno(): (out, MAX_STDOUT), self._process.stderr.fileno(): (err, MAX_STDERR)}
            for descriptor in (*streams, *self._logs, self._bell):
                ready.register(descriptor, selectors.EVENT_READ)
            while streams:
                for key, _ in ready.select():
                    if key.fd == self._bell:
                        return bytes(out), bytes(err), None
                    if key.fd in self._logs:
                        self._log(key.fd)
                        heard()
                        continue
                    piece = os.read(key.fd, 65536)
                    if not piece:
                        ready.unregister(key.fd)
                        del streams[key.fd]
                        continue
                    kept, bound = streams[key.fd]
                    kept += piece[: bound - len(kept)]
                    if len(out) >= MAX_STDOUT:
                        self.kill()
                        return bytes(out), bytes(err), too_much()
        return bytes(out), bytes(err), None

    def _log(self, descriptor: int) -> bool:
        """One piece of a log; False where there is none."""
        try:
            piece = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        kept = self.logged[self._logs[descriptor]]
        kept += piece[: MAX_LOG - len(kept)]
        return bool(piece)

    def kill(self) -> None:
        """End the whole group, now."""
        with self._lock:
            if not self._gone:  # else its number may belong to another group by now
                self._kill_group()
                os.write(self._ring, b".")

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it ended by itself in the meantime

    def end(self) -> int:
        """Wait for its end, end what it left behind in its group, and read the rest of the logs. Returns the exit status."""
        with self._lock:
            if self._gone:
                return self._process.returncode
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)  # not reaped yet, so the group's number stays ours
        with self._lock:
            self._gone = True
            self._kill_group()
            with self._process:
                status = self._process.wait()
            os.close(self._bell)
            os.close(self._ring)
        for descriptor in self._logs:
            while self._log(descriptor):
                pass
        return status
