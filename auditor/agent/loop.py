"""The agent's loop: looks three times a minute at what is due, runs one audit at a time, and ends when it is told to.

`schedule` drives it. What is due follows from the history and the clock alone (auditor/agent/due.py), so a killed agent and a
clock that was set change nothing about it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import FrameType
from typing import TypeVar

import schedule
from msgspec import Struct

from auditor.agent import scheduler
from auditor.agent.due import EPOCH, after
from auditor.agent.job import LoadedSettings
from auditor.agent.notify import Pulse, notify
from auditor.agent.scheduler import ClockRegressionGuard, DueAudit
from auditor.errors import AuditorError, FileFaults
from auditor.foundation.deadline import Stop
from auditor.foundation.memory import give_memory_back
from auditor.foundation.sanitize import counted
from auditor.history.lock import agent_lock, only_one

T = TypeVar("T")
_FIRST_WAIT, _LONGEST_WAIT = 60.0, 14400.0  # seconds until an audit that failed as a whole is tried again
_LAST_RESORT = 9.0  # seconds after SIGTERM; systemd and people wait for ten
_PATIENCE = 3600.0  # seconds without anything done, after which the agent counts as hanging: more than any host may take


class World(Struct, frozen=True):
    """What is outside: the clocks, and reading the settings anew; `pause` is the seconds between two looks, `doubt` those
    until a clock that was set back is believed."""

    clock: Callable[[], datetime]
    read: Callable[[Callable[[], None]], LoadedSettings]
    pause: int = 20
    doubt: float = 1800.0
    monotonic: Callable[[], float] = time.monotonic


class Agent:
    """One process for one history."""

    def __init__(self, world: World, log: logging.Logger) -> None:
        self._world, self._log = world, log
        self._pulse = Pulse(_PATIENCE)
        self._wake = threading.Event()
        self._leaving = self._again = False
        self._stop = Stop()
        self._last_resort = threading.Timer(_LAST_RESORT, _quit, [log])
        self._last_resort.daemon = True
        self._busy = False
        self._faults: dict[str, str] = {}
        self._failed: dict[tuple[str, datetime], tuple[int, float]] = {}  # how often, and until when it waits
        self._doubt = ClockRegressionGuard(world.doubt, world.monotonic)
        self._settings = world.read(self._pulse.beat)

    @property
    def settings(self) -> LoadedSettings:
        """The settings that are in force."""
        return self._settings

    def run(self) -> None:
        """Until SIGTERM or SIGINT. HistoryError where another agent works with the same history."""
        with only_one(agent_lock(self._settings.history), "an agent with this history"), self._signals(), self._pulse:
            self._log.info("started: %s", said(self._settings, self._world.clock()))
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
            self._last_resort.cancel()
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
            self._once("clock", "the clock says a day before 2020; nothing is run until it is set")
            return
        self._faults.pop("clock", None)
        waiting = self._try("schedule", lambda: scheduler.due_now(self._settings, now, self._doubt)) or []
        for work in waiting:
            if self._leaving:
                return
            if self._failed.get(_key(work), (0, 0.0))[1] <= self._world.monotonic():
                self._audit(work)
        busy = bool(self._try("mail", lambda: scheduler.send_mails(self._settings, now, self._stoppable())) or waiting)
        if busy or self._busy:  # and once more a look later, when the last time limits of hosts that hung have passed
            give_memory_back()
        self._busy = busy

    def _audit(self, work: DueAudit) -> None:
        """One audit. Where it failed as a whole, or could not be kept, it is done again after a wait: at once would ask all
        hosts at every look."""
        stop = self._stoppable()
        ended = self._try(work.plan.name, lambda: scheduler.do(work, self._settings, stop, lambda: self._leaving, self._log))
        if ended and ended.kept:
            self._failed.pop(_key(work), None)
            return
        times = self._failed.get(_key(work), (0, 0.0))[0] + 1
        wait = min(_FIRST_WAIT * 2 ** (times - 1), _LONGEST_WAIT)
        self._failed[_key(work)] = times, self._world.monotonic() + wait
        self._log.error("%s of %s is tried again in %.0f min", work.plan.name, f"{work.due:%Y-%m-%d %H:%M} UTC", wait / 60)

    def _stoppable(self) -> Stop:
        """For what is begun now: SIGTERM ends it."""
        self._stop = Stop()
        if self._leaving:
            self._stop.now()
        return self._stop

    def _try(self, what: str, do: Callable[[], T]) -> T | None:
        """Whatever goes wrong with one thing is said, once for all looks, and stands in the way of no other."""
        try:
            found = do()
        except AuditorError as e:
            fault = str(e)
        except Exception as e:
            fault = f"a fault of auditor itself, please report it: {type(e).__name__}: {e}"
        else:
            self._faults.pop(what, None)
            return found
        self._once(what, fault)
        return None

    def _once(self, what: str, fault: str) -> None:
        """What goes wrong at every look is said when it begins."""
        if fault != self._faults.get(what):
            self._log.error("%s", fault)
        self._faults[what] = fault

    def reload(self) -> None:
        """Read inventory and rules anew; what is faulty is refused, and the old settings stay."""
        self._again = False
        notify("RELOADING=1")
        try:
            self._settings = self._world.read(self._pulse.beat)
        except Exception as e:
            for fault in e.faults if isinstance(e, FileFaults) else [str(e) or type(e).__name__]:
                self._log.error("%s", fault)
            self._log.error("not reloaded: the settings of before stay in force")
        else:
            self._log.info("reloaded: %s", said(self._settings, self._world.clock()))
        notify("READY=1")

    def _signals(self) -> _Signals:
        return _Signals(self._on_end, self._on_reload)

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        if not self._leaving:
            self._last_resort.start()
        self._leaving = True
        self._wake.set()
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


def _quit(log: logging.Logger) -> None:
    """What cannot be stopped is left: a history survives a kill at any moment, and the next agent goes on."""
    log.error(
        "something did not come to its end within %g s; the agent ends without it, and the next one goes on", _LAST_RESORT
    )
    os._exit(0)


def _key(work: DueAudit) -> tuple[str, datetime]:
    return work.plan.name, work.due


def said(settings: LoadedSettings, now: datetime) -> str:
    """What is scheduled, in one line."""
    plans = settings.opened.plans
    upcoming = [f"{p.name} at {after(p, now):%Y-%m-%d %H:%M} UTC" for p in plans]
    return f"{counted(len(settings.opened.targets), 'host')}; next: {', '.join(upcoming)}"
