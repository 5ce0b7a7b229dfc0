"""What to ask of a host, and how to read the answer: one file each, with shell functions and a pure parse().

To add one: write the file, put it in the list below, drop a recording into tests/recordings (docs: CONTRIBUTING.md).
"""

from __future__ import annotations

from auditor.collectors.collector import Collector
from auditor.collectors.linux import (
    containers,
    counters,
    kernels,
    listeners,
    operating_system,
    packages,
    reboot,
    repositories,
    settings,
    stale_processes,
    updates,
)

# In the order of the script; `slow` ones come last, in a stream of their own, so that a hang costs only themselves.
LINUX: tuple[Collector, ...] = (
    operating_system.COLLECTOR,
    kernels.COLLECTOR,
    settings.COLLECTOR,
    counters.COLLECTOR,
    reboot.COLLECTOR,
    containers.COLLECTOR,
    packages.COLLECTOR,
    repositories.COLLECTOR,
    updates.COLLECTOR,
    listeners.COLLECTOR,
    stale_processes.COLLECTOR,
)
