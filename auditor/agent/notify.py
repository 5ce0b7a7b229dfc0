"""What systemd wants to hear: sd_notify(3), and its watchdog."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable


def notify(text: str) -> None:
    """Tell the service manager, where there is one; it does without where it cannot be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.connect("\0" + address[1:] if address.startswith("@") else address)
            out.send(text.encode())
    except OSError:
        pass


class Pulse:
    """Feeds systemd's watchdog as long as something gets done: where `beat` was not called for `patience` seconds, the agent
    hangs, and is not spoken for any more."""

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock, self._last = patience, clock, clock()
        self._done = threading.Event()
        given = os.environ.get("WATCHDOG_USEC", "")
        # Half of what it allows (sd_watchdog_enabled(3)).
        self._interval = int(given) / 2e6 if given.isdigit() and int(given) else None

    def beat(self) -> None:
        """Note that something got done."""
        self._last = self._clock()

    @property
    def alive(self) -> bool:
        """Did something get done within the patience?"""
        return self._clock() - self._last < self._patience

    def __enter__(self) -> Pulse:
        if self._interval:
            threading.Thread(target=self._run, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _run(self) -> None:
        while not self._done.wait(self._interval):
            if self.alive:
                notify("WATCHDOG=1")
