"""`auditor inventory`: look at the inventory before anything is contacted. Secrets are shown as references only."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import click
import msgspec

from auditor.cli import options
from auditor.cli.agent import report_wanting
from auditor.cli.json_output import show_json
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.collectors.linux import offline_script
from auditor.collectors.windows.offline_scripts import scripts
from auditor.errors import UsageFault
from auditor.evaluation.evaluate import matches
from auditor.foundation import own_files
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Deadline
from auditor.foundation.sanitize import counted
from auditor.foundation.yaml_file import did_you_mean
from auditor.inventory.selection import open_inventory, select
from auditor.model.target import NETWORKED
from auditor.rulebook.loader import load
from auditor.transports.ssh.config import resolved


@click.group(cls=SuggestingGroup)
def inventory() -> None:
    """The inventory: check, list, show; and scripts for hosts that no network reaches."""


@inventory.command()
@options.inventory
@options.rules
@options.history
def check(inventory: str | None, rule_paths: tuple[str, ...], history: str | None) -> int:
    """Read everything the inventory names and report every fault as file:line: message; then what matches nothing.

    With what `agent check` looks for: what hosts, mail and, where there is a schedule, a night would lack. Exit 3 where
    something is wanting.
    """
    opened = open_inventory(inventory, strict=True)
    if opened.path is None:
        raise UsageFault("no inventory was found; name one with --inventory")
    counts = f"{counted(len(opened.targets), 'host')}, {counted(len(opened.groups), 'group')}, {counted(len(opened.waivers), 'waiver')}, {counted(len(opened.attestations), 'attestation')}"
    ids = [r.id for r in load(rule_paths, situational=True).rules]
    for plan in opened.plans:
        load(plan.rules)
    click.echo(f"{opened.path}: {counts}; no fault in what was read")
    for rule in opened.policy.accepted:
        if rule not in ids:
            click.echo(f"{opened.path}: accept_unknown: no rule is called {rule!r}{did_you_mean(rule, ids)}")
    today = utc_now().date()
    for w in opened.waivers:
        if w.expires and w.expires < today:
            click.echo(
                f"{opened.path}: the waiver of {w.owner} for {', '.join(w.rules)} expired on {w.expires} and counts no more"
            )
    for what, rules, targets in (
        *(("the waiver of " + w.owner, w.rules, w.targets) for w in opened.waivers),
        *(("the attestation by " + a.by, (a.rule,), a.targets) for a in opened.attestations),
    ):
        for pattern in rules:
            if not any(fnmatchcase(i, pattern) for i in ids):
                click.echo(f"{opened.path}: {what}: no rule is called {pattern!r}{did_you_mean(pattern, ids)}")
        for pattern in targets:
            if not any(matches([pattern], t.name, (*t.groups, "all")) for t in opened.targets.values()):
                click.echo(f"{opened.path}: {what}: no host fits {pattern!r}{did_you_mean(pattern, opened.targets)}")
    for remark in opened.remarks:
        click.echo(remark)
    for plan in opened.plans:
        if not select(plan.targets, opened):
            click.echo(f"{opened.path}: schedule: {plan.name}: no host of the inventory is meant by {', '.join(plan.targets)}")
    return report_wanting(opened, options.history_path(history, opened))


@inventory.command()
@click.option("-o", "--output", "folder", metavar="DIR", default=".", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="The folder to write the scripts to.")  # fmt: skip
@options.rules
def collector(folder: Path, rule_paths: tuple[str, ...]) -> None:
    """Write the scripts that read a host without a network; audit what they bring back with scan replay:FILE or FOLDER.

    collect.sh is for Linux: it writes one file, auditor-HOST.txt.
    collect.cmd is for XP, Server 2003 and later, and starts collect.ps1 where it lies beside it, for the lists of updates;
    collect-nt4.cmd is for Windows NT 4.0 and 2000. They ask for what the loaded
    rules need, so write them anew when the rules change.
    """
    requirements = load(rule_paths, situational=True).requirements()
    for name, text in (scripts(requirements) | {offline_script.NAME: offline_script.script(requirements.linux)}).items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            own_files.replace(folder / name, text.encode("ascii"), 0o755 if name == offline_script.NAME else 0o644)
        except OSError as e:
            raise UsageFault(f"{folder / name} cannot be written: {e.strerror}") from None
        click.echo(str(folder / name))


@inventory.command("list")
@click.argument("words", nargs=-1, metavar="[TARGET]...")
@options.inventory
@options.formats("text", "json")
def list_(words: tuple[str, ...], inventory: str | None, form: str | None) -> None:
    """The hosts, a line each; with names, globs or @groups, only those."""
    opened = open_inventory(inventory)
    targets = select(words, opened) if words else list(opened.targets.values())
    if form == "json":
        rows = [
            {
                "name": t.name,
                "connection": t.connection,
                "address": t.address,
                "port": t.port,
                "groups": t.groups,
                "labels": t.labels,
            }
            for t in targets
        ]
        show_json(rows)
        return
    wide = max((len(t.name) for t in targets), default=0)
    for t in targets:
        port = f":{t.real_port}" if t.real_port else ""
        where = f"{t.address}{port}" if t.connection in NETWORKED else t.path or ""
        click.echo(f"{t.name:{wide}}  {t.connection:7} {where}  {' '.join('@' + g for g in t.groups)}".rstrip())


@inventory.command()
@click.argument("host")
@options.inventory
def show(host: str, inventory: str | None) -> None:
    """How one host will be reached: defaults, groups, host and ssh_config merged."""
    opened = open_inventory(inventory)
    for target in select([host], opened):
        target = resolved(target, Deadline(target.timeouts.total, "reading ssh_config"))
        click.echo(msgspec.yaml.encode(msgspec.to_builtins(target)).decode().rstrip())
