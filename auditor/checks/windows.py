"""Service packs, builds, hotfixes, file versions and missing updates."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.checks.attested import judge_attested
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.facts import MissingUpdate
from auditor.model.finding import Step
from auditor.rulebook.rule import (
    AttestedCheck,
    BuildCheck,
    FileVersionCheck,
    HotfixCheck,
    MissingUpdatesCheck,
    PatchLevelCheck,
    ProductPackCheck,
    ServicePackCheck,
)
from auditor.versions import file_version, server_products, service_pack, windows_build
from auditor.versions.kb_number import article

# Adding a component afterwards puts old files back and leaves what the registry says (Q196269).
CLAIM = "registry claim: CSDVersion"
_RATINGS = ("critical", "important", "moderate", "low")  # MsrcSeverity; also empty, or a word that says no more


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
    said = facts.platform.csd_version
    if said and (doubt := _other_words(said, installed)):
        return Judgement("unknown", f"service pack {facts.platform.service_pack} ({said!r})", required, doubt,
                         settles="platform: a service pack of a known form")  # fmt: skip
    if said and service_pack.is_candidate(said) and service_pack.parse(said).number == installed.number:
        installed = installed._replace(candidate=service_pack.parse(said).candidate)
    observed = "no service pack" if installed.number == 0 else f"service pack {facts.platform.service_pack}"
    if check.since and installed.reaches(service_pack.parse(check.since)) is False:
        why = f"{observed} is older than service pack {check.since}, which brought the fault"
        return Judgement("not_applicable", observed, required, why, evidence=(CLAIM,))
    wanted = service_pack.parse(check.at_least)
    stamps = _installed((*check.stamped_by, *service_pack.STAMPERS), case) if installed.candidate else []
    if stamps:
        observed += f", with {', '.join(stamps)}"
        installed = installed._replace(candidate="")
    elif installed.candidate and said:
        observed += f" ({said!r})"
    if installed.reaches(wanted) is None:
        why = f"{observed} is a release candidate of the required pack, and nothing explains it as the final one"
        return Judgement("unknown", observed, required, why, settles="platform: whether the final service pack is installed")
    reached = installed.reaches(wanted)
    if not reached and installed.number == wanted.number and check.marked_by:
        if facts.hotfixes is None:
            return unread(facts, "hotfixes", f"The mark of {check.at_least} among the hotfixes", required)
        reached = bool(_installed(check.marked_by, case))
        observed += f", {'with' if reached else 'without'} {' or '.join(check.marked_by)}"
    why = f"{observed} is {'' if reached else 'not '}{required}"
    if stamps:
        why += f"; {', '.join(stamps)} is known to write a release candidate's name over the final pack's"
    if said and service_pack.is_candidate(said):
        why += f" (the host says {said!r}, as some hotfixes make it; its leading number decides)"
    step = None if reached else Step("service_pack", _line(facts.platform.product or ""), check.at_least)
    return Judgement("compliant" if reached else "noncompliant", observed, required, why, evidence=(CLAIM,), step=step)


def _line(product: str) -> str:
    """Editions share a line of service packs, but for Terminal Server Edition."""
    if product.startswith("windows-nt-4.0-") and product != "windows-nt-4.0-terminal-server":
        return "windows-nt-4.0"
    return "windows-2000" if product.startswith("windows-2000-") else product


def judge_product_pack(check: ProductPackCheck, case: Case) -> Judgement:
    """The application's own registry value decides; it is a claim like Windows' own."""
    name, version = server_products.split(check.product)
    required = f"{check.product} service pack {check.at_least} or later"
    step = Step("service_pack", check.product, check.at_least)
    key = server_products.key(check.product)
    if not key:
        why = f"no value of the registry that is known here tells which service pack {name} has"
        return Judgement("unknown", f"the service pack of {name}: not known", required, why,
                         settles=f"an attestation, or the service pack of {name} as an administrator sees it", step=step)  # fmt: skip
    found = (case.facts.settings or {}).get(key)
    if found is None:
        return replace(unread(case.facts, "settings", f"The version of {name}", required), step=step)
    if found.state != "present":
        why = f"the value that tells the version of {name} is {'not set' if found.state == 'absent' else 'unreadable: ' + found.reason}"
        return Judgement(
            "unknown",
            f"the service pack of {name}: not known",
            required,
            why,
            settles=f"settings: the version of {name}",
            step=step,
        )
    try:
        installed = server_products.read(check.product, found.value)
        reached = service_pack.parse(installed.service_pack).reaches(service_pack.parse(check.at_least))
    except ValueError as e:
        return Judgement(
            "unknown", f"{name}: {found.value[:60]}", required, str(e), settles=f"settings: the version of {name}", step=step
        )
    observed = f"{name} {installed.version}, " + (
        f"service pack {installed.service_pack}" if installed.service_pack != "0" else "no service pack"
    )
    evidence = (f"registry claim: {key.partition('#')[2]}",)
    if installed.version != version:
        return Judgement("not_applicable", observed, required, f"the advisory is about {check.product}", evidence=evidence)
    why = f"{observed} is {'' if reached else 'not '}{required}"
    return Judgement(
        "compliant" if reached else "noncompliant", observed, required, why, evidence=evidence, step=None if reached else step
    )


def judge_build(check: BuildCheck, case: Case) -> Judgement:
    """Revisions are compared within the host's own build line only."""
    build = case.facts.platform.build
    required = f"build {' or '.join(check.at_least)} or later on its line"
    if build is None:
        return unread(case.facts, "platform", "The build", required)
    try:
        reached = windows_build.reaches(build, check.at_least)
    except ValueError as e:
        return Judgement("unknown", str(e), required, "what the host calls its build cannot be read as one",
                         settles="platform: a build of a known form")  # fmt: skip
    observed = f"build {build}"
    if reached is None:
        line = windows_build.parse(build)
        known = [b for b in check.at_least if windows_build.parse(b).line == line.line]
        why = "the update build revision (UBR) is not known" if known else f"the rule has no figure for build line {line.line}"
        return Judgement("unknown", observed, required, why, settles="platform: the UBR" if known else "rules: this build line")
    return Judgement(
        "compliant" if reached else "noncompliant",
        observed,
        required,
        f"{observed} is {'' if reached else 'older than '}{required}",
    )


