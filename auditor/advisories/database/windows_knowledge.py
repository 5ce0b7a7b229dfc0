"""What the database knows of one Windows host: of each month that is not plainly fulfilled there a rule, and how far the documents tell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.database.months import FEED
from auditor.advisories.feeds.authority import BY_NAME
from auditor.advisories.feeds.update_lines import CORE
from auditor.checks.windows_standing import Standing, UpdateEvidence, standing
from auditor.checks.windows_update import WindowsUpdateCheck, evidence_of, state
from auditor.evaluation.knowledge import Knowledge
from auditor.model.advisory import Coverage
from auditor.model.facts import HostFacts
from auditor.model.finding import SEVERITIES, Obligation
from auditor.model.update_line import MonthFix, UpdateLine, UpdateMonth
from auditor.rulebook.rule import Branch, Provenance, Reference, Rule

BESIDE = "MSRC-beside-cumulative"  # the id of the one rule about what no cumulative update holds
_PUBLISHER = BY_NAME[FEED].publisher


def about(facts: HostFacts, index: AdvisoryIndex) -> Knowledge:
    """Which months are open on a host, by its build and its list of updates."""
    product = (facts.platform.product or "").lower()
    core = facts.platform.installation == "Server Core"
    line = (index.line(product + CORE) if core else None) or index.line(product)
    if line is None:
        named = product or "a Windows that is not known"
        return Knowledge((), Coverage(lacking=f"no monthly document of Microsoft's about {named} is in the advisory database"))
    evidence = evidence_of(facts)
    at = standing(line, evidence)
    rules = [_rule(line, month, fixes) for month in line.months if (fixes := _open(month.fixes, line, at, evidence))]
    beside = [fix for month in line.beside for fix in _open(month.fixes, line, at, evidence)]
    coverage = Coverage(
        releases=(product,),
        feeds=(f"{_PUBLISHER} ({FEED})",),
        as_of=line.told or line.newest,
        since=line.months[0].month if line.months else None,
        applicable=len(line.months),
        security=len(line.months),
        open=len(rules),
        fulfilled=len(line.months) - len(rules),
        newest=line.newest,
        released=tuple(m.released or m.month for m in line.months),
        missing=line.gaps,
    )
    return Knowledge((*rules, *([_beside(line, beside)] if beside else ())), coverage)


def _open(fixes: Iterable[MonthFix], line: UpdateLine, at: Standing, evidence: UpdateEvidence) -> tuple[MonthFix, ...]:
    return tuple(fix for fix in fixes if state(fix, line, at, evidence) != "fixed")


def _rule(line: UpdateLine, month: UpdateMonth, fixes: tuple[MonthFix, ...]) -> Rule:
    name = month.ident
    return _made(
        name, f"Microsoft's updates of {month.month:%B %Y}", "required", line, UpdateMonth(month.month, month.released, fixes)
    )


def _beside(line: UpdateLine, fixes: list[MonthFix]) -> Rule:
    title = "Servicing stack, Secure Boot and other updates that no cumulative update holds"
    return _made(BESIDE, title, "advised", line, UpdateMonth(line.newest, None, tuple(fixes)))


def _made(ident: str, title: str, obligation: Obligation, line: UpdateLine, month: UpdateMonth) -> Rule:
    product = line.product.partition(" ")[0]
    return Rule(
        id=ident,
        title=title,
        severity=min((f.severity for f in month.fixes), key=SEVERITIES.index),
        obligation=obligation,
        family="windows",
        published=month.released,
        branches=(Branch((product,), WindowsUpdateCheck(line, month)),),
        remediation="Install the newest cumulative update of this Windows, and restart the host.",
        references=(Reference(ident, f"{_PAGE}{ident.removeprefix('MSRC-')}"),) if ident != BESIDE else (),
        cves=tuple(sorted({c for f in month.fixes for c in f.cves})),
        exploited=tuple(sorted({c for f in month.fixes for c in f.exploited})),
        security=True,
        provenance=Provenance(
            source=f"{_PUBLISHER}: {ident}",
            retrieved=line.told or date.min,
            publisher=_PUBLISHER,
            importer=FEED,
        ),
    )


_PAGE = "https://msrc.microsoft.com/update-guide/releaseNote/"
