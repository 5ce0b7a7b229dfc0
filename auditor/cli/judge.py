"""`auditor judge`: facts against rules, without touching a host."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.audit.stored_facts import evaluate_again, from_files, from_run, newest
from auditor.cli import exits, options
from auditor.cli.days import end_of_day
from auditor.cli.delivery import deliver
from auditor.errors import UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.durations import FORM, span
from auditor.inventory.selection import open_inventory
from auditor.report.formats import FORMS
from auditor.rulebook.loader import load


@click.command()
@click.argument("paths", metavar="[FACTS.json|FOLDER]...", nargs=-1)
@click.option("--latest", is_flag=True, help="Every host's newest facts in the history.")
@click.option("--as-of", metavar="DATE", help="Every host's newest facts at the end of a day (2026-11-25, UTC).")
@click.option("--run", "run_id", metavar="ID", help="The facts of one run in the history.")
@click.option(
    "--max-age",
    default="30d",
    show_default=True,
    metavar="AGE",
    help="With --latest and --as-of: older facts leave everything unknown.",
)
@options.inventory
@options.rules
@options.history
@options.advisories
@options.situational
@options.formats(*FORMS)
@options.output
@click.option("--fail-on", metavar="SEVERITIES", help="Exit 1 only for these severities and above, or `overdue`; default all.")
def judge(paths: tuple[str, ...], latest: bool, as_of: str | None, run_id: str | None, max_age: str, inventory: str | None, rule_paths: tuple[str, ...],
          history: str | None, advisories: str | None, situational: bool, form: str | None, output: Path | None, fail_on: str | None) -> int:  # fmt: skip
    """Hold facts against rules without touching a host: files, folders of *.json, or the history's.

    The verdicts are today's: support that ended and attestations that expired since the facts were read count.
    """
    failing = exits.severities(fail_on)
    opened = options.with_situational(open_inventory(inventory), situational)
    if bool(paths) + latest + bool(as_of) + bool(run_id) != 1:
        raise UsageFault("name either files or folders of facts, or --latest, or --as-of DATE, or --run ID")
    options.check_outputs(opened, options.history_path(history, opened), output)
    oldest = span(max_age)
    if oldest is None:
        raise UsageFault(f"--max-age: {max_age!r} is no span; {FORM}")
    rulebook, now = load(rule_paths, situational=opened.policy.situational), utc_now()
    then = min(end_of_day(as_of), now) if as_of else None
    known_advisories = options.advisory_database(advisories, opened, history, then)
    if paths:
        before, known = from_files(paths, opened, now)
        run = evaluate_again(before, known, rulebook, opened, now, known_advisories)
    else:
        from auditor.cli.stored_history import open_store  # sqlite_utils costs a tenth of a second

        with open_store(history, inventory) as store:
            before, known = from_run(store, run_id) if run_id else newest(store, then or now, oldest)
            run = evaluate_again(before, known, rulebook, opened, now, known_advisories)
    delivered = deliver(run, rulebook, form, output)
    return exits.delivered(exits.code(run, failing), delivered)
