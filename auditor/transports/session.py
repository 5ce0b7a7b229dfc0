"""What every transport gives: a session on which a command is run."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from auditor.model.target import KnownLogin
from auditor.transports.command import Command, CommandResult


class Session(Protocol):
    """A way to one host. Connecting may wait until the first `run`, so that it can travel with the command.

    `run` raises HostError where there is no answer at all; an answer that was cut off is a result that says so."""

    compress: bool  # is it worth the host's while to compress its answer?
    known_login: KnownLogin | None  # what a login taught, where there was one
    recorded_at: datetime | None  # when the answer was given, where that is not now

    def run(self, command: Command) -> CommandResult: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
