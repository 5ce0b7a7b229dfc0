"""Every form of a run: the same findings in each, whatever hosts say, and valid by the published schemas."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from auditor.evaluation.evaluate import evaluate
from auditor.model.finding import VERDICTS, Waiver
from auditor.model.run import RulebookSummary, Run, TargetError, TargetResult
from auditor.model.target import Target
from auditor.report.formats import FORMS, SUFFIXES, render, suffix
from auditor.report.xccdf import NAMESPACE
from tests.given import LINUX, NODE, RULES, WHEN
from tests.places import ROOT

SARIF = ROOT / ".schemas" / "sarif-2.1.0.json"
XCCDF = Path("/usr/share/openscap/schemas/xccdf/1.2/xccdf_1.2.xsd")
EVIL = "<script>alert(1)</script>'; drop table x;\n\x1b[31m\u202e=cmd()|`${x}` \"&#\ufffe\x00"


def run() -> Run:
    """A Linux host, an NT host with every verdict, one with hostile words, and one that was not reached."""
    waiver = Waiver(rules=("linux-*",), targets=("*",), owner="kim <k@example.com>", reason="until the move", permanent=True)
    good = evaluate(LINUX, RULES, today=WHEN.date(), waivers=[waiver])
    pending = tuple(replace(f, verdict="pending") if n == 0 else f for n, f in enumerate(good))
    evil = tuple(replace(f, title=EVIL, observed=EVIL, why=EVIL, remediation=EVIL) for f in good)
    results = (
        TargetResult(
            target=Target(name="web1", address="192.0.2.1"), outcome="assessed", facts=LINUX, findings=pending, seconds=1
        ),
        TargetResult(
            target=Target(name="node-b"), outcome="partial", facts=NODE, findings=evaluate(NODE, RULES, today=WHEN.date())
        ),
        TargetResult(target=Target(name=EVIL, address=EVIL), outcome="assessed", facts=LINUX, findings=evil),
        TargetResult(target=Target(name="db1"), outcome="unreachable", error=TargetError("timeout", "no answer " + EVIL)),
    )
    return Run(
        id="r1",
        started=WHEN,
        finished=WHEN,
        auditor="0.1",
        rulebook=RulebookSummary("d" * 64, 13, "2026-01-01"),
        results=results,
    )


RUN = run()
TRUTH = Counter(f.verdict for r in RUN.results for f in r.findings)
WAIVED = sum(1 for r in RUN.results for f in r.findings if f.waiver)


def xml(form: str) -> ET.Element:
    return ET.fromstring(render(RUN, form))


def named(**kinds: int) -> Counter[str]:
    return Counter(kinds)


def of_json(text: bytes) -> Counter[str]:
    return Counter(f["verdict"] for t in json.loads(text)["targets"] for f in t["findings"])


def of_jsonl(text: bytes) -> Counter[str]:
    return Counter(v for line in text.splitlines() if (v := json.loads(line)["verdict"]))


def of_csv(text: bytes) -> Counter[str]:
    return Counter(v for row in csv.DictReader(io.StringIO(text.decode(), newline="")) if (v := row["verdict"]))


def of_markdown(text: bytes) -> Counter[str]:
    return Counter({v: int(re.search(rf"\| {v.replace('_', ' ')} \| (\d+) \|", text.decode())[1]) for v in VERDICTS})  # type: ignore[index]


def of_text(text: bytes) -> Counter[str]:
    line = next(line for line in text.decode().splitlines() if line.startswith("Findings: "))
    return Counter({v: int(re.search(rf"(\d+) {v.replace('_', ' ')}", line)[1]) for v in VERDICTS})  # type: ignore[index]


def of_prometheus(text: bytes) -> Counter[str]:
    found: Counter[str] = Counter()
    for verdict, count in re.findall(r'^auditor_findings\{.*verdict="(\w+)".*\} (\d+)$', text.decode(), re.M):
        found[verdict] += int(count)
    return found


COUNTED = {
    "json": of_json,
    "jsonl": of_jsonl,
    "csv": of_csv,
    "markdown": of_markdown,
    "text": of_text,
    "prometheus": of_prometheus,
}


@pytest.mark.parametrize("form", COUNTED)
def test_the_same_findings_in_each(form: str) -> None:
    assert +COUNTED[form](render(RUN, form)) == TRUTH


def test_the_same_findings_in_junit() -> None:
    root = xml("junit")
    cases = [c for c in root.iter("testcase") if c.get("name") != "reached"]
    kinds = Counter(next((e.tag for e in case), "passed") for case in cases)
    failing = TRUTH["noncompliant"] + TRUTH["pending"]
    assert kinds == named(failure=failing, error=TRUTH["unknown"], skipped=TRUTH["not_applicable"], passed=TRUTH["compliant"])
    assert (int(root.get("tests", 0)), int(root.get("errors", 0))) == (TRUTH.total() + 1, TRUTH["unknown"] + 1)


def test_the_same_findings_in_sarif() -> None:
    document = json.loads(render(RUN, "sarif"))
    results: list[dict[str, Any]] = document["runs"][0]["results"]
    assert Counter((r["kind"], r["level"]) for r in results) == {
        ("fail", "error"): TRUTH["noncompliant"],
        ("fail", "warning"): TRUTH["pending"],
        ("open", "none"): TRUTH["unknown"],
        ("notApplicable", "none"): TRUTH["not_applicable"],
        ("pass", "none"): TRUTH["compliant"],
    }
    assert sum("suppressions" in r for r in results) == WAIVED > 0
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in results)
    assert document["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_the_same_findings_in_xccdf() -> None:
    space = {"x": NAMESPACE}
    reached = [t for t in xml("xccdf").iterfind("x:TestResult", space) if t.findtext("x:target", "", space) != "db1"]
    kinds = Counter(r.text for t in reached for r in t.iterfind("x:rule-result/x:result", space))
    assert kinds == {
        "fail": TRUTH["noncompliant"] + TRUTH["pending"],
        "unknown": TRUTH["unknown"],
        "notapplicable": TRUTH["not_applicable"],
        "pass": TRUTH["compliant"],
    }
    assert sum(len(t.findall("x:rule-result/x:override", space)) for t in reached) == WAIVED
    (lost,) = (t for t in xml("xccdf").iterfind("x:TestResult", space) if t.findtext("x:target", "", space) == "db1")
    assert {r.text for r in lost.iterfind("x:rule-result/x:result", space)} == {"unknown"}


def test_sarif_is_valid() -> None:
    """By the schema that OASIS published, which tests/packages.sh fetches."""
    schema = json.loads(SARIF.read_bytes())
    jsonschema.validators.validator_for(schema)(schema).validate(json.loads(render(RUN, "sarif")))


def test_xccdf_is_valid(tmp_path: Path) -> None:
    """By the schema that NIST published, as Debian's openscap-common ships it."""
    (tmp_path / "x.xml").write_bytes(render(RUN, "xccdf"))
    command = ["xmllint", "--nonet", "--noout", "--schema", str(XCCDF), str(tmp_path / "x.xml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


@pytest.mark.parametrize("form", [f for f in FORMS if f != "html"])
def test_nothing_harmful_comes_through(form: str) -> None:
    told = render(RUN, form).decode()
    if form in ("json", "jsonl", "sarif"):
        json.loads(told.splitlines()[0] if form == "jsonl" else told)
        assert "\x1b" not in told  # JSON escapes controls; who shows it takes care of the rest
    else:
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", told)
    if form in ("junit", "xccdf"):
        assert "\ufffe" not in told
    if form == "markdown":
        assert "<script>" not in told
    if form == "csv":
        assert not re.search(r'(^|[,"])=cmd', told, re.M)


def test_a_files_name_says_its_form() -> None:
    """A form without a suffix of its own in SUFFIXES is written to a file that is called by its name."""
    suffixes = {form: suffix(form) for form in FORMS if form not in ("junit", "xccdf")}
    assert len(set(suffixes.values())) == len(suffixes)
    assert all(SUFFIXES.get(end, form) == form for form, end in suffixes.items())
    assert suffix("junit") == suffix("xccdf") == ".xml"
