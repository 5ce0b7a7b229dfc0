"""`auditor agent`: the nightly audits, unattended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from auditor.agent.due import after
from auditor.agent.job import LoadedSettings
from auditor.agent.log import Form, start
from auditor.agent.loop import Agent, World
from auditor.agent.needs import wanting
from auditor.agent.scheduler import DueAudit, do
from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.signals import stopped_by_signals
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.messages import Say, on_stderr
from auditor.foundation.sanitize import counted, printable
from auditor.history import scheduled_runs
from auditor.history.lock import agent_lock, holder, run_lock
from auditor.history.store import Store
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import open_inventory, select
from auditor.model.plan import AUDIT, Plan
from auditor.model.zone import ZoneSeen
from auditor.rulebook.loader import load
from auditor.rulebook.rulebook import Rulebook

_log_format = click.option(
    "--log-format", type=click.Choice(("text", "json")), default="text", show_default=True, help="On standard error."
)


@click.group(cls=SuggestingGroup)
def agent() -> None:
    """The audits of the inventory's `schedule`, at their times, unattended."""


@agent.command()
@options.inventory
@options.history
@options.advisories
@_log_format
def run(inventory: str | None, history: str | None, advisories: str | None, log_format: Form) -> int:
    """Work until SIGTERM; SIGHUP reads inventory and rules anew.

    It catches up once with what was missed while it was not running, and continues a run that was cut short.
    """
    log = start(log_format)

    def say(text: str) -> None:
        log.warning("%s", text)

    Agent(World(utc_now, lambda beat: read(inventory, history, advisories, say, beat)), log).run()
    return exits.ALL_WELL


@agent.command()
@click.argument("name")
@options.inventory
@options.history
@options.advisories
@_log_format
def once(name: str, inventory: str | None, history: str | None, advisories: str | None, log_format: Form) -> int:
    """Run one audit of the schedule now, as the agent does, and end."""
    log = start(log_format)
    settings = read(inventory, history, advisories, lambda text: log.warning("%s", text), lambda: None)
    plan = next((p for p in settings.opened.plans if p.name == name), None)
    if plan is None:
        raise UsageFault(f"the schedule has no audit {name!r}; it has {', '.join(p.name for p in settings.opened.plans)}")
    with stopped_by_signals() as stop:
        ended = do(DueAudit(plan, utc_now()), settings, stop, lambda: False, log)
    return exits.delivered(exits.code(ended.run, exits.severities(None)), ended.kept and ended.mailed)


@agent.command(name="next")
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="Times of each audit.")
@options.inventory
def next_(count: int, inventory: str | None) -> None:
    """When each audit is due next, in its own time zone."""
    rows = []
    for plan in scheduled(inventory):
        moment = utc_now()
        for _ in range(count):
            moment = after(plan, moment)
            rows.append((moment, plan))
    for moment, plan in sorted(rows, key=lambda row: (row[0], row[1].name)):
        click.echo(f"{moment.astimezone(plan.zone):%a %Y-%m-%d %H:%M %Z}  {plan.name}  {', '.join(plan.targets)}")


@agent.command()
@options.inventory
@options.history
@options.formats("text", "json")
def status(inventory: str | None, history: str | None, form: str | None) -> int:
    """Is the agent running, what became of the newest audits, and what comes next. Exit 3 where it is not running."""
    opened = open_inventory(inventory)
    path = options.history_path(history, opened)
    running = holder(agent_lock(path))
    rows, zones = [], tuple[ZoneSeen, ...]()
    if path.exists():
        with Store(path, create=False) as store, store.guard("read"):
            rows = scheduled_runs.listed(store.db)
            zones = scheduled_runs.newest_zones(store.db)
    if form == "json":
        upcoming = {plan.name: after(plan, utc_now()) for plan in opened.plans}
        document = {"process": running, "auditing": holder(run_lock(path)), "next": upcoming, "audits": rows, "zones": zones}
        show_json(document)
    else:
        click.echo(f"the agent runs as process {running}" if running else "the agent is not running")
        for plan in opened.plans:
            click.echo(f"next     {after(plan, utc_now()).astimezone(plan.zone):%a %Y-%m-%d %H:%M %Z}  {plan.name}")
        for r in rows[:20]:
            reason = f"  {r['reason']}" if r["reason"] else ""
            click.echo(f"{r['state']:8} {r['due'][:16].replace('T', ' ')} UTC  {r['name']}  {r['run'] or '–'}{reason}")
        for zone in zones:
            click.echo(f"zone     {zone.sentence}")
    return exits.ALL_WELL if running else exits.INCOMPLETE


