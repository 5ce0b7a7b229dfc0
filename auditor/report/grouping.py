"""Findings that one step settles, taken together: "Windows NT 4.0 Service Pack 6a settles 131 findings"."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from auditor.model.finding import VERDICTS, Finding, Step, Verdict
from auditor.versions import service_pack
from auditor.versions.product_label import label


class Bundle(Struct, frozen=True):
    """`step` is the highest that any of the findings asks for; packs hold what the packs before them held."""

    step: Step
    findings: tuple[Finding, ...]

    @property
    def what(self) -> str:
        """The step in words."""
        return said(self.step, len(self.findings))

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings' verdicts."""
        return min((f.verdict for f in self.findings), key=VERDICTS.index)

    @property
    def observed(self) -> str:
        """What was found, in the shortest words that a finding has for it."""
        return min((f.observed for f in self.findings), key=len)

    @property
    def open(self) -> int:
        """How many of them could not be told for certain."""
        return sum(1 for f in self.findings if f.verdict == "unknown")


def said(step: Step, count: int = 1) -> str:
    if step.kind == "service_pack":
        return f"{label(step.line)} Service Pack {step.level}"
    return f"hotfix {step.level}" if count == 1 else f"{count} hotfixes, one for each advisory"


def bundles(findings: Iterable[Finding]) -> tuple[list[Bundle], list[Finding]]:
    """Bundles of two or more findings that are not met, the largest first, and the other findings in their order."""
    given = list(findings)
    found: dict[tuple[str, str], list[Finding]] = {}
    for f in given:
        if f.step and not f.waiver and f.verdict in ("noncompliant", "pending", "unknown"):
            found.setdefault(key(f.step), []).append(f)
    together = [fs for fs in found.values() if len(fs) > 1]
    taken = {f.rule for fs in together for f in fs}
    made = [Bundle(highest([f.step for f in fs if f.step]), tuple(fs)) for fs in together]
    return sorted(made, key=lambda b: (-len(b.findings), b.what)), [f for f in given if f.rule not in taken]


def key(step: Step) -> tuple[str, str]:
    """Steps with the same key are done by the highest of them."""
    return step.kind, step.line


def highest(steps: list[Step]) -> Step:
    """The step that does what all of them ask."""
    return max(steps, key=_level)


def _level(step: Step) -> tuple[int, str]:
    if step.kind != "service_pack":
        return 0, step.level
    return _parsed(step.level)


@lru_cache(maxsize=256)
def _parsed(level: str) -> tuple[int, str]:
    pack = service_pack.parse(level)
    return pack.number, pack.letter
