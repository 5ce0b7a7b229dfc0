"""A run as one line per finding: JSON Lines and CSV. A host without findings has a line of its own, with its error."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import msgspec

from auditor.foundation.sanitize import cell, harmless_json
from auditor.model.finding import Finding
from auditor.model.run import Run

_FIELDS = ("rule", "title", "severity", "obligation", "verdict", "observed", "required", "why", "remediation")
_HEAD = ("run", "host", "address", "outcome", "error", *_FIELDS, "due", "waived_by", "waived_until", "waiver_reason", "cves")
_PACKAGE = ("package", "installed", "fixed")


def _rows(run: Run) -> Iterator[tuple[Finding | None, dict[str, str | None]]]:
    """Each finding with its row; None for a host that has none."""
    for r in run.results:
        head = {"run": run.id, "host": r.target.name, "address": r.target.address, "outcome": r.outcome}
        head["error"] = f"{r.error.kind}: {r.error.message}" if r.error else None
        if not r.findings:
            yield None, {**head, **dict.fromkeys(_HEAD[len(head) :])}
        for f in r.findings:
            w = f.waiver
            until = (str(w.expires) if w.expires else "permanent") if w else None
            waived = {
                "due": str(f.due) if f.due else None,
                "waived_by": w.owner if w else None,
                "waived_until": until,
                "waiver_reason": w.reason if w else None,
                "cves": " ".join(f.cves) or None,
            }
            yield f, {**head, **{name: getattr(f, name) for name in _FIELDS}, **waived}


def to_jsonl(run: Run) -> bytes:
    """A JSON object per finding, and one per host that has none."""
    return b"".join(harmless_json(msgspec.json.encode(row)) + b"\n" for _, row in _rows(run))


def to_csv(run: Run) -> bytes:
    """With a heading, a row for each package of a finding that is about several. Cells that a spreadsheet would take for a formula get an apostrophe (printable.cell)."""
    out = io.StringIO()
    writer = csv.DictWriter(out, (*_HEAD, *_PACKAGE), lineterminator="\r\n", quoting=csv.QUOTE_ALL)  # RFC 4180
    writer.writeheader()
    for finding, row in _rows(run):
        told = {k: cell(v) for k, v in row.items()}
        packages = (
            [dict(zip(_PACKAGE, map(cell, (p.name, p.installed, p.fixed)), strict=True)) for p in finding.packages]
            if finding
            else []
        )
        writer.writerows({**told, **package} for package in packages or [{}])
    return out.getvalue().encode("utf-8", "replace")
