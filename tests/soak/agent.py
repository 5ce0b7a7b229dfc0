"""The agent as its command runs it, but for the clock: the real one, moved by the seconds that a file holds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from auditor.agent.job import LoadedSettings
from auditor.agent.log import start
from auditor.agent.loop import Agent, World
from auditor.cli.agent import read
from auditor.foundation.clock import utc_now


def main() -> None:
    offset = Path(sys.argv[1])

    def clock() -> datetime:
        return utc_now() + timedelta(seconds=float(offset.read_text()))

    log = start("json")

    def settings(beat: Callable[[], None]) -> LoadedSettings:
        return replace(read(None, None, None, lambda text: log.warning("%s", text), beat), clock=clock)

    Agent(World(clock, settings, pause=1, doubt=2.0), log).run()


main()
