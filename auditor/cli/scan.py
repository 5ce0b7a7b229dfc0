"""`auditor scan` and `auditor audit`: reach hosts, judge them, keep and show what was found."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from auditor.audit.executor import LocalExecutor
from auditor.audit.service import AuditRequest, AuditRun
from auditor.cli import exits, options
from auditor.cli.delivery import deliver
from auditor.cli.progress import Progress
from auditor.cli.signals import stopped_by_signals
from auditor.errors import UsageFault
from auditor.foundation.messages import on_stderr
from auditor.history.lock import only_one, run_lock
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import open_inventory, select
from auditor.model.target import Auth, Target
from auditor.report.formats import FORMS
from auditor.rulebook.loader import load
from auditor.zones import executor_for

REPORT = "auditor-report.html"


def _shared(function: options.F) -> options.F:
    several = (
        options.inventory,
        options.rules,
        options.history,
        options.advisories,
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
        options.situational,
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


def _run(targets: list[Target], opened: Inventory, *, one_off: bool = False, whole: bool = False, no_mail: bool = False, rule_paths: tuple[str, ...], history: str | None, advisories: str | None, no_history: bool,
         form: str | None, output: Path | None, report_path: str | None, no_report: bool, fail_on: str | None, jobs: int,
         deep: bool, situational: bool, quiet: bool) -> int:  # fmt: skip
    """One run, from targets to exit code. Faults of usage end before any host is contacted."""
    failing, opened = exits.severities(fail_on), options.with_situational(opened, situational)
    own = None if no_history else options.history_path(history, opened)
    options.check_outputs(opened, own, output, Path(report_path) if report_path and not no_report else None)
    request = AuditRequest(
        inventory=opened,
        rulebook=load(rule_paths, situational=opened.policy.situational),
        targets=targets,
        history=own,
        mailing=opened.mail if whole and not no_mail else None,
        whole_inventory=whole,
        one_off=one_off,
        advisories=options.advisory_database(advisories, opened, history),
        deep=deep,
    )
    executor, seen = executor_for(targets, LocalExecutor(jobs), opened, own, on_stderr)
    page = None if no_report else Path(report_path or REPORT)
    with stopped_by_signals() as stop, AuditRun(request) as audit:
        with Progress(targets, quiet) as progress:
            for result in audit.results(executor, stop):
                progress.done(result)
        run = audit.finish(stop, zones=seen())
        delivered = deliver(run, request.rulebook, form, output, quiet=quiet, page=page, recorder=audit.recorder)
        delivered = audit.recorder.send_mails(stop) and delivered
    return exits.delivered(exits.code(run, failing), delivered and not audit.recorder.fault)
