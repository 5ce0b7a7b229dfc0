"""Was this process stopped for a while (SIGSTOP, a frozen machine)? What timed out meanwhile says nothing of a host."""

from __future__ import annotations

import threading
import time

_TICK, _GAP = 0.25, 3.0  # seconds between ticks, and without one, after which the process was stopped


class StopWatch:
    """A thread that ticks; where it did not, nobody did."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._ended = float("-inf")  # when the newest gap was over
        self._turn = threading.Lock()
        threading.Thread(target=self._run, name="ticks", daemon=True).start()

    def since(self, moment: float) -> bool:
        """Was the process stopped at any time since a moment (seconds of the monotonic clock)?"""
        self._tick()
        return self._ended >= moment

    def _tick(self) -> None:
        with self._turn:
            now = time.monotonic()
            if now - self._last > _GAP:
                self._ended = now
            self._last = now

    def _run(self) -> None:
        while True:
            time.sleep(_TICK)
            self._tick()
