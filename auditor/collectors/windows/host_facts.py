"""From what a Windows host told, by whatever way, to its facts."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from msgspec.structs import replace

from auditor.collectors.gather import gather
from auditor.collectors.windows import WINDOWS
from auditor.collectors.windows.bounds import bounded
from auditor.collectors.windows.queries import Questions, together
from auditor.model.facts import HostFacts, Platform, Volatile
from auditor.model.requirements import Asked
from auditor.model.windows import Readings


def first_questions(asked: Asked) -> Questions:
    """What decides which other questions make sense."""
    return together([c.asks(asked) for c in WINDOWS if c.first])


def questions(asked: Asked) -> Questions:
    """Everything, for ways that ask once."""
    return together([c.asks(asked) for c in WINDOWS])


def platform_of(readings: Readings) -> Platform:
    """What the first answers say, as far as they say it."""
    readings = bounded(readings)
    parts = [(c.name, partial(c.parse, readings, Asked()), None) for c in WINDOWS if c.first]
    found: Platform = gather(parts)[0].get("platform", Platform(family="windows"))
    return found


def read_windows(readings: Readings, asked: Asked, *, target: str, way: str, now: datetime) -> HostFacts:
    """Parse every collector's part; nothing raises. Without a version the family is not known either: whatever answered
    may be no Windows at all."""
    readings = bounded(readings)
    facts, outcomes = gather((c.name, partial(c.parse, readings, asked), None) for c in WINDOWS)
    volatile = replace(facts.pop("volatile", Volatile()), updates_searched=facts.pop("updates_searched", None))
    return HostFacts(
        target=target,
        collected_at=now,
        platform=facts.pop("platform", Platform()),
        way=", ".join([way, readings.way, *readings.notes]),
        volatile=volatile,
        outcomes=tuple(outcomes),
        **facts,
    )
