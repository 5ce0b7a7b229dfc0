"""`auditor keys`: review SSH host keys in bulk, and take them into known_hosts; never over one that is there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from msgspec.structs import replace

from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import HostError, UsageFault
from auditor.foundation.sanitize import one_line
from auditor.inventory.selection import open_inventory, select
from auditor.model.target import ShownKey, Target
from auditor.transports.ssh.config import resolved


@click.group(cls=SuggestingGroup)
def keys() -> None:
    """SSH host keys: scan and accept, for review in bulk."""


def _routes(words: tuple[str, ...], inventory: str | None) -> list[Target | ShownKey]:
    """The hosts to look at, jump hosts before those behind them; a ShownKey where ssh_config says what cannot be honoured."""
    from auditor.foundation.deadline import Deadline, Stop

    opened = open_inventory(inventory)
    chosen = select(words, opened) if words else list(opened.targets.values())
    if words and (zoned := next((t for t in chosen if t.zone), None)):
        raise UsageFault(f"{zoned.name} is in the zone {zoned.zone}: its host key is its worker's to know")
    targets = [t for t in chosen if t.connection == "ssh" and not t.zone]
    if not targets:
        raise UsageFault("none of these is reached by ssh" if chosen else "name hosts, or an inventory with --inventory")
    stop, found, faults = Stop(), dict[object, Target](), list[Target | ShownKey]()
    for target in targets:
        try:
            route = resolved(target, Deadline(target.timeouts.total, "reading ssh_config", stop))
        except HostError as e:
            faults.append(ShownKey(target.name, target.address or target.name, target.port or 22, "error", message=str(e)))
            continue
        for number, hop in enumerate(route.jump):
            found.setdefault((hop.address, hop.port), replace(hop, jump=route.jump[:number]))
        found[route.name] = route
    return [*faults, *sorted(found.values(), key=lambda t: len(t.jump))]


def _shown(routes: Iterable[Target | ShownKey]) -> list[tuple[Target | None, ShownKey]]:
    from auditor.foundation.deadline import Stop
    from auditor.transports.ssh.key_scan import scan_key

    routes, stop = list(routes), Stop()
    with ThreadPoolExecutor(max(1, min(32, len(routes)))) as pool:
        try:
            seen = list(pool.map(lambda w: w if isinstance(w, ShownKey) else scan_key(w, stop), routes))
        except BaseException:
            stop.now()  # leaving the pool waits for its threads
            raise
    return [(None if isinstance(w, ShownKey) else w, key) for w, key in zip(routes, seen, strict=True)]


@keys.command()
@click.argument("words", metavar="[TARGET]...", nargs=-1)
@options.inventory
@options.formats("text", "json")
def scan(words: tuple[str, ...], inventory: str | None, form: str | None) -> int:
    """Show the host keys with their fingerprints, and what known_hosts says of each. Logs in nowhere, writes nothing."""
    found = [shown for _, shown in _shown(_routes(words, inventory))]
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
    from auditor.transports.ssh import host_keys

    if not (yes or fingerprints or sys.stdin.isatty()):
        raise UsageFault("there is no terminal to ask on; use --fingerprint, or --yes after `auditor keys scan`")
    for given in fingerprints:
        if not _FINGERPRINT.fullmatch(given):
            raise UsageFault(f"{given!r} is no fingerprint as `auditor keys scan` shows it: SHA256: and 43 letters and digits")
    routes = _routes(words, inventory)
    open_, shown = 0, set[str]()
    # Hosts behind a jump host are reached once its key is known, which may be since a moment ago.
    for depth in sorted({_depth(w) for w in routes}):
        found = _shown(w for w in routes if _depth(w) == depth)
        _print(key for _, key in found)
        shown |= {key.fingerprint for _, key in found}
        unknown = [
            (t, k) for t, k in found if t and k.state == "unknown" and (not fingerprints or k.fingerprint in fingerprints)
        ]
        if unknown and not (yes or fingerprints) and not click.confirm(f"Take these {len(unknown)} unknown keys?", err=True):
            unknown = []
        by_file: dict[str, list[str]] = {}
        for target, key in unknown:
            by_file.setdefault(host_keys.files(target)[0], []).append(key.line)
        for path, lines in by_file.items():
            host_keys.append(Path(path), list(dict.fromkeys(lines)))
            click.echo(f"{len(lines)} {'key' if len(lines) == 1 else 'keys'} added to {path}")
        open_ += sum(1 for _, k in found if k.state != "known") - len(unknown)
    for given in fingerprints:
        if given not in shown:
            click.echo(f"no host showed a key with the fingerprint {given}")
            open_ += 1
    return exits.INCOMPLETE if open_ else exits.ALL_WELL


# A SHA-256 in base64 without its padding (ssh-keygen(1), -E).
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def _depth(route: Target | ShownKey) -> int:
    return 0 if isinstance(route, ShownKey) else len(route.jump)


def _print(found: Iterable[ShownKey]) -> None:
    for k in found:
        where = f"{k.target}: {k.host} port {k.port}"
        said = one_line(k.message, 400) if k.state != "unknown" else ""
        click.echo(f"{k.state:8} {one_line(where)} {k.key_type} {k.fingerprint} {said}".rstrip())
