"""What the database knows of one Windows host: of each month that is not plainly fulfilled there a rule, and how far the documents tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from msgspec.structs import replace

from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.database.months import FEED
from auditor.advisories.database.writing import cve_number
from auditor.advisories.feeds.authority import BY_NAME
from auditor.advisories.feeds.update_lines import CORE
from auditor.checks.product_update import ProductUpdateCheck, judged
from auditor.checks.product_update import standing as product_standing
from auditor.checks.registry import AllOf
from auditor.checks.windows_standing import Standing, UpdateEvidence, standing
from auditor.checks.windows_update import WindowsUpdateCheck, evidence_of, state
from auditor.evaluation.knowledge import Knowledge
from auditor.model.advisory import Coverage
from auditor.model.application_line import ApplicationFix, ApplicationMonth
from auditor.model.facts import HostFacts, InstalledProduct
from auditor.model.finding import SEVERITIES, Obligation, Severity
from auditor.model.update_line import MonthFix, UpdateLine, UpdateMonth, ident, second_tuesday
from auditor.rulebook.rule import Branch, Provenance, Reference, Rule
from auditor.versions.product_label import label

BESIDE = "MSRC-beside-cumulative"  # the id of the one rule about what no cumulative update holds
_PUBLISHER = BY_NAME[FEED].publisher


def about(facts: HostFacts, index: AdvisoryIndex) -> Knowledge:
    """Which months are open on a host, by its build and its list of updates, and by the builds of other products that it has."""
    parts: defaultdict[date, list[_Part]] = defaultdict(list)
    product = (facts.platform.product or "").lower()
    core = facts.platform.installation == "Server Core"
    line = (index.line(product + CORE) if core else None) or index.line(product)
    beside: tuple[MonthFix, ...] = ()
    coverage = _not_covered(product, line)
    if line is not None and line.updates:
        evidence = evidence_of(facts)
        at = standing(line, evidence)
        for month in line.months:
            if fixes := _open(month.fixes, line, at, evidence):
                parts[month.month].append(_of_windows(line, UpdateMonth(month.month, month.released, fixes)))
        beside = tuple(fix for m in line.beside for fix in _open(m.fixes, line, at, evidence))
        coverage = _coverage(product, line, at, len(line.months) - len(parts))
    told, silent = _products(facts.products or (), index)
    for month_, part in told:
        parts[month_].append(part)
    attacked = index.exploited()
    rules = [_with_attacks(_month(month_, of), attacked) for month_, of in sorted(parts.items())]
    rules += [_silent(name) for name in silent]
    if line is not None and beside:
        title = "Servicing stack, Secure Boot and other updates that no cumulative update holds"
        rules.append(_rule(BESIDE, title, "advised", [_of_windows(line, UpdateMonth(line.newest, None, beside))], line.newest))
    return Knowledge(tuple(rules), replace(coverage, open=len(parts)))


def _not_covered(product: str, line: UpdateLine | None) -> Coverage:
    """What is said of a Windows whose months are not known."""
    if line is None:
        named = product or "a Windows that is not known"
        return Coverage(lacking=f"no monthly document of Microsoft's about {named} is in the advisory database")
    return Coverage(
        lacking=f"Microsoft's monthly documents have only single updates of {product}, whose absence from a list proves nothing"
    )


def _coverage(product: str, line: UpdateLine, at: Standing, fulfilled: int) -> Coverage:
    return Coverage(
        releases=(product,),
        feeds=(f"{_PUBLISHER} ({FEED})",),
        as_of=line.told or line.newest,
        since=line.months[0].month if line.months else None,
        applicable=len(line.months),
        security=len(line.months),
        fulfilled=fulfilled,
        newest=line.documents[-1] if line.documents else None,
        released=tuple(m.released or m.month for m in line.months),
        documents=line.documents,
        reached=max((second_tuesday(u.month) for u in line.updates[: at.reached] if u.sure), default=None),
    )


class _Part(NamedTuple):
    """What is open of one product in one month."""

    product: str
    check: WindowsUpdateCheck | ProductUpdateCheck
    released: date | None
    severity: Severity
    cves: tuple[str, ...]
    exploited: tuple[str, ...]


def _open(fixes: Iterable[MonthFix], line: UpdateLine, at: Standing, evidence: UpdateEvidence) -> tuple[MonthFix, ...]:
    return tuple(fix for fix in fixes if state(fix, line, at, evidence) != "fixed")


def _of_windows(line: UpdateLine, month: UpdateMonth) -> _Part:
    return _part(line.product.partition(" ")[0], WindowsUpdateCheck(line, month), month.released, month.fixes)


def _part(
    product: str,
    check: WindowsUpdateCheck | ProductUpdateCheck,
    released: date | None,
    fixes: Iterable[MonthFix | ApplicationFix],
) -> _Part:
    of = list(fixes)
    severity: Severity = min((f.severity for f in of), key=SEVERITIES.index, default="unrated")
    cves, exploited = {c for f in of for c in f.cves}, {c for f in of for c in f.exploited}
    return _Part(product, check, released, severity, tuple(sorted(cves)), tuple(sorted(exploited)))


def _products(installed: Iterable[InstalledProduct], index: AdvisoryIndex) -> tuple[list[tuple[date, _Part]], list[str]]:
    """The months that other products lack, or may lack; and the products of which no month can be told. What a later month brought holds the months
    before it, whether or not their documents name the branch."""
    found: list[tuple[date, _Part]] = []
    silent = []
    by_product: dict[str, list[InstalledProduct]] = {}
    for p in installed:
        if p.product.startswith(_ASKED):
            by_product.setdefault(p.product[:40], []).append(p)
    for product, instances in by_product.items():
        line = index.application_line(product)
        if line is None or not all(judged(p) for p in instances):
            silent.append(product)
            continue
        newest = tuple(fix for month in line.months for fix in month.fixes)
        open_ = set(instances)
        for month in reversed(line.months):
            open_ = {p for p in open_ if product_standing(product, p.version, month)[0] != "fixed"}
            if not open_:
                break
            found.append((month.month, _part(product, ProductUpdateCheck(product, month, newest), month.released, month.fixes)))
    return found, silent


def _with_attacks(rule: Rule, attacked: frozenset[int]) -> Rule:
    """What CISA's catalog calls exploited, beside what the documents do."""
    more = (
        {c for c in rule.cves if c.startswith("CVE-") and cve_number(c) in attacked} - set(rule.exploited) if attacked else ()
    )
    return replace(rule, exploited=tuple(sorted({*rule.exploited, *more}))) if more else rule


