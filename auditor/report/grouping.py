"""Findings that one step settles, taken together: "Windows NT 4.0 Service Pack 6a settles 131 findings"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from auditor.foundation.sanitize import counted
from auditor.model.finding import SEVERITIES, VERDICTS, Finding, Remedy, Verdict
from auditor.versions import package_version, service_pack
from auditor.versions.product_label import label


class Bundle(Struct, frozen=True):
    """`remedy` is the highest that any of the findings asks for; packs hold what the packs before them held."""

    remedy: Remedy
    findings: tuple[Finding, ...]

    @property
    def what(self) -> str:
        """The step in words."""
        if self.remedy.kind == "package":
            have = {p.installed for f in self.findings for p in f.packages}
            return f"{self.remedy.line} {f'{have.pop()} → ' if len(have) == 1 else 'to '}{self.remedy.level}"
        return said(self.remedy, len(self.findings))

    @property
    def settles(self) -> str:
        """What the step settles, in words: findings, or advisories with their severities and CVEs."""
        if self.remedy.kind not in ("package", "restart"):
            return f"settles {counted(len(self.findings), 'finding')}"
        by = Counter(f.severity for f in self.findings)
        severities = ", ".join(f"{by[s]} {s}" for s in SEVERITIES if by[s])
        cves = {c for f in self.findings for c in f.cves}
        count = len(self.findings)
        return f"settles {count} {'advisory' if count == 1 else 'advisories'} ({severities})" + (
            f", {counted(len(cves), 'CVE')}" if cves else ""
        )

    @property
    def weighed(self) -> list[Finding]:
        """The findings, the gravest first, and of these the newest."""
        order = {s: n for n, s in enumerate(SEVERITIES)}
        newest = sorted(self.findings, key=lambda f: f.rule, reverse=True)
        return sorted(newest, key=lambda f: (VERDICTS.index(f.verdict), order[f.severity]))

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings' verdicts."""
        return min((f.verdict for f in self.findings), key=VERDICTS.index)

    @property
    def observed(self) -> str:
        """What was found, in the shortest words that a finding has for it; of packages, each that is not as it should be."""
        if self.remedy.kind == "package":
            return "; ".join(
                sorted({f"{p.name} {p.installed}{' (held)' if p.hold else ''}" for f in self.findings for p in f.packages})
            )
        return min((f.observed for f in self.findings), key=len)

    @property
    def open(self) -> int:
        """How many of them could not be told for certain."""
        return sum(1 for f in self.findings if f.verdict == "unknown")


def said(remedy: Remedy, count: int = 1) -> str:
    """A remedy in words; `count` is the number of findings that it settles."""
    if remedy.kind == "package":
        return f"{remedy.line} to {remedy.level}" + (f" ({remedy.of})" if remedy.of else "")
    if remedy.kind == "restart":
        return "a restart"
    if remedy.kind == "service_pack":
        return f"{label(remedy.line)} Service Pack {remedy.level}"
    return f"hotfix {remedy.level}" if count == 1 else f"{count} hotfixes, one for each advisory"


def bundles(findings: Iterable[Finding]) -> tuple[list[Bundle], list[Finding]]:
    """Bundles of findings that are not met and the other findings in their order. A bundle has two findings
    at least, but for packages: what is missing is told by package, however many advisories ask for it."""
    given = list(findings)
    found: dict[tuple[str, ...], list[Finding]] = {}
    for f in given:
        if f.remedy and not f.waiver and f.verdict in ("noncompliant", "pending", "unknown"):
            found.setdefault(key(f.remedy), []).append(f)
    together = [fs for k, fs in found.items() if len(fs) > 1 or k[0] == "package"]
    taken = {f.rule for fs in together for f in fs}
    made = [Bundle(highest([f.remedy for f in fs if f.remedy]), tuple(fs)) for fs in together]
    return sorted(made, key=_order), [f for f in given if f.rule not in taken]


def _order(b: Bundle) -> tuple[int, int, str]:
    """The largest first; of packages those whose advisories are gravest."""
    grave = min(SEVERITIES.index(f.severity) for f in b.findings) if b.remedy.kind == "package" else 0
    return grave, -len(b.findings), b.what


def key(remedy: Remedy) -> tuple[str, ...]:
    """Steps with the same key are done by the highest of them."""
    return remedy.kind, remedy.line, remedy.of


def highest(steps: list[Remedy]) -> Remedy:
    """The step that does what all of them ask."""
    return max(steps, key=_level)


def _level(remedy: Remedy) -> tuple[object, ...]:
    if remedy.kind in ("package", "restart"):
        try:
            return (package_version.key(package_version.manager_of(remedy.of), remedy.level),)
        except ValueError:
            return (b"",)
    if remedy.kind != "service_pack":
        return 0, remedy.level
    return _parsed(remedy.level)


@lru_cache(maxsize=256)
def _parsed(level: str) -> tuple[int, str]:
    pack = service_pack.parse(level)
    return pack.number, pack.letter
