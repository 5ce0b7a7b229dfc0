"""What a transport gives: a session on which a command is run, or of which Windows facts are asked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Literal, Protocol, Self

from auditor.model.target import Target
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData
from auditor.transports.command import Command, CommandResult

SessionKind = Literal["shell", "wmi", "remote-registry", "recorded"]


class LiveSession:
    """Defaults of sessions to live hosts."""

    recorded_at: datetime | None = None
    relaxed: tuple[str, ...] = ()
    has_update_agent_answer: bool | None = None


class Session(Protocol):
    """A connection to one host. Connecting may wait until the first question, so that it can travel with it. `kind` says
    which of the protocols below it also has."""

    kind: SessionKind
    recorded_at: datetime | None  # when the answer was given, where that is not now
    relaxed: tuple[str, ...]  # what the session relaxed beyond the inventory, once there was one
    has_update_agent_answer: bool | None  # a recording's: does it hold PowerShell's answer? None: the session runs commands now

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Shell(Session, Protocol):
    """`run` raises HostError where there is no answer at all; an answer that was cut off is a result that says so."""

    compress: bool  # is it worth the host's while to compress its answer?
    windows: bool | None  # is it a Windows? None where that has to be found out

    def run(self, command: Command) -> CommandResult:
        """Run one command and wait for its whole answer."""
        ...


class WmiConnection(Protocol):
    """One connection to WMI. Every call raises Refused where just this question was refused, HostError where the session
    is over."""

    def rows(self, wql: str) -> tuple[dict[str, Cell], ...]:
        """The rows of a WQL query."""
        ...

    def registry(self, method: str, key: str, name: str | None = None) -> Mapping[str, Cell]:
        """What a method of StdRegProv answers, by the names of its output."""
        ...


class Wmi(Session, Protocol):
    """WMI; `connection` opens one more connection, of which a host gets at most `max_connections`. `run` opens a shell. `round_trip` is
    the way there and back in seconds, 0.0 where it is not known."""

    max_connections: int
    round_trip: float

    def connection(self) -> WmiConnection:
        """One more connection."""
        ...

    def run(self, command: Command) -> CommandResult:
        """Run one command in a shell."""
        ...


class RemoteRegistry(Session, Protocol):
    """The registry over the network; `services` by the service manager."""

    def value(self, key: str, name: str) -> Value:
        """One value of a key."""
        ...

    def subkeys(self, key: str) -> Subkeys:
        """The names of a key's subkeys."""
        ...

    def services(self) -> Table:
        """The services, as rows of Win32_Service."""
        ...


class RecordedSession(Session, Protocol):
    """What was recorded of a Windows host: its raw data, or files to make it of."""

    def data(self) -> WindowsRawData | None:
        """What was recorded as data; None where files were."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """The recorded files by name."""
        ...


def known_windows(target: Target) -> bool | None:
    """What the inventory says of the host; None where it says nothing."""
    return target.family == "windows" if target.family else None
