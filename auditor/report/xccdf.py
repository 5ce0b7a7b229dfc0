"""A run as XCCDF 1.2 results (NIST SP 800-126r3): a benchmark of the rules, a TestResult per host.

Missing and pending are `fail`, unknown is `unknown`, not applicable `notapplicable`, compliant `pass`. A waiver is an
override that keeps the result and says who answers for it. A host that could not be assessed has every rule as
`unknown`. The score is the share of required findings without a waiver that are met, of those that could be judged.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from auditor.foundation.sanitize import one_line
from auditor.model.finding import Finding
from auditor.model.run import Run, TargetResult
from auditor.report.required import required
from auditor.report.xml_text import legal, serialized

NAMESPACE = "http://checklists.nist.gov/xccdf/1.2"
_RESULT = {
    "noncompliant": "fail",
    "pending": "fail",
    "unknown": "unknown",
    "not_applicable": "notapplicable",
    "compliant": "pass",
}
_SEVERITY = {"critical": "high", "important": "high", "moderate": "medium", "low": "low", "unrated": "unknown"}
_NO_NAME = re.compile(r"[^A-Za-z0-9.-]")


def to_xccdf(run: Run) -> bytes:
    """The run as XCCDF 1.2 test results."""
    ET.register_namespace("", NAMESPACE)
    root = _element(None, "Benchmark", id="xccdf_auditor_benchmark_rulebook")
    _element(root, "status", text="incomplete", date=f"{run.started:%Y-%m-%d}")
    _element(root, "title", text="auditor")
    _element(root, "version", text=run.rulebook.digest[:16] or "none")
    rules = {f.rule: f for r in run.results for f in r.findings}
    for f in rules.values():
        rule = _element(root, "Rule", id=_id(f.rule), severity=_SEVERITY[f.severity])
        _element(rule, "title", text=f.title)
    for number, result in enumerate(run.results, 1):
        _test_result(root, run, result, number, rules)
    return serialized(root)


def _element(parent: ET.Element | None, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    tag = f"{{{NAMESPACE}}}{name}"
    made = ET.Element(tag, attributes) if parent is None else ET.SubElement(parent, tag, attributes)
    made.text = None if text is None else legal(text)
    return made


def _id(rule: str) -> str:
    return f"xccdf_auditor_rule_{_NO_NAME.sub('-', rule)}"


def _test_result(root: ET.Element, run: Run, r: TargetResult, number: int, rules: dict[str, Finding]) -> None:
    times = {"start-time": f"{run.started:%Y-%m-%dT%H:%M:%S}", "end-time": f"{run.finished or run.started:%Y-%m-%dT%H:%M:%S}"}
    test = _element(root, "TestResult", id=f"xccdf_auditor_testresult_{number}", **times)
    test.set("test-system", f"cpe:/a:auditor:auditor:{_NO_NAME.sub('-', run.auditor)}")
    _element(test, "title", text=f"{r.target.name}: {r.outcome}" + (f": {one_line(r.error.message, 500)}" if r.error else ""))
    _element(test, "target", text=r.target.name)
    if r.target.address:
        _element(test, "target-address", text=r.target.address)
    for f in r.findings:
        given = _element(test, "rule-result", idref=_id(f.rule), severity=_SEVERITY[f.severity], time=times["end-time"])
        _element(given, "result", text=_RESULT[f.verdict])
        if f.waiver:
            override = _element(given, "override", time=times["end-time"], authority=legal(f.waiver.owner))
            _element(override, "old-result", text=_RESULT[f.verdict])
            _element(override, "new-result", text=_RESULT[f.verdict])
            until = f"until {f.waiver.expires}" if f.waiver.expires else "permanent"
            _element(override, "remark", text=f"waived, {until}: {f.waiver.reason}")
        _element(given, "message", text=f"{f.verdict}: {f.why} Found: {f.observed}. Required: {f.required}.", severity="info")
    if not r.findings:
        for rule in rules:
            given = _element(test, "rule-result", idref=_id(rule), time=times["end-time"])
            _element(given, "result", text="unknown")
            _element(given, "message", text=r.error.kind if r.error else "not assessed", severity="error")
    n = required(r.findings)
    judged = n.met + n.missing
    _element(test, "score", text=f"{100 * n.met / judged:.1f}" if judged else "0", maximum="100")
