"""The file itself: `auditor history forget`, `check`, `prune`, `backup`, `restore`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from auditor.cli import exits, options
from auditor.cli.history.lines import safe
from auditor.cli.stored_history import open_store
from auditor.errors import UsageFault, WrongHistory
from auditor.foundation.durations import FORM, span
from auditor.foundation.files import unwritable
from auditor.foundation.sanitize import counted
from auditor.history import fleet, maintenance
from auditor.history.store import Store
from auditor.inventory.inventory import Retention
from auditor.inventory.selection import open_inventory


@click.command()
@click.argument("names", metavar="TARGET...", nargs=-1, required=True)
@options.history
@options.inventory
def forget(names: tuple[str, ...], history: str | None, inventory: str | None) -> None:
    """Drop all that is known of targets: a mistyped address, a machine that is no more.

    Reports that were made with them stay as they were written.
    """
    opened = open_inventory(inventory)
    with open_store(history, inventory) as store:
        with store.guard("read"):
            for name in names:
                fleet.target_number(store.db, name)
        with store.guard("written"):
            counts = [maintenance.forget(store.db, name) for name in dict.fromkeys(names)]
    for name, (results, findings) in zip(dict.fromkeys(names), counts, strict=True):
        again = "; it is an entry of the inventory, and the next audit begins anew with it" if name in opened.targets else ""
        click.echo(safe(f"{name}: {counted(results, 'result')} and {counted(findings, 'finding')} dropped{again}"))


@click.command()
@options.history
@options.inventory
@click.option("--upgrade", is_flag=True, help="First bring a history of an earlier version to today's form.")
def check(history: str | None, inventory: str | None, upgrade: bool) -> int:
    """Is the file sound: SQLite's own check, references, digests, intervals. Exit 3 where it is not."""
    path = options.history_path(history, open_inventory(inventory))
    if not path.exists():
        raise WrongHistory(f"there is no history {path}")
    with Store(path, create=upgrade) as store:
        wrong = list(maintenance.faults(store.db))
        free, size = store.db.execute("pragma freelist_count").fetchone()[0], path.stat().st_size
    for fault in wrong:
        click.echo(f"{path}: {fault}")
    for doubt in maintenance.exposed(path):
        click.echo(f"remark: {doubt}")
    if wrong:
        click.echo(
            f"{path} is damaged. Keep it, and put the last backup in its place: auditor history restore BACKUP.db", err=True
        )
        return exits.INCOMPLETE
    click.echo(f"{path} is sound: {size / 1e6:.1f} MB, {counted(free, 'page')} free")
    return exits.ALL_WELL


@click.command()
@options.history
@options.inventory
@click.option("--keep-nightly", metavar="AGE", help="Keep every run so long (90d); default the inventory's, else 90d.")
@click.option(
    "--keep-monthly", metavar="AGE", help="Then the first run of each month, so long (3y); default the inventory's, else 3y."
)
def prune(history: str | None, inventory: str | None, keep_nightly: str | None, keep_monthly: str | None) -> None:
    """Thin old runs; what stands, and since when, is kept whatever its age."""
    opened = open_inventory(inventory)
    kept = opened.retention or Retention()
    nightly = _span(keep_nightly, "--keep-nightly") or kept.nightly
    monthly = _span(keep_monthly, "--keep-monthly") or kept.monthly
    if monthly < nightly:
        raise UsageFault("--keep-monthly is shorter than --keep-nightly")
    with open_store(history, inventory) as store, store.guard("written"):
        p = maintenance.prune(store.db, store.path, nightly, monthly, datetime.now(UTC))
    click.echo(
        f"{counted(p.runs, 'run')} thinned, {counted(p.results, 'result')}, {counted(p.reports, 'report')}, {counted(p.findings, 'finding')} and {counted(p.contents, 'content')} dropped: "
        f"{p.before / 1e6:.1f} MB before, {p.after / 1e6:.1f} MB now"
    )


@click.command()
@click.argument("copy", metavar="FILE.db", type=click.Path(path_type=Path))
@options.history
@options.inventory
def backup(copy: Path, history: str | None, inventory: str | None) -> None:
    """A sound copy, also while a run writes."""
    if copy.exists() or copy.is_symlink():
        raise UsageFault(f"{copy} is there already; a backup replaces nothing")
    if fault := unwritable(copy):
        raise UsageFault(fault)
    with open_store(history, inventory) as store, store.guard(f"copied to {copy}"):
        maintenance.backup(store.db, copy)
    click.echo(f"{copy.absolute()}")


@click.command()
@click.argument("copy", metavar="FILE.db", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.history
@options.inventory
def restore(copy: Path, history: str | None, inventory: str | None) -> None:
    """Put a backup in the history's place; what was there is kept beside it."""
    path = options.history_path(history, open_inventory(inventory))
    aside = maintenance.restore(path, copy, datetime.now(UTC))
    click.echo(f"{path} is the backup now" + (f"; what was there is {aside}" if aside else ""))


def _span(text: str | None, option: str) -> timedelta | None:
    length = span(text) if text is not None else None
    if text is not None and length is None:
        raise UsageFault(f"{option}: {text!r} is no span; {FORM}")
    return length
