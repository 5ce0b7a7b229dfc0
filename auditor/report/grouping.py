"""Findings that one step settles, taken together: "Windows NT 4.0 Service Pack 6a settles 131 findings"."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from auditor.model.finding import VERDICTS, Finding, Remedy, Verdict
from auditor.versions import service_pack
from auditor.versions.product_label import label


class Bundle(Struct, frozen=True):
    """`remedy` is the highest that any of the findings asks for; packs hold what the packs before them held."""

    remedy: Remedy
    findings: tuple[Finding, ...]

    @property
    def what(self) -> str:
        """The step in words."""
        return said(self.remedy, len(self.findings))

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


def said(remedy: Remedy, count: int = 1) -> str:
    """A remedy in words; `count` is the number of findings that it settles."""
    if remedy.kind == "service_pack":
        return f"{label(remedy.line)} Service Pack {remedy.level}"
    return f"hotfix {remedy.level}" if count == 1 else f"{count} hotfixes, one for each advisory"


def bundles(findings: Iterable[Finding]) -> tuple[list[Bundle], list[Finding]]:
    """Bundles of two or more findings that are not met, the largest first, and the other findings in their order."""
    given = list(findings)
    found: dict[tuple[str, str], list[Finding]] = {}
    for f in given:
        if f.remedy and not f.waiver and f.verdict in ("noncompliant", "pending", "unknown"):
            found.setdefault(key(f.remedy), []).append(f)
    together = [fs for fs in found.values() if len(fs) > 1]
    taken = {f.rule for fs in together for f in fs}
    made = [Bundle(highest([f.remedy for f in fs if f.remedy]), tuple(fs)) for fs in together]
    return sorted(made, key=lambda b: (-len(b.findings), b.what)), [f for f in given if f.rule not in taken]


def key(remedy: Remedy) -> tuple[str, str]:
    """Steps with the same key are done by the highest of them."""
    return remedy.kind, remedy.line


def highest(steps: list[Remedy]) -> Remedy:
    """The step that does what all of them ask."""
    return max(steps, key=_level)


def _level(remedy: Remedy) -> tuple[int, str]:
    if remedy.kind != "service_pack":
        return 0, remedy.level
    return _parsed(remedy.level)


@lru_cache(maxsize=256)
def _parsed(level: str) -> tuple[int, str]:
    pack = service_pack.parse(level)
    return pack.number, pack.letter
