"""The history that a call or the inventory names."""

from __future__ import annotations

from pathlib import Path

from auditor.cli import options
from auditor.errors import HistoryError, WrongHistory
from auditor.history.location import no_place
from auditor.history.store import Store
from auditor.inventory.selection import open_inventory


def open_store(history: str | None, inventory: str | None) -> Store:
    """The history that is there; WrongHistory where there is none."""
    given = history or None
    opened = open_inventory(inventory)
    return Store(options.history_path(given, opened), create=False)


def check_place(path: Path) -> None:
    """WrongHistory, before any host is contacted, where a run cannot be kept at this path. A history that is damaged or
    overwritten, or whose disk is full, is no wrong one: the audit goes on without it, and says so."""
    if place := no_place(path):
        raise WrongHistory(f"no history can be kept at {path}: {place}")
    try:
        Store(path).close()
    except WrongHistory:
        raise
    except HistoryError:
        pass
