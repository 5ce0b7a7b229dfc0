"""`auditor history trend`."""

from __future__ import annotations

import click
import msgspec

from auditor.cli.history.lines import print_csv, print_one_off, question, safe, when
from auditor.cli.json_output import show_json
from auditor.cli.stored_history import open_store
from auditor.foundation.sanitize import counted
from auditor.history import fleet
from auditor.history import trend as trends


@click.command()
@click.option("--runs", "count", default=30, show_default=True, type=click.IntRange(1), help="So many of the newest runs.")
@question
def trend(count: int, history: str | None, inventory: str | None, form: str | None) -> None:
    """The fleet after each run: compliance, by group and severity; how long fixing took, how old what is open is.

    The fleet is what the inventory names; a host that was not assessed counts as it was last known. A run's own report
    counts the hosts of that run only.
    """
    with open_store(history, inventory) as store, store.guard("read"):
        found = trends.trend(store.db, count)
        others = fleet.one_off(store.db)
    if form == "json":
        show_json(found)
        return
    if form == "csv":
        print_csv([{**msgspec.to_builtins(p), "open": sum(p.open.values())} for p in found.points])
        return
    for p in found.points:
        compliance = "nothing judged" if p.compliance is None else f"{p.compliance:.1%}"
        by = ", ".join(f"{count} {severity}" for severity, count in p.open.items()) or "nothing"
        click.echo(
            f"{p.run}  {when(p.started)}  {compliance}  open: {by}; {p.unknown} unknown; {p.unassessed} of {counted(p.hosts, 'host')} not assessed"
        )
    for group, share in found.groups.items():
        click.echo(safe(f"group {group}: {share:.1%}"))
    for severity, days in found.fix_days.items():
        click.echo(f"{severity}: fixed after {days:.1f} days on average")
    for severity, (number, mean, longest) in found.open_days.items():
        click.echo(f"{severity}: {number} open, for {mean:.1f} days on average, {longest:.1f} at most")
    print_one_off(found.points, others)
