"""Deadlines, and how old knowledge may be: what the inventory says, and what it does to findings and exit codes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.cli import exits
from auditor.evaluation.cache import EvaluationCache
from auditor.evaluation.evaluate import evaluate
from auditor.history import trend
from auditor.model.facts import Setting
from auditor.model.finding import Finding
from auditor.model.policy import Policy
from auditor.rulebook.rule import Rule
from tests.conftest import Run as Auditor
from tests.given import LINUX, RULES, WHEN
from tests.history.test_queries import after
from tests.mail.test_mail import run_of
from tests.places import RECORDINGS

TODAY = WHEN.date()
(BASE,) = (r for r in RULES if r.id == "linux-somaxconn")


def rule(**more: object) -> Rule:
    return replace(BASE, obligation="required", severity="important", **more)


def found(policy: Policy, given: Rule, facts: object = None, **more: object) -> Finding:
    bad = replace(LINUX, settings={**(LINUX.settings or {}), "sysctl:net.core.somaxconn": Setting("present", "1")})
    (made,) = evaluate(facts or bad, [given], today=TODAY, policy=policy, **more)  # type: ignore[arg-type]
    return made


FORTNIGHT = Policy({"important": timedelta(days=14)}, {"legacy": {"important": timedelta(days=90)}})


@pytest.mark.parametrize(
    ("more", "given", "due"),
    [
        ({"published": date(2026, 11, 1)}, {}, date(2026, 11, 15)),
        ({"published": date(2026, 11, 1)}, {"groups": ("web", "legacy")}, date(2027, 1, 30)),
        ({"published": date(2026, 11, 1)}, {"groups": ("legacy", "web")}, date(2027, 1, 30)),
        ({"published": None}, {}, TODAY + timedelta(days=14)),
        ({"published": None}, {"failing_since": {"linux-somaxconn": date(2026, 10, 1)}}, date(2026, 10, 15)),
        ({"published": date(2026, 11, 1)}, {"failing_since": {"linux-somaxconn": date(2026, 10, 1)}}, date(2026, 11, 15)),
    ],
)  # fmt: skip
def test_when_a_finding_is_due(more: dict[str, object], given: dict[str, object], due: date) -> None:
    f = found(FORTNIGHT, rule(**more), **given)
    assert f.verdict == "noncompliant"
    assert f.due == due
    assert f.overdue(TODAY) == max(0, (TODAY - due).days)


def test_what_has_no_deadline() -> None:
    assert found(FORTNIGHT, replace(rule(), severity="low")).due is None
    assert found(FORTNIGHT, replace(rule(), obligation="advised")).due is None
    assert found(FORTNIGHT, rule(), LINUX).due is None
    assert found(Policy(), rule()).due is None


def test_old_knowledge_is_no_good_news() -> None:
    """A compliant verdict by a rule that was read too long ago is unknown; a bad one stays bad."""
    old = replace(rule(), provenance=replace(BASE.provenance, retrieved=TODAY - timedelta(days=91)))
    limit = Policy(max_age=timedelta(days=90))
    assert found(limit, old).verdict == "noncompliant"
    f = found(limit, old, LINUX)
    assert (f.verdict, f.resolved_by) == ("unknown", "a newer rulebook")
    assert "longer ago than the 90 days that the policy allows" in f.why
    young = replace(old, provenance=replace(BASE.provenance, retrieved=TODAY - timedelta(days=90)))
    assert found(limit, young, LINUX).verdict == "compliant"


def test_hosts_in_the_same_state_with_other_deadlines_are_not_mixed() -> None:
    states, rules = EvaluationCache(), [rule(published=date(2026, 11, 1))]
    bad = replace(LINUX, settings={**(LINUX.settings or {}), "sysctl:net.core.somaxconn": Setting("present", "1")})
    dues = [
        states.evaluate(replace(bad, target=name), rules, today=TODAY, groups=groups, policy=FORTNIGHT).findings[0].due
        for name, groups in (("a", ()), ("b", ("legacy",)), ("c", ()))
    ]
    assert dues == [date(2026, 11, 15), date(2027, 1, 30), date(2026, 11, 15)]


def test_exit_code_on_overdue_only() -> None:
    run = run_of("mc")
    (r,) = run.results
    for due, code in ((None, 0), (WHEN.date(), 0), (WHEN.date() - timedelta(days=1), 1)):
        late = tuple(replace(f, due=due) for f in r.findings)
        one = replace(run, results=(replace(r, findings=late),))
        assert exits.code(one, exits.severities("overdue")) == code
        assert exits.code(one, exits.severities("overdue,critical")) == 0  # it is important, not critical
        assert exits.code(one, exits.severities(None)) == 1


def test_since_when_a_finding_fails(tmp_path: Path) -> None:
    """Unknown in between does not end it, being met does."""
    days = [{"h": letters} for letters in ("mmc", "umc", "mcm", "mmm")]
    with after(tmp_path / "a.db", *days) as s:
        assert trend.failing_since(s.db) == {
            "h": {"rule-0": date(2026, 11, 23), "rule-1": date(2026, 11, 26), "rule-2": date(2026, 11, 25)}
        }


INVENTORY = """hosts: {{here: {{connection: replay, path: {recording}, groups: [legacy]}}}}
groups: {{legacy: {{}}}}
history: a.db
{more}
"""
RECORDING = RECORDINGS / "debian-12-root"


def test_from_the_command_line(auditor: Auditor, home: Path) -> None:
    spans = "deadlines: {critical: 1d, important: 1d, moderate: 1d, low: 1d, unrated: 1d}"
    (home / "inventory.yaml").write_text(INVENTORY.format(recording=RECORDING, more=spans))
    plain = json.loads(auditor("audit", "--format", "json").stdout)
    failing = [f for t in plain["targets"] for f in t["findings"] if f["obligation"] == "required" and f["verdict"] in ("noncompliant", "pending")]  # fmt: skip
    assert failing
    assert all(f["due"] for f in failing)
    assert "overdue" not in auditor("audit", "--fail-on", "overdu").stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("deadlines: {urgent: 3d}", "'urgent' is no severity"),
        ("deadlines: {critical: soon}", "deadlines: critical is no span; write a span as 90d"),
        ("deadlines: {groups: {lgacy: {low: 3d}}}", "the group 'lgacy' is not declared; did you mean legacy?"),
        ("max_age: 90", "max_age is no span"),
        ("retention: {nightly: 3y, monthly: 1y}", "monthly is shorter than nightly"),
        ("retention: {daily: 3d}", "unknown key 'daily'"),
    ],
)
def test_settings_that_are_wrong(auditor: Auditor, home: Path, more: str, said: str) -> None:
    (home / "inventory.yaml").write_text(INVENTORY.format(recording=RECORDING, more=more))
    done = auditor("inventory", "check")
    assert done.returncode == 2
    assert said in done.stderr
    assert "inventory.yaml:4: " in done.stderr
