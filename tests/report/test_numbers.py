"""Every number that is shown anywhere, counted once more from the exported rows by other code than the product's."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.cli import exits
from auditor.history.store import Store
from auditor.mail.message import message, subject
from auditor.model.finding import Finding, Obligation, WaiverNote
from auditor.model.mailing import Mailing
from auditor.model.run import RulebookSummary, Run, TargetResult
from auditor.report.formats import render
from auditor.report.xccdf import NAMESPACE
from tests.conftest import Run as Auditor
from tests.given import WHEN
from tests.history.test_queries import IDS, result

MAILING = Mailing(server="mx.example.com", sender="auditor@example.com", to=("kim@example.com",))
WORDS: dict[str, Obligation] = {"A": "advised", "S": "situational"}
# A letter for each required finding (test_questions.LETTERS); after it W for a waived one, A advised, S situational, D overdue.
FLEETS = {
    "of every kind": {"lacks and leaves open": "m u c", "lacks": "mD p c", "leaves open": "u c c", "well": "c c n", "waived": "mW c",
                      "advised only": "mA uS", "nothing applies": "n n", "not reached": "-", "nor this": "-"},
    "one that lacks and leaves open": {"one": "m u u c"},
    "one that is well": {"one": "c c mA"},
    "one with nothing required": {"one": "n mA"},
    "one not reached": {"one": "-"},
    "all lack and leave open": {"a": "m u", "b": "p u"},
    "all waived": {"a": "mW uW", "b": "cW"},
    "three not reached": {"a": "-", "b": "-", "c": "-"},
    "none at all": {},
}  # fmt: skip


def host(name: str, words: str) -> TargetResult:
    made = result(name, "".join(word[0] for word in words.split()), WHEN)
    return replace(made, findings=tuple(map(marked, made.findings, words.split())), seconds=1.0)


def marked(f: Finding, word: str) -> Finding:
    marks = word[1:]
    f = replace(f, obligation=next((WORDS[m] for m in marks if m in WORDS), "required"))
    waiver = WaiverNote("kim", "later", date(2027, 1, 1)) if "W" in marks else None
    due = WHEN.date() - timedelta(days=3) if "D" in marks else None
    return replace(f, waiver=waiver, due=due)


def run_of(fleet: dict[str, str], ident: str = "r0", hours: int = 0) -> Run:
    when = WHEN + timedelta(hours=hours)
    results = tuple(host(name, words) for name, words in fleet.items())
    return Run(
        id=ident, started=when, finished=when, auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"), results=results
    )


def truth(rows: list[dict[str, Any]], today: date) -> dict[str, int]:
    """The numbers by their definitions, from JSON Lines."""
    hosts: dict[str, list[dict[str, Any]]] = {}
    lost = set()
    for row in rows:
        found = hosts.setdefault(row["host"], [])
        if row["outcome"] not in ("assessed", "partial"):
            lost.add(row["host"])
        elif row["rule"]:
            found.append(row)
    required = {
        h: [r for r in found if r["obligation"] == "required" and not r["waived_by"]]
        for h, found in hosts.items()
        if h not in lost
    }
    missing = {h: sum(r["verdict"] in ("noncompliant", "pending") for r in found) for h, found in required.items()}
    open_ = {h: sum(r["verdict"] == "unknown" for r in found) for h, found in required.items()}
    applies = {h: any(r["obligation"] == "required" and r["verdict"] != "not_applicable" for r in hosts[h]) for h in required}
    return {
        "hosts": len(hosts),
        "lost": len(lost),
        "lack": sum(n > 0 for n in missing.values()),
        "open": sum(n > 0 for n in open_.values()),
        "both": sum(missing[h] > 0 and open_[h] > 0 for h in required),
        "well": sum(applies[h] and not missing[h] and not open_[h] for h in required),
        "nothing": sum(not applies[h] for h in required),
        "missing": sum(missing.values()),
        "questions": sum(open_.values()),
        "met": sum(r["verdict"] == "compliant" for found in required.values() for r in found),
        "waived": sum(bool(r["waived_by"]) for r in rows),
        "overdue": sum(bool(r["due"]) and date.fromisoformat(r["due"]) < today for found in required.values() for r in found),
    }


def tiles(page: str) -> dict[str, str]:
    found = re.search(r'<ul class="totals">(.*?)</ul>', page, re.S)
    assert found
    return {words: number for number, words in re.findall(r"<li><b[^>]*>(.*?)</b><span>(.*?)</span>", found[1])}


def share(n: dict[str, int]) -> str:
    judged = n["met"] + n["missing"]
    return f"{100 * n['met'] / judged:.0f} %" if judged else "–"


@pytest.mark.parametrize("name", FLEETS)
def test_tile_sentence_table_mail_and_csv_agree(name: str) -> None:
    run = run_of(FLEETS[name])
    n = truth([json.loads(line) for line in render(run, "jsonl").splitlines()], run.started.date())
    page = render(run, "html").decode()
    shown = tiles(page)
    if n["hosts"] == 1 and not n["lost"]:
        wanted = {"required finding": n["missing"], "required question": n["questions"]}
    else:
        wanted = {
            "in the run": n["hosts"],
            "could not be assessed": n["lost"],
            "lack something": n["lack"],
            "leave a required": n["open"],
        }
    if n["overdue"]:
        wanted["overdue"] = n["overdue"]
    told = {key: next(number for words, number in shown.items() if key in words) for key in wanted}
    assert told == {key: str(number) for key, number in wanted.items()}
    assert next(number for words, number in shown.items() if "that could be judged" in words) == share(n)
    said = re.search(r'<p class="verdict">(.*?)</p>', page)
    assert said
    check_sentence(said[1], n)
    for form in ("text", "markdown"):
        assert plain(said[1]) in plain(render(run, form).decode())
    mail = message(run, None, MAILING, None)
    body = mail.get_body(("plain",))
    assert body
    text = body.get_content()
    assert said[1] in text
    if n["met"] + n["missing"]:
        assert f"{100 * n['met'] / (n['met'] + n['missing']):.0f}% are met" in text
    check_subject(subject(run, None), n)


def check_sentence(said: str, n: dict[str, int]) -> None:
    """Each count that the headline gives, and that it gives all that there are."""
    found = {key: int(m[1]) for key, words in {"lack": "lacks? something required", "lost": "could not be assessed",
             "open": "leaves? a required question open", "well": "(?:has|have) everything that is required"}.items()
             if (m := re.search(rf"(\d+) {words}", said))}  # fmt: skip
    if found:
        assert found == {key: n[key] for key in ("lack", "lost", "open", "well") if n[key]}
    if both := re.search(r"\((\d+) of them among", said):
        assert int(both[1]) == n["both"]
    if n["hosts"] == 1 and not n["lost"]:
        assert [int(x) for x in re.findall(r"leaves (\d+) required question", said)] == (
            [n["questions"]] if n["questions"] else []
        )
        assert ("lacks something required" in said) == bool(n["missing"])
    elif not found:
        assert re.search(r"All \d+ hosts have|none of \d+ hosts could|Nothing required applied|No host was", said)


def check_subject(said: str, n: dict[str, int]) -> None:
    for words, key in (
        ("not assessed", "lost"),
        ("lacks? something", "lack"),
        ("leaves? questions open", "open"),
        ("overdue", "overdue"),
    ):
        m = re.search(rf"(\d+)(?: of \d+ hosts?)? {words}", said)
        assert (int(m[1]) if m else 0) == n[key], said


def plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", " ", text)


@pytest.mark.parametrize("name", FLEETS)
def test_the_forms_for_machines_agree(name: str) -> None:
    run = run_of(FLEETS[name])
    rows = [json.loads(line) for line in render(run, "jsonl").splitlines()]
    n = truth(rows, run.started.date())
    assert json.loads(render(run, "json"))["summary"]["waived"] == n["waived"]
    ratio = re.search(r"^auditor_compliance_ratio (.*)$", render(run, "prometheus").decode(), re.M)
    judged = n["met"] + n["missing"]
    assert (ratio and float(ratio[1])) == (pytest.approx(n["met"] / judged, abs=1e-6) if judged else None)
    for test in ET.fromstring(render(run, "xccdf")).iter(f"{{{NAMESPACE}}}TestResult"):
        own = truth([r for r in rows if r["host"] == test.findtext(f"{{{NAMESPACE}}}target")], run.started.date())
        of = own["met"] + own["missing"]
        assert float(test.findtext(f"{{{NAMESPACE}}}score") or "x") == pytest.approx(
            100 * own["met"] / of if of else 0, abs=0.1
        )
    code = 1 if n["missing"] else 3 if n["lost"] or n["questions"] else 0
    assert exits.code(run, exits.severities(None)) == code


def test_the_table_of_hosts_agrees() -> None:
    run = run_of(FLEETS["of every kind"])
    rows = [json.loads(line) for line in render(run, "jsonl").splitlines()]
    page = render(run, "html").decode()
    table = page[page.index('<h2 id="hosts">') :]
    found = re.findall(r'<tr><td><a href="#host-\d+">(.*?)</a>.*?((?:<td class="n[^"]*">[^<]*</td>){4})</tr>', table)
    assert len(found) == 7
    for name, cells in found:
        own = [r for r in rows if r["host"] == name]
        counted = [r["verdict"] for r in own if r["obligation"] == "required" and not r["waived_by"]]
        applies = [r for r in own if r["verdict"] != "not_applicable"]
        numbers = [str(counted.count(v)) for v in ("noncompliant", "pending", "unknown")]
        judged = f"{sum(r['verdict'] != 'unknown' for r in applies)} of {len(applies)}"
        assert re.findall(r">([^<]*)</td>", cells) == [*numbers, judged]


WORDS_OF = {
    "lacks and leaves open": "lacks something required, leaves a required question open", "lacks": "lacks something required",
    "leaves open": "leaves a required question open", "well": "has everything that is required", "waived": "has everything that is required",
    "advised only": "nothing required applied to it", "nothing applies": "nothing required applied to it",
}  # fmt: skip


def test_each_host_says_how_it_stands() -> None:
    page = render(run_of(FLEETS["of every kind"]), "html").decode()
    assert dict(re.findall(r'<summary><b>([^<]*)</b><span class="[^"]*">([^<]*)</span>', page)) == WORDS_OF


def test_the_history_agrees(auditor: Auditor, home: Path) -> None:
    """The stored run, its host lines, and the fleet after it, where every host was assessed or never was."""
    run = run_of(FLEETS["of every kind"])
    n = truth([json.loads(line) for line in render(run, "jsonl").splitlines()], run.started.date())
    with Store(home / "auditor.db") as s:
        s.begin(run, IDS)
        for r in run.results:
            s.add(run, [r], listed=[r.target.name])
        s.finish(run, [r.target.name for r in run.results])
    (stored,) = json.loads(auditor("history", "runs", "--format", "json").stdout)
    assert (stored["targets"], stored["unassessed"], stored["missing"]) == (n["hosts"], n["lost"], n["missing"])
    (point,) = json.loads(auditor("history", "trend", "--format", "json").stdout)["points"]
    assert (point["hosts"], point["unassessed"]) == (n["hosts"], n["lost"])
    assert (sum(point["open"].values()), point["unknown"]) == (n["missing"], n["questions"])
    assert point["compliance"] == pytest.approx(n["met"] / (n["met"] + n["missing"]))
    for h in json.loads(auditor("history", "as-of", "2026-11-23", "--format", "json").stdout)["hosts"]:
        rows = [json.loads(line) for line in render(run, "jsonl").splitlines()]
        own = truth([r for r in rows if r["host"] == h["host"]], run.started.date())
        assert (h["required_missing"], h["required_unknown"], h["required_met"]) == (
            own["missing"],
            own["questions"],
            own["met"],
        )


BEFORE = {"a": "m m c", "b": "u c", "c": "-", "d": "c m"}
NOW = {"a": "c m c", "b": "c c", "c": "m c", "e": "m"}


def test_both_sides_of_a_comparison_are_the_same_hosts_and_rules(tmp_path: Path) -> None:
    """Of the four findings judged in both runs, two were met and three are; host c, b's first rule and e were not judged then,
    d is not now: none of them makes anything better or worse."""
    with Store(tmp_path / "a.db") as s:
        for ident, fleet, hours in (("r0", BEFORE, 0), ("r1", NOW, 24)):
            run = run_of(fleet, ident, hours)
            s.begin(run, IDS)
            for r in run.results:
                s.add(run, [r], listed=[r.target.name])
            s.finish(run, list(fleet))
        past = s.past(run)
        run = s.run("r1")
    assert past
    assert [(p.run, p.judged, p.met, p.met_now) for p in past.points] == [("r0", 4, 2, 3), ("r1", 8, 5, 5)]
    text = message(run, past, MAILING, None).get_body(("plain",))
    assert text
    assert (
        "62% are met. Of the 4 that could be judged as of 2026-11-23 12:00 UTC too, on the same hosts and by the same rules,"
        " 50% were met then and 75% now." in text.get_content()
    )
    page = render(run, "html", (), past).decode()
    assert "50.0% met on 2026-11-23 12:00 UTC (of 4 that could be judged then), 62.5% on 2026-11-24 12:00 UTC (of 8)" in page
    assert "62 %" in tiles(page).values()
