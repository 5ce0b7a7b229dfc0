"""Equal findings of many hosts, told once: the long form of a fleet's report goes by rule."""

from __future__ import annotations

from msgspec import Struct

from auditor.model.finding import SEVERITIES, VERDICTS, Finding
from auditor.model.run import Run


class Same(Struct, frozen=True):
    """Findings that differ in nothing but the host."""

    finding: Finding
    hosts: list[str]


class Folded(Struct, frozen=True):
    """A rule with what was found by it, fulfilled ones left out; the most hosts first."""

    rule: str
    title: str
    severity: str
    obligation: str
    hosts: int
    groups: list[Same]


def fold(run: Run) -> list[Folded]:
    """The findings that are not fulfilled, by rule: required ones first, then by severity and the number of hosts."""
    found: dict[str, dict[Finding, list[str]]] = {}
    for r in run.results:
        for f in r.findings:
            if f.verdict in ("noncompliant", "pending", "unknown"):
                found.setdefault(f.rule, {}).setdefault(f, []).append(r.target.name)
    rules = []
    for rule, same in found.items():
        groups = [Same(f, hosts) for f, hosts in same.items()]
        groups.sort(key=lambda g: (VERDICTS.index(g.finding.verdict), -len(g.hosts), g.finding.observed))
        f = groups[0].finding
        rules.append(Folded(rule, f.title, f.severity, f.obligation, sum(len(g.hosts) for g in groups), groups))
    order = {s: n for n, s in enumerate(SEVERITIES)}
    rules.sort(key=lambda x: (x.obligation != "required", order[x.groups[0].finding.severity], -x.hosts, x.rule))
    return rules
