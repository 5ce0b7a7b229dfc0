"""What a host is asked, and what it answered before anything of it is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from auditor.collectors.linux.host_facts import linux_facts
from auditor.collectors.windows.host_facts import all_queries, windows_facts
from auditor.collectors.windows.readers import shell
from auditor.model.facts import HostFacts, Platform
from auditor.model.requirements import DataRequirements
from auditor.model.run import TargetError
from auditor.model.windows import WindowsRawData
from auditor.transports.command import CommandResult

# What the rules need to know of a platform: which Windows a host is decides what else it is asked.
RequirementsOf = Callable[[Platform], DataRequirements]


class PosixOptions(Struct, frozen=True, kw_only=True):
    """How the script runs: `sudo` is none | sudo | sudo-password, and `password` then is one line of stdin. `raw`: the answer
    is not compressed."""

    deep: bool = False
    sudo: str = "none"
    password: bytes = b""
    raw: bool = False


class Request(Struct, frozen=True, kw_only=True):
    """What one host is asked; `marker` is the random word that frames its answer."""

    requirements_of: RequirementsOf
    marker: str
    posix: PosixOptions


class RawCollection(Struct, frozen=True, kw_only=True):
    """What a host answered: a stream framed by `marker`, or Windows data. `recorded_at` is set where it was not answered just
    now; `relaxed` is what the session relaxed beyond the inventory. `data_truncated`: why the stream behind the data was cut
    off."""

    marker: str
    requirements: DataRequirements
    result: CommandResult | None = None
    data: WindowsRawData | None = None
    windows: bool = False
    relaxed: tuple[str, ...] = ()
    recorded_at: datetime | None = None
    data_truncated: TargetError | None = None

    @property
    def of_windows(self) -> bool:
        """Is it the answer of a Windows host?"""
        return self.windows or self.data is not None

    @property
    def truncated(self) -> TargetError | None:
        """Why the answer is not whole; None where it is."""
        return self.result.truncated if self.result else self.data_truncated

    def windows_data(self) -> WindowsRawData:
        """The answer of a Windows host as data."""
        if self.data is not None:
            return self.data
        assert self.result is not None
        return shell.read(self.result, self.marker, all_queries(self.requirements))

    def facts(self, *, target: str, method: str, now: datetime) -> HostFacts:
        """The facts in it. Pure; nothing raises."""
        if self.of_windows:
            return windows_facts(self.windows_data(), self.requirements, target=target, method=method, now=now)
        assert self.result is not None
        return linux_facts(self.result, self.marker, target=target, method=method, now=now)
