"""What a transport asks before anything leaves for a host: is it on the list behind `auditor commands`?

Transports know no collector, so the list comes from above (collectors/permitted.py), and each refuses by itself what is
not on it. A refusal is a fault of auditor's own; nothing was sent then.
"""

from __future__ import annotations

from typing import Protocol

from auditor.errors import HostError
from auditor.transports.command import Command


class Permits(Protocol):
    """Each raises HostError (kind `internal`) for what is not on the list. `query` is WQL; `registry` a method of
    StdRegProv, or `value` and `subkeys` of the remote registry, on a key below HKEY_LOCAL_MACHINE."""

    def command(self, command: Command) -> None:
        """Raises HostError unless the command may be run."""
        ...

    def query(self, wql: str) -> None:
        """Raises HostError unless the WQL query may be asked."""
        ...

    def registry(self, method: str, key: str, name: str | None) -> None:
        """Raises HostError unless the registry question may be asked."""
        ...


def refused(what: str) -> HostError:
    """The error for what is not on the list of `auditor commands`."""
    return HostError("internal", f"not on the list of `auditor commands`, so it was not sent: {what[:200]!r}; please report it")


class Nothing:
    """For sessions that only lead to another host."""

    def command(self, command: Command) -> None:
        raise refused(" ".join(command.argv))

    def query(self, wql: str) -> None:
        raise refused(wql)

    def registry(self, method: str, key: str, name: str | None) -> None:
        raise refused(f"{method} {key}")
