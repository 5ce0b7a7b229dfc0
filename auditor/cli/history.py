"""`auditor history`: what was when, since when, what changed; and the care of the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from auditor.audit.scan import utc_now
from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.stored_history import open_store
from auditor.cli.suggesting_group import Hinted
from auditor.errors import UsageFault, WrongHistory
from auditor.foundation.durations import FORM, span
from auditor.foundation.files import unwritable
from auditor.foundation.sanitize import cell, counted, one_line, printable
from auditor.history import changes, fleet, maintenance, queries
from auditor.history import trend as trends
from auditor.history.store import Store
from auditor.inventory.native import Retention
from auditor.inventory.selection import open_inventory
from auditor.model.past import Change


@click.group(cls=Hinted)
def history() -> None:
    """What the history knows: runs, hosts, rules, changes, trends; check, prune, back up."""


def _asks(function: options.F) -> options.F:
    for option in reversed((options.history, options.inventory, options.formats("text", "json", "csv"))):
        function = option(function)
    return function


@history.command()
@_asks
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="So many, the newest first.")
def runs(history: str | None, inventory: str | None, form: str | None, limit: int) -> None:
    """Past runs with their counts, the newest first."""
    with open_store(history, inventory) as store:
        rows = store.runs(limit)
    _print(form, rows, lambda r: (
        f"{r['id']}  {_when(r['started'])}  {counted(r['targets'], 'host')}, {r['unassessed'] or 0} not assessed, "
        f"{r['missing'] or 0} required missing or pending{_stale(r)}  {_state(r)}"
    ))  # fmt: skip


def _stale(run: dict[str, Any]) -> str:
    return f" and {run['stale']} as last known of the hosts not assessed" if run["stale"] else ""


def _state(run: dict[str, Any]) -> str:
    if run["thinned"]:
        return "thinned"
    return "killed, not counted" if not run["finished"] else "stopped early" if run["interrupted"] else "complete"


@history.command()
@click.argument("name", metavar="HOST")
@_asks
def host(name: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """What a host lacks or lacked, since when and until when."""
    with open_store(history, inventory) as store, store.guard("read"):
        rows = queries.of_host(store.db, name)
        state = fleet.states(store.db, fleet.last(store.db), [name]).get(name)
        same = fleet.renamed(store.db, [name])
        why = changes.why_not(store.db, name)
    if form in (None, "text"):
        click.echo(_safe(_host_line(state) if state else f"{name}: its results were pruned"))
        if why:
            click.echo(_safe(f"  {why}"))
        for ident, names in same:
            others = ", ".join(n for n in names if n != name)
            click.echo(_safe(f"  the same machine as {others} (machine id {ident})"))
    never = "nothing is known of it: it was never assessed"
    _print(
        form, rows, _finding_line, empty="nothing was ever missing, pending or unknown" if state and state.assessed else never
    )


def _host_line(h: fleet.HostState) -> str:
    removed = f", left the inventory {_when(h.removed)}" if h.removed else ""
    if h.assessed is None:
        return f"{h.host}: never assessed; {h.outcome} at the last try, {_when(h.read)}{removed}"
    counts = f"required: {h.required_missing} missing or pending, {h.required_unknown} unknown, {h.required_met} met"
    if h.outcome in ("assessed", "partial"):
        return f"{h.host}: {h.outcome} {_when(h.assessed)}: {counts}{removed}"
    return f"{h.host}: {h.outcome} {_when(h.read)}; as last assessed {_when(h.assessed)} (stale): {counts}{removed}"


def _finding_line(r: queries.Row) -> str:
    """Days do, but where both ends lie in one day."""
    length = 16 if r.until and r.until[:10] == r.since[:10] else 10
    begin, end = (text and text[:length].replace("T", " ") for text in (r.since, r.until))
    span = f"since {begin}" + (f" until {end}" if end else "")
    stale = f"  (stale: last assessed {r.stale[:10]})" if r.stale else ""
    return f"{r.verdict.replace('_', ' '):14} {r.severity:9} {span:34} {r.rule}  {r.title}{stale}"


@history.command()
@click.argument("rule_id", metavar="RULE")
@_asks
def rule(rule_id: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """How each host stands to a rule, and since when."""
    with open_store(history, inventory) as store, store.guard("read"):
        rows = queries.of_rule(store.db, rule_id)
    _print(form, rows, lambda r: (
        f"{r.verdict.replace('_', ' '):14} since {r.since[:10]}  {r.host}" + (f"  (stale: last assessed {r.stale[:10]})" if r.stale else "")
    ))  # fmt: skip


@history.command()
@click.argument("first", metavar="[RUN", required=False)
@click.argument("second", metavar="[RUN]]", required=False)
@_asks
def diff(first: str | None, second: str | None, history: str | None, inventory: str | None, form: str | None) -> None:
    """What changed: between two runs, from a run to the newest, or between the newest and the one before that had a host of it.

    A host that was not assessed keeps what was last known of it: what a failed scan leaves out is never "fixed".
    """
    with open_store(history, inventory) as store:
        low, high = _two(store, first, second)
        with store.guard("read"):
            begin, end = (fleet.high_of_run(store.db, run["n"]) for run in (low, high))
            rows = changes.diff(store.db, begin, end, fleet.names(store.db, (low["n"], high["n"])))
    if form in (None, "text"):
        click.echo(f"from {low['id']} ({_when(low['started'])}) to {high['id']} ({_when(high['started'])})")
    _print(form, rows, _change_line, empty="nothing changed")


def _two(store: Store, first: str | None, second: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    high = store.row(second or store.latest())
    with store.guard("read"):
        before = fleet.runs_before(store.db, high["n"], 1)
    if not first and not before:
        raise UsageFault(f"no run before {high['id']} had a host of it: nothing to compare")
    low = store.row(first or before[0][1])
    if low["n"] > high["n"]:
        low, high = high, low
    return low, high


def _change_line(c: Change) -> str:
    of = f"  {c.rule}  {c.title}{'' if c.obligation == 'required' else f' ({c.obligation})'}" if c.rule else ""
    what = one_line(c.what, 600)
    return f"{c.kind:15} {c.severity:9} {c.host}{of}" + (f"  {what}" if what else "")


@history.command("as-of")
@click.argument("day", metavar="DATE")
@_asks
def as_of(day: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """The fleet as it stood at the end of a day (2026-11-25, in UTC): each host's state, and what was not fulfilled.

    The fleet is what the inventory named; what was scanned once by its address is no part of it. Today means now.
    """
    end = end_of_day(day)
    with open_store(history, inventory) as store, store.guard("read"):
        high = fleet.high_of_day(store.db, end)
        hosts = fleet.members(store.db, high)
        rows = list(queries.standing(store.db, high, hosts))
        others = fleet.one_off(store.db)
    if form == "json":
        _json({"as_of": end, "hosts": hosts, "findings": rows})
    elif form == "csv":
        _csv(rows)
    else:
        for h in hosts:
            click.echo(_safe(_host_line(h)))
        for r in rows:
            click.echo(_safe(f"{r.host}: {_finding_line(r)}"))
        _say_one_off(hosts, others)


def _say_one_off(hosts: Sequence[object], others: list[str]) -> None:
    """What the history has beside the fleet, so that nobody misses it."""
    if not hosts:
        click.echo("no entry of an inventory had been audited: there is no fleet to speak of")
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        click.echo(_safe(
            f"not of the fleet, scanned by address: {', '.join(others[:5])}{more} (auditor history host NAME, auditor history forget NAME)"
        ))  # fmt: skip


@history.command()
@click.option("--runs", "count", default=30, show_default=True, type=click.IntRange(1), help="So many of the newest runs.")
@_asks
def trend(count: int, history: str | None, inventory: str | None, form: str | None) -> None:
    """The fleet after each run: compliance, by group and severity; how long fixing took, how old what is open is.

    The fleet is what the inventory names; a host that was not assessed counts as it was last known. A run's own report
    counts the hosts of that run only.
    """
    with open_store(history, inventory) as store, store.guard("read"):
        found = trends.trend(store.db, count)
        others = fleet.one_off(store.db)
    if form == "json":
        _json(found)
        return
    if form == "csv":
        _csv([{**msgspec.to_builtins(p), "open": sum(p.open.values())} for p in found.points])
        return
    for p in found.points:
        compliance = "nothing judged" if p.compliance is None else f"{p.compliance:.1%}"
        by = ", ".join(f"{count} {severity}" for severity, count in p.open.items()) or "nothing"
        click.echo(
            f"{p.run}  {_when(p.started)}  {compliance}  open: {by}; {p.unknown} unknown; {p.unassessed} of {counted(p.hosts, 'host')} not assessed"
        )
    for group, share in found.groups.items():
        click.echo(_safe(f"group {group}: {share:.1%}"))
    for severity, days in found.fix_days.items():
        click.echo(f"{severity}: fixed after {days:.1f} days on average")
    for severity, (number, mean, longest) in found.open_days.items():
        click.echo(f"{severity}: {number} open, for {mean:.1f} days on average, {longest:.1f} at most")
    _say_one_off(found.points, others)


@history.command()
@click.argument("names", metavar="TARGET...", nargs=-1, required=True)
@options.history
@options.inventory
def forget(names: tuple[str, ...], history: str | None, inventory: str | None) -> None:
    """Drop all that is known of targets: a mistyped address, a machine that is no more.

    Reports that were made with them stay as they were written.
    """
    opened = open_inventory(inventory)
    with open_store(history, inventory) as store:
        with store.guard("read"):
            for name in names:
                fleet.target_number(store.db, name)
        with store.guard("written"):
            counts = [maintenance.forget(store.db, name) for name in dict.fromkeys(names)]
    for name, (results, findings) in zip(dict.fromkeys(names), counts, strict=True):
        again = "; it is an entry of the inventory, and the next audit begins anew with it" if name in opened.targets else ""
        click.echo(_safe(f"{name}: {counted(results, 'result')} and {counted(findings, 'finding')} dropped{again}"))


@history.command()
@options.history
@options.inventory
@click.option("--upgrade", is_flag=True, help="First bring a history of an earlier version to today's form.")
def check(history: str | None, inventory: str | None, upgrade: bool) -> int:
    """Is the file sound: SQLite's own check, references, digests, intervals. Exit 3 where it is not."""
    path = options.history_path(history, open_inventory(inventory))
    if not path.exists():
        raise WrongHistory(f"there is no history {path}")
    with Store(path, create=upgrade) as store:
        wrong = list(maintenance.faults(store.db))
        free, size = store.db.execute("pragma freelist_count").fetchone()[0], path.stat().st_size
    for fault in wrong:
        click.echo(f"{path}: {fault}")
    for doubt in maintenance.exposed(path):
        click.echo(f"remark: {doubt}")
    if wrong:
        click.echo(
            f"{path} is damaged. Keep it, and put the last backup in its place: auditor history restore BACKUP.db", err=True
        )
        return exits.INCOMPLETE
    click.echo(f"{path} is sound: {size / 1e6:.1f} MB, {counted(free, 'page')} free")
    return exits.ALL_WELL


