"""The workers of the soak's zones, of which some are killed or stopped in a night."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from contextlib import AbstractContextManager
from typing import Self

from tests.lab.zones import ZoneLab

PER_ZONE = 2


class Workers:
    """Two for each zone; who is killed is started anew. A context."""

    def __init__(self, lab: ZoneLab, served: str) -> None:
        self._lab, self._served = lab, served
        self._contexts: dict[tuple[str, int], AbstractContextManager[subprocess.Popen[bytes]]] = {}
        self._processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        self._threads: list[threading.Thread] = []
        self.killed = self.stopped = 0

    def __enter__(self) -> Self:
        for zone in self._lab.zones:
            for number in range(PER_ZONE):
                self._start((zone, number))
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
        for context in self._contexts.values():
            context.__exit__(None, None, None)

    def _start(self, which: tuple[str, int]) -> None:
        zone, number = which
        settings = self._lab.settings(zone, self._served, file=f"{zone}-{number}")
        self._contexts[which] = self._lab.worker(zone, settings)
        self._processes[which] = self._contexts[which].__enter__()

    def lose(self, chance: random.Random) -> None:
        """At most one of each zone is killed, or stopped for longer than the broker waits, at a moment of the night: an order of
        a host is lost once at most, so every host has its answer."""
        for zone in self._lab.zones:
            what = chance.choice(("kill", "stop", ""))
            which, moment = (zone, chance.randrange(PER_ZONE)), chance.uniform(0.5, 6)
            if what:
                self._threads.append(threading.Thread(target=self._lose, args=(which, moment, what == "kill")))
                self._threads[-1].start()

    def _lose(self, which: tuple[str, int], moment: float, kill: bool) -> None:
        time.sleep(moment)
        process = self._processes[which]
        if kill:
            process.kill()
            process.wait()
            self.killed += 1
            self._start(which)
            return
        process.send_signal(signal.SIGSTOP)
        self.stopped += 1
        time.sleep(16)
        process.send_signal(signal.SIGCONT)
