"""`auditor attest`: facts given by people, kept in the attestations file that the inventory names."""

from __future__ import annotations

import getpass
from datetime import date, datetime
from glob import escape
from pathlib import Path

import click

from auditor.cli import options
from auditor.cli.json_output import show_json
from auditor.cli.records import append, file_of, file_option, meant
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import FileFaults, UsageFault
from auditor.foundation.clock import utc_now
from auditor.inventory.selection import open_inventory
from auditor.inventory.waivers import read_attestations
from auditor.model.finding import Attestation
from auditor.rulebook.loader import load
from auditor.rulebook.rulebook import attestable


@click.group(cls=SuggestingGroup)
def attest() -> None:
    """Facts given by people: add, list."""


@attest.command()
@click.argument("rule_id", metavar="RULE")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--state", type=click.Choice(["done", "not-done", "restart-pending"]), required=True)
@click.option("--by", metavar="NAME", help="Who attests; default the user who calls.")
@click.option("--date", "day", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="Default today.")
@click.option("--expires", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="The last day it counts.")
@click.option("--reference", metavar="TEXT", default="", help="A ticket, a contract.")
@options.inventory
@options.rules
@file_option("attestations")
def add(rule_id: str, targets: tuple[str, ...], state: str, by: str | None, day: datetime | None, expires: datetime | None,
        reference: str, inventory: str | None, rule_paths: tuple[str, ...], given: Path | None) -> None:  # fmt: skip
    """Attest that a rule is met (or not) on targets: names, globs, @groups."""
    path = file_of("attestations", inventory, given)
    rules = {r.id: r for r in load(rule_paths, situational=True).rules}
    meant(rules, escape(rule_id), targets, open_inventory(inventory))
    if not attestable(rules[rule_id]):
        raise UsageFault(
            f"{rule_id} is read from the host and takes no attestation; what somebody answers for is a waiver: auditor waivers add"
        )
    if day and day.date() > utc_now().date():
        raise UsageFault(f"{day.date()} is still to come; what is attested has happened")
    record: dict[str, object] = {
        "rule": rule_id,
        "targets": list(dict.fromkeys(targets)),
        "state": state,
        "by": getpass.getuser() if by is None else by,
    }
    record["date"] = (day.date() if day else utc_now().date()).isoformat()
    if expires:
        record["expires"] = expires.date().isoformat()
    if reference:
        record["reference"] = reference
    if expires and expires.date().isoformat() < str(record["date"]):
        raise UsageFault(f"it would expire on {expires.date()}, before its date {record['date']}")
    append(path, record, read_attestations)
    click.echo(f"{path}: {rule_id} on {', '.join(targets)} attested as {state}")


@attest.command("list")
@options.inventory
@file_option("attestations")
@options.formats("text", "json")
def list_(inventory: str | None, given: Path | None, form: str | None) -> None:
    """Every attestation, and which of them have expired."""
    faults: list[str] = []
    attestations = read_attestations(file_of("attestations", inventory, given), faults, faults)
    if faults:
        raise FileFaults(faults)
    if form == "json":
        show_json(attestations)
        return
    for a in attestations:
        click.echo(
            f"{a.rule}  {', '.join(a.targets)}  {a.state}  by {a.by} on {a.date}{_state(a, utc_now().date())}  {a.reference}".rstrip()
        )


def _state(a: Attestation, today: date) -> str:
    if a.date > today:
        return "  (dated in the future: counts as unknown)"
    return f"  (expired {a.expires})" if a.expires and a.expires < today else f"  (until {a.expires})" if a.expires else ""
