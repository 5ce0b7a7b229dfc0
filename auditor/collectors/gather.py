"""Every collector's part in turn: a part that cannot be read leaves its facts None and says why; nothing raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from auditor.collectors.collector import CollectorResult
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.facts import CollectorOutcome

_REASON = 400  # characters; every finding that rests on a collector repeats its reason


def gather(
    parts: Iterable[tuple[str, Callable[[], CollectorResult], float | None]],
) -> tuple[dict[str, Any], list[CollectorOutcome]]:
    """`parts`: name, parse and the seconds it took on the host. Returns fields of HostFacts, and how each part fared."""
    facts: dict[str, Any] = {}
    outcomes = []
    for name, parse, seconds in parts:
        try:
            reading = parse()
        except FactUnavailable as e:
            outcomes.append(CollectorOutcome(name, "failed", one_line(str(e), _REASON)))
            continue
        except (ValueError, IndexError, KeyError, OverflowError, TypeError) as e:
            # A parser met what it does not know: the host's answer is malformed, and so its facts are not known.
            outcomes.append(
                CollectorOutcome(name, "failed", one_line(f"the answer is malformed ({type(e).__name__}: {e})", _REASON))
            )
            continue
        facts |= _merged(facts, reading.facts)
        outcomes.append(
            CollectorOutcome(name, "partial" if reading.partial else "ok", one_line(reading.partial, _REASON), seconds)
        )
    return facts, outcomes


def _merged(known: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Two collectors may each know process ids; all other facts have one collector."""
    if "pids" not in new:
        return new
    both = known.get("pids", {})
    return new | {"pids": {k: tuple(sorted({*both.get(k, ()), *v})) for k, v in (both | new["pids"]).items()}}
