"""Which hosts some advisories are open on, by the newest findings of each."""

from __future__ import annotations

import json
from collections.abc import Iterable

from msgspec import Struct
from sqlite_utils import Database

from auditor.history import stored_finding
from auditor.model.finding import VERDICTS, Verdict


class AffectedHost(Struct, frozen=True):
    """`verdict` is the worst of the advisories'; `why` what was found, or why nothing is known."""

    host: str
    verdict: Verdict
    why: str
    advisory: str = ""


_OPEN = """
select findings.target, rules.id, findings.verdict, findings.body from findings join rules on rules.n=findings.rule
where rules.id in (select value from json_each(?)) and findings.until is null"""
_HOSTS = """
select targets.n, targets.name, r.outcome, r.held from targets join results r on r.n=(select max(n) from results where target=targets.n)
where removed is null order by targets.name"""


def affected_hosts(db: Database, advisories: Iterable[str]) -> list[AffectedHost]:
    """Every host of the fleet, those that lack most first. A host that was not held against its release's advisories is unknown."""
    found: dict[int, tuple[Verdict, str, str]] = {}
    for target, ident, verdict, body in db.execute(_OPEN, (json.dumps(list(advisories)),)).fetchall():
        known = found.get(target)
        if known is None or VERDICTS.index(verdict) < VERDICTS.index(known[0]):
            found[target] = (verdict, ident, stored_finding.read(db, body).observed)
    hosts = []
    for number, name, outcome, held in db.execute(_HOSTS).fetchall():
        if number in found:
            verdict, ident, observed = found[number]
            hosts.append(AffectedHost(name, verdict, observed, ident))
        elif outcome not in ("assessed", "partial"):
            hosts.append(AffectedHost(name, "unknown", f"its last audit did not assess it ({outcome})"))
        elif not held:
            hosts.append(AffectedHost(name, "unknown", "no feed of advisories covered it when it was last assessed"))
        else:
            hosts.append(AffectedHost(name, "compliant", "no advisory about it is open"))
    return sorted(hosts, key=lambda h: (VERDICTS.index(h.verdict), h.host))
