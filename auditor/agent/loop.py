"""The agent's loop: looks three times a minute at what is due, runs one audit at a time, and ends when it is told to.

`schedule` drives it. What is due follows from the history and the clock alone (auditor/due.py), so a killed agent and a
clock that was set change nothing about it.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from types import FrameType

import schedule
from msgspec import Struct

from auditor.agent import attend
from auditor.agent.lock import agent_lock, only_one
from auditor.agent.night import Setting
from auditor.agent.notify import Pulse, notify
from auditor.due import EPOCH, after
from auditor.errors import FileFaults, HistoryError, UsageFault
from auditor.transports.deadline import Stop

_PATIENCE = 3600.0  # seconds without anything done, after which the agent counts as hanging: more than any host may take


class World(Struct, frozen=True):
    """What is outside: the clock, and reading the settings anew; `pause` is the seconds between two looks."""

    clock: Callable[[], datetime]
    read: Callable[[Callable[[], None]], Setting]
    pause: int = 20


class Agent:
    """One process for one history."""

    def __init__(self, world: World, log: logging.Logger) -> None:
        self._world, self._log = world, log
        self._pulse = Pulse(_PATIENCE)
        self._wake = threading.Event()
        self._leaving = self._again = False
        self._stop: Stop | None = None
        self._fault = ""
        self._setting = world.read(self._pulse.beat)

    @property
    def setting(self) -> Setting:
        return self._setting

    def run(self) -> None:
        """Until SIGTERM or SIGINT. HistoryError where another agent works with the same history."""
        with only_one(agent_lock(self._setting.history), "an agent with this history"), self._signals(), self._pulse:
            self._log.info("started: %s", said(self._setting, self._world.clock()))
            notify("READY=1")
            self.look()
            scheduler = self._scheduler()
            while not self._leaving:
                scheduler.run_pending()
                idle = scheduler.idle_seconds
                pause = self._world.pause
                if idle is None or not -pause <= idle <= pause:  # the machine's clock was set: `schedule` counts by it
                    scheduler, idle = self._scheduler(), float(pause)
                self._wake.wait(max(0.05, idle))
                self._wake.clear()
                if self._again and not self._leaving:
                    self.reload()
            notify("STOPPING=1")
            self._log.info("ended")

    def _scheduler(self) -> schedule.Scheduler:
        scheduler = schedule.Scheduler()
        scheduler.every(self._world.pause).seconds.do(self.look)
        return scheduler

    def look(self) -> None:
        """Do what is due; whatever goes wrong is logged, and looked at again next time."""
        self._pulse.beat()
        now = self._world.clock()
        if now < EPOCH:
            self._once("the clock says a day before 2020; nothing is run until it is set")
            return
        try:
            for work in attend.due_now(self._setting, now):
                if self._leaving:
                    return
                self._stop = Stop()
                attend.do(work, self._setting, self._stop, lambda: self._leaving, self._log)
                self._stop = None
            attend.send_mails(self._setting, now)
        except (HistoryError, UsageFault) as e:
            self._once(str(e))
        except Exception as e:
            self._once(f"a fault of auditor itself, please report it: {type(e).__name__}: {e}")
        else:
            self._fault = ""

    def _once(self, fault: str) -> None:
        """What goes wrong at every look is said when it begins."""
        if fault != self._fault:
            self._log.error("%s", fault)
        self._fault = fault

    def reload(self) -> None:
        """Read inventory and rules anew; what is faulty is refused, and the old settings stay."""
        self._again = False
        notify("RELOADING=1")
        try:
            self._setting = self._world.read(self._pulse.beat)
        except (FileFaults, UsageFault) as e:
            for fault in e.faults if isinstance(e, FileFaults) else [str(e)]:
                self._log.error("%s", fault)
            self._log.error("not reloaded: the settings of before stay in force")
        else:
            self._log.info("reloaded: %s", said(self._setting, self._world.clock()))
        notify("READY=1")

    def _signals(self) -> _Signals:
        return _Signals(self._on_end, self._on_reload)

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        self._leaving = True
        self._wake.set()
        if self._stop:
            self._stop.now()

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        self._again = True
        self._wake.set()


class _Signals:
    """The handlers as long as the loop runs. Only the main thread may set them; elsewhere there are none."""

    def __init__(self, end: Callable[[int, FrameType | None], None], reload: Callable[[int, FrameType | None], None]) -> None:
        self._wanted = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, handler) for number, handler in self._wanted.items()}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what it gave, it takes


def said(setting: Setting, now: datetime) -> str:
    """What is scheduled, in one line."""
    plans = setting.opened.plans
    upcoming = [f"{p.name} at {after(p, now):%Y-%m-%d %H:%M} UTC" for p in plans]
    return f"{len(setting.opened.targets)} hosts; next: {', '.join(upcoming)}"
