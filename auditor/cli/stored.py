"""The history that a call or the inventory names."""

from __future__ import annotations

from auditor.cli import options
from auditor.history.store import Store
from auditor.inventory.select import open_inventory


def open_store(history: str | None, inventory: str | None) -> Store:
    """The history that is there; HistoryError where there is none."""
    given = history or None
    opened = open_inventory(inventory)
    return Store(options.history_path(given, opened), create=False)
