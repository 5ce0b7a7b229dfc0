"""What changed between two states of the fleet: findings, waivers, hosts, facts; each from what to what.

A host that was not assessed keeps its last known findings: what a failed scan leaves out is never fixed. What another
machine under the same name lacks is new, and nothing of the one before it is fixed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from sqlite_utils import Database

from auditor.history import blobs, stored_finding
from auditor.history.changed_facts import changed
from auditor.history.fleet import ASSESSED, HostState, last, run_of, states
from auditor.model.finding import WaiverNote
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
        and p.since>={ERA.format("c", ":high")}) as had,
    (select verdict from findings p where p.target=c.target and p.rule=c.rule and p.since<=:low and p.verdict<>'unknown'
        and p.since>={ERA.format("c", ":high")} order by p.since desc limit 1) as known
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
    hosts = _Hosts(db, low, high)
    changes = [c for name in after for c in hosts.changes(before.get(name), after[name])]
    text = msgspec.json.encode(sorted(names)).decode()
    for r in db.query(_ENDS, {"low": low, "high": high, "names": text}):
        if r["host"] in before and before[r["host"]].assessed:  # what is first learned of a host is no change of it
            changes += told.finding(r)
    for new, old in hosts.renamed.items():
        if new in after:
            changes += (c for r in _across(db, (old, low), (new, high)) for c in told.finding(r))
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
        waived = r["old_waiver"] != r["new_waiver"] and bool(r["after"])
        kind = self._kind(r)
        if kind and not (waived and kind in ("new", "came back")):  # what came up waived is waived
            yield Change(kind, *head, *ends, *self._ends(r, only_other=kind == "changed"))
        if waived and (r["before"] or r["new_waiver"]):
            yield self._waiver(r, head, ends)

    def _kind(self, r: dict[str, Any]) -> ChangeKind | None:
        """None where nothing happened that matters. Unknown is neither progress nor loss: what it stood for is known again,
        or it came up, or was fixed, while nobody could tell."""
        before, after = r["before"], r["after"]
        if before == "unknown" and after and after != "unknown":
            if (r["known"] in FAILING) == (after in FAILING):
                return "known again"
            return "fixed" if r["known"] in FAILING else "came back" if r["had"] else "new"
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
        return None

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
            f = stored_finding.read(self._db, body)
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
        note = msgspec.json.decode(blobs.get(self._db, number), type=WaiverNote)
        until = f"until {note.expires}" if note.expires else "for good"
        return _cut(f"waived by {note.owner} {until}: {note.reason}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# A target that is new since then, another that is the same machine, and has that one answered since then, too?
_SAME_MACHINE = """
select new.name as new, old.name as old, exists (select 1 from results where target=old.n and n > :low and n <= :high) as stays,
    (select max(n) from results where target=old.n and n <= :low) as last
from targets new join targets old on old.machine=new.machine and old.n<>new.n
where (select min(n) from results where target=new.n) between :low + 1 and :high and last is not null order by last
"""


class _Hosts:
    """What became of hosts between two results. `renamed`: by its new name, the name before of a machine that answers under
    that one no more."""

    def __init__(self, db: Database, low: int, high: int) -> None:
        self._db, self._high = db, high
        self._runs = run_of(db, low), run_of(db, high)
        same = list(db.query(_SAME_MACHINE, {"low": low, "high": high}))
        self.renamed = {r["new"]: r["old"] for r in same if not r["stays"]}
        self._also = {r["new"]: r["old"] for r in same if r["stays"]}
        gone = set(self.renamed.values())
        self._removed = self._in("targets.removed") - gone
        self._back = self._in("(select max(back) from absences where target=targets.n)")

    def _in(self, run: str) -> set[str]:
        """The targets for which a run lies between the two."""
        found = self._db.execute(f"select name from targets where {run} > ? and {run} <= ?", self._runs)
        return {name for (name,) in found.fetchall()}

    def changes(self, was: HostState | None, host: HostState) -> Iterator[Change]:
        name, why = host.host, _why(self._db, host.host, self._high)
        ok, was_ok = host.outcome in ASSESSED, was is not None and was.outcome in ASSESSED
        if was is None and name in self.renamed:
            yield Change("renamed", name, before=self.renamed[name], after=name)
        elif was is None:
            also = f"the same machine as {self._also[name]}" if name in self._also else ""
            yield Change("new host", name, after=host.outcome, now=why or also)
        elif name in self._back:
            yield Change("new host", name, before="no entry of the inventory", after=host.outcome, now=why)
        elif was_ok and not ok:
            yield Change("not assessed", name, before=was.outcome, after=host.outcome, now=why)
        elif ok and not was_ok:
            yield Change("assessed again" if was.assessed else "new host", name, before=was.outcome, after=host.outcome)
        if name in self._removed:
            yield Change("host removed", name, before="an entry of the inventory", after="none")


_STANDS_ON = """
select rules.id as rule, rules.title, verdict, severity, obligation, body, waiver from findings join targets on targets.n=target
    join rules on rules.n=rule where name=:name and since<=:at and (until is null or until>:at)
"""


def _across(db: Database, old: tuple[str, int], new: tuple[str, int]) -> Iterator[dict[str, Any]]:
    """The findings of a host that was renamed, which are not the same under its name before, in the form of _ENDS."""
    before, after = ({r["rule"]: r for r in db.query(_STANDS_ON, {"name": name, "at": at})} for name, at in (old, new))
    for rule in sorted(before.keys() | after.keys()):
        a, b = before.get(rule), after.get(rule)
        if a and b and (a["body"], a["waiver"]) == (b["body"], b["waiver"]):
            continue
        now = b or a or {}
        yield {
            "host": new[0], "rule": rule, "title": now["title"], "severity": now["severity"], "obligation": now["obligation"],
            "old_severity": a and a["severity"], "old_obligation": a and a["obligation"],
            "before": a and a["verdict"], "old_body": a and a["body"], "old_waiver": a and a["waiver"],
            "after": b and b["verdict"], "new_body": b and b["body"], "new_waiver": b and b["waiver"],
            "had": False, "known": a and a["verdict"],
        }  # fmt: skip


def why_not(db: Database, name: str) -> str:
    """Why a host was not assessed the last time; "" where it was."""
    return _why(db, name, last(db))


def _why(db: Database, name: str, high: int) -> str:
    found = "select error from results join targets on targets.n=target where name=? and results.n<=? order by results.n desc limit 1"
    row = db.execute(found, (name, high)).fetchone()
    if not row or row[0] is None:
        return ""
    error = msgspec.json.decode(blobs.get(db, row[0]), type=TargetError)
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
        old, new = (blobs.get_facts(db, r[key], slim=False) for key in ("old", "new"))
        for name in sorted(old.keys() | new.keys()):
            was, now = (bytes(part[name]) if name in part else None for part in (old, new))
            if was != now and (said := changed(name, was, now)):
                yield Change("facts changed", r["host"], title=name.replace("_", " "), now=said)
