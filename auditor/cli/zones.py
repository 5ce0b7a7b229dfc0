"""`auditor zones`: setting a zone up."""

from __future__ import annotations

import click

from auditor.cli import options
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import UsageFault
from auditor.inventory.selection import open_inventory
from auditor.model.target import is_host
from auditor.model.zone import is_zone


@click.group(cls=SuggestingGroup)
def zones() -> None:
    """Zones, whose hosts are asked by workers near them: setup."""


@zones.command()
@click.argument("name")
@options.inventory
@click.option("--broker", metavar="HOST", help="The broker's host name; else the inventory's.")
def setup(name: str, inventory: str | None, broker: str | None) -> None:
    """Print a shell script that sets one zone up: certificates and keys, the broker's accounts, rights and queues for just this zone,
    RabbitMQ's settings, and how the worker's file begins.

    It changes nothing by itself; read it, and run its parts where they say.
    """
    from auditor.zones.setup import is_address, script

    if not is_zone(name):
        raise UsageFault(
            f"{name!r} cannot be a zone's name: small letters, digits and hyphens, at most 40, and not ca, broker, centre or …-signing"
        )
    opened = open_inventory(inventory)
    host, vhost = broker or "mq.example", "auditor"
    if opened.broker:
        host, vhost = broker or opened.broker.host, opened.broker.vhost
    if not is_host(host) or (":" in host and not is_address(host)):
        raise UsageFault(f"{host!r} is no host name and no address; the port is 5671")
    click.echo(script(name, host, vhost), nl=False)
