"""What to do first: what settles the most required findings for each thing that it is to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct

from auditor.checks.packages import upgrade
from auditor.checks.stale_processes import ROOT_RIGHTS
from auditor.foundation.sanitize import counted
from auditor.model.finding import SEVERITIES, Finding, Severity, rating
from auditor.model.run import TargetResult
from auditor.report import grouping
from auditor.report.required import required_open, states

_Found = list[tuple[str, Finding]]  # with the host's name
_ORDER: dict[str, int] = {severity: n for n, severity in enumerate(SEVERITIES)}


class Action(Struct, frozen=True):
    """What to do, on which hosts. `rule` is the one rule that it is about, or empty; `waived`: on how many more hosts it is waived."""

    title: str
    severity: Severity
    remediation: str
    targets: tuple[str, ...]
    settled: int
    rules: int = 1
    rule: str = ""
    waived: int = 0
    security: bool = False

    @property
    def rating(self) -> str:
        """The severity in words."""
        return rating(self.severity, self.security)

    @property
    def effect(self) -> str:
        """What it settles, in words."""
        findings = f"settles {counted(self.settled, 'finding')}"
        of = f" of {counted(self.rules, 'rule')}" if 1 < self.rules < self.settled else ""
        return (
            findings + of + (f"; waived on {self.waived} more {'host' if self.waived == 1 else 'hosts'}" if self.waived else "")
        )


def actions(results: Iterable[TargetResult]) -> tuple[Action, ...]:
    """Restarts, steps that settle several rules at once, and the other rules that are not met."""
    waived: Counter[str] = Counter()
    restart: _Found = []
    by_rule: dict[str, _Found] = defaultdict(list)
    rights: dict[str, _Found] = defaultdict(list)
    by_step: dict[tuple[str, ...], _Found] = defaultdict(list)
    for findings, names in states(results):
        waived.update({f.rule: len(names) for f in findings if f.waiver and f.verdict in ("noncompliant", "pending")})
        for f in required_open(findings):
            if f.verdict == "pending":
                restart.extend((name, f) for name in names)
            elif f.verdict == "noncompliant":
                (by_step[grouping.key(f.remedy)] if f.remedy else by_rule[f.rule]).extend((name, f) for name in names)
            elif f.verdict == "unknown" and f.resolved_by == ROOT_RIGHTS:
                rights[f.resolved_by].extend((name, f) for name in names)
    for same in by_step.values():
        if _alone(same):
            by_rule[same[0][1].rule].extend(same)
    done = [_step(same) for same in by_step.values() if not _alone(same)]
    done += [_rule(rule, found, waived[rule]) for rule, found in by_rule.items()]
    done += [_restart(restart)] if restart else []
    done += [_right(what, found) for what, found in rights.items()]
    return tuple(sorted(done, key=lambda a: (-a.settled, _ORDER[a.severity], not a.security, a.title)))


def _alone(found: _Found) -> bool:
    """Does a step settle one rule only, so that the rule's own words tell more? What a package needs is told by the package."""
    remedy = found[0][1].remedy
    return len({f.rule for _, f in found}) == 1 and (remedy is None or remedy.kind not in ("package", "update"))


def _rule(rule: str, found: _Found, waived: int) -> Action:
    f = found[0][1]
    return Action(f.title, f.severity, f.remediation, _hosts(found), len(found), rule=rule, waived=waived, security=f.security)


def _restart(found: _Found) -> Action:
    hosts, rules = _hosts(found), {f.rule for _, f in found}
    return Action(
        f"Restart {counted(len(hosts), 'host')}: what is installed is not in force yet",
        _worst(found),
        "In the next maintenance window; what waits for it is named at each host.",
        hosts,
        len(found),
        len(rules),
        rules.pop() if len(rules) == 1 else "",
    )


def _right(what: str, found: _Found) -> Action:
    """A right that the audit lacks: one thing to do, however many hosts it opens."""
    hosts, rules = _hosts(found), {f.rule for _, f in found}
    title = f"Let the audit read what needs root's rights on {counted(len(hosts), 'host')}"
    said = what[:1].upper() + what[1:] + "."
    return Action(title, _worst(found), said, hosts, len(found), len(rules), rules.pop() if len(rules) == 1 else "")


def _step(found: _Found) -> Action:
    remedy = grouping.highest([f.remedy for _, f in found if f.remedy])
    rules = {f.rule for _, f in found}
    if remedy.kind == "package":
        count = len(rules)
        title = f"{grouping.said(remedy)}: {count} {'advisory' if count == 1 else 'advisories'}"
        names = sorted({p.name for _, f in found for p in f.packages})
        return Action(title, _worst(found), upgrade(remedy.of, names), _hosts(found), len(found), count)
    title = grouping.Bundle(remedy, tuple({f.rule: f for _, f in found}.values())).what
    security = any(f.security for _, f in found)
    return Action(
        title, _worst(found), "Apply it and restart the host.", _hosts(found), len(found), len(rules), security=security
    )


def _hosts(found: _Found) -> tuple[str, ...]:
    return tuple(sorted({name for name, _ in found}))


def _worst(found: _Found) -> Severity:
    return min((f.severity for _, f in found), key=_ORDER.__getitem__)
