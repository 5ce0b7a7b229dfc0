"""Missing updates as the Windows Update Agent lists them: by severity, and what is not known."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from auditor.checks.judgement import Case
from auditor.checks.missing_updates import MissingUpdatesCheck
from auditor.evaluation.applicability import Host
from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import CollectorOutcome, MissingUpdate, Volatile
from auditor.rulebook.loader import load
from auditor.rulebook.rulebook import checks
from tests.given import NODE
from tests.places import ROOT

CRITICAL, LOW, UNRATED = MissingUpdate("KB1", "Critical"), MissingUpdate("KB2", "Low", True), MissingUpdate("KB3")
RULE = "windows-missing-updates"


def case(
    missing: tuple[MissingUpdate, ...] | None, reason: str | None = None, searched: date | None = date(2026, 11, 10)
) -> Case:
    outcomes = () if reason is None else (CollectorOutcome("missing_updates", "failed" if reason else "ok", reason),)
    facts = replace(NODE, missing_updates=missing, outcomes=outcomes, volatile=Volatile(updates_searched=searched))
    return Case(facts, None, date(2026, 11, 23), Host(facts).packages, Host(facts).sources)


JUDGED = [
    ((), (), "compliant", "no missing update"),
    ((), (LOW,), "noncompliant", "missing: KB2 (Low, waits for a restart)"),
    ((), (CRITICAL, LOW, UNRATED), "noncompliant", "missing: KB1 (Critical), KB2 (Low, waits for a restart), KB3"),
    ((), None, "unknown", "the missing updates: not known"),
    (("Critical",), (), "compliant", "no missing update of severity Critical"),
    (("Critical",), (LOW,), "compliant", "no missing update of severity Critical"),
    (("critical", "IMPORTANT"), (CRITICAL, LOW), "noncompliant", "missing: KB1 (Critical)"),
    # The vendor gives most cumulative updates no severity: such a one is no proof that nothing critical is missing.
    (("Critical",), (LOW, UNRATED), "unknown", "missing, without a severity: KB3"),
    (("Critical",), (MissingUpdate("KB4", "Unspecified"),), "unknown", "missing, without a severity: KB4 (Unspecified)"),
    (("Critical",), (CRITICAL, UNRATED), "noncompliant", "missing: KB1 (Critical)"),
    (("Critical",), None, "unknown", "the missing updates: not known"),
]


@pytest.mark.parametrize(("severities", "missing", "verdict", "observed"), JUDGED)
def test_judging(severities: tuple[str, ...], missing: tuple[MissingUpdate, ...] | None, verdict: str, observed: str) -> None:
    judged = MissingUpdatesCheck(severities).judge(case(missing))
    assert (judged.verdict, judged.observed) == (verdict, observed)
    assert judged.why
    assert judged.resolved_by or verdict != "unknown"


def test_not_asked_and_not_read_are_told_apart() -> None:
    check = MissingUpdatesCheck()
    for never in (case(None), case(None, "")):
        judged = check.judge(never)
        assert judged.resolved_by == "missing_updates: not asked; set `missing_updates: true`"
        assert "`missing_updates: true`" in judged.why
    judged = check.judge(case(None, "PowerShell said nothing"))
    assert judged.why == "The missing updates could not be read: PowerShell said nothing"
    assert judged.resolved_by == "missing_updates: PowerShell said nothing"


@pytest.mark.parametrize("searched", [None, date(2026, 11, 8)])
def test_an_old_search_proves_nothing(searched: date | None) -> None:
    assert MissingUpdatesCheck().judge(case((), searched=searched)).verdict == "unknown"
    assert MissingUpdatesCheck().judge(case((LOW,), searched=searched)).verdict == "noncompliant"


def test_the_example_rule() -> None:
    (rule,) = load([str(ROOT / "docs/examples/windows-missing-updates.yaml")]).rules
    assert (rule.id, rule.obligation) == (RULE, "advised")
    assert list(checks(rule)) == [MissingUpdatesCheck()]
    verdicts = [evaluate(c.facts, [rule], today=c.today)[0].verdict for c in (case((CRITICAL,)), case(()), case(None))]
    assert verdicts == ["noncompliant", "compliant", "unknown"]