@history.command()
@options.history
@options.inventory
@click.option("--keep-nightly", metavar="AGE", help="Keep every run so long (90d); default the inventory's, else 90d.")
@click.option(
    "--keep-monthly", metavar="AGE", help="Then the first run of each month, so long (3y); default the inventory's, else 3y."
)
def prune(history: str | None, inventory: str | None, keep_nightly: str | None, keep_monthly: str | None) -> None:
    """Thin old runs; what stands, and since when, is kept whatever its age."""
    opened = open_inventory(inventory)
    kept = opened.retention or Retention()
    nightly = _span(keep_nightly, "--keep-nightly") or kept.nightly
    monthly = _span(keep_monthly, "--keep-monthly") or kept.monthly
    if monthly < nightly:
        raise UsageFault("--keep-monthly is shorter than --keep-nightly")
    with open_store(history, inventory) as store, store.guard("written"):
        p = maintenance.prune(store.db, store.path, nightly, monthly, datetime.now(UTC))
    click.echo(
        f"{counted(p.runs, 'run')} thinned, {counted(p.results, 'result')}, {counted(p.reports, 'report')}, {counted(p.findings, 'finding')} and {counted(p.contents, 'content')} dropped: "
        f"{p.before / 1e6:.1f} MB before, {p.after / 1e6:.1f} MB now"
    )


