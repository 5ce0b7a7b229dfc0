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

from auditor.cli import exits, options
from auditor.cli.shown import show_json
from auditor.cli.stored import open_store
from auditor.errors import HistoryError, UsageFault
from auditor.history import care, questions
from auditor.history.store import Store
from auditor.inventory.native import Retention
from auditor.inventory.select import open_inventory
from auditor.model.past import Change
from auditor.printable import cell, printable
from auditor.spans import FORM, span


@click.group()
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
        f"{r['id']}  {_when(r['started'])}  {r['targets']} hosts, {r['unassessed'] or 0} not assessed, "
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
        rows = questions.of_host(store.db, name)
        (state,) = questions.fleet(store.db, None, name)
        same = questions.renamed(store.db, [name])
    if form in (None, "text"):
        click.echo(_safe(_host_line(state)))
        for ident, names in same:
            others = ", ".join(n for n in names if n != name)
            click.echo(_safe(f"  the same machine as {others} (machine id {ident})"))
    _print(form, rows, _finding_line, empty="nothing was ever missing, pending or unknown")


def _host_line(h: questions.HostState) -> str:
    removed = f", left the inventory {_when(h.removed)}" if h.removed else ""
    if h.assessed is None:
        return f"{h.host}: never assessed; {h.outcome} at the last try, {_when(h.read)}{removed}"
    counts = f"{h.noncompliant} missing, {h.pending} pending, {h.unknown} unknown, {h.compliant} compliant"
    if h.outcome in ("assessed", "partial"):
        return f"{h.host}: {h.outcome} {_when(h.assessed)}: {counts}{removed}"
    return f"{h.host}: {h.outcome} {_when(h.read)}; as last assessed {_when(h.assessed)} (stale): {counts}{removed}"


def _finding_line(r: questions.Row) -> str:
    span = f"since {r.since[:10]}" + (f" until {r.until[:10]}" if r.until else "")
    stale = f"  (stale: last assessed {r.stale[:10]})" if r.stale else ""
    return f"{r.verdict.replace('_', ' '):14} {r.severity:9} {span:34} {r.rule}  {r.title}{stale}"


