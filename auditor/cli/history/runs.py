"""`auditor history runs`."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.history.lines import print_rows, question, when
from auditor.cli.stored_history import open_store
from auditor.foundation.sanitize import counted


@click.command()
@question
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="So many, the newest first.")
def runs(history: str | None, inventory: str | None, form: str | None, limit: int) -> None:
    """Past runs with their counts, the newest first."""
    with open_store(history, inventory) as store:
        rows = store.runs(limit)
    print_rows(form, rows, lambda r: (
        f"{r['id']}  {when(r['started'])}  {counted(r['targets'], 'host')}, {r['unassessed'] or 0} not assessed, "
        f"{r['missing'] or 0} required missing or pending{_stale(r)}  {_state(r)}"
    ))  # fmt: skip


def _stale(run: dict[str, Any]) -> str:
    return f" and {run['stale']} as last known of the hosts not assessed" if run["stale"] else ""


def _state(run: dict[str, Any]) -> str:
    if run["thinned"]:
        return "thinned"
    return "killed, not counted" if not run["finished"] else "stopped early" if run["interrupted"] else "complete"
