"""The HTML report: nothing of a host gets through unescaped, and people find what they need."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from msgspec.structs import replace

from auditor.evaluation.evaluate import evaluate
from auditor.mail.message import subject
from auditor.model.facts import CollectorOutcome, HostFacts, Listener, Package
from auditor.model.finding import Waiver
from auditor.model.run import RulebookSummary, Run, TargetError, TargetResult
from auditor.model.target import Target
from auditor.report.html_report import html
from auditor.report.text import to_text
from tests.given import LINUX, RULES, WHEN, platform

EVIL = "<script>alert(1)</script>\x1b[2J\x9b31m\u202egnp.exe\x00'\"><img src=x onerror=alert(2)>{{7*7}}\r\nInjected: yes"


def run_of(*results: TargetResult) -> Run:
    return Run(
        id="r1",
        started=WHEN,
        finished=WHEN.replace(minute=1),
        auditor="0.1",
        rulebook=RulebookSummary("d" * 64, 13, "2026-11-01"),
        results=results,
    )


def result(facts: HostFacts, name: str = "web1", **more: object) -> TargetResult:
    waiver = Waiver(rules=("linux-syncookies",), targets=("waived",), owner="kim", reason="soon", permanent=True)
    findings = evaluate(replace(facts, target=name), RULES, today=WHEN.date(), waivers=(waiver,))
    return TargetResult(target=Target(name=name, **more), outcome="assessed", facts=facts, findings=findings)  # type: ignore[arg-type]


def hostile() -> Run:
    facts = replace(
        platform(LINUX, name=EVIL, kernel=EVIL, product=EVIL),
        listeners=(Listener("0.0.0.0", 80, 1, EVIL), Listener(EVIL, 81, 2, EVIL)),
        packages=(Package(EVIL, None, "1", None, "amd64", EVIL, EVIL),),
        outcomes=(CollectorOutcome("listeners", "partial", EVIL),),
    )
    lost = TargetResult(target=Target(name=EVIL), outcome="unreachable", error=TargetError("protocol", EVIL))
    return run_of(result(facts, EVIL, labels={EVIL: EVIL}), lost)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_hostile_fields_are_text() -> None:
    page = html(hostile(), RULES).decode()
    tags = Tags()
    tags.feed(page)
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "img", "iframe", "link"}
    assert not [a for _, attrs in tags.seen for a in attrs if a.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page.replace("\n", ""))
    assert "{{7*7}}" in page
    assert "\\x1b[2J" in page


def test_hostile_fields_do_nothing_to_a_terminal() -> None:
    shown = to_text(hostile()).decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "\nInjected" not in shown


def test_the_page_needs_nothing_but_itself() -> None:
    page = html(run_of(result(LINUX)), RULES).decode()
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#|https://)""", page)
    assert not re.search(r"url\(|@import", page)
    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page
    for link in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{link}"' in page, link


def test_what_could_not_be_assessed_comes_before_what_could() -> None:
    lost = TargetResult(target=Target(name="zz-lost"), outcome="unreachable", error=TargetError("timeout", "is it up?"))
    page = html(run_of(result(LINUX, "aa"), lost), RULES).decode()
    assert page.index("zz-lost") < page.index('id="hosts"') < page.index("<b>aa</b>")
    assert "Of 2 hosts, 1 could not be assessed, 1 has everything that is required." in page
    shown = to_text(run_of(result(LINUX, "aa"), lost)).decode()
    assert shown.index("zz-lost") < shown.index("aa: ")


def test_a_host_that_no_required_rule_is_about_is_not_called_good() -> None:
    """An unknown distribution, say: nothing was held against it."""
    other = replace(
        result(LINUX, "other"), findings=tuple(replace(f, verdict="not_applicable") for f in result(LINUX).findings)
    )
    lost = TargetResult(target=Target(name="lost"), outcome="unreachable", error=TargetError("timeout", "is it up?"))
    for run, said in (
        (run_of(result(LINUX, "aa"), other), "Of 2 hosts, 1 has everything that is required, to 1 nothing required applied."),
        (run_of(other, lost), "Of 2 hosts, 1 could not be assessed, to 1 nothing required applied."),
        (run_of(other), "Nothing required applied to other."),
    ):
        page = html(run, RULES).decode()
        assert said in page
        assert '<span class="">nothing required applied to it</span>' in page
    assert subject(run_of(result(LINUX, "aa"), other), None) == "auditor: 1 of 2 hosts have nothing required"


def test_a_relaxed_host_key_check_is_printed() -> None:
    page = html(run_of(result(LINUX, "app", host_key_checking="accept-new")), RULES).decode()
    assert "app: unknown host keys are accepted" in page


def test_actions_rank_by_what_they_settle_and_waived_ones_are_none() -> None:
    from auditor.report.figures import figures

    bad = platform(LINUX, product="debian-9")
    run = run_of(result(bad, "a"), result(bad, "b"), result(LINUX, "c"))
    n = figures(run)
    assert [(a.rule, a.targets) for a in n.actions] == [("linux-end-of-support", ("a", "b"))]
    assert (n.failing_hosts, n.compliant_hosts, n.unknown_hosts) == (2, 1, 0)


def test_an_unknown_names_the_one_change_that_would_settle_most() -> None:
    facts = replace(LINUX, packages=None, updates=None, outcomes=(CollectorOutcome("packages", "failed", "no dpkg-query"),))
    page = html(run_of(result(facts)), RULES).decode()
    assert "would be settled by: <b>packages: no dpkg-query</b>" in page


def test_a_waived_finding_shows_its_owner() -> None:
    facts = replace(LINUX, settings={})
    page = html(run_of(result(facts, "waived")), RULES).decode()
    assert "Waived by kim for good: soon" in page