@agent.command()
@options.inventory
@options.history
@options.advisories
def check(inventory: str | None, history: str | None, advisories: str | None) -> int:
    """Look at everything that a night needs, without contacting a host. Exit 3 where something is wanting.

    Targets and rules of each audit, places to write to, programs, secrets and keys of hosts, ssh_config, the mail server
    (greeted and logged in to; nothing is sent).
    """
    settings = read(inventory, history, advisories, on_stderr, lambda: None, strict=True)
    opened = settings.opened
    notes = []
    for plan in opened.plans:
        targets = select(plan.targets, opened)
        book = settings.rulebooks[plan.name]
        window = f", at most {_hours(plan)}" if plan.window else ""
        click.echo(
            f"{plan.name}: {counted(len(targets), 'host')}, {counted(len(book.rules), 'rule')}, next {after(plan, utc_now()).astimezone(plan.zone):%a %Y-%m-%d %H:%M %Z}{window}"
        )
        notes += [f"{plan.name} and {other}: one waits for the other" for other in _overlapping(plan, opened.plans)]
    if not opened.mail:
        notes.append("the inventory has no `mail:`: nobody is told of an audit, or of an agent that died")
    elif not opened.mail.heartbeat and opened.mail.policy != "always":
        notes.append("mail has no `heartbeat`: silence could be an agent that died")
    if len(opened.plans) > 1:
        for key, path in (("report", opened.agent.report), ("metrics", opened.agent.metrics)):
            if path and AUDIT not in path:
                notes.append(f"agent: {key}: every audit writes {path} over; put {AUDIT} into its name")
    if not opened.retention:
        notes.append("the inventory has no `retention:`: the history is never thinned")
    with Store(settings.history) as store:
        click.echo(f"history: {settings.history}, {counted(len(store.finished(1_000_000)), 'finished run')}")
    for note in notes:
        click.echo(f"note: {note}")
    return report_wanting(opened, settings.history)


def report_wanting(opened: Inventory, history: Path) -> int:
    """Say what a night would lack; the exit code."""
    faults = list(wanting(opened, history))
    for fault in faults:
        click.echo(f"wanting: {printable(fault)}")
    return exits.INCOMPLETE if faults else exits.ALL_WELL


def _hours(plan: Plan) -> str:
    return f"{plan.window.total_seconds() / 3600:g} h" if plan.window else ""


def _overlapping(plan: Plan, plans: tuple[Plan, ...]) -> list[str]:
    """The audits later in the schedule that become due while this one may still go on, within the next eight days."""
    if not plan.window:
        return []
    found, now = [], utc_now()
    starts = _times(plan, now)
    for other in plans[plans.index(plan) + 1 :]:
        if any(
            a <= b < a + plan.window or b <= a < b + (other.window or plan.window * 0)
            for a in starts
            for b in _times(other, now)
        ):
            found.append(other.name)
    return found


def _times(plan: Plan, now: datetime) -> list[datetime]:
    times = [after(plan, now)]
    while (times[-1] - now).days < 8 and len(times) < 200:
        times.append(after(plan, times[-1]))
    return times


def scheduled(inventory: str | None) -> tuple[Plan, ...]:
    """The schedule; UsageFault where there is none."""
    opened = open_inventory(inventory)
    if not opened.plans:
        where = f"{opened.path} has no `schedule:`" if opened.path else "no inventory was found"
        raise UsageFault(f'{where}; for example: schedule: {{nightly: {{at: "02:00", timezone: Europe/Berlin}}}}')
    return opened.plans


def _check_files(opened: Inventory, history: Path) -> None:
    """UsageFault where an audit would write its report or its metrics over a file of our own, or one over the other."""
    taken = dict(options.own_files(opened, history))
    for key, path in (("report", opened.agent.report), ("metrics", opened.agent.metrics)):
        for real in {Path(path.replace(AUDIT, plan.name)).absolute().resolve() for plan in opened.plans} if path else ():
            if real in taken:
                raise UsageFault(f"{opened.path}: agent: {key}: {real} is {taken[real]}; name another file")
            taken[real] = f"the {key} already"


def read(
    inventory: str | None,
    history: str | None,
    advisories: str | None,
    say: Say,
    beat: Callable[[], None],
    *,
    strict: bool = False,
) -> LoadedSettings:
    """Inventory, rules and history, all looked at before anything is begun. FileFaults, UsageFault or HistoryError."""
    scheduled(inventory)
    opened = open_inventory(inventory, strict=strict)
    books: dict[tuple[str, ...], Rulebook] = {}
    for plan in opened.plans:
        if not select(plan.targets, opened):
            raise UsageFault(
                f"{opened.path}: schedule: {plan.name}: no host of the inventory is meant by {', '.join(plan.targets)}"
            )
        if plan.rules not in books:
            books[plan.rules] = load(plan.rules, situational=opened.policy.situational)
    path = options.history_path(history, opened)
    _check_files(opened, path)
    with Store(path):
        pass  # a history of a newer version, or one that may not be written, is told now
    options.advisory_database(advisories, opened, history)  # one that cannot be read is told now
    named = options.advisories_path(advisories, opened, history)
    return LoadedSettings(opened, {plan.name: books[plan.rules] for plan in opened.plans}, path, named, utc_now, say, beat)
