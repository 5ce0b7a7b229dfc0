"""The figures that every form of a report shows: counted once, here."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

from msgspec import Struct

from auditor.foundation.sanitize import one_line
from auditor.model.facts import Platform
from auditor.model.finding import Verdict
from auditor.model.run import Run, TargetResult
from auditor.report.actions import Action, actions
from auditor.report.required import network_down, required, required_open, states


class Settle(Struct, frozen=True):
    """The one change that would settle most unknowns of a host."""

    what: str
    rules: int


class Figures(Struct, frozen=True, kw_only=True):
    """The numbers of a run, and the only place where they are counted. Required findings with a waiver in force count in
    `waived` alone, those that are not applicable nowhere.

    `compliance` is the share of required findings that are compliant, among those that could be judged, or None; `missing` and
    `open` count the required findings that are not met, and that could not be told. `failing_hosts` have something missing,
    `unknown_hosts` something open; `both_hosts` have both and are among either. `compliant_hosts` have neither,
    `unjudged_hosts` nothing required that applies."""

    assessed: int
    unassessed: int
    failing_hosts: int
    unknown_hosts: int
    both_hosts: int
    compliant_hosts: int
    unjudged_hosts: int
    missing: int
    open: int
    verdicts: dict[Verdict, int]
    compliance: float | None
    waived: int
    overdue: int
    actions: tuple[Action, ...]
    network_down: bool
    relaxed: tuple[str, ...]


def figures(run: Run) -> Figures:
    """Count a run."""
    counted = [r for r in run.results if r.outcome in ("assessed", "partial")]
    n: Counter[str] = Counter()
    for findings, names in states(counted):
        of_host = required(findings)
        one = Counter(
            good=of_host.met,
            bad=of_host.missing,
            open=of_host.open,
            waived=sum(1 for f in findings if f.waiver),
            overdue=sum(1 for f in required_open(findings) if f.overdue(run.started.date())),
            lacking=bool(of_host.missing),
            unclear=bool(of_host.open),
            both=bool(of_host.missing and of_host.open),
            fine=of_host.standing == "met",
            nothing=of_host.standing == "nothing",
        )
        n.update({what: len(names) * count for what, count in one.items()})
    n["good"] += sum(r.fulfilled for r in counted)  # advisories that are fulfilled are no findings, and count all the same
    judged = n["good"] + n["bad"]
    return Figures(
        assessed=len(counted),
        unassessed=len(run.results) - len(counted),
        failing_hosts=n["lacking"],
        unknown_hosts=n["unclear"],
        both_hosts=n["both"],
        compliant_hosts=n["fine"],
        unjudged_hosts=n["nothing"],
        missing=n["bad"],
        open=n["open"],
        verdicts=dict(run.verdicts()),
        compliance=n["good"] / judged if judged else None,
        waived=n["waived"],
        overdue=n["overdue"],
        actions=actions(counted),
        network_down=network_down(run.results),
        relaxed=tuple(dict.fromkeys(text for r in run.results for text in (*r.target.relaxed, *r.relaxed))),
    )


def settle(r: TargetResult) -> Settle | None:
    """What would settle most of a host's unknowns; the first of equals."""
    wanted = Counter(f.resolved_by for f in r.findings if f.verdict == "unknown" and f.resolved_by)
    return Settle(*wanted.most_common(1)[0]) if wanted else None


def sentence(run: Run, n: Figures) -> str:
    """The verdict of a run in one sentence."""
    total = len(run.results)
    stopped = "The run was stopped early. " if run.interrupted else ""
    if total == 1 and not n.unassessed:
        return stopped + _of_one(run, n)
    hosts = "host" if total == 1 else "hosts"
    if n.network_down and n.unassessed == total:
        return f"{stopped}The network was unreachable: none of {total} hosts could be reached, and nothing is known of them."
    parts = []
    if n.failing_hosts:
        parts.append(f"{n.failing_hosts} {_do(n.failing_hosts, 'lacks', 'lack')} something required")
    if n.unassessed:
        parts.append(f"{n.unassessed} could not be assessed")
    if n.unknown_hosts:
        both = f" ({n.both_hosts} of them among those that lack something)" if n.both_hosts else ""
        parts.append(f"{n.unknown_hosts} {_do(n.unknown_hosts, 'leaves', 'leave')} a required question open{both}")
    if not total:
        return f"{stopped}No host was audited."
    if n.unjudged_hosts == total:
        return f"{stopped}Nothing required applied to any of the {total} {hosts}."
    if n.compliant_hosts == total and run.interrupted:
        return f"{stopped}The {total} {hosts} that had {_do(total, 'its', 'their')} turn {_do(total, 'has', 'have')} everything that is required; nothing is said of others."
    if n.compliant_hosts == total:
        return f"{stopped}All {total} {hosts} have everything that is required."
    if n.compliant_hosts:
        parts.append(f"{n.compliant_hosts} {_do(n.compliant_hosts, 'has', 'have')} everything that is required")
    if n.unjudged_hosts:
        parts.append(f"to {n.unjudged_hosts} nothing required applied")
    return f"{stopped}Of {total} {hosts}, {', '.join(parts)}."


def particular(run: Run, r: TargetResult) -> tuple[int, str]:
    """How many rules about particular problems there are for a host's Windows that nobody asked for, and the word that finds them."""
    product = (r.facts.platform.product if r.facts else None) or ""
    line = re.sub(r"^(windows-nt-4\.0|windows-2000)-(?!terminal-server).*", r"\1", product)
    return run.rulebook.left.get(product, 0), line


def knowledge(run: Run) -> str:
    """How old what it judged by is: the day on which the youngest rule was read from its source, and the feeds of advisories."""
    feeds = f"; advisories: {', '.join(run.advisories.feeds)}" if run.advisories else ""
    if not run.rulebook.newest:
        return f"rules of unknown age{feeds}"
    days = (run.started.date() - date.fromisoformat(run.rulebook.newest)).days
    return f"rules as of {run.rulebook.newest}, {days} {_do(days, 'day', 'days')} old{feeds}"


def _of_one(run: Run, n: Figures) -> str:
    name = one_line(run.results[0].target.name, 60)
    if n.failing_hosts:
        open_ = f", and leaves {n.open} required {_do(n.open, 'question', 'questions')} open" if n.open else ""
        return f"{name} lacks something required{open_}."
    if n.unknown_hosts:
        return f"{name} leaves {n.open} required {_do(n.open, 'question', 'questions')} open."
    return f"{name} has everything that is required." if n.compliant_hosts else f"Nothing required applied to {name}."


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