def judge_file_version(check: FileVersionCheck, case: Case) -> Judgement:
    """The file on disk decides over what a registry claims."""
    required = f"{check.path} {check.at_least} or later"
    found = (case.facts.settings or {}).get(check.key)
    if found is None:
        return unread(case.facts, "settings", f"The version of {check.path}", required)
    if found.state == "unreadable":
        why = f"the version of {check.path} could not be read: {found.reason}"
        return Judgement("unknown", f"{check.path}: unreadable", required, why, settles=f"settings: {found.reason}")
    if found.state == "absent":
        why = f"a missing {check.path} counts as {check.absent} here"
        return Judgement(check.absent, f"{check.path} is not there", required, why, settles="settings: where the file is")
    observed = f"{check.path} {found.value}"
    try:
        older = file_version.older(found.value, check.at_least)
    except ValueError as e:
        return Judgement("unknown", observed, required, str(e), settles="settings: a readable file version")
    why = f"{observed} is {'older than what is' if older else 'what is'} required"
    return Judgement("noncompliant" if older else "compliant", observed, required, why, evidence=("file version on disk",))


def judge_hotfix(check: HotfixCheck, case: Case) -> Judgement:
    """A hotfix entry in the registry is a claim: a service pack laid over it later leaves the entry (Q165709)."""
    required = f"hotfix {' or '.join(check.ids)}"
    if case.facts.hotfixes is None:
        return unread(case.facts, "hotfixes", "The hotfixes", required)
    found = _installed(check.ids, case)
    if not found:
        step = Step("hotfix", "", check.ids[0])
        return Judgement("noncompliant", f"{required} not installed", required, "the host lists no such hotfix", step=step)
    wanted = {article(f) for f in found}
    sources = sorted({h.source or "registry claim" for h in case.facts.hotfixes if article(h.id) in wanted})
    why = f"{', '.join(found)} is listed as installed ({', '.join(sources)})" + (f"; {check.tension}" if check.tension else "")
    return Judgement("compliant", f"{', '.join(found)} installed", required, why, evidence=tuple(sources))


