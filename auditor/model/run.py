"""A run: what one call learned of its targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import ErrorKind
from auditor.model.encoded_facts import EncodedFacts
from auditor.model.facts import HostFacts, Volatile
from auditor.model.finding import Finding, Verdict
from auditor.model.target import Target
from auditor.model.zone import ZoneSeen

Outcome = Literal["assessed", "partial", "unreachable", "failed"]


class TargetError(Struct, frozen=True):
    """Why a target could not be assessed; `message` says what to do."""

    kind: ErrorKind
    message: str


class TargetResult(Struct, frozen=True, kw_only=True):
    """One target in one run. `facts` is None where there was no session; `seconds` is wall time. `relaxed` is what the session found relaxed beyond the inventory; `encoded` the facts' JSON until they are stored; `held`
    the releases whose advisories it was held against, `fulfilled` how many of those about flaws are fulfilled, which are no findings; `asks` how often it was asked."""

    target: Target
    outcome: Outcome
    error: TargetError | None = None
    facts: HostFacts | None = None
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    relaxed: tuple[str, ...] = ()
    encoded: EncodedFacts | None = None
    held: tuple[str, ...] = ()
    fulfilled: int = 0
    asks: int = 1

    def slim(self) -> TargetResult:
        """The same with what reports say of its facts alone, once they are stored and judged: a fleet's would fill the memory."""
        f = self.facts
        if f is None:
            return self
        moments = Volatile(uptime=f.volatile.uptime, clock=f.volatile.clock) if f.volatile else None
        kept = HostFacts(
            target=f.target,
            collected_at=f.collected_at,
            platform=f.platform,
            settings=None,
            containers=f.containers,
            machine_id=f.machine_id,
            method=f.method,
            volatile=moments,
            outcomes=f.outcomes,
        )
        return replace(self, facts=kept, encoded=None)


_SAME_START = 3.0  # seconds between two readings of when a machine was started


def same_machines(results: Iterable[TargetResult]) -> list[list[str]]:
    """Targets that are one machine: one machine id, and one moment at which it was started. Copies of a machine share the
    id alone."""
    found: dict[str, list[tuple[float, list[str]]]] = {}
    for r in results:
        v = r.facts.volatile if r.facts else None
        if r.facts is None or r.facts.machine_id is None or v is None or v.clock is None or v.uptime is None:
            continue
        started = v.clock.timestamp() - v.uptime
        known = found.setdefault(r.facts.machine_id, [])
        names = next((names for when, names in known if abs(when - started) <= _SAME_START), None)
        if names is None:
            known.append((started, names := []))
        names.append(r.target.name)
    return [names for known in found.values() for _, names in known if len(names) > 1]


class RulebookSummary(Struct, frozen=True):
    """`digest`: SHA-256 over the rules; `newest`: when the youngest rule was read from its source; `left`: by product, how many rules
    about particular problems nobody asked for."""

    digest: str
    rules: int
    newest: str
    left: dict[str, int] = {}


class AdvisoriesSummary(Struct, frozen=True):
    """`digest`: SHA-256 over the advisories that stood; `feeds`: each with the day up to which it tells."""

    digest: str
    feeds: tuple[str, ...] = ()


class Run(Struct, frozen=True, kw_only=True):
    """`finished` is None while a run goes on, or where it was killed; `interrupted` where it was stopped early.
    `advisories` is None where there was no advisory database. `remarks`: what somebody should look at beside the findings, such as waivers that end."""

    id: str
    started: datetime
    finished: datetime | None = None
    interrupted: bool = False
    auditor: str
    rulebook: RulebookSummary
    advisories: AdvisoriesSummary | None = None
    remarks: tuple[str, ...] = ()
    zones: tuple[ZoneSeen, ...] = ()
    results: tuple[TargetResult, ...] = ()

    def verdicts(self) -> Counter[Verdict]:
        """How many findings have each verdict."""
        shared = Counter(id(r.findings) for r in self.results)  # hosts in the same state share their findings
        counts: Counter[Verdict] = Counter()
        for findings in {id(r.findings): r.findings for r in self.results}.values():
            for verdict, count in Counter(f.verdict for f in findings).items():
                counts[verdict] += count * shared[id(findings)]
        return counts

    def outcomes(self) -> Counter[Outcome]:
        """How many targets had each outcome."""
        return Counter(r.outcome for r in self.results)
