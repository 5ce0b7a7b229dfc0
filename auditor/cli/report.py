"""`auditor report`: past runs and their reports, from the history."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.stored_history import open_store
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.files import write_file, write_out
from auditor.foundation.messages import on_stderr
from auditor.foundation.sanitize import counted, one_line
from auditor.history import outbox as mails
from auditor.inventory.selection import open_inventory
from auditor.mail.delivery import compose, send_due
from auditor.mail.smtp import send as hand_over
from auditor.model.mailing import Mailing, is_address
from auditor.report.formats import FORMS, render, suffix


@click.group(cls=SuggestingGroup)
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
        show_json(rows)
        return
    for r in rows:
        state = "killed, not counted" if not r["finished"] else "stopped early" if r["interrupted"] else "complete"
        click.echo(
            f"{r['id']}  {r['started'][:16].replace('T', ' ')} UTC  {counted(r['targets'], 'host')}, {r['unassessed'] or 0} not assessed, "
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
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; default auditor-RUN with the suffix of the format.",
)
def export(run: str | None, history: str | None, inventory: str | None, form: str | None, output: Path | None) -> int:
    """Write a run's report to a file: the HTML as it was written then, or any other format."""
    form = form or "html"
    opened = open_inventory(inventory)
    options.check_outputs(opened, options.history_path(history, opened), output)
    with open_store(history, inventory) as store:
        found = store.run(run or store.latest(), slim=True)
        content = store.report(found.id) if form == "html" else render(found, form)
    path = output or Path(f"auditor-{found.id}{suffix(form)}")
    if not write_file(path, content):
        return exits.INCOMPLETE
    if str(path) != "-":
        click.echo(str(path.absolute()))
    return exits.ALL_WELL


@report.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--to", metavar="ADDRESS", multiple=True, help="To whom; repeatable; default the inventory's.")
@click.option(
    "--preview", metavar="FILE.eml", type=click.Path(dir_okay=False, path_type=Path), help="Write the mail to a file instead."
)
@options.history
@options.inventory
def send(run: str | None, to: tuple[str, ...], preview: Path | None, history: str | None, inventory: str | None) -> int:
    """Mail one run's report (the newest finished one's), now and once."""
    mailing = _mailing(inventory)
    for address in to:
        if not is_address(address):
            raise UsageFault(f"{address!r} is no address that mail can be sent to")
    opened = open_inventory(inventory)
    options.check_outputs(opened, options.history_path(history, opened), preview)
    with open_store(history, inventory) as store:
        ident = store.row(run or store.latest())["id"]
        mail = compose(store, ident, mailing, to or mailing.to)
    if preview:
        if not write_file(preview, mail.as_bytes()):
            return exits.INCOMPLETE
        click.echo(str(preview.absolute()))
        return exits.ALL_WELL
    hand_over(mail, mailing, to or mailing.to)
    click.echo(f"run {ident} was mailed to {', '.join(to or mailing.to)}")
    return exits.ALL_WELL


@report.command()
@click.option("--send", "now", is_flag=True, help="Try all that wait, whenever their next turn would be.")
@options.history
@options.inventory
@options.formats("text", "json")
def outbox(now: bool, history: str | None, inventory: str | None, form: str | None) -> int:
    """Mails that are due: sent, or waiting and why."""
    done = True
    with open_store(history, inventory) as store:
        if now:
            done = send_due(store, _mailing(inventory), utc_now(), on_stderr, all_=True)
        with store.guard("read"):
            rows = mails.listed(store.db)
    if form == "json":
        show_json(rows)
    else:
        for r in rows:
            to = ", ".join(msgspec.json.decode(r["recipients"]))
            tries = f"{r['attempts']} {'try' if r['attempts'] == 1 else 'tries'}"
            if r["unanswered"]:
                tries += f", {r['unanswered']} of them without an answer: it may have arrived more than once"
            state = (
                f"sent {r['sent'][:16]}"
                if r["sent"]
                else f"waits until {r['next_try'][:16] if r['next_try'] else 'the next run'}: {r['error'] or 'not tried yet'}"
            )
            click.echo(one_line(f"{r['run']}  to {to}  {tries}  {state}"))
        if not rows:
            click.echo("no mail was ever due")
    return exits.ALL_WELL if done else exits.INCOMPLETE


def _mailing(inventory: str | None) -> Mailing:
    opened = open_inventory(inventory)
    if opened.mail is None:
        raise UsageFault("the inventory has no `mail:`; it needs at least server, sender and to")
    return opened.mail