@history.command()
@click.argument("rule_id", metavar="RULE")
@_asks
def rule(rule_id: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """How each host stands to a rule, and since when."""
    with open_store(history, inventory) as store, store.guard("read"):
        rows = questions.of_rule(store.db, rule_id)
    _print(form, rows, lambda r: (
        f"{r.verdict.replace('_', ' '):14} since {r.since[:10]}  {r.host}" + (f"  (stale: last assessed {r.stale[:10]})" if r.stale else "")
    ))  # fmt: skip


@history.command()
@click.argument("first", metavar="[RUN", required=False)
@click.argument("second", metavar="[RUN]]", required=False)
@_asks
def diff(first: str | None, second: str | None, history: str | None, inventory: str | None, form: str | None) -> None:
    """What changed: between two runs, from a run to the newest, or between the last two.

    A host that was not assessed keeps what was last known of it: what a failed scan leaves out is never "fixed".
    """
    with open_store(history, inventory) as store:
        low, high = _two(store, first, second)
        with store.guard("read"):
            rows = questions.diff(
                store.db, questions.high_of_run(store.db, low["n"]), questions.high_of_run(store.db, high["n"])
            )
    if form in (None, "text"):
        click.echo(f"from {low['id']} ({_when(low['started'])}) to {high['id']} ({_when(high['started'])})")
    _print(form, rows, _change_line, empty="nothing changed")


def _two(store: Store, first: str | None, second: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    newest = store.finished(2)
    if not first:
        if len(newest) < 2:
            raise HistoryError(f"the history {store.path} has fewer than two runs that ended: nothing to compare")
        first = newest[1]
    low, high = store.row(first), store.row(second or newest[0])
    if low["n"] > high["n"]:
        low, high = high, low
    return low, high


def _change_line(c: Change) -> str:
    if c.rule:
        return f"{c.kind:15} {c.severity:9} {c.host}  {c.rule}  {c.title}  ({c.before or 'not judged'} -> {c.after or 'not judged'})"
    what = f"  ({c.before} -> {c.after})" if c.before else f"  ({c.after})" if c.after else ""
    return f"{c.kind:15} {'':9} {c.host}{what}"


@history.command("as-of")
@click.argument("day", metavar="DATE")
@_asks
def as_of(day: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """The fleet as it stood at the end of a day (2026-11-25, in UTC): each host's state, and what was not fulfilled."""
    end = end_of_day(day)
    with open_store(history, inventory) as store, store.guard("read"):
        high = questions.high_of_day(store.db, end)
        hosts = [h for h in questions.fleet(store.db, high) if not (h.removed and h.removed < end.isoformat())]
        rows = list(questions.standing(store.db, high))
    kept = {h.host for h in hosts}
    rows = [r for r in rows if r.host in kept]
    if form == "json":
        _json({"as_of": end, "hosts": hosts, "findings": rows})
    elif form == "csv":
        _csv(rows)
    else:
        for h in hosts:
            click.echo(_safe(_host_line(h)))
        for r in rows:
            click.echo(_safe(f"{r.host}: {_finding_line(r)}"))


@history.command()
@click.option("--runs", "count", default=30, show_default=True, type=click.IntRange(1), help="So many of the newest runs.")
@_asks
def trend(count: int, history: str | None, inventory: str | None, form: str | None) -> None:
    """Compliance run by run, by group and severity; how long fixing took, and how old what is open is."""
    with open_store(history, inventory) as store, store.guard("read"):
        found = questions.trend(store.db, count)
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
            f"{p.run}  {_when(p.started)}  {compliance}  open: {by}; {p.unknown} unknown; {p.unassessed} of {p.hosts} hosts not assessed"
        )
    for group, share in found.groups.items():
        click.echo(_safe(f"group {group}: {share:.1%}"))
    for severity, days in found.fix_days.items():
        click.echo(f"{severity}: fixed after {days:.1f} days on average")
    for severity, (number, mean, longest) in found.open_days.items():
        click.echo(f"{severity}: {number} open, for {mean:.1f} days on average, {longest:.1f} at most")


@history.command()
@options.history
@options.inventory
@click.option("--upgrade", is_flag=True, help="First bring a history of an earlier version to today's form.")
def check(history: str | None, inventory: str | None, upgrade: bool) -> int:
    """Is the file sound: SQLite's own check, references, digests, intervals. Exit 3 where it is not."""
    path = options.history_path(history, open_inventory(inventory))
    if not path.exists():
        raise HistoryError(f"there is no history {path}")
    with Store(path, create=upgrade) as store:
        wrong = list(care.faults(store.db))
        free, size = store.db.execute("pragma freelist_count").fetchone()[0], path.stat().st_size
    for fault in wrong:
        click.echo(f"{path}: {fault}")
    for doubt in care.exposed(path):
        click.echo(f"remark: {doubt}")
    if wrong:
        click.echo(
            f"{path} is damaged. Keep it, and put the last backup in its place: auditor history restore BACKUP.db", err=True
        )
        return exits.INCOMPLETE
    click.echo(f"{path} is sound: {size / 1e6:.1f} MB, {free} pages free")
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
        p = care.prune(store.db, store.path, nightly, monthly, datetime.now(UTC))
    click.echo(
        f"{p.runs} runs thinned, {p.results} results, {p.reports} reports, {p.findings} findings and {p.contents} contents dropped: "
        f"{p.before / 1e6:.1f} MB before, {p.after / 1e6:.1f} MB now"
    )


@history.command()
@click.argument("copy", metavar="FILE.db", type=click.Path(path_type=Path))
@options.history
@options.inventory
def backup(copy: Path, history: str | None, inventory: str | None) -> None:
    """A sound copy, also while a run writes."""
    with open_store(history, inventory) as store, store.guard(f"copied to {copy}"):
        care.backup(store.db, copy)
    click.echo(f"{copy.absolute()}")


@history.command()
@click.argument("copy", metavar="FILE.db", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.history
@options.inventory
def restore(copy: Path, history: str | None, inventory: str | None) -> None:
    """Put a backup in the history's place; what was there is kept beside it."""
    path = options.history_path(history, open_inventory(inventory))
    aside = care.restore(path, copy, datetime.now(UTC))
    click.echo(f"{path} is the backup now" + (f"; what was there is {aside}" if aside else ""))


def _span(text: str | None, option: str) -> timedelta | None:
    length = span(text) if text is not None else None
    if text is not None and length is None:
        raise UsageFault(f"{option}: {text!r} is no span; {FORM}")
    return length


def end_of_day(text: str) -> datetime:
    """The moment a day ends, in UTC. Raises UsageFault."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        raise UsageFault(f"{text!r} is no date; write it as 2026-11-25") from None


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
