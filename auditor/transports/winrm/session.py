"""WinRM by pywinrm: WMI questions one by one, and a shell where WMI is refused.

NTLM seals a connection's messages in their order, so a connection that has failed is not used again (connection.py). What pywinrm leaves open is closed here: redirects and environment (sealed_transport.py, http_layer.py), time limits
that hold from outside, and plain answers where encrypted ones were agreed.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from auditor.errors import HostError
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline
from auditor.model.target import Target
from auditor.transports.command import Command, CommandResult
from auditor.transports.permits import Permits
from auditor.transports.session import LiveSession, SessionKind
from auditor.transports.winrm.connection import WinrmConnection
from auditor.transports.winrm.preconditions import check, place


class WinrmSession(LiveSession):
    """Up to three connections to one host, each with a login of its own."""

    kind: SessionKind = "wmi"

    def __init__(self, target: Target, deadline: Deadline, permits: Permits) -> None:
        self._target, self._deadline, self.permits = target, deadline, permits
        self._connections: list[WinrmConnection] = []
        self.max_connections = 1 if target.jump else 3
        self.round_trip = 0.0
        self._password: str | None = None
        try:
            check(target)
        except HostError as e:
            raise HostError(e.kind, f"{place(target)}: {e}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for connection in self._connections:
            connection.close()

    def connection(self, deadline: Deadline | None = None) -> WinrmConnection:
        """One more connection, logged in with its first question."""
        connection = WinrmConnection(self._target, deadline or self._deadline, self)
        self._connections.append(connection)
        return connection

    def password(self) -> str | None:
        """The secret, fetched once for all connections: a password manager may ask a person."""
        if self._password is None and self._target.password:
            self._password = secret_refs.resolve(self._target.password)
        return self._password

    def run(self, command: Command) -> CommandResult:
        """A WinRS shell for one command. Signal and deletion go over a connection of their own where this one is over, and have as
        long as a login: a host that has just been silent may stay so."""
        connection = self.connection()
        try:
            return connection.run(command)
        finally:
            if connection.left_behind and not (self._deadline.stop and self._deadline.stop.requested.is_set()):
                limit = self._deadline.limit(self._target.timeouts.connect * 3, "ending the shell")
                with contextlib.suppress(HostError):
                    (self.connection(limit) if connection.is_over else connection).clean_up(*connection.left_behind)
