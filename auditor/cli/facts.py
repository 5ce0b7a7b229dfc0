"""`auditor facts`: the facts of hosts as JSON."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from auditor.audit.stored_facts import check_importable, read_facts, store_facts
from auditor.cli import exits, options
from auditor.cli.json_output import encoded, show_json
from auditor.cli.stored_history import open_store
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.files import write_file, write_out
from auditor.foundation.sanitize import counted, one_line
from auditor.history.store import Store
from auditor.inventory.selection import open_inventory
from auditor.model.facts import HostFacts
from auditor.rulebook.loader import load


@click.group(cls=SuggestingGroup)
def facts() -> None:
    """Facts of hosts as JSON: show, export, import, schema."""


@facts.command()
def schema() -> None:
    """The JSON Schema of auditor.facts/1."""
    show_json(msgspec.json.schema(HostFacts))


@facts.command()
@click.argument("host")
@options.history
@options.inventory
@click.option("--run", "run_id", metavar="ID", help="Of this run; default the newest that has facts of the host.")
@options.output
def export(host: str, history: str | None, inventory: str | None, run_id: str | None, output: Path | None) -> int:
    """One host's newest facts as JSON, as `auditor judge` and `auditor facts import` read them."""
    opened = open_inventory(inventory)
    options.check_outputs(opened, options.history_path(history, opened), output)
    body = encoded(_stored(host, history, inventory, run_id)) + b"\n"
    written = write_file(output, body) if output else write_out(body)
    return exits.ALL_WELL if written else exits.INCOMPLETE


@facts.command()
@click.argument("host")
@options.history
@options.inventory
@click.option("--run", "run_id", metavar="ID", help="Of this run; default the newest that has facts of the host.")
def show(host: str, history: str | None, inventory: str | None, run_id: str | None) -> None:
    """One host's newest facts in short, for people."""
    f = _stored(host, history, inventory, run_id)
    click.echo(
        f"{one_line(f.target)}, read {f.collected_at:%Y-%m-%d %H:%M} UTC over {one_line(f.method or 'an unknown method')}"
    )
    for name in ("product", "name", "kernel", "arch", "service_pack", "build"):
        if (value := getattr(f.platform, name)) is not None:
            click.echo(f"  {name}: {one_line(value)}")
    for name in ("packages", "hotfixes", "services", "programs", "listeners", "stale_processes", "containers"):
        value = getattr(f, name)
        click.echo(f"  {name}: {'not known' if value is None else len(value)}")
    for listener in f.listeners or ():
        click.echo(
            f"    {one_line(listener.endpoint)} {one_line(listener.process or '?')} backlog {'?' if listener.backlog is None else listener.backlog}"
        )
    for key, setting in (f.settings or {}).items():
        state = "not known" if setting is None else setting.value if setting.state == "present" else setting.state
        click.echo(f"  {one_line(key)}: {one_line(state)}")
    for o in f.outcomes:
        if o.outcome != "ok":
            click.echo(f"  {one_line(o.name)} {o.outcome}: {one_line(o.reason)}")


@facts.command("import")
@click.argument("paths", metavar="FACTS.json|FOLDER...", nargs=-1, required=True)
@options.history
@options.inventory
@options.rules
@options.advisories
def import_(
    paths: tuple[str, ...], history: str | None, inventory: str | None, rule_paths: tuple[str, ...], advisories: str | None
) -> None:
    """Store facts made elsewhere as a run of the history, judged by the rules of today."""
    opened = open_inventory(inventory)
    given, now = read_facts(paths), utc_now()
    check_importable(given, now)
    rulebook = load(rule_paths, situational=opened.policy.situational)
    with Store(options.history_path(history, opened)) as store:
        run = store_facts(given, store, rulebook, opened, now, options.advisory_database(advisories, opened, history))
    click.echo(f"{counted(len(given), 'host')} imported as run {run.id}")


def _stored(host: str, history: str | None, inventory: str | None, run_id: str | None) -> HostFacts:
    with open_store(history, inventory) as store:
        run = store.run(run_id or store.latest_with(host))
    found = next((r.facts for r in run.results if r.target.name == host and r.facts), None)
    if found is None:
        raise UsageFault(f"run {run.id} has no facts of {host!r}")
    return found
