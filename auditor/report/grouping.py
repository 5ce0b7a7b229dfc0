"""Findings that one step settles, taken together: "Windows NT 4.0 Service Pack 6a settles 131 findings"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import get_args

from msgspec import Struct

from auditor.foundation.sanitize import counted
from auditor.model.finding import SEVERITIES, VERDICTS, Finding, Obligation, Remedy, Verdict
from auditor.report import months
from auditor.versions import package_version, service_pack
from auditor.versions.product_label import label

_SOME = 24  # ids, before the rest is counted
_MOST = 60  # ids of what is required that are all told: the security rollup's are, a service pack's hundreds are not


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
        if self.remedy.kind == "update":
            return months.what(self.remedy, self.findings, self.verdict)
        if self.question:
            return f"Which version and service pack of {label(self.remedy.line).rpartition(' ')[0]} is here"
        if self.remedy.kind == "hotfix" and len(self.levels) == 1:
            own = next((f for f in self.findings if f.rule == self.remedy.level), None)
            return (f"{subject(own.title)}, " if own else "") + said(self.remedy)
        return said(self.remedy, len(self.levels))

    @property
    def levels(self) -> set[str]:
        """The packages, or levels, that its findings name."""
        return {f.remedy.level for f in self.findings if f.remedy}

    @property
    def question(self) -> bool:
        """Is it no step, but the one question that leaves all of its findings open?"""
        return self.remedy.kind == "service_pack" and _is_application(self.remedy) and self.verdict == "unknown"

    @property
    def settles(self) -> str:
        """What the step settles, in words: findings, or advisories with their severities and CVEs."""
        if self.remedy.kind == "update":
            return months.settles(self.findings)
        if self.question:
            return f"leaves {counted(len(self.findings), 'finding')} open"
        if self.remedy.kind not in ("package", "restart"):
            return f"settles {counted(len(self.findings), 'finding')}"
        flaws = [f for f in self.findings if f.obligation == "required"] or self.findings
        others = len(self.findings) - len(flaws)
        by = Counter(f.severity for f in flaws)
        severities = ", ".join(f"{by[s]} {s}" for s in SEVERITIES if by[s]) if set(by) != {"unrated"} else ""
        cves = {c for f in self.findings for c in f.cves}
        count = len(flaws)
        return "".join(
            (
                f"settles {count} {'advisory' if count == 1 else 'advisories'}",
                f" ({severities})" if severities else "",
                f", {counted(len(cves), 'CVE')}" if cves else "",
                f", and {others} about bugs only" if others else "",
            )
        )

    @property
    def obligation(self) -> Obligation:
        """Required where any of its findings is."""
        return min((f.obligation for f in self.findings), key=get_args(Obligation).index)

    @property
    def rules(self) -> str:
        """The rules' ids, the gravest first; where there are hundreds the rest is counted, and the report has each."""
        if self.remedy.kind == "update":
            return months.names(self.findings)
        shown = [f.rule for f in self.weighed]
        if len(shown) <= (_MOST if self.obligation == "required" else _SOME):
            return ", ".join(shown)
        return f"{', '.join(shown[:_SOME])} and {len(shown) - _SOME} more of no higher severity (the HTML report and JSON have each)"

    @property
    def by_severity(self) -> list[tuple[str, list[Finding]]]:
        """The findings by their severity, the gravest first."""
        found: dict[str, list[Finding]] = {}
        for f in self.weighed:
            found.setdefault(f.severity, []).append(f)
        return sorted(found.items(), key=lambda pair: SEVERITIES.index(pair[0]))

    @property
    def weighed(self) -> list[Finding]:
        """The findings, the gravest first, and of these the newest."""
        if self.remedy.kind == "update":
            return months.in_order(self.findings)
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
    def why(self) -> str:
        """What the verdict of monthly updates rests on, by the newest of them; "" of other steps, whose findings differ."""
        return months.in_order(self.findings)[-1].why if self.remedy.kind == "update" else ""

    @property
    def open(self) -> int:
        """How many of them hang on a part that may not be there."""
        return 0 if self.remedy.kind in ("package", "update") else sum(1 for f in self.findings if f.verdict == "unknown")


