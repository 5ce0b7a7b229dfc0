"""When audits are due: over years of hours, over changes of the clock, and over clocks that go wrong."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.agent.due import after, due, missed
from auditor.model.plan import Plan

BERLIN, NEW_YORK, LORD_HOWE, APIA, UTC_ZONE = (
    ZoneInfo(z) for z in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC")
)
HOUR = timedelta(hours=1)


def at(*hours: str, zone: ZoneInfo = BERLIN, **more: object) -> Plan:
    return Plan(name="nightly", at=tuple(time.fromisoformat(h) for h in hours), zone=zone, **more)  # type: ignore[arg-type]


def runs(plan: Plan, begin: datetime, end: datetime, step: timedelta = HOUR) -> list[datetime]:
    """What an agent that looks every so often runs, from its first look on."""
    last, now, done = begin, begin, []
    while now < end:
        if moment := due(plan, last, now):
            done.append(moment)
            last = moment
        now += step
    return done


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, UTC_ZONE])
@pytest.mark.parametrize("hour", ["00:00", "01:30", "02:00", "02:30", "03:00", "23:59"])
def test_once_a_night_for_six_years(zone: ZoneInfo, hour: str) -> None:
    """Every calendar day has exactly one moment, whatever the clocks do."""
    plan, begin, end = at(hour, zone=zone), datetime(2021, 12, 31, 12, tzinfo=UTC), datetime(2027, 12, 31, 12, tzinfo=UTC)
    done = runs(plan, begin, end, 2 * HOUR)
    days = [m.astimezone(zone).date() for m in done]
    assert len(days) == len(set(days)) == (end - begin).days
    assert all(b - a == timedelta(days=1) for a, b in pairwise(days))


def test_a_time_that_is_left_out_and_one_that_comes_twice() -> None:
    spring = runs(
        at("02:30"), datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC), timedelta(minutes=1)
    )
    assert [m.astimezone(BERLIN).strftime("%H:%M %Z") for m in spring] == ["03:30 CEST"]
    autumn = runs(
        at("02:30"), datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC), timedelta(minutes=1)
    )
    assert [m.astimezone(BERLIN).strftime("%H:%M %Z") for m in autumn] == ["02:30 CEST"]
    both = at("02:30", "03:30")
    assert len(runs(both, datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC))) == 1


def test_a_day_that_never_was() -> None:
    """Samoa had no 30 December 2011."""
    done = runs(at("02:00", zone=APIA), datetime(2011, 12, 28, 14, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC))
    assert [m.astimezone(APIA).strftime("%d %H:%M") for m in done] == ["29 02:00", "31 02:00", "01 02:00", "02 02:00"]


def test_weekdays_are_those_of_the_zone() -> None:
    plan = at("00:30", days=frozenset({0}))
    done = runs(plan, datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert [m.astimezone(BERLIN).strftime("%a %d") for m in done] == ["Mon 02", "Mon 09", "Mon 16", "Mon 23", "Mon 30"]


@pytest.mark.parametrize("hours", [1, 6, 8, 24])
def test_every_so_many_hours(hours: int) -> None:
    plan = Plan(name="pulse", every=hours * HOUR, zone=BERLIN)
    done = runs(plan, datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 9, tzinfo=UTC), timedelta(minutes=20))
    assert all(b - a == hours * HOUR for a, b in pairwise(done))
    assert len(done) == 20 * 24 // hours - 1


def test_what_was_missed_runs_once_if_the_plan_says_so() -> None:
    last, now = datetime(2026, 11, 1, 1, tzinfo=UTC), datetime(2026, 11, 5, 9, tzinfo=UTC)
    moment = due(at("02:00"), last, now)
    assert moment == datetime(2026, 11, 5, 1, tzinfo=UTC)
    assert [m.day for m in missed(at("02:00"), last, moment)] == [2, 3, 4]
    assert due(at("02:00"), moment, now) is None
    assert due(at("02:00", catch_up=False), last, now) is None
    assert due(at("02:00", catch_up=False), last, datetime(2026, 11, 5, 1, 10, tzinfo=UTC)) == moment


def test_a_plan_that_is_new_is_not_due_for_the_past() -> None:
    assert due(at("02:00"), None, datetime(2026, 11, 5, 9, tzinfo=UTC)) is None


def test_clocks_that_are_set() -> None:
    """Back by three hours: the night is not run twice. Back by a month: the nights go on."""
    moment = datetime(2026, 11, 5, 1, tzinfo=UTC)
    assert due(at("02:00"), moment, moment - 3 * HOUR) is None
    assert due(at("02:00"), moment, moment + HOUR) is None
    assert due(at("02:00"), moment, moment - timedelta(days=30)) is None
    assert after(at("02:00"), moment - timedelta(days=30)) == datetime(2026, 10, 7, 0, tzinfo=UTC)
    year = moment + timedelta(days=400)
    assert due(at("02:00"), moment, year) == year


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.times(),
    st.sets(st.integers(0, 6), min_size=1),
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, APIA]),
)
def test_the_next_moment_lies_ahead_and_is_due_then(now: datetime, hour: time, days: set[int], zone: ZoneInfo) -> None:
    plan = Plan(name="x", at=(hour.replace(second=0, microsecond=0),), days=frozenset(days), zone=zone)
    moment = after(plan, now)
    assert now < moment <= now + timedelta(days=9)
    assert due(plan, now, moment - timedelta(seconds=1)) is None
    assert due(plan, now, moment) == moment
    assert due(plan, moment, moment) is None
