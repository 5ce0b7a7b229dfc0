"""Service packs and hotfixes."""

from __future__ import annotations

from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.rule import HotfixCheck, ServicePackCheck
from auditor.versions import service_pack


def judge_service_pack(check: ServicePackCheck, case: Case) -> Judgement:
    """The leading number of CSDVersion decides; a release candidate of just the required number is no proof unless a
    hotfix that is known to stamp it explains it (Q293322: Q246467 stamps "Service Pack 6, RC 1.3")."""
    required = f"service pack {check.at_least} or later"
    facts = case.facts
    if facts.platform.service_pack is None:
        return unread(facts, "platform", "The service pack", required)
    try:
        installed = service_pack.parse(facts.platform.service_pack)
    except ValueError as e:
        return Judgement("unknown", str(e), required, "what the host calls its service pack cannot be read as one",
                         settles="platform: a service pack of a known form")  # fmt: skip
    observed = "no service pack" if installed.number == 0 else f"service pack {facts.platform.service_pack}"
    reached = installed.reaches(service_pack.parse(check.at_least))
    if reached is None:
        stamps = _installed(check.stamped_by, case)
        if stamps:
            why = f"{', '.join(stamps)} is installed and is known to write a release candidate's name over the final pack's"
            return Judgement("compliant", f"{observed}, with {', '.join(stamps)}", required, why)
        why = f"{observed} is a release candidate of the required pack, and nothing explains it as the final one"
        return Judgement("unknown", observed, required, why, settles="platform: whether the final service pack is installed")
    return Judgement(
        "compliant" if reached else "noncompliant", observed, required, f"{observed} is {'' if reached else 'not '}{required}"
    )


def judge_hotfix(check: HotfixCheck, case: Case) -> Judgement:
    """A hotfix entry in the registry is a claim: a service pack laid over it later leaves the entry (Q165709)."""
    required = f"hotfix {' or '.join(check.ids)}"
    if case.facts.hotfixes is None:
        return unread(case.facts, "hotfixes", "The hotfixes", required)
    found = _installed(check.ids, case)
    if not found:
        return Judgement("noncompliant", f"{required} not installed", required, "the host lists no such hotfix")
    sources = sorted({h.source or "registry claim" for h in case.facts.hotfixes if h.id.upper() in {f.upper() for f in found}})
    why = f"{', '.join(found)} is listed as installed ({', '.join(sources)})" + (f"; {check.tension}" if check.tension else "")
    return Judgement("compliant", f"{', '.join(found)} installed", required, why, evidence=tuple(sources))


def _installed(ids: tuple[str, ...], case: Case) -> list[str]:
    listed = {h.id.upper() for h in case.facts.hotfixes or ()}
    return [i for i in ids if i.upper() in listed]