def said(remedy: Remedy, count: int = 1) -> str:
    """A remedy in words; `count` is the number of findings that it settles."""
    if remedy.kind == "package":
        return f"{remedy.line} to {remedy.level}" + (f" ({remedy.of})" if remedy.of else "")
    if remedy.kind == "restart":
        return "a restart"
    if remedy.kind == "update":
        return f"{remedy.level}{f' (build {remedy.of})' if remedy.of else ''}"
    if remedy.kind == "service_pack":
        return f"{label(remedy.line)} Service Pack {remedy.level}"
    after = f" (needs Service Pack {remedy.of})" if remedy.of else ""
    return f"{remedy.level}{after}" if count == 1 else f"{count} hotfixes, one for each advisory"


def subject(title: str) -> str:
    """What an imported rule is about, without "Fix for" and the bulletin before it."""
    return title.partition("“")[2].rstrip("”") or title


def _is_application(remedy: Remedy) -> bool:
    return bool(remedy.line) and not remedy.line.startswith("windows-")


def bundles(findings: Iterable[Finding]) -> tuple[list[Bundle], list[Finding]]:
    """Bundles of findings that are not met and the other findings in their order. A bundle has two findings
    at least, but for packages and monthly updates: what is missing is told by package, however many advisories ask for it."""
    given = list(findings)
    found: dict[tuple[str, ...], list[Finding]] = {}
    for f in given:
        if f.remedy and not f.waiver and f.verdict in ("noncompliant", "pending", "unknown"):
            found.setdefault(_key(f, f.remedy), []).append(f)
    together = [fs for k, fs in found.items() if len(fs) > 1 or k[0] in ("package", "update")]
    taken = {f.rule for fs in together for f in fs}
    made = [Bundle(highest([f.remedy for f in fs if f.remedy]), tuple(fs)) for fs in together]
    return sorted(made, key=_order), [f for f in given if f.rule not in taken]


def by_obligation(findings: Iterable[Finding]) -> dict[Obligation, tuple[list[Bundle], list[Finding]]]:
    """`bundles` for each obligation. What raises a package for its flaws mends its other bugs too, so these are told with them."""
    given = list(findings)
    raised = {
        key(f.remedy) for f in given if f.remedy and f.remedy.kind == "package" and f.obligation == "required" and not f.waiver
    }
    found: dict[Obligation, list[Finding]] = {o: [] for o in get_args(Obligation)}
    for f in given:
        with_flaws = f.remedy is not None and key(f.remedy) in raised and not f.waiver
        found["required" if with_flaws else f.obligation].append(f)
    return {obligation: bundles(fs) for obligation, fs in found.items()}


def _order(b: Bundle) -> tuple[int, int, int, str]:
    """In the order in which it is done: service packs, then what installs on them; the largest first, of packages those whose
    advisories are gravest; questions last."""
    grave = min(SEVERITIES.index(f.severity) for f in b.findings) if b.remedy.kind == "package" else 0
    when = 2 if b.question else 0 if b.remedy.kind == "service_pack" else 1
    return when, grave, -len(b.findings), b.what


def _key(f: Finding, remedy: Remedy) -> tuple[str, ...]:
    """As for the step; but the findings that one question leaves open are told once, and hotfixes for particular problems as one."""
    if f.verdict == "unknown" and remedy.kind == "service_pack" and _is_application(remedy):
        return "question", remedy.line.rpartition("-")[0]
    if remedy.kind == "update":
        return *key(remedy), f.verdict
    if f.obligation == "situational" and remedy.kind == "hotfix":
        return "hotfix", ""
    return key(remedy)


def key(remedy: Remedy) -> tuple[str, ...]:
    """Steps with the same key are done by the highest of them; each package is one of its own."""
    return (
        remedy.kind,
        remedy.line,
        "" if remedy.kind == "update" else remedy.of,
        remedy.level if remedy.kind == "hotfix" else "",
    )


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
