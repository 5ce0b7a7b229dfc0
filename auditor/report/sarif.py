"""A run as SARIF 2.1.0 (OASIS), the form that code hosts and security dashboards read.

Missing is an error, pending a warning, both of kind `fail`; unknown is kind `open`, not applicable `notApplicable`,
compliant `pass` (section 3.27.9). A waiver is a suppression (3.35); the result stays. A host that could not be assessed
is a tool execution notification (3.58) and makes the invocation unsuccessful.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from auditor.foundation.sanitize import harmless_json
from auditor.model.finding import Finding
from auditor.model.run import Run, TargetResult

_KIND = {"noncompliant": "fail", "pending": "fail", "unknown": "open", "not_applicable": "notApplicable", "compliant": "pass"}
_LEVEL = {"noncompliant": "error", "pending": "warning"}
# The number that code hosts sort by; the vendors' words say no more than an order.
_SCORE = {"critical": "9.5", "important": "8.0", "moderate": "5.5", "low": "2.0"}


def to_sarif(run: Run) -> bytes:
    """The run as SARIF 2.1.0."""
    rules = {f.rule: f for r in run.results for f in r.findings}
    place = {rule: n for n, rule in enumerate(rules)}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "auditor", "version": run.auditor, "rules": [_rule(f) for f in rules.values()]}},
                "automationDetails": {"id": f"auditor/{run.id}"},
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(run)],
                "results": [_result(r, f, place[f.rule]) for r in run.results for f in r.findings],
            }
        ],
    }
    return harmless_json(msgspec.json.format(msgspec.json.encode(document), indent=1)) + b"\n"


def _rule(f: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {"id": f.rule, "shortDescription": {"text": f.title}, "help": {"text": f.remediation or f.title}}
    found["properties"] = {"obligation": f.obligation, "severity": f.severity}
    if f.cves:
        found["properties"]["tags"] = ["security", *f.cves]
    if f.severity in _SCORE:
        found["properties"]["security-severity"] = _SCORE[f.severity]
    return found


def _invocation(run: Run) -> dict[str, Any]:
    lost = [r for r in run.results if r.error]
    found: dict[str, Any] = {"executionSuccessful": not lost and not run.interrupted, "startTimeUtc": _utc(run.started)}
    if run.finished:
        found["endTimeUtc"] = _utc(run.finished)
    if lost:
        found["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": f"{r.target.name}: {r.error.message}"}, "descriptor": {"id": r.error.kind},
             "locations": [_location(r)]}
            for r in lost if r.error
        ]  # fmt: skip
    return found


def _utc(when: Any) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _location(r: TargetResult) -> dict[str, Any]:
    return {"logicalLocations": [{"name": r.target.name, "fullyQualifiedName": r.target.name, "kind": "host"}]}


def _result(r: TargetResult, f: Finding, index: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": f.rule,
        "ruleIndex": index,
        "kind": _KIND[f.verdict],
        "level": _LEVEL.get(f.verdict, "none"),
        "message": {"text": f"{f.why} Found: {f.observed}. Required: {f.required}."},
        "locations": [_location(r)],
        "partialFingerprints": {"hostRule/v1": hashlib.sha256(f"{r.target.name}\0{f.rule}".encode()).hexdigest()},
        "properties": {"verdict": f.verdict},
    }
    if f.waiver:
        until = f"until {f.waiver.expires}" if f.waiver.expires else "permanent"
        found["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": f"{f.waiver.owner}, {until}: {f.waiver.reason}"}
        ]
    return found