def _month(month: date, parts: list[_Part]) -> Rule:
    return _rule(ident(month), f"Microsoft's updates of {month:%B %Y}", "required", parts, month)


def _silent(product: str) -> Rule:
    """One question of a product that is there and whose level nothing tells."""
    check = ProductUpdateCheck(product, ApplicationMonth(date.min, None, ()))
    return _rule(
        f"MSRC-{product}", f"Monthly updates of {label(product)}", "advised", [_part(product, check, None, ())], date.min
    )


def _rule(name: str, title: str, obligation: Obligation, parts: list[_Part], read: date) -> Rule:
    checks = tuple(p.check for p in parts)
    released = next((p.released for p in parts if p.released), None)
    return Rule(
        id=name,
        title=title,
        severity=min((p.severity for p in parts), key=SEVERITIES.index),
        obligation=obligation,
        family="windows",
        published=released,
        branches=(Branch(tuple(dict.fromkeys(p.product for p in parts)), checks[0] if len(checks) == 1 else AllOf(checks)),),
        remediation="Install the newest cumulative update of each product that is named, and restart the host.",
        references=(Reference(name, f"{_PAGE}{name.removeprefix('MSRC-')}"),) if released else (),
        cves=tuple(sorted({c for p in parts for c in p.cves})),
        exploited=tuple(sorted({c for p in parts for c in p.exploited})),
        security=True,
        provenance=Provenance(source=f"{_PUBLISHER}: {name}", retrieved=read, publisher=_PUBLISHER, importer=FEED),
    )


# Other products that are asked about; whatever else facts may name is none of Microsoft's that has months.
_ASKED = ("sql-server", "exchange", "edge", "office-click-to-run", "net-framework")
_PAGE = "https://msrc.microsoft.com/update-guide/releaseNote/"
