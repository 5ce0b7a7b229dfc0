"""What changed between two states of the fleet: findings, waivers, hosts, facts; each from what to what.

A host that was not assessed keeps its last known findings: what a failed scan leaves out is never fixed. What another
machine under the same name lacks is new, and nothing of the one before it is fixed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from sqlite_utils import Database

from auditor.history import contents
from auditor.history.changed_facts import changed
from auditor.history.fleet import ASSESSED, HostState, last, states
from auditor.model.finding import Finding, WaiverNote
from auditor.model.past import Change, ChangeKind
from auditor.model.run import TargetError

FAILING = ("noncompliant", "pending")
_LONGEST = 400  # characters of what was found

# The first result of the machine that a finding is of; 0 where it is the first one under its name.
ERA = "coalesce((select max(result) from replacements r where r.target={0}.target and r.result<={1}), 0)"
_STANDS = "{0}.target=c.target and {0}.rule=c.rule and {0}.since<={1} and ({0}.until is null or {0}.until>{1})"
_ENDS = f"""
select targets.name as host, rules.id as rule, rules.title, coalesce(new.severity, old.severity) as severity,
    coalesce(new.obligation, old.obligation) as obligation, old.obligation as old_obligation, old.severity as old_severity,
    old.verdict as before, old.body as old_body, old.waiver as old_waiver,
    new.verdict as after, new.body as new_body, new.waiver as new_waiver,
    exists (select 1 from findings p where p.target=c.target and p.rule=c.rule and p.until<=:low and p.verdict in ('noncompliant', 'pending')
        and p.since>={ERA.format("c", ":high")}) as had
from (select distinct target, rule from findings where (since > :low and since <= :high) or (until > :low and until <= :high)) c
    join targets on targets.n=c.target join rules on rules.n=c.rule
    left join findings new on {_STANDS.format("new", ":high")}
    left join findings old on {_STANDS.format("old", ":low")} and old.since>={ERA.format("c", ":high")}
