"""From what a Windows host told, by whatever method, to its facts."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from msgspec.structs import replace

from auditor.collectors.gather import gather
from auditor.collectors.windows import WINDOWS
from auditor.collectors.windows.bounds import bounded
from auditor.collectors.windows.queries import QuerySet, merged
from auditor.model.facts import HostFacts, Platform, Volatile
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData


def first_queries(requirements: DataRequirements) -> QuerySet:
    """What decides which other questions make sense."""
    return merged([c.queries(requirements) for c in WINDOWS if c.first])


def all_queries(requirements: DataRequirements) -> QuerySet:
    """Everything, for methods that ask once."""
    return merged([c.queries(requirements) for c in WINDOWS])


def more_queries(data: WindowsRawData) -> QuerySet:
    """What the answers so far call for beside them."""
    data = bounded(data)
    return merged([c.more(data) for c in WINDOWS if c.more])


def platform_of(data: WindowsRawData) -> Platform:
    """What the first answers say, as far as they say it."""
    data = bounded(data)
    parts = [(c.name, partial(c.parse, data, DataRequirements()), None) for c in WINDOWS if c.first]
    found: Platform = gather(parts)[0].get("platform", Platform(family="windows"))
    return found


def windows_facts(
    data: WindowsRawData, requirements: DataRequirements, *, target: str, method: str, now: datetime
) -> HostFacts:
    """Parse every collector's part; nothing raises. Without a version the family is not known either: whatever answered
    may be no Windows at all."""
    data = bounded(data)
    facts, outcomes = gather((c.name, partial(c.parse, data, requirements), None) for c in WINDOWS)
    volatile = replace(facts.pop("volatile", Volatile()), updates_searched=facts.pop("updates_searched", None))
    return HostFacts(
        target=target,
        collected_at=now,
        platform=facts.pop("platform", Platform()),
        method=", ".join([method, data.method, *data.notes]),
        volatile=volatile,
        outcomes=tuple(outcomes),
        **facts,
    )
