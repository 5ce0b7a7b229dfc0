"""From an article to a rule: what it requires of which product, and by which facts that can be told.

An importer says `required` only for a fix in a numbered service pack and for security fixes; a hotfix for a problem that
somebody has is `situational`. What cannot be judged by a fact, and what no host is to be held to, gives no rule, with the reason. No
sentence of an article goes into a rule, only facts, its title and the numbers of its lines.
"""

from __future__ import annotations

import re
from datetime import date

from auditor.advisories.article import Article
from auditor.advisories.sources.kb import applications
from auditor.advisories.sources.kb.applications import PLATFORM_LINE
from auditor.advisories.sources.kb.branches import branches, platforms
from auditor.advisories.sources.kb.fixes import line_of
from auditor.advisories.sources.kb.packages import Packages
from auditor.advisories.sources.kb.security import BULLETIN
from auditor.advisories.sources.kb.sense import why_no_advisory
from auditor.checks.attested import AttestedCheck
from auditor.checks.hotfix import HotfixCheck
from auditor.checks.listen_backlog import ListenBacklogCheck
from auditor.checks.product_pack import ProductPackCheck
from auditor.checks.registry import Check, with_children
from auditor.checks.service_pack import ServicePackCheck
from auditor.model.finding import Obligation
from auditor.rulebook.rule import Branch, Component, Provenance, Rule
from auditor.versions.product_label import label

IMPORTER = "kb_text 2"
# Parts that are recognised by more than services (the names are our knowledge; no article has them).
_PARTS = {
    "a Lotus Notes server": Component(
        name="a Lotus Notes server",
        services=("Lotus Notes Server*", "Lotus Domino Server*", "IBM Domino Server*", "HCL Domino Server*"),
        programs=("Lotus Domino*", "Lotus Notes Server*", "IBM Domino*", "IBM Lotus Domino*", "HCL Domino*"),
        hints=("Lotus Notes*", "IBM Notes*", "IBM Lotus Notes*", "HCL Notes*"),
        vendor="Lotus",
        named_up_to=4,
    )
}  # fmt: skip
_PORTS = {"a Lotus Notes server": 1352}  # IANA: lotusnote 1352/tcp


_ROLLUP = re.compile(r"\broll-?up\b|\bSRP\b|\bcumulative\b", re.I)  # what such a package holds is about many parts


class NoRule(Exception):
    """The article gives no rule; the message says why."""


def rule(article: Article, known: Packages, *, retrieved: date) -> Rule:
    """The rule of an article; `known` tells which package contains which. Raises NoRule."""
    if article.no_fix and not article.offers:
        raise NoRule("it has nothing to comply with")
    if why := why_no_advisory(article):
        raise NoRule(why)
    found, app = branches(article, known)
    found = found or _vendor_branches(article)
    if not found:
        raise NoRule(_why_none(article))
    return Rule(
        id=article.id,
        title=_title(article),
        severity=article.severity,
        obligation=_obligation(found),
        family="windows",
        published=article.revised,
        branches=tuple(found),
        application=applications.component(app) if app else None,
        component=_component(article, app, found),
        bulletins=article.bulletins,
        security=article.security,
        remediation=_remediation(article, found),
        provenance=Provenance(
            source=f"Microsoft KB {article.id}" + (f" as of {article.revised}" if article.revised else ""),
            retrieved=retrieved,
            notes=article.doubts,
            publisher="Microsoft",
            document=article.sha256,
            importer=IMPORTER,
            lines={field: tuple(dict.fromkeys(e.line for e in found)) for field, found in sorted(article.evidence.items())},
            reviewed=article.confidence == "high",
            files=dict(sorted(article.file_versions.items())),
        ),
    )


def _title(article: Article) -> str:
    """The subject of the rule, which stands beside any verdict, behind the bulletins, by which people search; an article's own title is
    the fault that it is about."""
    words = BULLETIN.sub("", article.title[:300], count=1).lstrip(": ") if article.bulletins else article.title[:300]
    return "".join((", ".join(article.bulletins), ": " if article.bulletins else "", f"Fix for “{words or article.id}”"))


def _why_none(article: Article) -> str:
    if article.latest_sp or any(o.or_latest for o in article.offers):
        return "it names the latest service pack without a number"
    if article.vendor_fix:
        return "its fix comes from a third party"
    if article.no_fix:
        return "it has nothing to comply with"
    if not article.fixes and not article.offers:
        return "it offers no package of Microsoft's for its hotfix"
    return "the facts of a host do not tell whether it has one of its products"


def _vendor_branches(article: Article) -> list[Branch]:
    """What only a third party can mend is what a person attests; a backlog that can be seen goes before it."""
    if not article.vendor_fix or article.requires_component not in _PARTS:
        return []
    attested = AttestedCheck(how=f"Ask who runs {article.requires_component} for its release and the vendor's list of fixes.")
    check: Check = attested
    if article.backlog is not None:
        check = ListenBacklogCheck(article.backlog, _PORTS.get(article.requires_component or ""), unobserved=attested)
    lines = dict.fromkeys(line_of(p.product) for p in article.products)
    return [
        Branch(products, check, editions)
        for products, editions in (platforms(article, line) for line in lines if PLATFORM_LINE.fullmatch(line))
    ]


def _component(article: Article, app: str, found: list[Branch]) -> Component | None:
    """The part that the title names. What only the circumstances name may be the other end of the line, and does not narrow what a service
    pack settles anyway; nor does what somebody migrates from."""
    name = article.requires_component
    titled = any(e.text == article.title for e in article.evidence.get("requires_component", ()))
    if not article.vendor_fix and ("migrat" in article.title.lower() or (not titled and _only_packs(found))):
        return None
    if name is None or _ROLLUP.search(article.title) or (app and name == applications.APPLICATIONS[app].name):
        return None
    if name in _PARTS:  # where Windows has the fault, somebody else's server is the peer, which need not be on the host
        return _PARTS[name] if article.vendor_fix else None
    return Component(name=name, services=article.component_services)


def _only_packs(found: list[Branch]) -> bool:
    return all(isinstance(b.check, (ServicePackCheck, ProductPackCheck)) for b in found)


def _obligation(found: list[Branch]) -> Obligation:
    """Required where any branch is; each says for itself where it is not."""
    return "required" if any(b.obligation is None for b in found) else "situational"


def _remediation(article: Article, found: list[Branch]) -> str:
    """What to do, in one sentence: the packs, and the package that settles most."""
    ways: dict[str, None] = {}
    steps: dict[str, None] = {}
    for branch in found:
        for check in with_children(branch.check):
            if isinstance(check, ServicePackCheck):
                ways[f"{label(line_of(branch.products[0]))} Service Pack {check.at_least} or later"] = None
            elif isinstance(check, ProductPackCheck):
                ways[f"{label(check.product)} Service Pack {check.at_least} or later"] = None
            elif isinstance(check, HotfixCheck):
                steps[
                    (check.settled_by or check.ids[0]) + (f" (on Service Pack {check.after} or later)" if check.after else "")
                ] = None
    if article.vendor_fix and not ways and not steps:
        return "Get the fix from the vendor of the part that is affected, and attest it."
    return "Apply " + ", or ".join([*ways, *(f"the package {s}" for s in steps)]) + "."
