"""The run as one JSON document: `auditor.run/1` (docs/contracts.md)."""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.foundation.sanitize import harmless_json
from auditor.model.facts import Platform
from auditor.model.finding import VERDICTS
from auditor.model.run import Run, TargetResult

_PLATFORM = ("family", "product", "version", "service_pack", "build", "edition", "suites", "arch", "kernel")


def document(run: Run) -> dict[str, Any]:
    """Plain data, in the contract's order of keys."""
    verdicts, outcomes = run.verdicts(), run.outcomes()
    return {
        "schema": "auditor.run/1",
        "run": {
            "id": run.id,
            "started": run.started,
            "finished": run.finished,
            "interrupted": run.interrupted,
            "auditor": run.auditor,
            "rulebook": run.rulebook,
            "advisories": run.advisories,
            "remarks": run.remarks,
            "zones": run.zones,
        },
        "summary": {
            "targets": len(run.results),
            **{name: outcomes[name] for name in ("assessed", "partial", "unreachable", "failed")},
            "verdicts": {v: verdicts[v] for v in VERDICTS},
            "waived": sum(1 for r in run.results for f in r.findings if f.waiver),
        },
        "targets": [_target(r) for r in run.results],
    }


def _target(r: TargetResult) -> dict[str, Any]:
    platform = (r.facts.platform if r.facts else None) or Platform()
    return {
        "name": r.target.name,
        "address": r.target.address,
        "connection": r.target.connection,
        "outcome": r.outcome,
        "error": r.error,
        "seconds": round(r.seconds, 3),
        "platform": {name: getattr(platform, name) for name in _PLATFORM},
        "collectors": r.facts.outcomes if r.facts else [],
        "advisories": {"releases": r.held, "fulfilled": r.fulfilled},
        "findings": r.findings,
    }


def to_json(run: Run) -> bytes:
    """The document as indented UTF-8."""
    return harmless_json(msgspec.json.format(msgspec.json.encode(document(run)), indent=1)) + b"\n"
