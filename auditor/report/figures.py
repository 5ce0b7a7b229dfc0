"""The figures that every form of a report shows: counted once, here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct

from auditor.model.facts import Platform
from auditor.model.finding import Finding, Verdict
from auditor.model.rule import SEVERITIES
from auditor.model.run import Run, TargetResult


class Action(Struct, frozen=True):
    """One thing to do, and what it settles."""

    rule: str
    title: str
    severity: str
    remediation: str
    targets: tuple[str, ...]
    pending: int


class Settle(Struct, frozen=True):
    """The one change that would settle most unknowns of a host."""

    what: str
    rules: int


class Figures(Struct, frozen=True, kw_only=True):
    """`compliance` is the share of required findings that are compliant, among those that could be judged, or None."""

    assessed: int
    unassessed: int
    failing_hosts: int
    unknown_hosts: int
    compliant_hosts: int
    verdicts: dict[Verdict, int]
    compliance: float | None
    waived: int
    actions: tuple[Action, ...]
    relaxed: tuple[str, ...]


def figures(run: Run) -> Figures:
    """Count a run."""
    counted = [r for r in run.results if r.outcome in ("assessed", "partial")]
    required = [f for r in counted for f in r.findings if f.obligation == "required" and not f.waiver]
    good = sum(1 for f in required if f.verdict == "compliant")
    bad = sum(1 for f in required if f.verdict in ("noncompliant", "pending"))
    failing = [r for r in counted if fails(r)]
    unknown = [r for r in counted if not fails(r) and leaves_open(r)]
    return Figures(
        assessed=len(counted),
        unassessed=len(run.results) - len(counted),
        failing_hosts=len(failing),
        unknown_hosts=len(unknown),
        compliant_hosts=len(counted) - len(failing) - len(unknown),
        verdicts=dict(run.verdicts()),
        compliance=good / (good + bad) if good + bad else None,
        waived=sum(1 for r in run.results for f in r.findings if f.waiver),
        actions=_actions(counted),
        relaxed=tuple(dict.fromkeys(text for r in run.results for text in (*r.target.relaxed, *r.relaxed))),
    )


def required_open(r: TargetResult) -> Iterable[Finding]:
    """The required findings that no waiver covers."""
    return (f for f in r.findings if f.obligation == "required" and not f.waiver)


def fails(r: TargetResult) -> bool:
    return any(f.verdict in ("noncompliant", "pending") for f in required_open(r))


def leaves_open(r: TargetResult) -> bool:
    return any(f.verdict == "unknown" for f in required_open(r))


def _actions(results: list[TargetResult]) -> tuple[Action, ...]:
    """Required actions that settle the most come first; advised ones never outrank them."""
    by_rule: dict[str, list[tuple[str, Finding]]] = defaultdict(list)
    for r in results:
        for f in required_open(r):
            if f.verdict in ("noncompliant", "pending"):
                by_rule[f.rule].append((r.target.name, f))
    actions = [
        Action(
            rule,
            found[0][1].title,
            found[0][1].severity,
            found[0][1].remediation,
            tuple(name for name, _ in found),
            sum(1 for _, f in found if f.verdict == "pending"),
        )
        for rule, found in by_rule.items()
    ]
    order = {s: n for n, s in enumerate(SEVERITIES)}
    return tuple(sorted(actions, key=lambda a: (-len(a.targets), order[a.severity], a.rule)))  # type: ignore[index]


def settle(r: TargetResult) -> Settle | None:
    """What would settle most of a host's unknowns; the first of equals."""
    wanted = Counter(f.settles for f in r.findings if f.verdict == "unknown" and f.settles)
    return Settle(*wanted.most_common(1)[0]) if wanted else None


def sentence(run: Run, n: Figures) -> str:
    """The verdict of a run in one sentence."""
    total = len(run.results)
    hosts = "host" if total == 1 else "hosts"
    parts = []
    if n.failing_hosts:
        parts.append(f"{n.failing_hosts} {_do(n.failing_hosts, 'lacks', 'lack')} something required")
    if n.unassessed:
        parts.append(f"{n.unassessed} could not be assessed")
    if n.unknown_hosts:
        parts.append(f"{n.unknown_hosts} {_do(n.unknown_hosts, 'leaves', 'leave')} required questions open")
    stopped = "The run was stopped early. " if run.interrupted else ""
    if not parts and not any(f.verdict == "compliant" for r in run.results for f in r.findings):
        return (
            f"{stopped}Nothing required applied to {'the one host' if total == 1 else f'any of the {total} hosts'}."
            if total
            else f"{stopped}No host was audited."
        )
    if not parts:
        all_of = "The one host has" if total == 1 else f"All {total} hosts have"
        return f"{stopped}{all_of} everything that is required." if total else f"{stopped}No host was audited."
    rest = (
        f", {n.compliant_hosts} {_do(n.compliant_hosts, 'has', 'have')} everything that is required"
        if n.compliant_hosts
        else ""
    )
    return f"{stopped}Of {total} {hosts}, {', '.join(parts)}{rest}."


def _do(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def system(platform: Platform | None) -> str:
    """What a host calls its system."""
    return (platform.name or platform.product or "") if platform else ""


def state(platform: Platform | None) -> str:
    """How far it is: the running kernel, or service pack, build and installation."""
    if platform is None:
        return ""
    pack = f"Service Pack {platform.service_pack}" if platform.service_pack not in (None, "0") else ""
    build = f"build {platform.build}" if platform.build else ""
    core = "Server Core" if platform.installation == "Server Core" else ""
    kernel = f"kernel {platform.kernel}" if platform.kernel else ""
    return ", ".join(part for part in (kernel, pack, build, core) if part)
