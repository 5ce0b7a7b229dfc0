"""`auditor history host`."""

from __future__ import annotations

import click

from auditor.cli.history.lines import finding_line, host_line, print_rows, question, safe
from auditor.cli.stored_history import open_store
from auditor.history import changes, fleet, queries


@click.command()
@click.argument("name", metavar="HOST")
@question
def host(name: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """What a host lacks or lacked, since when and until when."""
    with open_store(history, inventory) as store, store.guard("read"):
        rows = queries.of_host(store.db, name)
        state = fleet.states(store.db, fleet.last(store.db), [name]).get(name)
        same = fleet.renamed(store.db, [name])
        why = changes.why_not(store.db, name)
    if form in (None, "text"):
        click.echo(safe(host_line(state) if state else f"{name}: its results were pruned"))
        if why:
            click.echo(safe(f"  {why}"))
        for ident, names in same:
            others = ", ".join(n for n in names if n != name)
            click.echo(safe(f"  the same machine as {others} (machine id {ident})"))
    never = "nothing is known of it: it was never assessed"
    print_rows(
        form, rows, finding_line, empty="nothing was ever missing, pending or unknown" if state and state.assessed else never
    )
