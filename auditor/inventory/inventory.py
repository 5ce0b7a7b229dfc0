"""What an inventory says, of whatever form it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from auditor.model.finding import Attestation, Waiver
from auditor.model.mailing import Mailing
from auditor.model.plan import AgentSettings, Plan
from auditor.model.policy import Policy
from auditor.model.target import Target
from auditor.model.zone import BrokerSettings, Zone


class Retention(Struct, frozen=True):
    """How long the history keeps every run, and then the first of each month."""

    nightly: timedelta = timedelta(days=90)
    monthly: timedelta = timedelta(days=3 * 365)


class Inventory(Struct, frozen=True, kw_only=True):
    """`path` is None where there is no inventory; `remarks` say what was left out of a foreign one, `left_out` which
    waivers and attestations are none."""

    path: Path | None = None
    targets: dict[str, Target] = {}
    groups: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    history: Path | None = None
    advisories: Path | None = None
    retention: Retention | None = None
    mail: Mailing | None = None
    policy: Policy = Policy()
    plans: tuple[Plan, ...] = ()
    agent: AgentSettings = AgentSettings()
    zones: dict[str, Zone] = {}
    broker: BrokerSettings | None = None
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
