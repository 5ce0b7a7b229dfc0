"""What all hosts of one run have in common, built in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from secrets import token_hex
from typing import TYPE_CHECKING

from msgspec import Struct, field

from auditor.evaluation.applicability import may_apply
from auditor.evaluation.cache import EvaluationCache
from auditor.evaluation.evaluate import NO_POLICY
from auditor.foundation.clock import utc_now
from auditor.inventory.inventory import Inventory
from auditor.model.facts import Platform
from auditor.model.finding import Attestation, Waiver
from auditor.model.policy import Policy
from auditor.model.requirements import DataRequirements
from auditor.rulebook.rulebook import Rulebook

if TYPE_CHECKING:
    from auditor.advisories.database.knowledge import AdvisoryDatabase
    from auditor.collectors.permitted import Permitted


class RequirementsCache:
    """What the rules need to know of a platform, and all that a host may be asked; computed once for the hosts of a run."""

    def __init__(self) -> None:
        self._by_platform: dict[Platform, DataRequirements] = {}
        self._by_family: dict[str, DataRequirements] = {}
        self._permitted: Permitted | None = None

    def of(self, platform: Platform, rulebook: Rulebook) -> DataRequirements:
        """What rules that may apply to this platform need to know."""
        if platform not in self._by_platform:
            self._by_platform[platform] = rulebook.requirements(may_apply(platform), platform.family)
        return self._by_platform[platform]

    def of_family(self, family: str, rulebook: Rulebook) -> DataRequirements:
        """What rules of a family need to know, whatever the platform turns out to be."""
        if family not in self._by_family:
            self._by_family[family] = rulebook.requirements(family=family)
        return self._by_family[family]

    def permitted(self, rulebook: Rulebook) -> Permitted:
        """Everything that may be sent to any host."""
        if self._permitted is None:
            from auditor.collectors.permitted import Permitted  # all collectors, for who reaches hosts

            self._permitted = Permitted(rulebook.requirements)
        return self._permitted


class AuditContext(Struct, frozen=True, kw_only=True):
    """Rules, records of people, and the outside world: `run` is the id of the run, `clock` gives UTC, `marker` a random word that frames an answer.

    `failing_since`: by target and rule, the date since which the target lacks what the rule requires."""

    run: str = ""
    rulebook: Rulebook
    clock: Callable[[], datetime]
    marker: Callable[[], str]
    attestations: tuple[Attestation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    policy: Policy = NO_POLICY
    failing_since: Mapping[str, Mapping[str, date]] = field(default_factory=dict)
    deep: bool = False
    advisories: AdvisoryDatabase | None = None
    evaluations: EvaluationCache = field(default_factory=EvaluationCache)
    requirements: RequirementsCache = field(default_factory=RequirementsCache)


def new_context(
    rulebook: Rulebook,
    inventory: Inventory,
    *,
    clock: Callable[[], datetime] = utc_now,
    deep: bool = False,
    advisories: AdvisoryDatabase | None = None,
    failing_since: Mapping[str, Mapping[str, date]] | None = None,
    run: str = "",
) -> AuditContext:
    """The context of a real run: the inventory's attestations, waivers and policy, and random markers."""
    return AuditContext(
        run=run,
        rulebook=rulebook,
        clock=clock,
        marker=lambda: token_hex(12),
        attestations=inventory.attestations,
        waivers=inventory.waivers,
        policy=inventory.policy,
        failing_since=failing_since or {},
        deep=deep,
        advisories=advisories,
    )
