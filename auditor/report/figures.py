"""The figures that every form of a report shows: counted once, here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct

from auditor.model.facts import Platform
from auditor.model.finding import Finding, Verdict
from auditor.model.rule import SEVERITIES
from auditor.model.run import Run, TargetResult
from auditor.printable import one_line
from auditor.report import bundles


class Action(Struct, frozen=True):
    """What to do, and what it settles: a rule that is not met, or a step that settles several (`rules`). `parts` is how many
    things that is to do: a service pack is one, hotfixes are as many as there are."""

    rule: str
    title: str
    severity: str
    remediation: str
    targets: tuple[str, ...]
    pending: int
    settled: int
    rules: tuple[str, ...] = ()
    parts: int = 1


class Settle(Struct, frozen=True):
    """The one change that would settle most unknowns of a host."""

    what: str
    rules: int


class Figures(Struct, frozen=True, kw_only=True):
    """`compliance` is the share of required findings that are compliant, among those that could be judged, or None;
    `missing` and `open` count the required findings that are not met, and that could not be told."""

    assessed: int
    unassessed: int
    failing_hosts: int
    unknown_hosts: int
    compliant_hosts: int
    missing: int
    open: int
    verdicts: dict[Verdict, int]
    compliance: float | None
    waived: int
    overdue: int
    actions: tuple[Action, ...]
    relaxed: tuple[str, ...]


def figures(run: Run) -> Figures:
    """Count a run."""
    counted = [r for r in run.results if r.outcome in ("assessed", "partial")]
    failing = unknown = good = bad = open_ = waived = overdue = 0
    for findings, names in states(run.results):
        required = required_open(findings)
        verdicts = Counter(f.verdict for f in required)
        good += len(names) * verdicts["compliant"]
        bad += len(names) * (verdicts["noncompliant"] + verdicts["pending"])
        open_ += len(names) * verdicts["unknown"]
        waived += len(names) * sum(1 for f in findings if f.waiver)
    for findings, names in states(counted):
        required = required_open(findings)
        failing += len(names) * fails(required)
        unknown += len(names) * (leaves_open(required) and not fails(required))
        overdue += len(names) * sum(1 for f in required if f.overdue(run.started.date()))
    return Figures(
        assessed=len(counted),
        unassessed=len(run.results) - len(counted),
        failing_hosts=failing,
        unknown_hosts=unknown,
        compliant_hosts=len(counted) - failing - unknown,
        missing=bad,
        open=open_,
        verdicts=dict(run.verdicts()),
        compliance=good / (good + bad) if good + bad else None,
        waived=waived,
        overdue=overdue,
        actions=_actions(counted),
        relaxed=tuple(dict.fromkeys(text for r in run.results for text in (*r.target.relaxed, *r.relaxed))),
    )


def states(results: Iterable[TargetResult]) -> Iterable[tuple[tuple[Finding, ...], list[str]]]:
    """The findings of hosts, those that share them together: hosts in the same state were judged once."""
    found: dict[int, tuple[tuple[Finding, ...], list[str]]] = {}
    for r in results:
        found.setdefault(id(r.findings), (r.findings, []))[1].append(r.target.name)
    return found.values()


def required_open(findings: Iterable[Finding]) -> list[Finding]:
    """The required findings that have a verdict and that no waiver covers."""
    return [f for f in findings if f.verdict != "not_applicable" and f.obligation == "required" and not f.waiver]


def fails(required: Iterable[Finding]) -> bool:
    return any(f.verdict in ("noncompliant", "pending") for f in required)


def leaves_open(required: Iterable[Finding]) -> bool:
    return any(f.verdict == "unknown" for f in required)


def _actions(results: list[TargetResult]) -> tuple[Action, ...]:
    """What settles the most, for each thing that it is to do, comes first."""
    by_rule: dict[str, list[tuple[str, Finding]]] = defaultdict(list)
    by_step: dict[tuple[str, str], list[tuple[str, Finding]]] = defaultdict(list)
    for findings, names in states(results):
        for f in required_open(findings):
            if f.verdict in ("noncompliant", "pending"):
                (by_step[bundles.key(f.step)] if f.step else by_rule[f.rule]).extend((name, f) for name in names)
    for same in by_step.values():
        if len({f.rule for _, f in same}) == 1:
            by_rule[same[0][1].rule].extend(same)
    steps = [_step(same) for same in by_step.values() if len({f.rule for _, f in same}) > 1]
    actions = [
        Action(
            rule,
            f"Not met: {found[0][1].title}",
            found[0][1].severity,
            found[0][1].remediation,
            tuple(name for name, _ in found),
            sum(1 for _, f in found if f.verdict == "pending"),
            len(found),
        )
        for rule, found in by_rule.items()
    ]
    order = {s: n for n, s in enumerate(SEVERITIES)}
    return tuple(sorted([*steps, *actions], key=lambda a: (-a.settled / a.parts, order[a.severity], a.title)))  # type: ignore[index]


def _step(found: list[tuple[str, Finding]]) -> Action:
    """The step that settles several rules at once."""
    step = bundles.highest([f.step for _, f in found if f.step])
    rules = tuple(dict.fromkeys(f.rule for _, f in found))
    order = {s: n for n, s in enumerate(SEVERITIES)}
    worst = min((f.severity for _, f in found), key=lambda s: order[s])
    return Action(
        "",
        bundles.said(step, len(rules)),
        worst,
        f"{'Apply it' if step.kind == 'service_pack' else 'Apply them'} and restart the host; it settles {len(rules)} advisories.",
        tuple(dict.fromkeys(name for name, _ in found)),
        sum(1 for _, f in found if f.verdict == "pending"),
        len(found),
        rules,
        1 if step.kind == "service_pack" else len({f.step.level for _, f in found if f.step}),
    )


def settle(r: TargetResult) -> Settle | None:
    """What would settle most of a host's unknowns; the first of equals."""
    wanted = Counter(f.settles for f in r.findings if f.verdict == "unknown" and f.settles)
    return Settle(*wanted.most_common(1)[0]) if wanted else None


