"""The machine auditor runs on, without SSH."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from types import TracebackType
from typing import Self

from auditor.errors import HostError
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, Command, CommandResult, too_much
from auditor.transports.deadline import Deadline


class LocalSession:
    """Runs a command as a child in a process group of its own, killed as a whole when the time is up."""

    compress = False
    known_login = None
    recorded_at = None

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._target, self._deadline = target, deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def run(self, command: Command) -> CommandResult:
        started = time.monotonic()
        limit = self._deadline.limit(self._target.timeouts.command, "running the collection script")
        try:
            child = subprocess.Popen(
                command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as e:
            raise HostError("internal", f"cannot start {command.argv[0]}: {e.strerror}") from None
        with child:
            limit.watch(lambda: _kill(child))
            try:
                assert child.stdin
                child.stdin.write(command.stdin)
                child.stdin.close()
            except BrokenPipeError:
                pass  # it did not want its stdin; what it printed is read all the same
            output, cut = _drain(child)
            if cut:
                _kill(child)
            status = child.wait()
            limit.done()
        if limit.over:
            cut = limit.cut()
        return CommandResult(None if cut else status, output[0], output[1], time.monotonic() - started, cut)


def _drain(child: subprocess.Popen[bytes]) -> tuple[list[bytes], TargetError | None]:
    """Both streams at once, bounded; what stderr has beyond its bound is read and dropped."""
    output, bounds = [bytearray(), bytearray()], [MAX_STDOUT, MAX_STDERR]
    with selectors.DefaultSelector() as ready:
        for n, stream in enumerate((child.stdout, child.stderr)):
            assert stream
            ready.register(stream, selectors.EVENT_READ, n)
        while ready.get_map():
            for key, _ in ready.select():
                piece = os.read(key.fd, 65536)
                if not piece:
                    ready.unregister(key.fileobj)
                    continue
                output[key.data] += piece[: bounds[key.data] - len(output[key.data])]
                if key.data == 0 and len(output[0]) >= MAX_STDOUT:
                    return [bytes(o) for o in output], too_much()
    return [bytes(o) for o in output], None


def _kill(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself in the meantime
