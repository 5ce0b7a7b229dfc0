"""A run as JUnit XML, the form that build servers read: a suite per host, a case per finding.

Missing and pending are failures, unknown is an error, not applicable is skipped. A waiver changes none of that; it is
told in the case's text.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

from auditor.model.finding import Finding
from auditor.model.run import Run, TargetResult
from auditor.report.xml_text import legal, serialized

_ELEMENT = {"noncompliant": "failure", "pending": "failure", "unknown": "error", "not_applicable": "skipped"}


def to_junit(run: Run) -> bytes:
    """The run as one XML document."""
    root = ET.Element("testsuites", name="auditor", timestamp=f"{run.started:%Y-%m-%dT%H:%M:%S}")
    totals: Counter[str] = Counter()
    for r in run.results:
        totals += _suite(root, run, r)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(totals[name]))
    return serialized(root)


def _suite(root: ET.Element, run: Run, r: TargetResult) -> Counter[str]:
    kinds = Counter(_ELEMENT.get(f.verdict, "passed") for f in r.findings)
    counts = Counter(
        tests=len(r.findings) + bool(r.error),
        failures=kinds["failure"],
        errors=kinds["error"] + bool(r.error),
        skipped=kinds["skipped"],
    )
    suite = ET.SubElement(root, "testsuite", name=legal(r.target.name), time=f"{r.seconds:.3f}")
    suite.set("timestamp", f"{run.started:%Y-%m-%dT%H:%M:%S}")
    for name, count in counts.items():
        suite.set(name, str(count))
    if r.error:
        case = ET.SubElement(suite, "testcase", classname=legal(r.target.name), name="reached")
        ET.SubElement(case, "error", type=r.error.kind, message=legal(r.error.message))
    for f in r.findings:
        case = ET.SubElement(suite, "testcase", classname=legal(r.target.name), name=f"{f.rule}: {legal(f.title)}")
        if element := _ELEMENT.get(f.verdict):
            told = ET.SubElement(case, element, message=legal(f.why))
            if element != "skipped":
                told.set("type", f.verdict)
                told.text = legal(_text(f))
    return counts


def _text(f: Finding) -> str:
    waived = f"\nwaived by {f.waiver.owner}: {f.waiver.reason}" if f.waiver else ""
    return f"{f.severity}, {f.obligation}\nfound: {f.observed}\nrequired: {f.required}\nto do: {f.remediation}{waived}"
