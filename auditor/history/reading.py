"""Reading runs back from the history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from auditor.history import blobs, stored_finding
from auditor.history.writing import Latest
from auditor.model.facts import CollectorOutcome, HostFacts
from auditor.model.finding import Finding, WaiverNote
from auditor.model.run import AdvisoriesSummary, RulebookSummary, Run, TargetError, TargetResult
from auditor.model.target import Target
from auditor.model.zone import ZoneSeen

_RUN = "select runs.*, digest, rules, newest_source, ids, left_out from runs join rulebooks on rulebooks.n = rulebook"
_NEWEST = """
select results.*, started from targets join results on results.n = coalesce(
        (select n from results where target=targets.n and n <= :high and facts is not null order by n desc limit 1),
        (select max(n) from results where target=targets.n and n <= :high))
    join runs on runs.n=results.run
where removed is null or removed > (select run from results where n=:high) order by targets.name
"""
# What stood on a target when a result was stored: the findings of its day and of the nights on which nothing changed.
STANDING = "since <= results.n and (until is null or until > results.n)"


class HistoryReader:
    """Reads one database; contents that many results share are decoded once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._findings: dict[tuple[int, int | None], Finding] = {}
        self._tuples: dict[tuple[tuple[int, int | None], ...], tuple[Finding, ...]] = {}
        self._decoded: dict[int, Any] = {}

    def run(self, row: dict[str, Any], *, slim: bool) -> Run:
        """A run with all its results, from its row."""
        run = head(row)
        return replace(run, results=tuple(self.results(row, run, slim=slim)))

    def results(self, row: dict[str, Any], run: Run, *, slim: bool) -> Iterator[TargetResult]:
        """The results of a run, in the order in which they were stored."""
        found = self._findings_of(row)
        for result in list(self._db.query("select * from results where run=? order by n", [row["n"]])):
            yield self.result(result, run.started, found.get(result["target"], ()), slim=slim)

    def newest(self, high: int) -> Iterator[TargetResult]:
        """Each target's newest facts up to a result; where there are none, its newest result. Findings are left out."""
        rows = self._db.query(_NEWEST, {"high": high})
        for row in list(rows):
            yield self.result(row, datetime.fromisoformat(row["started"]), (), slim=False)

    def result(self, row: dict[str, Any], started: datetime, findings: tuple[Finding, ...], *, slim: bool) -> TargetResult:
        """One result from its row. `slim`: its facts without the long lists."""
        return TargetResult(
            target=self._content(row["record"], Target),
            outcome=row["outcome"],
            error=self._content(row["error"], TargetError) if row["error"] else None,
            facts=self._facts(row, started, slim) if row["facts"] else None,
            findings=findings if row["outcome"] in ("assessed", "partial") else (),
            seconds=row["milliseconds"] / 1000,
            held=tuple(msgspec.json.decode(row["held"])) if row["held"] else (),
            fulfilled=row["fulfilled"],
        )

    def _content(self, number: int, kind: Any) -> Any:
        if number not in self._decoded:
            self._decoded[number] = msgspec.json.decode(blobs.get(self._db, number), type=kind)
        return self._decoded[number]

    def _findings_of(self, row: dict[str, Any]) -> dict[int, tuple[Finding, ...]]:
        """By target, in the rules' order; only what the run's own rules and advisories judged."""
        judged = frozenset(blobs.unpack(row["ids"]).decode().split("\n")) if row["ids"] else None
        standing: dict[int, list[tuple[int, int | None]]] = {}
        for target, rule, of_feed, body, waiver in self._db.execute(
            f"select findings.target, rules.id, advisory and held is not null, body, waiver from results join findings on findings.target = results.target and {STANDING}"
            " join rules on rules.n = rule where run=? order by findings.target, rule",
            (row["n"],),
        ):
            if judged is None or of_feed or rule in judged:
                standing.setdefault(target, []).append((body, waiver))
        return {target: self.findings(tuple(pairs)) for target, pairs in standing.items()}

    def findings(self, pairs: tuple[tuple[int, int | None], ...]) -> tuple[Finding, ...]:
        """Findings by the contents of their body and waiver; hosts in the same state get the same tuple."""
        if pairs not in self._tuples:
            self._tuples[pairs] = tuple(self.finding(*pair) for pair in pairs)
        return self._tuples[pairs]

    def finding(self, body: int, waiver: int | None) -> Finding:
        """One finding by the numbers of its body and of its waiver."""
        if (body, waiver) not in self._findings:
            found = stored_finding.read(self._db, body)
            if waiver is not None:
                found = replace(found, waiver=self._content(waiver, WaiverNote))
            self._findings[body, waiver] = found
        return self._findings[body, waiver]

    def _facts(self, row: dict[str, Any], started: datetime, slim: bool) -> HostFacts:
        sections = blobs.get_facts(self._db, row["facts"], slim=slim)
        name = self._content(row["record"], Target).name
        when = started + timedelta(milliseconds=row["offset"])
        stable = msgspec.json.decode(blobs.encode({"target": name, "collected_at": when, **sections}), type=HostFacts)
        outcomes = self._content(row["collectors"], tuple[CollectorOutcome, ...])
        kept = self._db.execute("select body from latest where target=? and result=?", (row["target"], row["n"])).fetchone()
        if kept is None:
            return replace(stable, outcomes=outcomes)
        latest = msgspec.json.decode(blobs.unpack(kept[0]), type=Latest)
        return replace(
            stable,
            volatile=latest.volatile,
            outcomes=tuple(replace(o, seconds=latest.seconds.get(o.name)) for o in outcomes),
        )


def find(db: Database, given: str) -> list[dict[str, Any]]:
    """The run of that id, or those whose id begins so, at most two."""
    exact = list(db.query(f"{_RUN} where id=?", [given]))
    return exact or list(db.query(f"{_RUN} where id like ? || '%' limit 2", [given.replace("%", "").replace("_", "")]))


def numbered(db: Database, number: int) -> dict[str, Any]:
    """The row of a run by its number."""
    (row,) = db.query(f"{_RUN} where runs.n=?", [number])
    return row


def head(row: dict[str, Any]) -> Run:
    """A run without its results, from its row."""
    return Run(
        id=row["id"],
        started=datetime.fromisoformat(row["started"]),
        finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
        interrupted=bool(row["interrupted"]) or not row["finished"],
        auditor=row["auditor"],
        rulebook=RulebookSummary(
            row["digest"], row["rules"], row["newest_source"], msgspec.json.decode(row["left_out"]) if row["left_out"] else {}
        ),
        advisories=msgspec.json.decode(row["advisories"], type=AdvisoriesSummary) if row["advisories"] else None,
        remarks=tuple(msgspec.json.decode(row["remarks"])) if row["remarks"] else (),
        zones=msgspec.json.decode(row["zones"], type=tuple[ZoneSeen, ...]) if row["zones"] else (),
    )
