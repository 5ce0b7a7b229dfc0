"""What a transport gives: a session on which a command is run, or of which Windows facts are asked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from auditor.model.target import KnownLogin, Target
from auditor.model.windows import Cell, Readings, Subkeys, Table, Value
from auditor.transports.command import Command, CommandResult


class Session(Protocol):
    """A way to one host. Connecting may wait until the first question, so that it can travel with it. It also is one of
    the kinds below."""

    known_login: KnownLogin | None  # what a login taught, where there was one
    recorded_at: datetime | None  # when the answer was given, where that is not now

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


@runtime_checkable
class Shell(Session, Protocol):
    """`run` raises HostError where there is no answer at all; an answer that was cut off is a result that says so."""

    compress: bool  # is it worth the host's while to compress its answer?
    windows: bool | None  # is it a Windows? None where that has to be found out

    def run(self, command: Command) -> CommandResult: ...


class Lane(Protocol):
    """One connection to WMI. Every call raises Refused where just this question was refused, HostError where the session
    is over."""

    def rows(self, wql: str) -> tuple[dict[str, Cell], ...]: ...
    def registry(self, method: str, key: str, name: str | None = None) -> Mapping[str, Cell]: ...


@runtime_checkable
class Wmi(Session, Protocol):
    """WMI; `lane` opens one more connection, of which a host gets at most `lanes`. `run` opens a shell. `round_trip` is
    the way there and back in seconds, 0.0 where it is not known."""

    lanes: int
    round_trip: float

    def lane(self) -> Lane: ...
    def run(self, command: Command) -> CommandResult: ...


@runtime_checkable
class RemoteRegistry(Session, Protocol):
    """The registry over the network; `services` by the service manager."""

    def value(self, key: str, name: str) -> Value: ...
    def subkeys(self, key: str) -> Subkeys: ...
    def services(self) -> Table: ...


@runtime_checkable
class Kept(Session, Protocol):
    """What was kept of a host's answers: readings, or files to make some of."""

    def readings(self) -> Readings | None: ...
    def files(self) -> Mapping[str, bytes]: ...


def known_windows(target: Target) -> bool | None:
    """What the inventory or an earlier login says; None where neither does."""
    if target.family:
        return target.family == "windows"
    return True if target.known_login and "OpenSSH_for_Windows" in target.known_login.server else None
