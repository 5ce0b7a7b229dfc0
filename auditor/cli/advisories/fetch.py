"""`auditor advisories fetch`: the vendors' feeds, from their publishers or a mirror, into the advisory database."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from auditor.advisories.fetching.addresses import BY_NAME, SOURCES, FeedSource, for_releases
from auditor.advisories.fetching.download import DownloadOptions, FetchFault
from auditor.advisories.fetching.fetch import fetch as fetch_source
from auditor.advisories.fetching.fetch import mark
from auditor.cli import exits, options
from auditor.cli.advisories.import_files import run_import
from auditor.errors import AuditorError, HistoryError, UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.sanitize import counted, printable
from auditor.foundation.yaml_file import did_you_mean
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import open_inventory


@click.command()
@click.argument("names", metavar="[FEED]...", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="Every feed that is known; else those of the fleet's releases, by the history."
)
@click.option(
    "--from",
    "mirror",
    metavar="ADDRESS",
    default="",
    help="A mirror instead of the publishers: an address or a folder, with a folder for each feed.",
)
@click.option(
    "--mirror",
    "keep",
    metavar="DIR",
    help="Only put the files there, to be carried to a machine without a network: `fetch --from DIR` there.",
)
@options.advisories
@options.inventory
@options.history
@click.option("--proxy", metavar="ADDRESS", help="Proxy to go through; those of the environment are not looked at.")
@click.option("--ca-file", metavar="FILE", help="Certificates of authorities, instead of the system's.")
@click.option("--keyring", metavar="FILE", help="Keys of OpenPGP: what its publisher signs must then be signed by one of them.")
@click.option("--max-seconds", type=click.IntRange(1), default=3600, show_default=True, help="What one file may take.")
@click.option("--force", is_flag=True, help="Take a feed that has shrunk by half; read what seems unchanged.")
@click.option("--list", "listing", is_flag=True, help="Show the feeds and where they lie, and end.")
@click.option("--quiet", is_flag=True, help="No output but errors.")
def fetch(names: tuple[str, ...], everything: bool, mirror: str, keep: str | None, advisories: str | None, inventory: str | None, history: str | None,
          proxy: str | None, ca_file: str | None, keyring: str | None, max_seconds: int, force: bool, listing: bool, quiet: bool) -> int:  # fmt: skip
    """Get feeds of advisories and read them into the advisory database.

    Only what changed is got again, and what broke off is continued. A feed that cannot be had is left as it is; the exit
    code is then 3.
    """
    if listing:
        for s in SOURCES:
            click.echo(f"{s.name:18} {', '.join(s.releases):22} {s.address}")
        return exits.ALL_WELL
    for what, file in (("--ca-file", ca_file), ("--keyring", keyring)):
        if file and not Path(file).is_file():
            raise UsageFault(f"{what}: there is no file {file}")
    opened = open_inventory(inventory)
    path = options.advisories_path(advisories, opened, history)
    folder = Path(keep) if keep else path.with_name(f"{path.stem}-feeds")
    by = DownloadOptions(proxy, Path(ca_file) if ca_file else None, seconds=float(max_seconds))
    failed = 0
    for source in _wanted(names, everything, opened, history):
        try:
            found = fetch_source(source, folder, by, mirror, Path(keyring) if keyring else None)
            if not quiet:
                what = f"got {found.path.name}" if found.changed else "as it was"
                click.echo(printable(f"{source.name}: {what}{f', checked by {found.checked}' if found.checked else ''}"))
            for fault in found.lacking:
                print(printable(f"{source.name}: {fault}"), file=sys.stderr)
            failed += bool(found.lacking)
            now = utc_now()
            if keep:
                mark(source, folder, now.date())
                continue
            day = found.day if mirror else now.date()
            code = run_import(path, (str(found.path),), now, day, force=force, only={str(found.path): source.feed}, quiet=quiet)
            failed += code != exits.ALL_WELL and not found.lacking
        except (FetchFault, AuditorError, OSError) as e:
            print(printable(f"{source.name}: {e}"), file=sys.stderr)
            failed += 1
    if failed:
        print(f"auditor: {counted(failed, 'feed')} could not be had whole; what they had before still stands", file=sys.stderr)
    return exits.INCOMPLETE if failed else exits.ALL_WELL


def _wanted(names: tuple[str, ...], everything: bool, opened: Inventory, history: str | None) -> list[FeedSource]:
    if everything:
        return list(SOURCES)
    if names:
        for name in names:
            if name not in BY_NAME:
                raise UsageFault(
                    f"there is no feed {name!r}{did_you_mean(name, BY_NAME)}; `auditor advisories fetch --list` shows them"
                )
        return [BY_NAME[name] for name in dict.fromkeys(names)]
    sources = for_releases(_releases(opened, history))
    if not sources:
        raise UsageFault("the history knows no host whose release has a feed; name feeds (`--list` shows them), or --all")
    return sources


def _releases(opened: Inventory, history: str | None) -> set[str]:
    """The releases of the fleet, by the newest facts of each host."""
    from auditor.advisories.feeds.host_releases import releases
    from auditor.history import fleet
    from auditor.history.store import Store

    path = options.history_path(history, opened)
    if not path.exists():
        return set()
    found = set[str]()
    try:
        with Store(path, create=False) as store:
            for result in store.newest(fleet.high_of_day(store.db, utc_now())):
                if result.facts:
                    of = releases(result.facts)
                    found |= {of.main, *of.more} - {""}
    except HistoryError as e:
        raise UsageFault(str(e)) from None
    return found
