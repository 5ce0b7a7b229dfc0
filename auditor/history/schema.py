"""The history's tables, as named migrations. Change them only by adding a migration below; docs/history.md is made from
the comments here.

Whatever is long lies once, by content (`contents`). Findings are intervals of results: a row stands for every night on
which nothing changed. All times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sqlite_utils import Database, Migrations

from auditor.history import first_schema

migrations = Migrations("auditor")


def unknown_schema(db: Database) -> Iterator[str]:
    """What of a history, whose migrations are all applied, is not as they make it: a view or another table in the place of
    one of ours, a trigger of anybody's. Further tables, views and indexes, which do not change ours, are nobody's business."""
    ours, theirs = _ours(), _schema(db)
    for name, (kind, columns) in ours.items():
        if name not in theirs:
            yield f"the {kind} {name} is not there"
        elif theirs[name] != (kind, columns):
            found = theirs[name][0]
            yield (
                f"a {found} stands in the place of the {kind} {name}" if found != kind else f"the {kind} {name} is another one"
            )
    for name, (kind, _) in theirs.items():
        if kind == "trigger":
            yield f"there is a trigger, {name}, and auditor makes none"


_Made = tuple[str, frozenset[tuple[object, ...]]]


@cache
def _ours() -> dict[str, _Made]:
    made = Database(memory=True)
    migrations.apply(made)
    return _schema(made)


def _schema(db: Database) -> dict[str, _Made]:
    """By name: table, view, index or trigger, and a table's columns. Not its text, which tells how it came about."""
    rows = db.execute("select name, type from sqlite_master where name not like 'sqlite~_%' escape '~'").fetchall()
    columns = "select name, type, pk, hidden from pragma_table_xinfo(?)"
    return {
        name: (kind, frozenset(db.execute(columns, [name]).fetchall()) if kind == "table" else frozenset())
        for name, kind in rows
    }


# Each column with what it means, in the order of the tables: the data dictionary.
TABLES = {
    "runs": {
        "n": "number, in the order in which runs began",
        "id": "as reports name it; sorts by time",
        "started": "when it began",
        "finished": "when it ended; null while it goes on, and for ever where it was killed",
        "interrupted": "1 where it was stopped early",
        "auditor": "version of the program",
        "rulebook": "by which rules it judged",
        "remarks": "what somebody should look at beside the findings: JSON; null for nothing",
        "thinned": "1 where pruning left only what others refer to: it cannot be shown any more",
        "one_off": "1 for a scan by hand and imported facts: no audit is compared with them",
        "advisories": "by which advisories it judged: JSON; null where there was no advisory database",
        "zones": "the zones that were asked, their workers and when they were last heard: JSON; null for none",
    },
    "rulebooks": {
        "n": "number",
        "digest": "SHA-256 over the rules",
        "rules": "how many there are",
        "newest_source": "day on which the youngest rule was read from its source",
        "ids": "the ids of its rules, a line each, zstd; null where they were not kept",
        "left_out": "by product, how many rules about particular problems nobody asked for: JSON; null for none",
    },
    "rules": {
        "n": "number",
        "id": "as findings name it",
        "title": "its title when it was last seen",
        "advisory": "1 for one of a feed of advisories",
    },
    "machines": {"n": "number", "id": "what a host says of itself that is nobody else's: machine-id, MachineGuid"},
    "replacements": {
        "target": "of which target",
        "result": "the first result of another machine than the one that had answered until then",
    },
    "targets": {
        "n": "number",
        "name": "entry of the inventory, or the address of a call",
        "address": "where it was last reached",
        "connection": "how it was last reached",
        "first_seen": "the first run that was to assess it",
        "machine": "which machine answered last",
        "listed": "1 where it is (or was) an entry of the inventory",
        "removed": "the run after which it was no entry any more; null while it is one",
    },
    "absences": {
        "target": "an entry of the inventory that left it and is one again",
        "gone": "the run after which it was none",
        "back": "the run with which it was one again",
    },
    "contents": {
        "n": "number",
        "digest": "BLAKE2b over the body, with its kind",
        "kind": "what it is: a section of facts, facts, finding, waiver, target, collectors, error",
        "base": "the content of which it is kept by its difference; null where it is whole",
        "body": "JSON, zstd",
    },
    "results": {
        "n": "number, in the order in which results were stored",
        "run": "of which run",
        "target": "of which target",
        "outcome": "assessed, partial, unreachable, failed",
        "error": "kind and message, where there was one",
        "milliseconds": "how long it took",
        "offset": "when the facts were read: milliseconds after the run began",
        "facts": "the stable facts; null where there were none",
        "machine": "which machine answered",
        "collectors": "how each collector fared",
        "record": "the target as it was then; references to secrets, never secrets",
        "noncompliant": "findings, all obligations",
        "pending": "findings, all obligations",
        "unknown": "findings, all obligations",
        "compliant": "findings, all obligations",
        "not_applicable": "findings, all obligations",
        "required_met": "required findings without a waiver that are compliant, and fulfilled advisories",
        "required_missing": "required findings without a waiver that are noncompliant or pending",
        "required_unknown": "required findings without a waiver that are unknown",
        "held": "the releases whose advisories it was held against: JSON; null for none",
        "fulfilled": "advisories about flaws that are fulfilled, which are no findings; among required_met",
    },
    "findings": {
        "target": "on which target",
        "rule": "by which rule",
        "since": "the first result that has it",
        "until": "the first later result of the target that has another, or none; null while it stands",
        "verdict": "compliant, noncompliant, pending, unknown, not_applicable",
        "severity": "critical, important, moderate, low, unrated",
        "obligation": "required, advised, situational",
        "body": "its texts and evidence",
        "waiver": "the waiver on it, null where there is none",
    },
    "latest": {
        "target": "of which target",
        "result": "read with which result",
        "body": "readings that change by themselves, and the collectors' seconds: JSON, zstd",
    },
    "mails": {
        "run": "about which run",
        "recipients": "to whom: JSON",
        "queued": "when it became due: with the end of its run",
        "attempts": "how often a server was asked to take it",
        "next_try": "not before then",
        "error": "why the last attempt failed",
        "sent": "when a server took it; null while it waits",
        "unanswered": "attempts of which nobody knows how they ended: it may have arrived once more for each",
        "under_way": "1 while a server is asked",
    },
    "nights": {
        "name": "named audit of the agent's schedule",
        "due": "when it was due",
        "began": "when it was begun, or was found missed",
        "ended": "when it ended; null while it goes on, and where it was killed",
        "state": "known (first heard of then), running, done, missed, misdated (by a clock that was set back since)",
        "run": "its run; null where there is none",
        "reason": "why there is no run, or no whole one",
    },
    "reports": {"run": "of which run", "created": "when", "html": "zstd"},
}

