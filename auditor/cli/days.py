"""Days as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from auditor.errors import UsageFault
from auditor.foundation.clock import utc_now


def end_of_day(text: str) -> datetime:
    """The moment a day ends, in UTC. Raises UsageFault for what is no date, and for a day to come."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        end = day + timedelta(days=1)
    except (ValueError, OverflowError):
        raise UsageFault(f"{text!r} is no date; write it as 2026-11-25") from None
    if day > utc_now():
        raise UsageFault(f"{text} is yet to come: nothing is known of it")
    return end
