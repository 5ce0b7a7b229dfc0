"""What a check says of a host, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from auditor.model.advisory import Coverage
from auditor.model.facts import HostFacts, Package
from auditor.model.finding import Attestation, PackageState, Remedy, Verdict

if TYPE_CHECKING:
    from auditor.checks.support import Support


class Case(Struct, frozen=True):
    """One host before one rule. `attestation` is the newest one for this rule and target, whatever its dates;
    `today` is the date of judging; `packages` gives the installed packages of a name, `sources` those of a source, `articles` gives
    the numbers of the listed hotfixes, None where nobody looked. `coverage`: what the vendor's advisories know of this host,
    None where no advisory database was asked; `support`: until when its release gets fixes, None where no rule tells."""

    facts: HostFacts
    attestation: Attestation | None
    today: date
    packages: Callable[[str], list[Package]]
    sources: Callable[[str], list[Package]]
    articles: Callable[[], frozenset[str]] | None = None
    coverage: Coverage | None = None
    support: Support | None = None


class Judgement(Struct, frozen=True):
    """A verdict with its evidence, in sentences for people. `resolved_by` names what would settle an unknown,
    `remedy` what would make it compliant together with others of its kind. `offending`: what a verdict that is not good is
    about, item by item and without what changes by itself, where `observed` says more than that; `packages` the packages among it; `remediation` what to do,
    where it is more than the rule can say."""

    verdict: Verdict
    observed: str
    required: str
    why: str
    resolved_by: str = ""
    evidence: tuple[str, ...] = ()
    remedy: Remedy | None = None
    offending: tuple[str, ...] = ()
    packages: tuple[PackageState, ...] = ()
    remediation: str = ""


def unread(facts: HostFacts, collector: str, what: str, required: str) -> Judgement:
    """Unknown because a collector has not told `what`; its own reason is the why."""
    reason = next((o.reason for o in facts.outcomes if o.name == collector and o.reason), "")
    why = f"{what} could not be read: {reason}" if reason else f"{what}: not collected from this host"
    return Judgement("unknown", f"{what}: not known", required, why, resolved_by=f"{collector}: {reason or 'not collected'}")
