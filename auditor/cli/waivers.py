"""`auditor waivers`: what somebody answers for, and until when."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path

import click

from auditor.advisories.feeds.authority import of_a_feed
from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.records import append, file_of, file_option, meant
from auditor.cli.stored_history import open_store
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import FileFaults, UsageFault
from auditor.evaluation.waiver_review import remarks, state
from auditor.foundation.clock import utc_now
from auditor.foundation.sanitize import counted, one_line
from auditor.inventory.selection import open_inventory
from auditor.inventory.waivers import read_waivers
from auditor.model.finding import Waiver
from auditor.rulebook.loader import load


@click.group(cls=SuggestingGroup)
def waivers() -> None:
    """Findings that somebody answers for: add, list, check."""


@waivers.command()
@click.argument("rule", metavar="RULE")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", required=True, help="Why.")
@click.option("--owner", metavar="NAME", help="Who answers for it; default the user who calls.")
@click.option("--expires", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="The last day it holds.")
@click.option("--permanent", is_flag=True, help="It has no end.")
@click.option("--pin", is_flag=True, help="It lapses when what is observed is another than in the newest run.")
@options.inventory
@options.history
@options.rules
@file_option("waivers")
def add(rule: str, targets: tuple[str, ...], reason: str, owner: str | None, expires: datetime | None, permanent: bool,
        pin: bool, inventory: str | None, history: str | None, rule_paths: tuple[str, ...], given: Path | None) -> None:  # fmt: skip
    """Waive a rule (or a pattern of rules) on targets: names, globs, @groups. The verdict stays; it no longer counts."""
    today = utc_now().date()
    if permanent == bool(expires):
        raise UsageFault("a waiver has an end (--expires YYYY-MM-DD) or is --permanent; give one of them")
    if expires and expires.date() < today:
        raise UsageFault(f"{expires.date()} is over; a waiver ends today at the earliest")
    path = file_of("waivers", inventory, given)
    known = [rule] if of_a_feed(rule) else [r.id for r in load(rule_paths, situational=True).rules]
    meant(known, rule, targets, open_inventory(inventory))
    record: dict[str, object] = {
        "rules": [rule],
        "targets": list(dict.fromkeys(targets)),
        "owner": getpass.getuser() if owner is None else owner,
        "reason": reason,
    }
    record["date"] = today
    record |= {"expires": expires.date()} if expires else {"permanent": True}
    if pin:
        record["observed"] = _observed(rule, targets, history, inventory)
    append(path, record, read_waivers)
    until = f"until {expires.date()}" if expires else "for good"
    click.echo(f"{path}: {rule} on {', '.join(targets)} waived {until}")


def _observed(rule: str, targets: tuple[str, ...], history: str | None, inventory: str | None) -> str:
    """What the newest run observed of the rule on the targets; it must be one thing."""
    with open_store(history, inventory) as store:
        run = store.run(store.latest(), slim=True)
    seen = {f.observed for r in run.results if r.target.name in targets for f in r.findings if f.rule == rule}
    if len(seen) != 1:
        what = "nothing" if not seen else f"{len(seen)} different things"
        raise UsageFault(
            f"--pin: the newest run observed {what} of {rule} on {', '.join(targets)}; name hosts that show the same"
        )
    return seen.pop()


@waivers.command("list")
@options.inventory
@file_option("waivers")
@options.formats("text", "json")
def list_(inventory: str | None, given: Path | None, form: str | None) -> None:
    """Every waiver, and which of them are over or will soon be."""
    found = _read(inventory, given)
    if form == "json":
        show_json(found)
        return
    today = utc_now().date()
    if not found:
        click.echo("there are no waivers")
    for w in found:
        pin = f"  (while it shows {w.observed!r})" if w.observed is not None else ""
        click.echo(one_line(f"{', '.join(w.rules)} on {', '.join(w.targets)}: {state(w, today)}, {w.owner}: {w.reason}{pin}"))


@waivers.command()
@options.inventory
@options.rules
@file_option("waivers")
def check(inventory: str | None, rule_paths: tuple[str, ...], given: Path | None) -> int:
    """Waivers that are over, will soon be, or match no rule or host. Exit 3 where there are any."""
    found = _read(inventory, given)
    opened = open_inventory(inventory)
    noted = remarks(
        found, [r.id for r in load(rule_paths, situational=True).rules], list(opened.targets.values()), utc_now().date()
    )
    for remark in noted:
        click.echo(one_line(remark))
    if not noted:
        pinned = sum(w.observed is not None for w in found)
        aside = f"; whether what {counted(pinned, 'pinned one')} show is still found, the newest report says" if pinned else ""
        click.echo(f"{counted(len(found), 'waiver')}, all in force{aside}")
    return exits.INCOMPLETE if noted else exits.ALL_WELL


def _read(inventory: str | None, given: Path | None) -> tuple[Waiver, ...]:
    faults: list[str] = []
    found = read_waivers(file_of("waivers", inventory, given), faults, faults)
    if faults:
        raise FileFaults(faults)
    return found
