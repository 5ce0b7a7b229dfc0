"""`auditor report`: past runs and their reports, from the history."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from auditor.cli import exits, options
from auditor.cli.output import write_file, write_out
from auditor.cli.stored import open_store
from auditor.report.forms import FORMS, render, suffix


@click.group()
def report() -> None:
    """List, show and export the reports of past runs."""


@report.command("list")
@options.history
@options.inventory
@options.formats("text", "json")
def list_(history: str | None, inventory: str | None, form: str | None) -> None:
    """Past runs, the newest first."""
    with open_store(history, inventory) as store:
        rows = store.runs()
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=1))
        return
    for r in rows:
        state = "killed, not counted" if not r["finished"] else "stopped early" if r["interrupted"] else "complete"
        click.echo(
            f"{r['id']}  {r['started'][:16].replace('T', ' ')} UTC  {r['targets']} hosts, {r['unassessed'] or 0} not assessed, "
            f"{r['missing']} required findings missing or pending  {state}{'' if r['report'] else ', no report'}"
        )


@report.command()
@click.argument("run", metavar="[RUN]", required=False)
@options.history
@options.inventory
@options.formats(*(form for form in FORMS if form != "html"))
def show(run: str | None, history: str | None, inventory: str | None, form: str | None) -> int:
    """One run (the newest finished one), as text or JSON."""
    with open_store(history, inventory) as store:
        found = store.run(run or store.latest(), slim=True)
    return exits.ALL_WELL if write_out(render(found, form or "text")) else exits.INCOMPLETE


@report.command()
@click.argument("run", metavar="[RUN]", required=False)
@options.history
@options.inventory
@options.formats("html", *(form for form in FORMS if form != "html"))
@click.option(
    "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Where to; default auditor-RUN.html."
)
def export(run: str | None, history: str | None, inventory: str | None, form: str | None, output: Path | None) -> int:
    """Write a run's report to a file: the HTML as it was written then, or its JSON or text."""
    form = form or "html"
    with open_store(history, inventory) as store:
        found = store.run(run or store.latest(), slim=True)
        content = store.report(found.id) if form == "html" else render(found, form)
    path = output or Path(f"auditor-{found.id}{suffix(form)}")
    if not write_file(path, content):
        return exits.INCOMPLETE
    click.echo(str(path.absolute()))
    return exits.ALL_WELL
