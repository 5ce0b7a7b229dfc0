"""`auditor history diff`."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.history.lines import print_rows, question, when
from auditor.cli.stored_history import open_store
from auditor.errors import UsageFault
from auditor.foundation.sanitize import one_line
from auditor.history import changes, fleet
from auditor.history.store import Store
from auditor.model.past import Change


@click.command()
@click.argument("first", metavar="[RUN", required=False)
@click.argument("second", metavar="[RUN]]", required=False)
@question
def diff(first: str | None, second: str | None, history: str | None, inventory: str | None, form: str | None) -> None:
    """What changed: between two runs, from a run to the newest, or between the newest and the one before that had a host of it.

    A host that was not assessed keeps what was last known of it: what a failed scan leaves out is never "fixed".
    """
    with open_store(history, inventory) as store:
        low, high = _two(store, first, second)
        with store.guard("read"):
            begin, end = (fleet.high_of_run(store.db, run["n"]) for run in (low, high))
            rows = changes.diff(store.db, begin, end, fleet.names(store.db, (low["n"], high["n"])))
    if form in (None, "text"):
        click.echo(f"from {low['id']} ({when(low['started'])}) to {high['id']} ({when(high['started'])})")
    print_rows(form, rows, _change_line, empty="nothing changed")


def _two(store: Store, first: str | None, second: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    high = store.row(second or store.latest())
    with store.guard("read"):
        before = fleet.runs_before(store.db, high["n"], 1)
    if not first and not before:
        raise UsageFault(f"no run before {high['id']} had a host of it: nothing to compare")
    low = store.row(first or before[0][1])
    if low["n"] > high["n"]:
        low, high = high, low
    return low, high


def _change_line(c: Change) -> str:
    of = f"  {c.rule}  {c.title}{'' if c.obligation == 'required' else f' ({c.obligation})'}" if c.rule else ""
    what = one_line(c.what, 600)
    return f"{c.kind:15} {c.severity:9} {c.host}{of}" + (f"  {what}" if what else "")
