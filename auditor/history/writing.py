"""Writing to the history: runs, results, the intervals of their findings. Transactions are the caller's."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from sqlite_utils import Database

from auditor.history import blobs, stored_finding
from auditor.model.encoded_facts import encode_facts
from auditor.model.facts import HostFacts, Volatile
from auditor.model.finding import Finding
from auditor.model.run import Run, TargetResult
from auditor.model.target import Target

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Latest(Struct):
    """What a result has that changes by itself."""

    volatile: Volatile | None
    seconds: dict[str, float | None]


# A finding as it is stored: rule, verdict, severity, obligation, body, waiver; the last two and the first are numbers.
_Row = tuple[int, str, str, str, int, int | None]


_RESULT = (
    "n, run, target, outcome, error, milliseconds, offset, facts, machine, collectors, record, noncompliant, pending, unknown, compliant,"
    " not_applicable, required_met, required_missing, required_unknown"
)
_MOST_FINDINGS = 50_000  # whose rows are remembered; a fleet has fewer findings than hosts times rules


class Writer:
    """Writes to one database; remembers the numbers of rules, and of the findings that hosts in the same state share."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rules: dict[tuple[str, str], int] = {}
        self._judged: dict[int, frozenset[str]] = {}  # by run: the rules that were loaded
        self._stored: dict[int, tuple[Finding, _Row]] = {}  # by the identity of a finding that hosts share
        self._others = 0  # SQLite's count of what other programs committed
        self._digests = blobs.Digests()

    def begin(self, run: Run, rules: Iterable[str] | None, *, one_off: bool = False) -> int:
        """Open a run; its number. `rules` are the ids of those it judges by, None where they are not known any more. `one_off`: it is no
        audit, and none is compared with it."""
        ids = None if rules is None else frozenset(rules)
        b = run.rulebook
        self._db.execute(
            "insert or ignore into rulebooks (digest, rules, newest_source, ids) values (?,?,?,?)",
            (b.digest, b.rules, b.newest, None if ids is None else zstd.compress("\n".join(sorted(ids)).encode(), 9)),
        )
        (book,) = self._db.execute("select n from rulebooks where digest=?", (b.digest,)).fetchone()
        cursor = self._db.execute(
            "insert into runs (id, started, finished, interrupted, auditor, rulebook) values (?,?,null,0,?,?)",
            (run.id, iso(run.started), run.auditor, book),
        )
        number = int(cursor.lastrowid or 0)
        if b.left:
            self._db.execute("update rulebooks set left_out=? where n=?", (blobs.encode(b.left).decode(), book))
        if one_off:
            self._db.execute("update runs set one_off=1 where n=?", (number,))
        if run.advisories:
            self._db.execute("update runs set advisories=? where n=?", (blobs.encode(run.advisories).decode(), number))
        self._judged[number] = ids or frozenset()
        return number

    def forget(self) -> None:
        """What was written last is not there: its transaction failed, and the numbers in it may be given anew."""
        self._rules.clear()
        self._stored.clear()

    def resume(self, ident: str, rules: Iterable[str]) -> int:
        """Go on with a run, judged by the same rules as before; its number."""
        (number,) = self._db.execute("select n from runs where id=?", (ident,)).fetchone()
        self._db.execute("update runs set finished=null, interrupted=0 where n=?", (number,))
        self._judged[number] = frozenset(rules)
        return int(number)

    def _rule(self, f: Finding, judged: frozenset[str]) -> int:
        """The number of a finding's rule. What a run found and its rulebook does not hold is of a feed."""
        ident, title = f.rule, f.title
        number = self._rules.get((ident, title))
        if number is None:
            self._db.execute(
                "insert into rules (id, title) values (?,?) on conflict (id) do update set title=excluded.title where title<>excluded.title",
                (ident, title),
            )
            (number,) = self._db.execute("select n from rules where id=?", (ident,)).fetchone()
            if f.packages or (judged and ident not in judged):
                self._db.execute("update rules set advisory=1 where n=? and not advisory", (number,))
            self._rules[ident, title] = number
        return number

    def add(self, number: int, run: Run, result: TargetResult, *, listed: bool) -> None:
        """Store one target's result. `listed`: the target is an entry of the inventory."""
        target = self._target(number, run, result.target, listed)
        facts = result.facts
        machine = self._machine(facts.machine_id) if facts and facts.machine_id else None
        counts = Counter(f.verdict for f in result.findings)
        required = Counter(f.verdict for f in result.findings if f.obligation == "required" and not f.waiver)
        cursor = self._db.execute(
            f"insert into results ({_RESULT}) values (null,{','.join('?' * 18)})",
            (
                number,
                target,
                result.outcome,
                blobs.store_blob(self._db, "error", blobs.encode(result.error)) if result.error else None,
                round(result.seconds * 1000),
                round((facts.collected_at - run.started).total_seconds() * 1000) if facts else None,
                blobs.store_sections(self._db, result.encoded or encode_facts(facts), self._digests, self._facts_before(target))
                if facts
                else None,
                machine,
                blobs.store_blob(self._db, "collectors", blobs.without_seconds(facts.outcomes)) if facts else None,
                blobs.store_blob(self._db, "target", blobs.encode(result.target)),
                *(counts[v] for v in ("noncompliant", "pending", "unknown", "compliant", "not_applicable")),
                required["compliant"] + result.fulfilled,
                required["noncompliant"] + required["pending"],
                required["unknown"],
            ),
        )
        place = int(cursor.lastrowid or 0)
        if result.held:
            held = (blobs.encode(result.held).decode(), result.fulfilled, place)
            self._db.execute("update results set held=?, fulfilled=? where n=?", held)
        if facts:
            self._keep_latest(target, place, facts)
            self._same_machine(target, machine, place)
        if result.outcome in ("assessed", "partial"):
            judged = self._judged.get(number, frozenset())
            self._intervals(target, place, self._rows(result.findings, judged), judged, bool(result.held))

    def _target(self, number: int, run: Run, t: Target, listed: bool) -> int:
        row = self._db.execute("select n, address, connection, listed, removed from targets where name=?", (t.name,)).fetchone()
        if row is None:
            cursor = self._db.execute(
                "insert into targets (name, address, connection, first_seen, listed) values (?,?,?,?,?)",
                (t.name, t.address, t.connection, iso(run.started), int(listed)),
            )
            return int(cursor.lastrowid or 0)
        wanted = (t.address, t.connection, int(listed or row[3]), None if listed else row[4])
        if listed and row[4] is not None:
            self._db.execute("insert or ignore into absences values (?,?,?)", (row[0], row[4], number))
        if wanted != tuple(row[1:]):
            self._db.execute("update targets set address=?, connection=?, listed=?, removed=? where n=?", (*wanted, row[0]))
        return int(row[0])

    def _facts_before(self, target: int) -> int | None:
        row = self._db.execute(
            "select facts from latest join results on results.n=result where latest.target=?", (target,)
        ).fetchone()
        return row[0] if row else None

    def _machine(self, ident: str) -> int:
        self._db.execute("insert or ignore into machines (id) values (?)", (ident,))
        return int(self._db.execute("select n from machines where id=?", (ident,)).fetchone()[0])

    def _keep_latest(self, target: int, place: int, facts: HostFacts) -> None:
        body = zstd.compress(blobs.encode(Latest(facts.volatile, {o.name: o.seconds for o in facts.outcomes})))
        self._db.execute("insert or replace into latest values (?,?,?)", (target, place, body))

    def _same_machine(self, target: int, machine: int | None, place: int) -> None:
        """Another machine under the same name starts anew: nothing of the one before is its own."""
        (before,) = self._db.execute("select machine from targets where n=?", (target,)).fetchone()
        if machine is None or machine == before:
            return
        if before is not None:
            self._db.execute("update findings set until=? where target=? and until is null", (place, target))
            self._db.execute("insert into replacements values (?,?)", (target, place))
        self._db.execute("update targets set machine=? where n=?", (machine, target))

    def _rows(self, findings: tuple[Finding, ...], judged: frozenset[str]) -> list[_Row]:
        """The rows of findings, each stored once for all hosts that share it. What another program wrote meanwhile may have been
        a pruning, so then nothing that was remembered counts."""
        (others,) = self._db.execute("pragma data_version").fetchone()
        if others != self._others or len(self._stored) > _MOST_FINDINGS:
            self._stored.clear()
            self._others = others
        return [self._row(f, judged) for f in findings]

    def _row(self, f: Finding, judged: frozenset[str]) -> _Row:
        known = self._stored.get(id(f))
        if known is None:
            body = blobs.store_blob(self._db, "finding", stored_finding.body(f))
            waiver = blobs.store_blob(self._db, "waiver", blobs.encode(f.waiver)) if f.waiver else None
            row = (self._rule(f, judged), f.verdict, f.severity, f.obligation, body, waiver)
            known = self._stored[id(f)] = f, row  # holding the finding keeps its identity its own
        return known[1]

    def _intervals(self, target: int, place: int, rows: list[_Row], judged: frozenset[str], held: bool) -> None:
        """Close what has changed or is judged no more, open what is new. What another rulebook judged stays as it was, and so does
        what a feed asked for while none was there."""
        found = self._db.execute(
            f"select id, {'advisory' if held else '0'}, rule, verdict, severity, obligation, body, waiver from findings"
            " join rules on rules.n=rule where target=? and until is null",
            (target,),
        ).fetchall()
        standing = {row[2]: tuple(row[2:]) for row in found}
        new = [row for row in rows if standing.get(row[0]) != row]
        now = {row[0] for row in rows}
        gone = [rule for ident, of_feed, rule, *_ in found if rule not in now and (of_feed or ident in judged)]
        closed = [(place, target, rule) for rule in (*(row[0] for row in new if row[0] in standing), *gone)]
        self._db.conn.executemany("update findings set until=? where target=? and rule=? and until is null", closed)
        self._db.conn.executemany(
            "insert into findings (target, rule, since, verdict, severity, obligation, body, waiver) values (?,?,?,?,?,?,?,?)",
            [(target, row[0], place, *row[1:]) for row in new],
        )

    def finish(self, number: int, run: Run) -> None:
        """Note that a run ended, and its remarks."""
        remarks = blobs.encode(run.remarks).decode() if run.remarks else None
        row = (iso(run.finished), int(run.interrupted), remarks, number)
        self._db.execute("update runs set finished=?, interrupted=?, remarks=? where n=?", row)
        if run.zones:
            self._db.execute("update runs set zones=? where n=?", (blobs.encode(run.zones).decode(), number))

    def close_removed(self, number: int, names: Iterable[str]) -> None:
        """Entries of the inventory that it has no more; `names` are all that it has."""
        kept = set(names)
        for n, name in self._db.execute("select n, name from targets where listed and removed is null").fetchall():
            if name not in kept:
                self._db.execute("update targets set removed=? where n=?", (number, n))


def iso(when: datetime | None) -> str | None:
    """A time as it is stored: ISO 8601, UTC, to the millisecond."""
    return when.isoformat(timespec="milliseconds") if when else None