@history.command()
@click.argument("copy", metavar="FILE.db", type=click.Path(path_type=Path))
@options.history
@options.inventory
def backup(copy: Path, history: str | None, inventory: str | None) -> None:
    """A sound copy, also while a run writes."""
    if copy.exists() or copy.is_symlink():
        raise UsageFault(f"{copy} is there already; a backup replaces nothing")
    if fault := unwritable(copy):
        raise UsageFault(fault)
    with open_store(history, inventory) as store, store.guard(f"copied to {copy}"):
        maintenance.backup(store.db, copy)
    click.echo(f"{copy.absolute()}")


@history.command()
@click.argument("copy", metavar="FILE.db", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.history
@options.inventory
def restore(copy: Path, history: str | None, inventory: str | None) -> None:
    """Put a backup in the history's place; what was there is kept beside it."""
    path = options.history_path(history, open_inventory(inventory))
    aside = maintenance.restore(path, copy, datetime.now(UTC))
    click.echo(f"{path} is the backup now" + (f"; what was there is {aside}" if aside else ""))


def _span(text: str | None, option: str) -> timedelta | None:
    length = span(text) if text is not None else None
    if text is not None and length is None:
        raise UsageFault(f"{option}: {text!r} is no span; {FORM}")
    return length


def end_of_day(text: str) -> datetime:
    """The moment a day ends, in UTC. Raises UsageFault for what is no date, and for a day to come."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        end = day + timedelta(days=1)
    except (ValueError, OverflowError):
        raise UsageFault(f"{text!r} is no date; write it as 2026-11-25") from None
    if day > utc_now():
        raise UsageFault(f"{text} is yet to come: nothing is known of it")
    return end


def _when(iso: str) -> str:
    return f"{iso[:16].replace('T', ' ')} UTC"


def _print(form: str | None, rows: Sequence[Any], line: Any, empty: str = "") -> None:
    if form == "json":
        _json(rows)
    elif form == "csv":
        _csv(rows)
    else:
        for row in rows:
            click.echo(_safe(line(row)))
        if not rows and empty:
            click.echo(empty)


def _safe(text: str) -> str:
    """One line, harmless; columns stay."""
    return printable(text).replace("\n", " ")


def _json(value: object) -> None:
    show_json(value)


def _csv(rows: Iterable[Any]) -> None:
    """CSV with a heading; a cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    plain = [msgspec.to_builtins(r) for r in rows]
    out = io.StringIO()
    if plain:
        writer = csv.DictWriter(out, list(plain[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows({k: cell(v) for k, v in row.items()} for row in plain)
    click.echo(out.getvalue(), nl=False)
