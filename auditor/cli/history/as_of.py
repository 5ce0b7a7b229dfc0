"""`auditor history as-of`."""

from __future__ import annotations

import click

from auditor.cli.days import end_of_day
from auditor.cli.history.lines import finding_line, host_line, print_csv, print_one_off, question, safe
from auditor.cli.json_output import show_json
from auditor.cli.stored_history import open_store
from auditor.history import fleet, queries


@click.command("as-of")
@click.argument("day", metavar="DATE")
@question
def as_of(day: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """The fleet as it stood at the end of a day (2026-11-25, in UTC): each host's state, and what was not fulfilled.

    The fleet is what the inventory named; what was scanned once by its address is no part of it. Today means now.
    """
    end = end_of_day(day)
    with open_store(history, inventory) as store, store.guard("read"):
        high = fleet.high_of_day(store.db, end)
        hosts = fleet.members(store.db, high)
        rows = list(queries.standing(store.db, high, hosts))
        others = fleet.one_off(store.db)
    if form == "json":
        show_json({"as_of": end, "hosts": hosts, "findings": rows})
    elif form == "csv":
        print_csv(rows)
    else:
        for h in hosts:
            click.echo(safe(host_line(h)))
        for r in rows:
            click.echo(safe(f"{r.host}: {finding_line(r)}"))
        print_one_off(hosts, others)
