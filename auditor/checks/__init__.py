"""One function for each kind of check: (check, case) -> judgement. Pure; the list is CHECKS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.checks.attested import judge_attested
from auditor.checks.judgement import Case, Judgement
from auditor.checks.linux import judge_kernel, judge_package, judge_reboot, judge_security_updates, judge_stale_processes
from auditor.checks.listen_backlog import judge_listen_backlog
from auditor.checks.settings import judge_counter, judge_setting
from auditor.checks.support import judge_support
from auditor.checks.windows import judge_hotfix, judge_service_pack
from auditor.model import rule as r
from auditor.model.finding import Verdict

CHECKS: dict[type, Callable[[Any, Case], Judgement]] = {
    r.ServicePackCheck: judge_service_pack,
    r.HotfixCheck: judge_hotfix,
    r.PackageCheck: judge_package,
    r.KernelCheck: judge_kernel,
    r.SettingCheck: judge_setting,
    r.ListenBacklogCheck: judge_listen_backlog,
    r.CounterCheck: judge_counter,
    r.SecurityUpdatesCheck: judge_security_updates,
    r.RebootCheck: judge_reboot,
    r.StaleProcessesCheck: judge_stale_processes,
    r.SupportCheck: judge_support,
    r.AttestedCheck: judge_attested,
}

# The first verdict that is present among the children decides.
_ANY: tuple[Verdict, ...] = ("compliant", "unknown", "pending", "noncompliant")
_ALL: tuple[Verdict, ...] = ("noncompliant", "unknown", "pending", "compliant")


def judge(check: r.Check, case: Case) -> Judgement:
    """Judge a check, its children first where it has some."""
    if isinstance(check, (r.AllOf, r.AnyOf)):
        children = [judge(child, case) for child in check.checks]
        return combine(
            children, _ALL if isinstance(check, r.AllOf) else _ANY, " and " if isinstance(check, r.AllOf) else " or "
        )
    return CHECKS[type(check)](check, case)


def combine(children: list[Judgement], order: tuple[Verdict, ...], word: str) -> Judgement:
    """One judgement of several: children that are not applicable are left out; none left: not applicable."""
    rest = [c for c in children if c.verdict != "not_applicable"]
    if not rest:
        return children[0]
    verdict = next(v for v in order if any(c.verdict == v for c in rest))
    deciding = [c for c in rest if c.verdict == verdict]
    return Judgement(
        verdict,
        "; ".join(dict.fromkeys(c.observed for c in (deciding if verdict == "compliant" else rest))),
        word.join(dict.fromkeys(c.required for c in rest)),
        "; ".join(dict.fromkeys(c.why for c in deciding)),
        settles="; ".join(dict.fromkeys(c.settles for c in deciding if c.settles)),
        evidence=tuple(dict.fromkeys(e for c in rest for e in c.evidence)),
    )
