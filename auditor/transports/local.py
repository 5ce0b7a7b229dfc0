"""The machine auditor runs on, without SSH."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from auditor.foundation.deadline import Deadline
from auditor.model.target import Target
from auditor.transports.child_process import Child
from auditor.transports.command import Command, CommandResult
from auditor.transports.permits import Permits
from auditor.transports.session import LiveSession, SessionKind


class LocalSession(LiveSession):
    """Runs a command as a child in a process group of its own, killed as a whole when the time is up."""

    kind: SessionKind = "shell"
    compress = False
    windows = False

    def __init__(self, target: Target, deadline: Deadline, permits: Permits) -> None:
        self._target, self._deadline, self._permits = target, deadline, permits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def run(self, command: Command) -> CommandResult:
        self._permits.command(command)
        started = time.monotonic()
        limit = self._deadline.limit(self._target.timeouts.command, "running the collection script")
        with Child(command.argv) as child:
            limit.watch(child.kill)
            child.feed(command.stdin)
            stdout, stderr, truncated = child.read()
            status = child.end()
            limit.done()
        if limit.over:
            truncated = limit.truncated()
        return CommandResult(None if truncated else status, stdout, stderr, time.monotonic() - started, truncated)
