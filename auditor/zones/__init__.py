"""Hosts beyond one machine: orders travel out to the workers of a zone, facts travel home, over RabbitMQ (docs/scale.md)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from auditor.audit.executor import LocalExecutor, TargetExecutor
from auditor.errors import UsageFault
from auditor.inventory.inventory import Inventory
from auditor.model.target import Target
from auditor.model.zone import ZoneSeen

Seen = Callable[[], tuple[ZoneSeen, ...]]


def executor_for(
    targets: Iterable[Target], local: LocalExecutor, inventory: Inventory, history: Path | None, say: Callable[[str], None]
) -> tuple[TargetExecutor, Seen]:
    """Who scans these targets, and what is seen of zones then; nothing of zones is loaded where no target is in one."""
    if not any(t.zone for t in targets):
        return local, lambda: ()
    check_extra()
    from auditor.zones.fleet import FleetExecutor  # kombu costs a tenth of a second

    fleet = FleetExecutor(local, inventory, history, say)
    return fleet, lambda: fleet.seen


def check_extra() -> None:
    """UsageFault where what zones need is not installed."""
    if "kombu" not in sys.modules and find_spec("kombu") is None:
        raise UsageFault("zones need what is not installed with auditor alone: pip install 'auditor[zones]'")
