"""Service packs of Windows."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.check_kind import CheckKind, Needs, unparsed
from auditor.checks.hotfix import hotfix_number_faults, listed_of
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.finding import Remedy
from auditor.versions import service_pack

# Adding a component afterwards puts old files back and leaves what the registry says (Q196269).
CLAIM = "registry claim: CSDVersion"


class ServicePackCheck(CheckKind, frozen=True, tag="service_pack"):
    """Compliant from `at_least` on, on the product's own line. A release candidate of just that number is unknown
    unless one of `stamped_by` is installed: hotfixes known to write a candidate's name over the final pack's.
    `marked_by`: hotfix entries that tell the lettered pack from the plain one, which calls itself the same (6a and 6).
    `since`: the pack that brought the fault; before it the check is not applicable."""

    at_least: str
    stamped_by: tuple[str, ...] = ()
    marked_by: tuple[str, ...] = ()
    since: str = ""

    def judge(self, case: Case) -> Judgement:
        """The leading number of CSDVersion decides; a release candidate of just the required number is no proof unless a
        hotfix that is known to stamp it explains it (Q293322: Q246467 stamps "Service Pack 6, RC 1.3")."""
        required = f"service pack {self.at_least} or later"
        facts = case.facts
        if facts.platform.service_pack is None:
            return unread(facts, "platform", "The service pack", required)
        try:
            installed = service_pack.parse(facts.platform.service_pack)
        except ValueError as e:
            return Judgement("unknown", str(e), required, "what the host calls its service pack cannot be read as one",
                             resolved_by="platform: a service pack of a known form")  # fmt: skip
        said = facts.platform.csd_version
        if said and (doubt := _other_words(said, installed)):
            return Judgement("unknown", f"service pack {facts.platform.service_pack} ({said!r})", required, doubt,
                             resolved_by="platform: a service pack of a known form")  # fmt: skip
        if said and service_pack.is_candidate(said) and service_pack.parse(said).number == installed.number:
            installed = installed._replace(candidate=service_pack.parse(said).candidate)
        observed = "no service pack" if installed.number == 0 else f"service pack {facts.platform.service_pack}"
        if self.since and installed.reaches(service_pack.parse(self.since)) is False:
            why = f"{observed} is older than service pack {self.since}, which brought the fault"
            return Judgement("not_applicable", observed, required, why, evidence=(CLAIM,))
        wanted = service_pack.parse(self.at_least)
        stamps = listed_of((*self.stamped_by, *service_pack.STAMPERS), case) if installed.candidate else []
        if stamps:
            observed += f", with {', '.join(stamps)}"
            installed = installed._replace(candidate="")
        elif installed.candidate and said:
            observed += f" ({said!r})"
        if installed.reaches(wanted) is None:
            why = f"{observed} is a release candidate of the required pack, and nothing explains it as the final one"
            return Judgement(
                "unknown", observed, required, why, resolved_by="platform: whether the final service pack is installed"
            )
        reached = installed.reaches(wanted)
        if not reached and installed.number == wanted.number and self.marked_by:
            if facts.hotfixes is None:
                return unread(facts, "hotfixes", f"The mark of {self.at_least} among the hotfixes", required)
            reached = bool(listed_of(self.marked_by, case))
            observed += f", {'with' if reached else 'without'} {' or '.join(self.marked_by)}"
        why = f"{observed} is {'' if reached else 'not '}{required}"
        if stamps:
            why += f"; {', '.join(stamps)} is known to write a release candidate's name over the final pack's"
        if said and service_pack.is_candidate(said):
            why += f" (the host says {said!r}, as some hotfixes make it; its leading number decides)"
        remedy = None if reached else Remedy("service_pack", _line(facts.platform.product or ""), self.at_least)
        return Judgement("compliant" if reached else "noncompliant", observed, required, why, evidence=(CLAIM,), remedy=remedy)

    def needs(self) -> Needs:
        return Needs(hotfixes=(*self.stamped_by, *self.marked_by))

    def faults(self) -> Iterator[str]:
        yield from unparsed(service_pack.parse, [self.at_least, *([self.since] if self.since else [])])
        yield from hotfix_number_faults((*self.stamped_by, *self.marked_by))


def _line(product: str) -> str:
    """Editions share a line of service packs, but for Terminal Server Edition."""
    if product.startswith("windows-nt-4.0-") and product != "windows-nt-4.0-terminal-server":
        return "windows-nt-4.0"
    return "windows-2000" if product.startswith("windows-2000-") else product


def _other_words(said: str, installed: service_pack.ServicePack) -> str:
    """Why the system's own words (CSDVersion) do not bear out the pack that the facts name; "" where they do."""
    try:
        words = service_pack.parse(said)
    except ValueError:
        return f"the host's own words {said!r} cannot be read as a service pack"
    if words.number != installed.number:
        return f"the host's own words {said!r} name another service pack; their leading number decides (Q293322)"
    return ""
