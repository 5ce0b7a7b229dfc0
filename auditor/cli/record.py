"""`auditor record`: keep a host's raw answers."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import click
import msgspec

from auditor.audit.context import Audit
from auditor.audit.redaction import BLOT, SHORTEST, blotted
from auditor.audit.scan import ask, prepared, secrets_of, utc_now, way
from auditor.cli import exits, options
from auditor.collectors.linux.script import DIGEST
from auditor.errors import UsageFault
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Stop
from auditor.inventory.selection import open_inventory, select
from auditor.model.target import Auth
from auditor.rulebook.loader import load
from auditor.transports.replay import Recording, write


@click.command()
@click.argument("word", metavar="TARGET")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write.",
)
@options.inventory
@options.rules
@click.option("--deep", is_flag=True, help="Also ask apt-get -s what it would install.")
@options.login
def record(word: str, folder: Path, inventory: str | None, rule_paths: tuple[str, ...], deep: bool, user: str | None,
           key_file: str | None, secret: str | None, ask_password: bool, auth: Auth | None) -> int:  # fmt: skip
    """Keep a host's raw answers in a folder; `auditor scan replay:DIR` audits what it holds.

    A recording has the host's package list, listening sockets and process names: treat it as confidential.
    """
    targets = options.with_login(select([word], open_inventory(inventory)), user, key_file, secret, ask_password, auth)
    if len(targets) != 1:
        raise UsageFault(f"{word} names {len(targets)} hosts; record one at a time")
    if (folder / "recording.json").exists():
        raise UsageFault(f"{folder} holds a recording already; name another folder")
    audit = Audit(rulebook=load(rule_paths), clock=utc_now, marker=lambda: token_hex(12), deep=deep)
    target = prepared(targets[0], audit, Stop())
    answer = ask(target, audit, Stop(), raw=True)
    result, readings = answer.result, answer.readings
    kept = Recording(
        target=target.name,
        recorded_at=utc_now(),
        kind="windows-readings" if readings else "windows-shell" if answer.windows else "posix",
        marker=answer.marker,
        script=DIGEST,
        way=way(target),
        exit_status=result.exit_status if result else None,
        seconds=round(result.seconds, 3) if result else 0.0,
        cut=answer.cut,
    )
    given = secret_refs.given(secrets_of(target))
    if result:
        contents = {"stdout": _without(result.stdout, given), "stderr": _without(result.stderr, given)}
    else:
        contents = {"readings.json": msgspec.json.format(msgspec.json.encode(blotted(readings, given)), indent=1)}
    try:
        write(folder, kept, contents)
    except OSError as e:
        raise UsageFault(f"{folder} cannot be written: {e.strerror}") from None
    size = sum(len(c) for c in contents.values())
    click.echo(f"{folder}: {size} bytes" + (f"; cut off: {answer.cut.message}" if answer.cut else ""))
    if result and (answer.cut or f"{answer.marker}.end".encode() not in result.stdout):
        click.echo("The answer is not whole: what is missing will be unknown at every replay.", err=True)
        return exits.INCOMPLETE
    return exits.ALL_WELL


def _without(said: bytes, given: tuple[str, ...]) -> bytes:
    for word in given:
        if len(word) >= SHORTEST:
            said = said.replace(word.encode(), BLOT.encode())
    return said
