"""A run as a Prometheus textfile (node_exporter's textfile collector): gauges, a line each.

Rules are not labels: they would make as many series as there are findings. What is asked of a metric is how many of
what kind a host has, and whether it was assessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from auditor.foundation.sanitize import printable
from auditor.model.finding import VERDICTS
from auditor.model.run import Run
from auditor.report.figures import figures


def to_prometheus(run: Run, audit: str = "") -> bytes:
    """`audit`: the name of the agent's audit, which tells its series from those of others."""
    return ("\n".join(_lines(run, {"audit": audit} if audit else {})) + "\n").encode("utf-8", "replace")


def _lines(run: Run, whole: dict[str, str]) -> Iterator[str]:
    n = figures(run)
    of_all = f"{{{_labels(**whole)}}}" if whole else ""
    yield from _head("auditor_run_started_timestamp_seconds", "When the run began.")
    yield f"auditor_run_started_timestamp_seconds{of_all} {run.started.timestamp():.3f}"
    if run.finished:
        yield from _head("auditor_run_finished_timestamp_seconds", "When the run ended; absent where it did not.")
        yield f"auditor_run_finished_timestamp_seconds{of_all} {run.finished.timestamp():.3f}"
    if n.compliance is not None:
        yield from _head("auditor_compliance_ratio", "Required findings that are met, of those that could be judged.")
        yield f"auditor_compliance_ratio{of_all} {n.compliance:.6f}"
    yield from _head("auditor_host_assessed", "1 where the host was assessed, at least in part; 0 where it was not.")
    for r in run.results:
        yield f"auditor_host_assessed{{{_labels(**whole, host=r.target.name, outcome=r.outcome)}}} {int(r.outcome in ('assessed', 'partial'))}"
    yield from _head("auditor_findings", "Findings by host, verdict, obligation and severity; waived ones are among them.")
    for r in run.results:
        counts = Counter((f.verdict, f.obligation, f.severity) for f in r.findings)
        for (verdict, obligation, severity), count in sorted(counts.items(), key=lambda c: (VERDICTS.index(c[0][0]), *c[0])):
            labels = _labels(**whole, host=r.target.name, verdict=verdict, obligation=obligation, severity=severity)
            yield f"auditor_findings{{{labels}}} {count}"
    yield from _head("auditor_findings_waived", "Findings with a waiver in force, by host.")
    for r in run.results:
        yield f"auditor_findings_waived{{{_labels(**whole, host=r.target.name)}}} {sum(1 for f in r.findings if f.waiver)}"


def _head(name: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"


def _labels(**values: str) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items())


def _escaped(value: str) -> str:
    """As the text format asks: backslash, quote and line feed."""
    return printable(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
