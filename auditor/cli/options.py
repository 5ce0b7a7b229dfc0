"""Options that several commands have, said once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click
from msgspec.structs import replace

from auditor.errors import FileFaults, UsageFault
from auditor.foundation import secret_refs
from auditor.foundation.files import unwritable
from auditor.inventory.inventory import Inventory
from auditor.inventory.native import named_file
from auditor.inventory.selection import ad_hoc
from auditor.model.target import Auth, Target

if TYPE_CHECKING:
    from auditor.advisories.database.knowledge import AdvisoryDatabase

F = TypeVar("F", bound=Callable[..., Any])

inventory = click.option(
    "--inventory", metavar="FILE", help="Inventory file; else $AUDITOR_INVENTORY, ./inventory.yaml, the user's, /etc/auditor."
)
rules = click.option(
    "--rules",
    "rule_paths",
    metavar="PATH",
    multiple=True,
    help="Rule file or folder, instead of the shipped rules; repeatable; `shipped` adds them.",
)
history = click.option("--history", metavar="FILE.db", help="History file; else the inventory's, else ./auditor.db.")
advisories = click.option(
    "--advisories", metavar="FILE.db", help="Advisory database; else the inventory's, else advisories.db beside the history."
)
situational = click.option(
    "--situational", is_flag=True, help="Also judge fixes for particular problems, which are for who sees the problem."
)
output = click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file instead of standard output.",
)


def with_situational(opened: Inventory, wanted: bool) -> Inventory:
    """The inventory, with fixes for particular problems judged where it says so or the call does."""
    return replace(opened, policy=replace(opened.policy, situational=wanted or opened.policy.situational))


def check_outputs(opened: Inventory, history: Path | None, *outputs: Path | None) -> None:
    """UsageFault, before any work, where a document cannot be put, or would be put over a file of our own or another one."""
    taken = dict(own_files(opened, history))
    for path in outputs:
        if path is None or str(path) == "-":
            continue
        real = path.absolute().resolve()
        if real in taken:
            raise UsageFault(f"{path} is {taken[real]}; name another file")
        if fault := unwritable(path):
            raise UsageFault(fault)
        taken[real] = "written already by another option"


def own_files(opened: Inventory, history: Path | None) -> Iterator[tuple[Path, str]]:
    """The files that people and auditor keep, which no document may be put over, each with what it is."""
    if history:
        for suffix in ("", "-wal", "-shm", ".lock", ".agent-lock"):
            yield history.with_name(history.name + suffix).absolute().resolve(), "the history, or a file beside it"
    if opened.path:
        yield opened.path.absolute().resolve(), "the inventory"
        for kind in ("waivers", "attestations"):
            with suppress(UsageFault, FileFaults):
                if named := named_file(opened.path, kind):
                    yield named.absolute().resolve(), f"the file of {kind}"


def formats(*names: str) -> Callable[[F], F]:
    """The option --format with these names; the first one is the default."""
    return click.option("--format", "form", type=click.Choice(names), help=f"Form of the output; default {names[0]}.")


def login(function: F) -> F:
    """The ad hoc login of a call."""
    several = (
        click.option("--user", metavar="NAME", help="Log in as this user."),
        click.option("--key-file", metavar="FILE", help="Private key to log in with."),
        click.option(
            "--secret", metavar="REF", help="Password, as env:NAME, file:PATH, keyring:SERVICE/USER or command:WORDS."
        ),
        click.option("--auth", type=click.Choice(get_args(Auth)), help="How to log in over WinRM; default ntlm."),
        click.option("--ask-password", is_flag=True, help="Ask for the password on the terminal."),
    )
    return reduce(lambda wrapped, option: option(wrapped), reversed(several), function)


def with_login(
    targets: list[Target], user: str | None, key_file: str | None, secret: str | None, ask_password: bool, auth: Auth | None
) -> list[Target]:
    """Lay the ad hoc login over the targets; a UsageFault-like message where the secret is written out."""
    if secret and ask_password:
        raise click.UsageError("--secret and --ask-password exclude each other")
    if secret and not secret_refs.is_reference(secret):
        raise click.UsageError("--secret takes a reference (env:NAME, file:PATH, …), never the secret itself")
    if secret and (wrong := secret_refs.problem(secret)):
        raise click.UsageError(f"--secret: {wrong}")
    if key_file and not Path(key_file).expanduser().is_file():
        raise click.UsageError(f"--key-file: there is no file {key_file}")
    if ask_password and not sys.stdin.isatty():
        raise click.UsageError("--ask-password needs a terminal; use --secret")
    if ask_password:
        secret = secret_refs.keep_typed(click.prompt("Password", hide_input=True, err=True))
    return ad_hoc(targets, user=user, key_file=key_file, password=secret, auth=auth)


def advisories_path(given: str | None, opened: Inventory, history: str | None) -> Path:
    """`--advisories`, else the inventory's, else advisories.db beside the history."""
    path = Path(given) if given else opened.advisories or history_path(history, opened).with_name("advisories.db")
    if not path.name or path.is_dir():
        raise UsageFault(f"the advisory database {path} is a folder; name a file in it with --advisories")
    return path


def advisory_database(
    given: str | None, opened: Inventory, history: str | None, as_of: datetime | None = None
) -> AdvisoryDatabase | None:
    """The advisory database of a call; None where none is named and none lies beside the history. `as_of`: what it knew then."""
    path = advisories_path(given, opened, history)
    if not path.exists():
        if given or opened.advisories:
            raise UsageFault(f"there is no advisory database {path}; make it with `auditor advisories fetch` or `import`")
        return None
    from auditor.advisories.database.knowledge import AdvisoryDatabase  # for who has one

    return AdvisoryDatabase(path, as_of)


def history_path(given: str | None, opened: Inventory) -> Path:
    """`--history`, else the inventory's, else ./auditor.db. Raises UsageFault for a folder."""
    path = Path(given) if given else opened.history or Path("auditor.db")
    if not path.name or path.is_dir():
        raise UsageFault(f"the history {path} is a folder; name a file in it with --history")
    return path