where targets.name in (select value from json_each(:names))
order by host, rule
"""


def diff(db: Database, low: int, high: int, names: Collection[str]) -> list[Change]:
    """What changed between two results on the targets of these names."""
    before, after = (states(db, n, names) for n in (low, high))
    told = _Told(db)
    same = dict(db.execute(_SAME_MACHINE, (low,)).fetchall())
    between = _began(db, low), _began(db, high)
    changes = [c for name in after for c in _host(db, before.get(name), after[name], same, between, high)]
    text = msgspec.json.encode(sorted(names)).decode()
    for r in db.query(_ENDS, {"low": low, "high": high, "names": text}):
        if r["host"] in before:
            changes += told.finding(r)
    return [*changes, *_facts(db, low, high, text)]


class _Told:
    """Findings in the words of their contents; those that many hosts share are decoded once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._found: dict[int, tuple[tuple[str, ...], str, str]] = {}

    def finding(self, r: dict[str, Any]) -> Iterator[Change]:
        """What became of a finding, and of the waiver on it."""
        head = (r["host"], r["rule"], r["title"], r["severity"], r["obligation"])
        ends = r["before"] or "", r["after"] or ""
        if kind := self._kind(r):
            yield Change(kind, *head, *ends, *self._ends(r, only_other=kind == "changed"))
        if r["old_waiver"] != r["new_waiver"] and r["before"] and r["after"]:
            yield self._waiver(r, head, ends)

    def _kind(self, r: dict[str, Any]) -> ChangeKind | None:
        """None where nothing happened that matters. Unknown is neither progress nor loss."""
        before, after = r["before"], r["after"]
        if before in FAILING and after in FAILING:
            if before != after or (r["old_obligation"], r["old_severity"]) != (r["obligation"], r["severity"]):
                return "changed"
            return "changed" if self._read(r["old_body"])[0] != self._read(r["new_body"])[0] else None
        if before == after:
            return None
        if after in FAILING:
            return "came back" if r["had"] else "new"
        if after == "unknown":
            return "became unknown"
        if before in FAILING:
            return "fixed" if after else "gone"
        return "known again" if before == "unknown" and after else None

    def _ends(self, r: dict[str, Any], *, only_other: bool) -> tuple[str, str]:
        """What was found then and now; `only_other`: of what offends, only what is not on both sides."""
        old, new = (self._read(r[key]) if r[key] else ((), "", "") for key in ("old_body", "new_body"))
        if not only_other or old[0] == new[0]:
            return self._words(r["before"], old), self._words(r["after"], new)
        was, now = ([x for x in a if x not in b] for a, b in ((old[0], new[0]), (new[0], old[0])))
        return _cut("; ".join(was)), _cut("; ".join(now))

    @staticmethod
    def _words(verdict: str | None, read: tuple[tuple[str, ...], str, str]) -> str:
        offending, observed, why = read
        if verdict == "unknown":
            return _cut(why)
        return _cut("; ".join(offending) if verdict in FAILING else observed)

    def _read(self, body: int) -> tuple[tuple[str, ...], str, str]:
        """What offends, what was observed, and why."""
        if body not in self._found:
            f = msgspec.json.decode(contents.get(self._db, body), type=Finding)
            self._found[body] = (f.offending or (f.observed,), f.observed, f.why)
        return self._found[body]

    def _waiver(self, r: dict[str, Any], head: tuple[str, ...], ends: tuple[str, str]) -> Change:
        was, now = (self._note(r[key]) for key in ("old_waiver", "new_waiver"))
        kind: ChangeKind = "waived" if not was else "waiver changed" if now else "waiver ended"
        host, rule, title, severity, obligation = head
        return Change(kind, host, rule, title, severity, obligation, "", ends[1] if not now else "", was, now)

    def _note(self, number: int | None) -> str:
        if number is None:
            return ""
        note = msgspec.json.decode(contents.get(self._db, number), type=WaiverNote)
        until = f"until {note.expires}" if note.expires else "for good"
        return _cut(f"waived by {note.owner} {until}: {note.reason}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _began(db: Database, result: int) -> str:
    """When the run of a result began; "" for no result."""
    row = db.execute("select started from results join runs on runs.n=run where results.n=?", (result,)).fetchone()
    return str(row[0]) if row else ""


# A new target that is the machine of one that was known before: (its name, the name before).
_SAME_MACHINE = """
select new.name, old.name from targets new join targets old on old.machine=new.machine and old.n<new.n
where not exists (select 1 from results where target=new.n and n <= ?)
"""


def _host(
    db: Database, was: HostState | None, host: HostState, same: dict[str, str], between: tuple[str, str], high: int
) -> Iterator[Change]:
    """What became of one host."""
    name, why = host.host, _why(db, host.host, high)
    ok, was_ok = host.outcome in ASSESSED, was is not None and was.outcome in ASSESSED
    if was is None and name in same:
        yield Change("renamed", name, before=same[name], after=name)
    elif was is None:
        yield Change("new host", name, after=host.outcome, now=why)
    elif was_ok and not ok:
        yield Change("not assessed", name, before=was.outcome, after=host.outcome, now=why)
    elif ok and not was_ok:
        yield Change("assessed again", name, before=was.outcome, after=host.outcome)
    if host.removed and between[0] < host.removed <= between[1]:
        yield Change("host removed", name, before="an entry of the inventory", after="none")


def why_not(db: Database, name: str) -> str:
    """Why a host was not assessed the last time; "" where it was."""
    return _why(db, name, last(db))


def _why(db: Database, name: str, high: int) -> str:
    found = "select error from results join targets on targets.n=target where name=? and results.n<=? order by results.n desc limit 1"
    row = db.execute(found, (name, high)).fetchone()
    if not row or row[0] is None:
        return ""
    error = msgspec.json.decode(contents.get(db, row[0]), type=TargetError)
    return _cut(f"{error.kind}: {error.message}")


_FACTS = """
select targets.name as host, old.facts as old, new.facts as new, a.id as machine_before, b.id as machine_after
from targets
    join results old on old.n = (select n from results where target=targets.n and n <= :low and facts is not null order by n desc limit 1)
    join results new on new.n = (select n from results where target=targets.n and n <= :high and facts is not null order by n desc limit 1)
    left join machines a on a.n=old.machine left join machines b on b.n=new.machine
where old.facts <> new.facts and targets.name in (select value from json_each(:names)) order by host
"""


def _facts(db: Database, low: int, high: int, names: str) -> Iterator[Change]:
    for r in db.query(_FACTS, {"low": low, "high": high, "names": names}):
        if r["machine_before"] and r["machine_after"] and r["machine_before"] != r["machine_after"]:
            yield Change("another machine", r["host"], before=r["machine_before"], after=r["machine_after"])
            continue
        old, new = (contents.get_facts(db, r[key], slim=False) for key in ("old", "new"))
        for name in sorted(old.keys() | new.keys()):
            was, now = (bytes(part[name]) if name in part else None for part in (old, new))
            if was != now and (said := changed(name, was, now)):
                yield Change("facts changed", r["host"], title=name.replace("_", " "), now=said)
