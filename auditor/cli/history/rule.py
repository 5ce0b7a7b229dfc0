"""`auditor history rule`."""

from __future__ import annotations

import click

from auditor.cli.history.lines import print_rows, question
from auditor.cli.stored_history import open_store
from auditor.history import queries


@click.command()
@click.argument("rule_id", metavar="RULE")
@question
def rule(rule_id: str, history: str | None, inventory: str | None, form: str | None) -> None:
    """How each host stands to a rule, and since when."""
    with open_store(history, inventory) as store, store.guard("read"):
        rows = queries.of_rule(store.db, rule_id)
    print_rows(form, rows, lambda r: (
        f"{r.verdict.replace('_', ' '):14} since {r.since[:10]}  {r.host}" + (f"  (stale: last assessed {r.stale[:10]})" if r.stale else "")
    ))  # fmt: skip
