"""When the agent audits what: one named audit of the inventory's `schedule`."""

from __future__ import annotations

from datetime import time, timedelta, tzinfo

from msgspec import Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


AUDIT = "{audit}"  # in the path of a file: the name of the audit that writes it


class Plan(Struct, frozen=True, kw_only=True):
    """Either `at` (times of day in the zone) or `every` (from midnight UTC on), on `days` of the zone's week.

    `window`: how long a run may take, None for as long as it does; `catch_up`: what was missed runs at the next chance,
    once; `mail`: other recipients than the inventory's, none for no mail, None for the inventory's."""

    name: str
    at: tuple[time, ...] = ()
    every: timedelta | None = None
    days: frozenset[int] = frozenset(range(7))
    zone: tzinfo
    targets: tuple[str, ...] = ("@all",)
    rules: tuple[str, ...] = ()
    window: timedelta | None = None
    catch_up: bool = True
    mail: tuple[str, ...] | None = None
    deep: bool = False


class AgentSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`jobs`: hosts at once; `per_jump`: of them through one jump host; `report`: where the newest HTML report lies;
    `metrics`: a file for Prometheus' textfile collector (both with AUDIT where there are several); `heartbeat`: a command that is run after every audit, the outcome
    in its environment."""

    jobs: int | None = None
    per_jump: int | None = None
    report: str | None = None
    metrics: str | None = None
    heartbeat: tuple[str, ...] = ()
