"""What the history answers of findings: what a host lacks or lacked, how hosts stand to a rule, what stood on a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from sqlite_utils import Database

from auditor.errors import UsageFault
from auditor.foundation.yaml_file import did_you_mean
from auditor.history.fleet import ASSESSED, HostState, last, states, target_number

_OPEN = "verdict in ('noncompliant', 'pending', 'unknown')"


class FindingRow(Struct, frozen=True):
    """One finding of a history, in the words of its view. `since` and `until` are when runs began; `stale` is the moment of
    the last assessment, where a later one failed."""

    host: str
    rule: str
    title: str
    verdict: str
    severity: str
    obligation: str
    since: str
    until: str | None = None
    stale: str | None = None


_FINDINGS = """
select targets.name as host, rules.id as rule, rules.title, findings.verdict, findings.severity, findings.obligation,
    a_run.started as since, b_run.started as until, findings.since as n, findings.until as m
from findings join targets on targets.n=findings.target join rules on rules.n=findings.rule
    join results a on a.n=findings.since join runs a_run on a_run.n=a.run
    left join results b on b.n=findings.until left join runs b_run on b_run.n=b.run
"""


def of_host(db: Database, name: str) -> list[FindingRow]:
    """Every finding that a host has or had, but what never was anything else than fulfilled; the newest first."""
    number = target_number(db, name)
    interesting = f"select rule from findings where target=? and {_OPEN}"
    rows = db.query(
        f"{_FINDINGS} where findings.target=? and findings.rule in ({interesting}) order by findings.since desc, rules.id",
        [number, number],
    )
    stale = _stale(states(db, last(db), [name]).values()).get(name)
    return [_row(r, stale) for r in rows]


def of_rule(db: Database, rule: str) -> list[FindingRow]:
    """How every host stands to a rule, and since when. Raises UsageFault where the history has no such rule."""
    if db.execute("select 1 from rules where id=?", (rule,)).fetchone() is None:
        known = [i for (i,) in db.execute("select id from rules").fetchall()]
        raise UsageFault(f"the history has no finding of a rule {rule!r}{did_you_mean(rule, known)}")
    stale = _stale(states(db, last(db)).values())
    rows = db.query(
        f"{_FINDINGS} where rules.id=? and findings.until is null and targets.removed is null order by host", [rule]
    )
    return [_row(r, stale.get(r["host"])) for r in rows]


def standing(db: Database, high: int, hosts: Iterable[HostState]) -> Iterator[FindingRow]:
    """Every finding of these hosts that is no fulfilled one, as it stood at a result."""
    kept = {h.host: h for h in hosts}
    stale = _stale(kept.values())
    for r in db.query(
        f"{_FINDINGS} where findings.{_OPEN} and findings.since <= :high and (findings.until is null or findings.until > :high)"
        " order by host, rules.id",
        {"high": high},
    ):
        if r["host"] in kept:
            yield _row({**r, "until": None}, stale.get(r["host"]))


def _row(r: dict[str, Any], stale: str | None) -> FindingRow:
    known = stale if r["until"] is None else None
    return FindingRow(
        r["host"], r["rule"], r["title"], r["verdict"], r["severity"], r["obligation"], r["since"], r["until"], known
    )


def _stale(hosts: Iterable[HostState]) -> dict[str, str]:
    """The hosts whose newest result is no assessment, each with when it was last assessed."""
    return {h.host: h.assessed for h in hosts if h.assessed and h.outcome not in ASSESSED}
