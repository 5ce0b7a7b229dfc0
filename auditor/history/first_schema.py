"""The history's first form, which repeated every finding in every run, and how it becomes today's."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from auditor.history.blobs import Damaged, unpack
from auditor.history.writing import Writer
from auditor.model.facts import CollectorOutcome, HostFacts, Volatile
from auditor.model.finding import Finding
from auditor.model.run import RulebookSummary, Run, TargetError, TargetResult
from auditor.model.target import Target

TABLES = ("runs", "targets", "logins", "facts", "results", "findings", "reports")
INDEXES = ("idx_runs_started",)

_CREATE = """
create table runs (id text primary key, started text, finished text, interrupted integer, auditor text, rulebook text, rules integer,
    newest_source text);
create index idx_runs_started on runs (started);
create table targets (name text primary key, address text, connection text, first_seen text);
create table logins (target text primary key references targets(name), login text, server text, host_key text, kex text);
create table facts (digest text primary key, body blob);
create table results (run text references runs(id), target text references targets(name), outcome text, error_kind text,
    error_message text, seconds float, collected_at text, facts text references facts(digest), volatile text, collectors text, record text,
    primary key (run, target));
create table findings (run text references runs(id), target text references targets(name), rule text, verdict text, severity text,
    obligation text, body text, primary key (run, target, rule));
create table reports (run text primary key references runs(id), created text, html blob)
"""


def create(db: Database) -> None:
    """Make the tables of the first form."""
    for statement in _CREATE.split(";\n"):
        db.execute(statement)


def carry_over(db: Database) -> None:
    """Every run, in the order in which they began, written anew. Raises Damaged where facts cannot be read."""
    writer = Writer(db)
    for row in list(db.query("select * from old_runs order by started, id")):
        run = Run(
            id=row["id"],
            started=datetime.fromisoformat(row["started"]),
            finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
            interrupted=bool(row["interrupted"]),
            auditor=row["auditor"],
            rulebook=RulebookSummary(row["rulebook"], row["rules"], row["newest_source"]),
        )
        number = writer.begin(run, None)
        for old in list(db.query("select * from old_results where run=? order by rowid", [run.id])):
            writer.add(number, run, _result(db, old), listed=False)
        if run.finished:
            writer.finish(number, run)
        report = db.execute("select created, html from old_reports where run=?", (run.id,)).fetchone()
        if report:
            db.execute("insert into reports values (?,?,?)", (number, *report))


def _result(db: Database, row: dict[str, object]) -> TargetResult:
    bodies = db.execute("select body from old_findings where run=? and target=? order by rowid", (row["run"], row["target"]))
    return TargetResult(
        target=msgspec.json.decode(str(row["record"]), type=Target),
        outcome=row["outcome"],  # type: ignore[arg-type]  # one of the four that were written
        error=TargetError(row["error_kind"], str(row["error_message"])) if row["error_kind"] else None,  # type: ignore[arg-type]
        facts=_facts(db, row) if row["facts"] else None,
        findings=tuple(msgspec.json.decode(body, type=Finding) for (body,) in bodies.fetchall()),
        seconds=float(str(row["seconds"])),
    )


def _facts(db: Database, row: dict[str, object]) -> HostFacts:
    (body,) = db.execute("select body from old_facts where digest=?", (row["facts"],)).fetchone()
    try:
        plain = unpack(body)
        if hashlib.sha256(plain).hexdigest() != row["facts"]:
            raise ValueError("its digest does not fit its content")
        stable = msgspec.json.decode(plain, type=HostFacts)
    except (Damaged, msgspec.MsgspecError, ValueError) as e:
        raise Damaged(f"facts {str(row['facts'])[:12]} cannot be read: {e}") from None
    return replace(
        stable,
        target=str(row["target"]),
        collected_at=datetime.fromisoformat(str(row["collected_at"])),
        volatile=msgspec.json.decode(str(row["volatile"]), type=Volatile | None),
        outcomes=msgspec.json.decode(str(row["collectors"]), type=tuple[CollectorOutcome, ...]),
    )
