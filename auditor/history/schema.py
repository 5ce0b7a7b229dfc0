"""The history's tables, as named migrations. Change them only by adding a migration below.

Stable facts lie once per content (`facts.digest`); what changes by itself lies with the result that read it. All times
are ISO 8601 in UTC.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations
from sqlite_utils.db import Table

migrations = Migrations("auditor")


@migrations()
def first(db: Database) -> None:
    """Runs, targets, results, facts, findings, reports."""
    runs = _create(
        db,
        "runs",
        {
            "id": str,
            "started": str,
            "finished": str,  # null while the run goes on, and for ever where it was killed
            "interrupted": int,
            "auditor": str,
            "rulebook": str,
            "rules": int,
            "newest_source": str,
        },
        pk="id",
    )
    runs.create_index(["started"])
    _create(db, "targets", {"name": str, "address": str, "connection": str, "first_seen": str}, pk="name")
    # What the last login to a target taught, for the fast path of the next one; `login` says by which address, user, key.
    _create(
        db,
        "logins",
        {"target": str, "login": str, "server": str, "host_key": str, "kex": str},
        pk="target",
        foreign_keys=[("target", "targets", "name")],
    )
    _create(db, "facts", {"digest": str, "body": bytes}, pk="digest")
    _create(
        db,
        "results",
        {
            "run": str,
            "target": str,
            "outcome": str,
            "error_kind": str,
            "error_message": str,
            "seconds": float,
            "collected_at": str,
            "facts": str,
            "volatile": str,  # JSON
            "collectors": str,  # JSON
            "record": str,  # JSON: the target as it was then; references to secrets, never secrets
        },
        pk=("run", "target"),
        foreign_keys=[("run", "runs", "id"), ("target", "targets", "name"), ("facts", "facts", "digest")],
    )
    _create(
        db,
        "findings",
        {
            "run": str,
            "target": str,
            "rule": str,
            "verdict": str,
            "severity": str,
            "obligation": str,
            "body": str,  # JSON: the finding's texts, evidence and waiver
        },
        pk=("run", "target", "rule"),
        foreign_keys=[("run", "runs", "id"), ("target", "targets", "name")],
    )
    _create(db, "reports", {"run": str, "created": str, "html": bytes}, pk="run", foreign_keys=[("run", "runs", "id")])


def _create(db: Database, name: str, columns: dict[str, type], **more: object) -> Table:
    table = db.table(name)
    table.create(columns, **more)  # type: ignore[arg-type]  # the keyword arguments are create()'s own
    return table
