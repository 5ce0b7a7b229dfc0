"""What the history's commands have in common: their options, and how lines are printed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

from auditor.cli import options
from auditor.cli.json_output import show_json
from auditor.foundation.sanitize import cell, printable
from auditor.history import fleet, queries


def question(function: options.F) -> options.F:
    """The options of every command that asks the history something."""
    for option in reversed((options.history, options.inventory, options.formats("text", "json", "csv"))):
        function = option(function)
    return function


def when(iso: str) -> str:
    """A stored time for people, to the minute."""
    return f"{iso[:16].replace('T', ' ')} UTC"


def print_rows(form: str | None, rows: Sequence[Any], line: Any, empty: str = "") -> None:
    """Print rows as JSON, as CSV, or each by `line`; `empty` is printed where there are no rows."""
    if form == "json":
        show_json(rows)
    elif form == "csv":
        print_csv(rows)
    else:
        for row in rows:
            click.echo(safe(line(row)))
        if not rows and empty:
            click.echo(empty)


def safe(text: str) -> str:
    """One line, harmless; columns stay."""
    return printable(text).replace("\n", " ")


def print_csv(rows: Iterable[Any]) -> None:
    """CSV with a heading; a cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    plain = [msgspec.to_builtins(r) for r in rows]
    out = io.StringIO()
    if plain:
        writer = csv.DictWriter(out, list(plain[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows({k: cell(v) for k, v in row.items()} for row in plain)
    click.echo(out.getvalue(), nl=False)


def host_line(h: fleet.HostState) -> str:
    """How one host stands, in one line."""
    removed = f", left the inventory {when(h.removed)}" if h.removed else ""
    if h.assessed is None:
        return f"{h.host}: never assessed; {h.outcome} at the last try, {when(h.read)}{removed}"
    counts = f"required: {h.required_missing} missing or pending, {h.required_unknown} unknown, {h.required_met} met"
    if h.outcome in ("assessed", "partial"):
        return f"{h.host}: {h.outcome} {when(h.assessed)}: {counts}{removed}"
    return f"{h.host}: {h.outcome} {when(h.read)}; as last assessed {when(h.assessed)} (stale): {counts}{removed}"


def finding_line(r: queries.FindingRow) -> str:
    """Days do, but where both ends lie in one day."""
    length = 16 if r.until and r.until[:10] == r.since[:10] else 10
    begin, end = (text and text[:length].replace("T", " ") for text in (r.since, r.until))
    span = f"since {begin}" + (f" until {end}" if end else "")
    stale = f"  (stale: last assessed {r.stale[:10]})" if r.stale else ""
    return f"{r.verdict.replace('_', ' '):14} {r.severity:9} {span:34} {r.rule}  {r.title}{stale}"


def print_one_off(hosts: Sequence[object], others: list[str]) -> None:
    """What the history has beside the fleet, so that nobody misses it."""
    if not hosts:
        click.echo("no entry of an inventory had been audited: there is no fleet to speak of")
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        click.echo(safe(
            f"not of the fleet, scanned by address: {', '.join(others[:5])}{more} (auditor history host NAME, auditor history forget NAME)"
        ))  # fmt: skip