_CREATE = """
create table rulebooks (n integer primary key, digest text not null unique, rules integer not null, newest_source text not null, ids blob);
create table runs (n integer primary key, id text not null unique, started text not null, finished text, interrupted integer not null,
    auditor text not null, rulebook integer not null references rulebooks(n), remarks text, thinned integer not null default 0);
create table rules (n integer primary key, id text not null unique, title text not null);
create table machines (n integer primary key, id text not null unique);
create table targets (n integer primary key, name text not null unique, address text, connection text not null, first_seen text not null,
    machine integer references machines(n), listed integer not null, removed integer references runs(n));
create table contents (n integer primary key, digest blob not null unique, kind text not null, base integer references contents(n), body blob not null);
create table results (n integer primary key, run integer not null references runs(n), target integer not null references targets(n),
    outcome text not null, error integer references contents(n), milliseconds integer not null, offset integer,
    facts integer references contents(n), machine integer references machines(n), collectors integer references contents(n),
    record integer not null references contents(n), noncompliant integer not null, pending integer not null, unknown integer not null,
    compliant integer not null, not_applicable integer not null, required_met integer not null, required_missing integer not null,
    required_unknown integer not null);
create unique index results_run_target on results (run, target);
create index results_target on results (target);
create table findings (target integer not null references targets(n), rule integer not null references rules(n),
    since integer not null references results(n), until integer references results(n), verdict text not null, severity text not null,
    obligation text not null, body integer not null references contents(n), waiver integer references contents(n),
    primary key (target, rule, since)) without rowid;
create index findings_rule on findings (rule);
create table latest (target integer primary key references targets(n), result integer not null references results(n), body blob not null);
create table mails (run integer primary key references runs(n), recipients text not null, queued text not null, attempts integer not null,
    next_try text, error text, sent text);
create table reports (run integer primary key references runs(n), created text not null, html blob not null);
create table logins (target integer primary key references targets(n), login text not null, server text, host_key text, kex text);

create view host_results as select runs.id as run, runs.started, targets.name as host, results.outcome, results.milliseconds / 1000.0 as seconds,
    results.noncompliant, results.pending, results.unknown, results.compliant, results.not_applicable
    from results join runs on runs.n = results.run join targets on targets.n = results.target;
create view finding_history as select targets.name as host, rules.id as rule, rules.title, findings.verdict, findings.severity, findings.obligation,
    first.started as since, last.started as until
    from findings join targets on targets.n = findings.target join rules on rules.n = findings.rule
    join results as a on a.n = findings.since join runs as first on first.n = a.run
    left join results as b on b.n = findings.until left join runs as last on last.n = b.run;
create view open_findings as select * from finding_history where until is null and verdict in ('noncompliant', 'pending', 'unknown');
"""
_REPLACEMENTS = """create table if not exists replacements (target integer not null references targets(n),
    result integer not null references results(n), primary key (target, result)) without rowid"""