def judge_missing_updates(check: MissingUpdatesCheck, case: Case) -> Judgement:
    """The agent's list is as old as its last search, and an update that the vendor gave no severity may have any."""
    of = f" of severity {' or '.join(check.severities)}" if check.severities else ""
    required = f"no missing update{of}"
    missing = case.facts.missing_updates
    if missing is None:
        if any(o.name == "missing_updates" and o.reason for o in case.facts.outcomes):
            return unread(case.facts, "missing_updates", "The missing updates", required)
        why = "the Windows Update Agent was not asked: set `missing_updates: true` for this host in the inventory"
        return Judgement("unknown", "the missing updates: not known", required, why,
                         settles="missing_updates: not asked; set `missing_updates: true`")  # fmt: skip
    evidence = ("Windows Update Agent",)
    wanted = {s.lower() for s in check.severities}
    found = [u for u in missing if not wanted or (u.severity or "").lower() in wanted]
    if found:
        observed = f"missing: {', '.join(_update(u) for u in found)}"
        why = f"the Windows Update Agent lists {len(found)} missing update{'' if len(found) == 1 else 's'}{of}"
        return Judgement("noncompliant", observed, required, why, evidence=evidence, offending=tuple(map(_update, found)))
    if unrated := [u for u in missing if wanted and (u.severity or "").lower() not in _RATINGS]:
        names = ", ".join(_update(u) for u in unrated)
        why = (
            f"the vendor gives {names} no severity, so whether {'it is' if len(unrated) == 1 else 'they are'}{of} is not known"
        )
        return Judgement("unknown", f"missing, without a severity: {names}", required, why,
                         settles=f"the vendor's word on {names}", evidence=evidence)  # fmt: skip
    searched = case.facts.volatile.updates_searched if case.facts.volatile else None
    if searched is None or not -1 <= (case.today - searched).days <= check.max_age_days:
        last = "on a day that is not known" if searched is None else f"on {searched.isoformat()}"
        why = f"the Windows Update Agent lists none, but searched {last}; the search must be of the last {check.max_age_days} days"
        return Judgement(
            "unknown", required, required, why, settles="missing_updates: a search by the agent", evidence=evidence
        )
    why = f"the Windows Update Agent lists no missing update{of}, by its search of {searched.isoformat()}"
    return Judgement("compliant", required, required, why, evidence=evidence)


def judge_patch_level(check: PatchLevelCheck, case: Case) -> Judgement:
    """No rule knows it, so no list that was read is good or bad news."""
    platform, hotfixes = case.facts.platform, case.facts.hotfixes
    build = f"build {platform.build}" if platform.build else "the build: not known"
    listed = (
        "the hotfixes: not known"
        if hotfixes is None
        else f"{len(hotfixes)} {'hotfix' if len(hotfixes) == 1 else 'hotfixes'} listed"
    )
    judged = judge_attested(AttestedCheck(how=check.how), case, f"{build}; {listed}")
    required = f"every update that the vendor has published for {platform.product or 'this product'}"
    if judged.verdict != "unknown" or case.attestation is not None:
        return replace(judged, required=required)
    why = f"no loaded rule knows which updates {platform.product or 'this product'} should have. {check.how}"
    return replace(judged, required=required, why=why, settles="rules: which updates this product should have")


def _update(update: MissingUpdate) -> str:
    more = [update.severity or "", "waits for a restart" if update.restart else ""]
    said = ", ".join(m for m in more if m)
    return f"{update.kb} ({said})" if said else update.kb


def _other_words(said: str, installed: service_pack.ServicePack) -> str:
    """Why the system's own words (CSDVersion) do not bear out the pack that the facts name; "" where they do."""
    try:
        words = service_pack.parse(said)
    except ValueError:
        return f"the host's own words {said!r} cannot be read as a service pack"
    if words.number != installed.number:
        return f"the host's own words {said!r} name another service pack; their leading number decides (Q293322)"
    return ""


def _installed(ids: tuple[str, ...], case: Case) -> list[str]:
    listed = case.articles
    if listed is None:
        listed = frozenset(article(h.id) for h in case.facts.hotfixes or ())
    return [i for i in ids if article(i) in listed]
