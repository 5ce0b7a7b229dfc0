"""An agent whose clock the test sets, and whose hosts are what the test says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.agent.log import start
from auditor.agent.loop import Agent, World
from auditor.audit.context import AuditContext
from auditor.cli.agent import read
from auditor.foundation.deadline import Stop
from auditor.history import scheduled_runs
from auditor.history.store import Store
from auditor.model.run import Run, TargetError, TargetResult
from auditor.model.target import Target
from tests.given import LINUX

BEGIN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NIGHTLY = 'nightly: {at: "02:00", window: 4h}'
Scan = Callable[[Target, AuditContext, Stop], TargetResult]


def good(target: Target, audit: AuditContext, stop: Stop) -> TargetResult:
    facts = replace(LINUX, target=target.name, collected_at=audit.clock(), machine_id=target.name)
    return TargetResult(target=target, outcome="assessed", facts=facts, seconds=0.01)


def bad(kind: str) -> Scan:
    return lambda target, audit, stop: TargetResult(target=target, outcome="unreachable", error=TargetError(kind, "no"))  # type: ignore[arg-type]


class House:
    """An agent in a folder, whose hosts are what `scans` says (by name; else they are well)."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.now = folder, BEGIN
        self.ticks = 0.0  # the monotonic clock, which nobody sets
        self.scans: dict[str, Scan] = {}
        self.asked: list[str] = []
        self.said: list[str] = []
        monkeypatch.setattr("auditor.audit.executor.scan", self._scan)
        monkeypatch.setattr("auditor.audit.executor.MOST_TOGETHER", 1)  # each is stored before the next, as a slow fleet's are
        monkeypatch.setattr(
            "auditor.agent.loop.give_memory_back", lambda: None
        )  # it is the tests' memory, and there is much of it
        monkeypatch.chdir(folder)
        self.log = start("text")
        self.log.handlers[:] = [_Told(self.said)]

    def _scan(self, target: Target, audit: AuditContext, stop: Stop, assessor: object) -> TargetResult:
        self.asked.append(target.name)
        return self.scans.get(target.name, good)(target, audit, stop)

    def write(self, schedule: str = NIGHTLY, hosts: int = 3, more: str = "") -> None:
        names = "".join(f"  h{n}: {{address: 192.0.2.{n + 1}}}\n" for n in range(hosts))
        (self.folder / "inventory.yaml").write_text(f"hosts:\n{names}schedule:\n  {schedule}\nhistory: a.db\n{more}")

    def agent(self) -> Agent:
        def again(beat: Callable[[], None]) -> Any:
            return replace(read(None, None, None, self.said.append, beat), clock=lambda: self.now)

        return Agent(World(lambda: self.now, again, monotonic=lambda: self.ticks), self.log)

    def looks(self, agent: Agent, until: datetime, step: timedelta = timedelta(hours=1)) -> None:
        while self.now < until:
            agent.look()
            self.now += step
            self.ticks += step.total_seconds()

    def nights(self) -> list[tuple[str, str, str]]:
        with closing(Store(self.folder / "a.db")) as store:
            return [(r["due"][:16], r["state"], r["reason"] or "") for r in reversed(scheduled_runs.listed(store.db, 1000))]

    def runs(self) -> list[Run]:
        with closing(Store(self.folder / "a.db")) as store:
            return [store.run(r["id"]) for r in reversed(store.runs(1000))]


class _Told(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


def killed_in(house: House, host: str) -> Agent:
    """An agent that dies while it asks a host, at 02:00."""
    agent = house.agent()
    house.looks(agent, BEGIN + timedelta(hours=14))

    class Killed(BaseException):
        pass

    def killed(*_: object) -> TargetResult:
        raise Killed

    house.scans[host] = killed
    with pytest.raises(Killed):
        agent.look()
    house.scans.clear()
    return agent
