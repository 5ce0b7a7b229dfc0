"""`auditor commands`: everything that can be run on a host."""

from __future__ import annotations

import click

from auditor.collectors.script import DIGEST, PRIVILEGED, SCRIPT


@click.command()
@click.option("--script", is_flag=True, help="Only the script's text, byte for byte.")
def commands(script: bool) -> None:
    """Everything that can be run on a host: the collection script, and what it asks of sudo.

    The script is run as: sh -c SCRIPT auditor MARKER FORM DEPTH PRIVILEGE [SETTING]...
    """
    if script:
        click.echo(SCRIPT, nl=False)
        return
    click.echo(
        f"One command per host: sh -c SCRIPT auditor MARKER FORM DEPTH PRIVILEGE [SETTING]...\nSHA-256 of SCRIPT: {DIGEST}\n"
    )
    click.echo("By sudo, only where the inventory says `become`, each by a sudo of its own:")
    for line in PRIVILEGED:
        click.echo(f"  {line}")
    click.echo("\nThe script (auditor commands --script prints it alone):\n")
    click.echo(SCRIPT)
