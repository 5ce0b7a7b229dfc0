"""`auditor advisories import`: files carried by hand into the advisory database."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import click

from auditor.advisories.database.importing import NOTHING, Imported, import_documents
from auditor.cli import exits, options
from auditor.cli.progress import Counting
from auditor.errors import AuditorError, UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.sanitize import printable
from auditor.inventory.selection import open_inventory


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@options.advisories
@options.inventory
@options.history
@click.option("--as-of", "as_of", metavar="DATE", help="Up to which day the files tell; default the newest day that they name.")
@click.option("--partial", is_flag=True, help="The files are not the whole of their feeds: take nothing back that they lack.")
@click.option(
    "--force", is_flag=True, help="Take a feed that has shrunk by half; read what seems unchanged; make an older database anew."
)
@click.option("--quiet", is_flag=True, help="No output but errors.")
def import_(paths: tuple[str, ...], advisories: str | None, inventory: str | None, history: str | None, as_of: str | None, partial: bool,
            force: bool, quiet: bool) -> int:  # fmt: skip
    """Read vendors' advisories into the advisory database: files, folders, zip and tar archives.

    OSV and CSAF documents, updateinfo.xml, Debian's DSA and DLA lists, Microsoft's monthly documents, CISA's catalog of exploited flaws; each is known by what it holds. An archive, a folder or a
    list counts as the whole of its feed. What cannot be read is listed with its reason, and the exit code is then 3.
    """
    opened = open_inventory(inventory)
    path = options.advisories_path(advisories, opened, history)
    return run_import(path, paths, utc_now(), day_of(as_of), partial=partial, force=force, quiet=quiet)


def day_of(given: str | None) -> date | None:
    """A day as --as-of takes it. UsageFault where it is none, or one to come."""
    try:
        day = date.fromisoformat(given) if given else None
    except ValueError:
        raise UsageFault(f"--as-of: {given!r} is no day; write it like 2026-11-30") from None
    if day and day > utc_now().date():
        raise UsageFault(f"--as-of: {given} is yet to come")
    return day


def run_import(path: Path, paths: tuple[str, ...], now: datetime, as_of: date | None, *, partial: bool = False, force: bool = False,
               only: Mapping[str, str] = NOTHING, quiet: bool = False) -> int:  # fmt: skip
    """Import, and say what came of it; the exit code."""
    try:
        with Counting("Reading documents", quiet) as count:
            done = import_documents(
                path, paths, now=now, as_of=as_of, partial=partial, force=force, only=only, progress=count.at
            )
    except (sqlite3.Error, OSError) as e:
        raise AuditorError(f"{path}: the import failed and nothing was changed: {e}") from None
    except MemoryError:
        raise AuditorError(f"{path}: there was not memory enough for the import, and nothing was changed") from None
    for refusal in done.refused:
        print(printable(f"{refusal.name}: {refusal.reason}"), file=sys.stderr)
    if done.refusals > len(done.refused):
        print(f"auditor: and {done.refusals - len(done.refused):,} more were not read", file=sys.stderr)
    if done.refusals:
        print(
            "auditor: what could not be read may be missing, so nothing was taken back and the feed is no newer than before",
            file=sys.stderr,
        )
    if not quiet:
        for line in _told(done, path):
            click.echo(printable(line))
    return exits.INCOMPLETE if done.refusals else exits.ALL_WELL


def _told(done: Imported, path: Path) -> Iterator[str]:
    if done.unchanged:
        yield f"{path}: nothing has changed since the last import of these files"
        return
    for feed in sorted({*done.added, *done.changed, *done.closed}):
        said = [
            f"{n:,} {word}"
            for n, word in ((done.added[feed], "new"), (done.changed[feed], "changed"), (done.closed[feed], "withdrawn"))
            if n
        ]
        yield f"{feed}: {', '.join(said) or 'as before'}"
    if not (done.added or done.changed or any(done.closed.values())):
        yield f"{done.documents:,} documents, all as before"
    for why, count in done.aside.most_common(20):
        yield f"left aside: {count:,} × {why}"
