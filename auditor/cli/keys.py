"""`auditor keys`: review SSH host keys in bulk, and take them into known_hosts; never over one that is there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from auditor.cli import exits, options
from auditor.cli.shown import show_json
from auditor.errors import UsageFault
from auditor.inventory.select import open_inventory, select
from auditor.model.target import ShownKey, Target
from auditor.printable import one_line
from auditor.transports.sshconfig import resolve_all


@click.group()
def keys() -> None:
    """SSH host keys: scan and accept, for review in bulk."""


def _scan(words: tuple[str, ...], inventory: str | None) -> list[tuple[Target, ShownKey]]:
    from auditor.transports.deadline import Stop
    from auditor.transports.keyscan import scan_key

    opened = open_inventory(inventory, check_secrets=False)
    chosen = select(words, opened) if words else list(opened.targets.values())
    targets = [t for t in resolve_all(chosen) if t.connection == "ssh"]
    if not targets:
        raise UsageFault("none of these is reached by ssh" if chosen else "name hosts, or an inventory with --inventory")
    stop = Stop()
    with ThreadPoolExecutor(min(32, len(targets))) as pool:
        return list(zip(targets, pool.map(lambda t: scan_key(t, stop), targets), strict=True))


@keys.command()
@click.argument("words", metavar="[TARGET]...", nargs=-1)
@options.inventory
@options.formats("text", "json")
def scan(words: tuple[str, ...], inventory: str | None, form: str | None) -> int:
    """Show the host keys with their fingerprints, and what known_hosts says of each. Logs in nowhere, writes nothing."""
    found = [shown for _, shown in _scan(words, inventory)]
    if form == "json":
        show_json(found)
    else:
        _print(found)
    return exits.ALL_WELL if all(k.state == "known" for k in found) else exits.INCOMPLETE


@keys.command()
@click.argument("words", metavar="[TARGET]...", nargs=-1)
@options.inventory
@click.option(
    "--fingerprint",
    "fingerprints",
    metavar="SHA256:…",
    multiple=True,
    help="Take only keys with these fingerprints; repeatable.",
)
@click.option("--yes", is_flag=True, help="Take every unknown key without asking; review them with `auditor keys scan` first.")
def accept(words: tuple[str, ...], inventory: str | None, fingerprints: tuple[str, ...], yes: bool) -> int:
    """Add the unknown keys to known_hosts. A changed or revoked key is never taken: that is for its owner to settle."""
    from auditor.transports import hostkeys

    if not (yes or fingerprints or sys.stdin.isatty()):
        raise UsageFault("there is no terminal to ask on; use --fingerprint, or --yes after `auditor keys scan`")
    found = _scan(words, inventory)
    _print(shown for _, shown in found)
    unknown = [(t, k) for t, k in found if k.state == "unknown" and (not fingerprints or k.fingerprint in fingerprints)]
    if unknown and not (yes or fingerprints) and not click.confirm(f"Take these {len(unknown)} unknown keys?", err=True):
        unknown = []
    by_file: dict[str, list[str]] = {}
    for target, key in unknown:
        by_file.setdefault(hostkeys.files(target)[0], []).append(key.line)
    for path, lines in by_file.items():
        hostkeys.append(Path(path), list(dict.fromkeys(lines)))
        click.echo(f"{len(lines)} {'key' if len(lines) == 1 else 'keys'} added to {path}")
    left = [k for _, k in found if k.state != "known"]
    return exits.ALL_WELL if len(left) == len(unknown) else exits.INCOMPLETE


def _print(found: Iterable[ShownKey]) -> None:
    for k in found:
        where = f"{k.target}: {k.host} port {k.port}"
        said = one_line(k.message, 400) if k.state != "unknown" else ""
        click.echo(f"{k.state:8} {one_line(where)} {k.key_type} {k.fingerprint} {said}".rstrip())
