"""The report of a fleet: nothing is left out by folding, and it says what changed."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.model.finding import Obligation, Remedy
from auditor.model.past import Change, Compared, Past
from auditor.model.run import RulebookSummary, Run
from auditor.report.actions import actions
from auditor.report.curve import curve
from auditor.report.deduplicate import fold
from auditor.report.formats import render
from auditor.report.grouping import Bundle
from tests.given import WHEN
from tests.history.test_queries import after, result

LETTERS = ["mcupn", "mcmpc", "uucmm", "ccccc"]


def fleet(hosts: int) -> Run:
    results = tuple(result(f"h{n:03}", LETTERS[n % 4], WHEN) for n in range(hosts))
    return Run(
        id="r", started=WHEN, finished=WHEN, auditor="0", rulebook=RulebookSummary("d", 5, "2026-01-01"), results=results
    )


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids[given["id"] or ""] += 1
        if tag == "a" and (given.get("href") or "").startswith("#"):
            self.links.append((given["href"] or "")[1:])

    def handle_data(self, data: str) -> None:
        self.data += data


def test_folding_leaves_no_finding_out() -> None:
    run = fleet(60)
    truth = Counter(
        (r.target.name, f.rule, f.verdict)
        for r in run.results for f in r.findings if f.verdict in ("noncompliant", "pending", "unknown")
    )  # fmt: skip
    told = Counter((host, x.rule, g.finding.verdict) for x in fold(run) for g in x.groups for host in g.hosts)
    assert told == truth
    assert all(x.hosts == sum(len(g.hosts) for g in x.groups) for x in fold(run))


def test_a_fleets_page_names_every_finding_at_its_host_and_by_rule() -> None:
    run = fleet(60)
    page = render(run, "html").decode()
    seen = Links()
    seen.feed(page)
    assert {id_ for id_, count in seen.ids.items() if count > 1} == set()
    assert {link for link in seen.links if link.startswith("by-")} <= set(seen.ids)
    for n, r in enumerate(sorted(run.results, key=lambda r: r.target.name)):
        missing = [f for f in r.findings if f.verdict in ("noncompliant", "pending", "unknown")]
        block = next(
            b
            for b in re.findall(r'<details class="host" id="host-\d+".*?</div></details>', page, re.S)
            if f"<b>h{n:03}</b>" in b
        )
        assert [f.rule for f in missing if f'href="#by-{f.rule}"' not in block] == []
    assert len(render(fleet(400), "html")) / len(render(fleet(100), "html")) < 4  # hosts cost, findings are told once


def test_a_small_run_is_not_folded() -> None:
    assert "By rule" not in render(fleet(40), "html").decode()


def test_what_changed_and_how_it_developed(tmp_path: Path) -> None:
    with after(tmp_path / "a.db", {"a": "cm", "b": "c"}, {"a": "mc", "b": "-"}) as s:
        run = s.run("day1")
        page = render(run, "html", (), s.past(run)).decode()
        assert s.past(s.run("day0")) is None
    assert "What changed since 2026-11-23 12:00 UTC" in page
    assert "new: <b>1</b>" in page
    assert "fixed: <b>1</b>" in page
    assert "not assessed: <b>1</b>" in page
    assert (
        'aria-label="The required findings that this run could judge, on the same hosts and by the same rules before: 50.0% met on'
        ' 2026-11-23 12:00 UTC (of 2 that could be judged then), 50.0% on 2026-11-24 12:00 UTC (of 2); 2 runs"' in page
    )
    assert "noncompliant (m) → compliant (c)" in page


def test_hostile_names_in_what_changed() -> None:
    evil = "<img src=x onerror=alert(1)>\x1b[31m"
    past = Past("2026-11-22T00:00:00", (Change("new", evil, evil, evil, "low", evil, evil, evil, evil, evil),), ())
    page = render(fleet(1), "html", (), past).decode()
    assert "<img" not in page
    assert "\x1b" not in page


def test_the_curve() -> None:
    point = Compared("r", "2026-11-23T00:00:00", 4, 2, 4)
    assert curve([]) is curve([point]) is curve([point, replace(point, judged=0)]) is None
    drawn = curve([point, replace(point, met=4)])
    assert drawn
    assert [label for _, label in drawn.grid] == ["50 %", "75 %", "100 %"]
    assert [y for _, y, _ in drawn.dots] == [112.0, 8.0]
    assert drawn.dots[0][2] == "2026-11-23 00:00 UTC: 2 of 4 met, 50.0%"


def test_a_flaw_in_security_that_nobody_rated_goes_before_what_is_only_unrated() -> None:
    """Among deeds that settle as much: "security, unrated" before "unrated", whatever their titles."""
    host = result("h1", "mmccc", WHEN)
    first, second = (replace(f, severity="unrated", remedy=None, title=t) for f, t in zip(host.findings, "AZ", strict=False))
    findings = (first, replace(second, security=True), *host.findings[2:])
    told = [(a.title, a.rating) for a in actions([replace(host, findings=findings)])]
    assert told == [("Z", "security, unrated"), ("A", "unrated")]
    rated = (first, replace(second, security=True, severity="low"), *host.findings[2:])
    assert [a.rating for a in actions([replace(host, findings=rated)])] == ["low", "unrated"]


@pytest.mark.parametrize(
    ("count", "obligation", "told"), [(60, "required", 60), (61, "required", 24), (24, "situational", 24), (25, "advised", 24)]
)
def test_a_step_that_settles_hundreds_names_some_and_counts_the_rest(count: int, obligation: Obligation, told: int) -> None:
    one = result("h1", "m", WHEN).findings[0]
    many = tuple(replace(one, rule=f"Q{190000 + n}", obligation=obligation) for n in range(count))
    words = Bundle(Remedy("service_pack", "windows-nt-4.0", "6a"), many).rules
    assert len(re.findall(r"Q\d{6}", words)) == told
    assert (f" and {count - told} more" in words) is (told < count)
