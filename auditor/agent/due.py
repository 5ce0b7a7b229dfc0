"""When an audit is due: pure functions of its plan, of when it was last due, and of now.

A time of day that a change to summer time leaves out is due once, an hour later by the clock on the wall; one that comes
twice is due the first time (as RFC 5545, section 3.3.5, reads such times).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from auditor.model.plan import Plan

GRACE = timedelta(minutes=15)  # so late is no miss: the loop looks three times a minute, and machines are busy
LEAP = timedelta(hours=6)  # a moment so far ahead was noted by a clock that has been set back since
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)  # no clock that is set says anything earlier


def after(plan: Plan, moment: datetime) -> datetime:
    """The first due moment later than this one (both aware, in UTC)."""
    return next(m for m in _moments(plan, moment - timedelta(days=1)) if m > moment)


def due(plan: Plan, last: datetime | None, now: datetime) -> datetime | None:
    """The moment to run now: the newest one that has passed since `last`, the newest that was handled before.
    None where there is none, or where it was missed and the plan does not catch up.

    `last` is None for a plan that is new: it is not due for times before it was known."""
    if last is None or last > now + LEAP:
        return None
    newest = None
    for moment in _moments(plan, max(last, now - timedelta(days=14))):
        if moment > now:
            break
        if moment > last:
            newest = moment
    if newest is None or (not plan.catch_up and now - newest > GRACE):
        return None
    return newest


def missed(plan: Plan, last: datetime, until: datetime) -> list[datetime]:
    """The due moments after `last` and before `until`, at most the newest hundred."""
    found = []
    for moment in _moments(plan, last):
        if moment >= until:
            break
        if moment > last:
            found.append(moment)
            del found[:-100]
    return found


def _moments(plan: Plan, start: datetime) -> Iterator[datetime]:
    """Due moments in order, from about `start` on."""
    if plan.every:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while True:
            for n in range(max(1, timedelta(days=1) // plan.every)):
                moment = midnight + n * plan.every
                if moment.astimezone(plan.zone).weekday() in plan.days:
                    yield moment
            midnight += timedelta(days=1)
    day = start.astimezone(plan.zone).date() - timedelta(days=1)
    while True:
        if day.weekday() in plan.days:
            yield from _on_day(plan, day)
        day += timedelta(days=1)


def _on_day(plan: Plan, day: date) -> list[datetime]:
    """The moments of one day, in UTC. A time that this day does not have, such as 02:30 when clocks go from 02:00 to 03:00, is
    an hour later on the clock; of a time that comes twice it is the first (`fold` 0, PEP 495); what falls together counts once."""
    return sorted({datetime.combine(day, at, plan.zone).astimezone(UTC) for at in plan.at})
