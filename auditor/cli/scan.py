"""`auditor scan` and `auditor audit`: reach hosts, judge them, keep and show what was found."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from auditor import __version__
from auditor.cli import exits, options
from auditor.cli.output import write_file, write_out
from auditor.cli.progress import Progress
from auditor.errors import HistoryError, UsageFault
from auditor.inventory.native import Inventory
from auditor.inventory.select import open_inventory, select
from auditor.model.mailing import Mailing
from auditor.model.past import Past
from auditor.model.rule import Rule
from auditor.model.run import Run, TargetResult
from auditor.model.target import Auth, Target
from auditor.report.forms import FORMS, SUFFIXES, render
from auditor.rulebook import Rulebook, load
from auditor.scan import Audit, scan_all, utc_now
from auditor.transports.deadline import Stop
from auditor.transports.sshconfig import resolve_all
from auditor.waiving import remarks

if TYPE_CHECKING:
    from auditor.history.store import Store

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
    return _run(targets, opened, **shared)  # type: ignore[arg-type]  # click gives the types that _shared declares


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
    return _run(targets, opened, whole=not limit, no_mail=no_mail, **shared)  # type: ignore[arg-type]  # click gives the types that _shared declares


def _run(targets: list[Target], opened: Inventory, *, whole: bool = False, no_mail: bool = False, rule_paths: tuple[str, ...], history: str | None, no_history: bool,
         form: str | None, output: Path | None, report_path: str | None, no_report: bool, fail_on: str | None, jobs: int,
         deep: bool, quiet: bool) -> int:  # fmt: skip
    """One run, from targets to exit code. Faults of usage end before any host is contacted."""
    failing = exits.severities(fail_on)
    rulebook = load(rule_paths)
    targets = resolve_all(targets)
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
    run = replace(run, remarks=tuple(noted))
    path = None if no_history else options.history_path(history, opened)
    keeper = Keeper(path, run, rulebook.rules, opened.targets, opened.mail if whole and not no_mail else None)
    targets = keeper.with_known_logins(targets)
    if opened.policy.deadlines or opened.policy.groups:
        audited = replace(audited, seen=keeper.failing_since())
    run = gather(run, targets, audited, keeper, jobs, quiet, whole=whole)
    page = None if no_report else Path(report_path or REPORT)
    delivered = deliver(run, rulebook, form, output, quiet=quiet, page=page, keeper=keeper) and keeper.send_mails()
    return exits.delivered(exits.code(run, failing), delivered and not keeper.fault)


def make_run(rulebook: Rulebook, started: datetime) -> Run:
    """A run that begins; its id sorts by time."""
    return Run(id=f"{started:%Y%m%dT%H%M%S}-{token_hex(3)}", started=started, auditor=__version__, rulebook=rulebook.summary())


def share_one_heap() -> None:
    """glibc gives every thread a heap of its own (mallopt(3), M_ARENA_MAX); under one interpreter lock that is memory for
    nothing, about 10 MB at 32 threads. Other C libraries have no such call and no such heaps."""
    try:
        ctypes.CDLL(None).mallopt(-8, 1)
    except (AttributeError, OSError):
        pass  # not glibc


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


def gather(
    run: Run, targets: list[Target], audited: Audit, keeper: Keeper, jobs: int, quiet: bool, *, whole: bool = False
) -> Run:
    """Scan all targets, keeping each result as it arrives. `whole`: they are the whole inventory."""
    share_one_heap()
    results: list[TargetResult] = []
    workers = min(jobs, len(targets))
    with (
        stopped_by_signals() as stop,
        ThreadPoolExecutor(max_workers=workers, thread_name_prefix="host") as pool,
        Progress(targets, quiet) as progress,
    ):
        for result in scan_all(targets, audited, pool, stop):
            keeper.add(result)
            results.append(result.slim())
            progress.done(result)
    order = {t.name: n for n, t in enumerate(targets)}
    results.sort(key=lambda r: order[r.target.name])
    run = replace(run, finished=utc_now(), interrupted=stop.asked.is_set(), results=tuple(results))
    keeper.finish(run, whole)
    return run


class Keeper:
    """The history during a run: what goes wrong with it is said once and never costs the audit."""

    def __init__(
        self,
        path: Path | None,
        run: Run,
        rules: Sequence[Rule],
        inventory: Collection[str],
        mailing: Mailing | None = None,
    ) -> None:
        self.fault: HistoryError | None = None
        self._run = run
        self._inventory = inventory
        self._mailing = mailing
        self._store: Store | None = None
        if path is not None:
            from auditor.history.store import Store  # sqlite_utils costs a tenth of a second

            try:
                self._store = Store(path)
                self._store.begin(run, rules)
            except HistoryError as e:
                self._fail(e)

    def _fail(self, fault: HistoryError) -> None:
        print(f"auditor: {fault}\nauditor: the audit goes on without its history", file=sys.stderr)
        self.fault = fault
        if self._store:
            self._store.close()
        self._store = None

    def with_known_logins(self, targets: list[Target]) -> list[Target]:
        try:
            return self._store.with_known_logins(targets) if self._store else targets
        except HistoryError as e:
            self._fail(e)
            return targets

    def failing_since(self) -> dict[str, dict[str, date]]:
        """By target and rule: since when it is known to be lacking."""
        try:
            return self._store.failing_since() if self._store else {}
        except HistoryError as e:
            self._fail(e)
            return {}

    def add(self, result: TargetResult) -> None:
        self._try(lambda store: store.add(self._run, result, listed=result.target.name in self._inventory))

    def finish(self, run: Run, whole: bool) -> None:
        everything = self._inventory if whole and not run.interrupted else None
        self._try(lambda store: store.finish(run, everything, self._recipients(run, store)))

    def _recipients(self, run: Run, store: Store) -> tuple[str, ...]:
        """To whom a mail is due, by the policy."""
        if self._mailing is None:
            return ()
        from auditor.cli.mailing import wanted
        from auditor.history import outbox

        asked = wanted(run, store.past(run), self._mailing, outbox.last_sent(store.db))
        return self._mailing.to if asked else ()

    def send_mails(self) -> bool:
        """Send what is due, of this run and of earlier ones. False where something waits; that was said."""
        if self._store is None or self._mailing is None:
            return True
        from auditor.cli.mailing import send_due

        try:
            return send_due(self._store, self._mailing, utc_now())
        except HistoryError as e:
            self._fail(e)
            return False

    def past(self) -> Past | None:
        """What came before this run, once it is finished; None where there is no history, or nothing before."""
        try:
            return self._store.past(self._run) if self._store else None
        except HistoryError as e:
            self._fail(e)
            return None

    def add_report(self, run: Run, html: bytes) -> None:
        self._try(lambda store: store.add_report(run, html))

    def _try(self, write: Callable[[Store], None]) -> None:
        if self._store:
            try:
                write(self._store)
            except HistoryError as e:
                self._fail(e)


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
