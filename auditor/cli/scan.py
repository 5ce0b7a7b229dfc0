"""`auditor scan` and `auditor audit`: reach hosts, judge them, keep and show what was found."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Any

import click
from msgspec.structs import replace

from auditor.audit.context import Audit
from auditor.audit.recorder import Keeper, closed, gather, make_run
from auditor.audit.scan import utc_now
from auditor.cli import exits, options
from auditor.cli.progress import Progress
from auditor.errors import UsageFault
from auditor.evaluation.waiver_review import remarks
from auditor.foundation.deadline import Stop
from auditor.foundation.files import write_file, write_out
from auditor.history.lock import only_one, run_lock
from auditor.inventory.native import Inventory
from auditor.inventory.selection import open_inventory, select
from auditor.model.run import Run, TargetResult
from auditor.model.target import Auth, Target
from auditor.report.formats import FORMS, SUFFIXES, render
from auditor.rulebook.loader import Rulebook, load

REPORT = "auditor-report.html"


def _shared(function: options.F) -> options.F:
    several = (
        options.inventory,
        options.rules,
        options.history,
        click.option("--no-history", is_flag=True, help="Do not store the run."),
        options.formats(*FORMS),
        options.output,
        click.option("--report", "report_path", metavar="FILE", default=None, help=f"The HTML report; default ./{REPORT}."),
        click.option("--no-report", is_flag=True, help="Write no HTML report."),
        click.option(
            "--fail-on", metavar="SEVERITIES", help="Exit 1 only for these severities and above, or `overdue`; default all."
        ),
        click.option("--jobs", type=click.IntRange(1, 1024), default=32, show_default=True, help="Hosts at once."),
        click.option("--deep", is_flag=True, help="Also ask apt-get -s what it would install (about 4 s of CPU on each host)."),
        click.option("--quiet", is_flag=True, help="No output but errors; files are written."),
    )
    for option in reversed(several):
        function = option(function)
    return function


@click.command()
@click.argument("words", metavar="TARGET...", nargs=-1, required=True)
@_shared
@options.login
def scan(words: tuple[str, ...], inventory: str | None, user: str | None, key_file: str | None, secret: str | None,
         ask_password: bool, auth: Auth | None, **shared: object) -> int:  # fmt: skip
    """Audit hosts on demand.

    TARGET is an inventory name, a glob, @group, local, ssh://[user@]host[:port] or replay:PATH.
    """
    opened = open_inventory(inventory)
    targets = options.with_login(select(words, opened), user, key_file, secret, ask_password, auth)
    if not shared["no_history"]:
        _place(shared["history"], opened)
    return _run(targets, opened, one_off=True, **shared)  # type: ignore[arg-type]  # click gives the types that _shared declares


@click.command()
@_shared
@click.option("--no-mail", is_flag=True, help="Mail no report, whatever the inventory says.")
@click.option("--limit", multiple=True, metavar="TARGET", help="Only these names, globs or @groups; repeatable.")
def audit(inventory: str | None, limit: tuple[str, ...], no_mail: bool, **shared: object) -> int:
    """Audit the whole inventory, as the nightly run does."""
    opened = open_inventory(inventory)
    if opened.path is None:
        raise UsageFault(
            "no inventory was found; name one with --inventory (inventory.example.yaml shows its form), or: auditor scan local"
        )
    targets = select(limit, opened) if limit else list(opened.targets.values())
    if not targets:
        raise UsageFault(f"{opened.path} has no hosts")
    history: Any = shared["history"]
    alone: AbstractContextManager[None] = nullcontext()
    if not shared["no_history"]:
        alone = only_one(run_lock(_place(history, opened)), "an audit with this history")
    with alone:
        return _run(targets, opened, whole=not limit, no_mail=no_mail, **shared)  # type: ignore[arg-type]  # click gives the types that _shared declares


def _place(history: Any, opened: Inventory) -> Path:
    """The history's, once it is sure that runs can be kept there: before a host is contacted, not after."""
    from auditor.cli.stored_history import check_place  # sqlite_utils costs a tenth of a second

    path = options.history_path(history, opened)
    check_place(path)
    return path


def _run(targets: list[Target], opened: Inventory, *, one_off: bool = False, whole: bool = False, no_mail: bool = False, rule_paths: tuple[str, ...], history: str | None, no_history: bool,
         form: str | None, output: Path | None, report_path: str | None, no_report: bool, fail_on: str | None, jobs: int,
         deep: bool, quiet: bool) -> int:  # fmt: skip
    """One run, from targets to exit code. Faults of usage end before any host is contacted."""
    failing = exits.severities(fail_on)
    own = None if no_history else options.history_path(history, opened)
    options.check_outputs(opened, own, output, Path(report_path) if report_path and not no_report else None)
    rulebook = load(rule_paths)
    audited = Audit(
        rulebook=rulebook,
        clock=utc_now,
        marker=lambda: token_hex(12),
        attestations=opened.attestations,
        waivers=opened.waivers,
        policy=opened.policy,
        deep=deep,
    )
    run = make_run(rulebook, utc_now())
    noted = remarks(opened.waivers, [r.id for r in rulebook.rules], list(opened.targets.values()), run.started.date())
    run = replace(run, remarks=(*opened.left_out, *noted))
    keeper = Keeper(own, run, rulebook.rules, opened.targets, opened.mail if whole and not no_mail else None, one_off=one_off)
    audited = replace(audited, known_logins=keeper.known_logins())
    if opened.policy.deadlines or opened.policy.groups:
        audited = replace(audited, seen=keeper.failing_since())
    with stopped_by_signals() as stop:
        with Progress(targets, quiet) as progress:

            def done(result: TargetResult) -> None:
                keeper.add(result)
                progress.done(result)

            results = gather(targets, audited, jobs, stop, done)
        run = closed(run, results, stop, opened.waivers)
        keeper.finish(run, whole)
        page = None if no_report else Path(report_path or REPORT)
        delivered = deliver(run, rulebook, form, output, quiet=quiet, page=page, keeper=keeper)
        delivered = keeper.send_mails(stop) and delivered
    return exits.delivered(exits.code(run, failing), delivered and not keeper.fault)


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM end what is under way promptly, and what there is is kept; a second one ends the program."""
    stop = Stop()

    def on_signal(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.write(2, b"auditor: stopping, and keeping what there is; once more to quit at once\n")
        stop.now()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deliver(
    run: Run,
    rulebook: Rulebook,
    form: str | None,
    output: Path | None,
    *,
    quiet: bool = False,
    page: Path | None = None,
    keeper: Keeper | None = None,
) -> bool:
    """The document asked for, to standard output or a file; the HTML report to `page` and into the history. False where
    something could not be written; that was said."""
    form = form or _by_suffix(output)
    past = keeper.past() if keeper and (page or form == "html") else None
    shown = render(run, form, rulebook.rules, past)
    done = write_file(output, shown) if output else quiet or write_out(shown)
    if page is None or (form == "html" and output):
        if keeper and form == "html":
            keeper.add_report(run, shown)
        return done
    html = shown if form == "html" else render(run, "html", rulebook.rules, past)
    if keeper:
        keeper.add_report(run, html)
    if not write_file(page, html):
        return False
    if not quiet and form == "text":
        done = write_out(f"Report: {page.absolute()}\n".encode()) and done
    return done


def _by_suffix(output: Path | None) -> str:
    """`--output report.html` needs no `--format html` beside it."""
    return SUFFIXES.get(output.suffix.lower() if output else "", "text")
