"""What is read from Windows hosts: one file for each kind of fact, with what it asks and a pure parse().

To add one: write the file, put it in the list below (docs: CONTRIBUTING.md). The ways of asking need no change.
"""

from __future__ import annotations

from auditor.collectors.windows import (
    hotfixes,
    hotpatch,
    licences,
    missing_updates,
    operating_system,
    processes,
    products,
    programs,
    reboot,
    services,
    settings,
)
from auditor.collectors.windows.queries import WindowsCollector

WINDOWS: tuple[WindowsCollector, ...] = (
    operating_system.COLLECTOR,
    hotfixes.COLLECTOR,
    services.COLLECTOR,
    settings.COLLECTOR,
    reboot.COLLECTOR,
    hotpatch.COLLECTOR,
    licences.COLLECTOR,
    programs.COLLECTOR,
    processes.COLLECTOR,
    products.COLLECTOR,
    missing_updates.COLLECTOR,
)