def sentence(run: Run, n: Figures) -> str:
    """The verdict of a run in one sentence."""
    total = len(run.results)
    stopped = "The run was stopped early. " if run.interrupted else ""
    if total == 1 and not n.unassessed:
        return stopped + _of_one(run, n)
    hosts = "host" if total == 1 else "hosts"
    parts = []
    if n.failing_hosts:
        parts.append(f"{n.failing_hosts} {_do(n.failing_hosts, 'lacks', 'lack')} something required")
    if n.unassessed:
        parts.append(f"{n.unassessed} could not be assessed")
    if n.unknown_hosts:
        parts.append(f"{n.unknown_hosts} {_do(n.unknown_hosts, 'leaves', 'leave')} required questions open")
    if not parts and not any(f.verdict == "compliant" for r in run.results for f in r.findings):
        return f"{stopped}Nothing required applied to any of the {total} hosts." if total else f"{stopped}No host was audited."
    if not parts:
        return f"{stopped}All {total} hosts have everything that is required."
    rest = (
        f", {n.compliant_hosts} {_do(n.compliant_hosts, 'has', 'have')} everything that is required"
        if n.compliant_hosts
        else ""
    )
    return f"{stopped}Of {total} {hosts}, {', '.join(parts)}{rest}."


def _of_one(run: Run, n: Figures) -> str:
    name = one_line(run.results[0].target.name, 60)
    if n.failing_hosts:
        open_ = f", and leaves {n.open} required {_do(n.open, 'question', 'questions')} open" if n.open else ""
        return f"{name} lacks something required{open_}."
    if n.unknown_hosts:
        return f"{name} leaves {n.open} required {_do(n.open, 'question', 'questions')} open."
    met = any(f.verdict == "compliant" for f in run.results[0].findings)
    return f"{name} has everything that is required." if met else f"Nothing required applied to {name}."


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
