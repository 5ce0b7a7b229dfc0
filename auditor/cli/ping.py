"""`auditor ping`: reach, authenticate, privileges, clock difference, and what would be unknown and why."""

from __future__ import annotations

import click

from auditor.audit.executor import LocalExecutor
from auditor.audit.service import AuditRequest, AuditRun
from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.signals import stopped_by_signals
from auditor.foundation.sanitize import one_line
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import open_inventory, select
from auditor.model.run import TargetResult
from auditor.model.target import Auth
from auditor.rulebook.loader import load

_NAMED = 4  # rules that one reason names


@click.command()
@click.argument("words", metavar="TARGET...", nargs=-1, required=True)
@options.inventory
@options.rules
@options.formats("text", "json")
@options.login
def ping(words: tuple[str, ...], inventory: str | None, rule_paths: tuple[str, ...], form: str | None, user: str | None,
         key_file: str | None, secret: str | None, ask_password: bool, auth: Auth | None) -> int:  # fmt: skip
    """Reach hosts and say what could be read there, and what not and why. Stores nothing."""
    targets = options.with_login(select(words, open_inventory(inventory)), user, key_file, secret, ask_password, auth)
    request = AuditRequest(inventory=Inventory(), rulebook=load(rule_paths), targets=targets)
    code = exits.ALL_WELL
    rows = []
    with stopped_by_signals() as stop, AuditRun(request) as audit:
        for result in audit.results(LocalExecutor(), stop):
            row = _row(result)
            rows.append(row)
            if result.error or row["unknown"]:
                code = exits.INCOMPLETE
            if form != "json":
                _print(row)
    if form == "json":
        show_json(rows)
    return code


def _row(r: TargetResult) -> dict[str, object]:
    facts = r.facts
    clock = facts.volatile.clock if facts and facts.volatile else None
    return {
        "name": r.target.name,
        "reached": r.outcome != "unreachable",
        "error": r.error,
        "seconds": round(r.seconds, 3),
        "way": facts.method if facts else None,
        "sudo": bool(r.target.become),
        "clock_difference": round((clock - facts.collected_at).total_seconds(), 1) if clock and facts else None,
        "not_read": [
            {"collector": o.name, "outcome": o.outcome, "reason": o.reason} for o in facts.outcomes if o.outcome != "ok"
        ]
        if facts
        else [],
        "unknown": [{"rule": f.rule, "why": f.why} for f in r.findings if f.verdict == "unknown"],
    }


def _print(row: dict[str, object]) -> None:
    error = row["error"]
    state = f"{error.kind}: {one_line(error.message, 500)}" if error else "reached, authenticated, read"  # type: ignore[attr-defined]
    click.echo(f"{one_line(str(row['name']))}: {state} ({row['seconds']} s)")
    if row["way"]:
        click.echo(f"  read over {one_line(str(row['way']))}")
    if row["clock_difference"] is not None:
        click.echo(f"  clock difference: {row['clock_difference']:+} s (measured to the second, travel time included)")
    for part in row["not_read"]:  # type: ignore[attr-defined]
        click.echo(f"  {part['collector']} {part['outcome']}: {one_line(part['reason'])}")
    reasons: dict[str, list[str]] = {}  # one failure is said once, however many rules it keeps from being judged
    for part in row["unknown"]:  # type: ignore[attr-defined]
        reasons.setdefault(part["why"], []).append(part["rule"])
    for why, rules in reasons.items():
        more = f" and {len(rules) - _NAMED} more" if len(rules) > _NAMED else ""
        click.echo(f"  would be unknown: {', '.join(rules[:_NAMED])}{more}: {one_line(why)}")
