"""`auditor record`: keep a host's raw answers."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.audit.context import new_context
from auditor.audit.recording import record as write_recording
from auditor.cli import exits, options
from auditor.errors import UsageFault
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import open_inventory, select
from auditor.model.target import Auth
from auditor.rulebook.loader import load


@click.command()
@click.argument("word", metavar="TARGET")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write.",
)
@options.inventory
@options.rules
@click.option("--deep", is_flag=True, help="Also ask apt-get -s what it would install.")
@options.login
def record(word: str, folder: Path, inventory: str | None, rule_paths: tuple[str, ...], deep: bool, user: str | None,
           key_file: str | None, secret: str | None, ask_password: bool, auth: Auth | None) -> int:  # fmt: skip
    """Keep a host's raw answers in a folder; `auditor scan replay:DIR` audits what it holds.

    A recording has the host's package list, listening sockets and process names: treat it as confidential.
    """
    targets = options.with_login(select([word], open_inventory(inventory)), user, key_file, secret, ask_password, auth)
    if len(targets) != 1:
        raise UsageFault(f"{word} names {len(targets)} hosts; record one at a time")
    if (folder / "recording.json").exists():
        raise UsageFault(f"{folder} holds a recording already; name another folder")
    context = new_context(load(rule_paths), Inventory(), deep=deep)
    recorded = write_recording(targets[0], folder, context)
    click.echo(f"{folder}: {recorded.size} bytes" + (f"; cut off: {recorded.truncated.message}" if recorded.truncated else ""))
    if not recorded.whole:
        click.echo("The answer is not whole: what is missing will be unknown at every replay.", err=True)
        return exits.INCOMPLETE
    return exits.ALL_WELL