@migrations()
def first(db: Database) -> None:
    """Every result with all its findings (the form of 2026-11)."""
    first_schema.create(db)


@migrations()
def intervals(db: Database) -> None:
    """Findings as intervals, facts by sections, everything long once."""
    for table in first_schema.TABLES:
        db.execute(f"alter table {table} rename to old_{table}")
    for index in first_schema.INDEXES:
        db.execute(f"drop index {index}")
    for statement in _CREATE.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute(_REPLACEMENTS)  # carrying over writes by today's writer
    first_schema.carry_over(db)
    for table in reversed(first_schema.TABLES):
        db.execute(f"drop table old_{table}")


@migrations()
def mails_and_remarks(db: Database) -> None:
    """For histories written before runs had mails and remarks."""
    db.execute(
        "create table if not exists mails (run integer primary key references runs(n), recipients text not null, queued text not null,"
        " attempts integer not null, next_try text, error text, sent text)"
    )
    if "remarks" not in db.table("runs").columns_dict:
        db.execute("alter table runs add column remarks text")


@migrations()
def unanswered_mails(db: Database) -> None:
    """Attempts whose end nobody knows are counted."""
    for column in ("unanswered", "under_way"):
        db.execute(f"alter table mails add column {column} integer not null default 0")


@migrations()
def replacements(db: Database) -> None:
    """When another machine began to answer under a name."""
    db.execute(_REPLACEMENTS)
    before: dict[int, int] = {}
    found = db.execute("select target, n, machine from results where machine is not null order by n").fetchall()
    for target, result, machine in found:
        if before.setdefault(target, machine) != machine:
            db.execute("insert or ignore into replacements values (?,?)", (target, result))
            before[target] = machine


@migrations()
def nights(db: Database) -> None:
    """The agent's named audits."""
    db.execute(
        "create table nights (name text not null, due text not null, began text not null, ended text, state text not null,"
        " run integer references runs(n), reason text, primary key (name, due)) without rowid"
    )


@migrations()
def machines_of_targets(db: Database) -> None:
    """Which other names a machine has is asked for every host."""
    db.execute("create index targets_machine on targets (machine)")


@migrations()
def one_off_runs_and_absences(db: Database) -> None:
    """Audits are compared with audits; an entry that comes back was away, and not there all along."""
    db.execute("alter table runs add column one_off integer not null default 0")
    db.execute(
        "create table absences (target integer not null references targets(n), gone integer not null references runs(n),"
        " back integer not null references runs(n), primary key (target, gone)) without rowid"
    )


@migrations()
def no_logins(db: Database) -> None:
    """What a login taught for the next one is not used any more: it saved a distant host 0.2 s of a scan."""
    db.execute("drop table logins")


@migrations()
def advisories_of_feeds(db: Database) -> None:
    """Runs say by which advisories they judged, and rules whether they are of a feed."""
    db.execute("alter table runs add column advisories text")
    db.execute("alter table rules add column advisory integer not null default 0")
    db.execute("alter table results add column held text")
    db.execute("alter table results add column fulfilled integer not null default 0")


@migrations()
def rules_left_out(db: Database) -> None:
    """Rules about particular problems are judged on demand only; how many there are is said."""
    db.execute("alter table rulebooks add column left_out text")


@migrations()
def zones_of_runs(db: Database) -> None:
    """Runs say which zones they asked, and by whom."""
    db.execute("alter table runs add column zones text")
