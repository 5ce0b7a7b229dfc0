"""A month of Microsoft's updates on a Windows host."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement
from auditor.checks.support import owed
from auditor.checks.windows_standing import Standing, State, UpdateEvidence, standing
from auditor.model.facts import HostFacts
from auditor.model.finding import Remedy, Verdict
from auditor.model.update_line import MonthFix, UpdateLine, UpdateMonth
from auditor.versions.kb_number import article
from auditor.versions.product_label import label
from auditor.versions.windows_build import parse

_VERDICTS: dict[State, Verdict] = {"missing": "noncompliant", "unknown": "unknown", "pending": "pending", "fixed": "compliant"}
_WORST: tuple[State, ...] = ("missing", "unknown", "pending", "fixed")
_SOME = 6  # numbers of updates, before the rest is counted


class WindowsUpdateCheck(CheckKind, frozen=True, tag="windows_update"):
    """Compliant if a host has what a month brought for its Windows, or a later cumulative update of its line. Made from the advisory database, for hosts
    of `line`; after the end of free support a month counts only where extended updates are known to be taken."""

    line: UpdateLine
    month: UpdateMonth

    def judge(self, case: Case) -> Judgement:
        """By build, then by the list of updates (checks/windows_standing.py)."""
        facts, line = case.facts, self.line
        evidence = evidence_of(facts)
        at = standing(line, evidence)
        states = [state(fix, line, at, evidence) for fix in self.month.fixes]
        worst = next(s for s in _WORST if s in states)
        open_ = [fix for fix, s in zip(self.month.fixes, states, strict=True) if s == worst]
        required = _required(open_, line)
        observed = _observed(facts, at)
        shown = _evidence(facts, at, evidence)
        if self.month.released and worst in ("missing", "unknown"):
            due = owed(self.month.released, case, at.reached, line)
            if due == "no":
                why = f"it came after the end of free support, and nothing here tells of extended updates: {_end(case)}"
                return Judgement("not_applicable", observed, required, why, evidence=shown)
            if due == "unknown":
                why = f"whether this edition still gets it is not known: {_end(case)}"
                return Judgement("unknown", observed, required, why, resolved_by="platform: the edition", evidence=shown)
        return Judgement(
            _VERDICTS[worst],
            observed,
            required,
            _why(worst, open_, line, at, evidence),
            resolved_by=_settles(at, evidence) if worst == "unknown" else "",
            evidence=shown,
            remedy=None if worst == "fixed" else _remedy(worst, line, any(f.level is not None for f in open_)),
            remediation=_todo(worst, line, open_),
        )


def evidence_of(facts: HostFacts) -> UpdateEvidence:
    """What a host tells of its updates. Asked for each of its months, and worked out once: the last host's is kept."""
    global _last
    if _last is None or _last[0] is not facts:
        _last = facts, _evidence_of(facts)
    return _last[1]


_last: tuple[HostFacts, UpdateEvidence] | None = None


def _evidence_of(facts: HostFacts) -> UpdateEvidence:
    try:
        build = parse(facts.platform.build) if facts.platform.build else None
    except ValueError:
        build = None
    numbers = None if facts.hotfixes is None else frozenset(int(n) for h in facts.hotfixes if (n := article(h.id)).isdecimal())
    return UpdateEvidence(build and build.revision, numbers, facts.reboot, facts.hotpatch, build and build.line)


def state(fix: MonthFix, line: UpdateLine, at: Standing, evidence: UpdateEvidence) -> State:
    """The state of some flaws: by the line, or by an update that is listed and mends them alone."""
    if fix.level is None:
        return "fixed" if _listed(fix, evidence) else "unknown"
    by_line = at.of(fix.level)
    if by_line == "missing" and not (fix.sure and fix.level < len(line.updates)):
        by_line = "unknown"
    if by_line in ("missing", "unknown") and fix.alone:
        if _listed(fix, evidence):
            if evidence.reboot and evidence.reboot.required:
                return "pending"
            return "fixed" if evidence.reboot or evidence.ubr is None else "unknown"
        if evidence.listed is None:
            return "unknown"
    return by_line


def _listed(fix: MonthFix, evidence: UpdateEvidence) -> bool:
    return evidence.listed is not None and any(kb in evidence.listed for kb in fix.alone)


def _numbers(kbs: Iterable[int]) -> str:
    shown = [f"KB{kb}" for kb in kbs]
    return " or ".join(shown[:_SOME]) + (f" or {len(shown) - _SOME} more" if len(shown) > _SOME else "")


def _required(fixes: list[MonthFix], line: UpdateLine) -> str:
    """What would do, in words: the highest cumulative update that is asked for, or what mends the rest alone."""
    levels = [f.level for f in fixes if f.level is not None and f.level < len(line.updates)]
    alone = sorted({kb for f in fixes for kb in f.alone})
    if not levels:
        return _numbers(alone)
    u = line.updates[max(levels)]
    build = f" (build {line.line}.{u.revision})" if u.revision else ""
    return f"KB{u.kb}{build}{f', {_numbers(alone)}' if alone else ''} or a later cumulative update"


def _observed(facts: HostFacts, at: Standing) -> str:
    build = f"build {facts.platform.build}" if facts.platform.build else "the build: not known"
    listed = "the list of updates: not known" if facts.hotfixes is None else "no cumulative update of this Windows listed"
    return f"{build}; {f'newest listed cumulative update KB{at.newest}' if at.newest else listed}"


def _why(worst: State, fixes: list[MonthFix], line: UpdateLine, at: Standing, e: UpdateEvidence) -> str:
    levels = [f.level for f in fixes if f.level is not None]
    update = line.updates[max(levels)] if levels and max(levels) < len(line.updates) else None
    if worst == "pending":
        return at.contradiction or "the update is listed, and the host asks for a restart"
    if worst == "unknown":
        if not levels:
            return "only being listed would tell, and none of these is listed; absence from the list proves little"
        if not all(f.sure for f in fixes) and not (at.contradiction or at.doubt):
            return "what mends it stands in this month's document, and may be of another month, whose document is missing"
        return (
            at.contradiction or at.doubt or "no update that is known to hold it is in force, and none that would tell is listed"
        )
    if worst == "missing":
        if e.ubr is not None and update is not None and update.revision is not None and update.revision > e.ubr:
            return f"UBR {e.ubr} is lower than {update.revision}, which KB{update.kb} brings" + (
                "" if at.newest else ", and no newer cumulative update is listed"
            )
        return f"it is newer than KB{at.newest}, the newest cumulative update that is listed, and is not listed"
    if at.hotpatched:
        return f"UBR {e.ubr} is that of the hotpatch KB{at.hotpatched}, which stands for the cumulative update of its month"
    if e.ubr is not None and update is not None and update.revision is not None and update.revision <= e.ubr:
        return f"UBR {e.ubr} is not lower than {update.revision}, which KB{update.kb} brings"
    if at.newest and (update is None or at.reached > max(levels)):
        return f"KB{at.newest} is listed, which holds it"
    return (
        "an update that brings it is in force, by the line's order"
        if e.ubr is not None
        else "an update that mends it is listed"
    )


def _evidence(facts: HostFacts, at: Standing, e: UpdateEvidence) -> tuple[str, ...]:
    """What each step rests on."""
    told = [
        "UBR: not known" if e.ubr is None else f"UBR {e.ubr} (registry)",
        "updates: not known" if e.listed is None else f"{len(e.listed)} updates listed",
    ]
    if at.hotpatched:
        told.append(f"hotpatch KB{at.hotpatched}")
    if at.contradiction or facts.reboot is None:
        asked = None if facts.reboot is None else facts.reboot.required
        told.append(f"restart asked for: {'not known' if asked is None else 'yes' if asked else 'no'}")
    return tuple(told)


def _settles(at: Standing, e: UpdateEvidence) -> str:
    if at.contradiction:
        return "windows_update: a restart, then another look at the build"
    if e.ubr is None:
        return "platform: the UBR"
    return "hotfixes: the list of updates" if e.listed is None else "an attestation, or the vendor's tool"


def newest(line: UpdateLine) -> tuple[int, str]:
    """The number and the build of a line's newest update: what brings everything. (0, "") where it has none."""
    if not line.updates:
        return 0, ""
    u = line.updates[-1]
    return u.kb, f"{line.line}.{u.revision}" if u.revision else ""


def _remedy(worst: State, line: UpdateLine, cumulative: bool) -> Remedy | None:
    product = line.product.partition(" ")[0]
    if not cumulative:
        return None
    if worst == "pending":
        return Remedy("restart", product, "")
    kb, build = newest(line)
    return Remedy("update", product, f"KB{kb}", build)


def _todo(worst: State, line: UpdateLine, fixes: list[MonthFix]) -> str:
    if worst == "pending":
        return "Restart the host."
    if worst == "fixed" or all(f.level is None for f in fixes):
        return ""
    kb, build = newest(line)
    return f"Install KB{kb}{f' (build {build})' if build else ''} or a newer cumulative update of {label(line.product.partition(' ')[0])}, and restart the host."


def _end(case: Case) -> str:
    support = case.support
    return (
        ""
        if support is None
        else f"{case.facts.platform.product} had it until {(support.long_term or support.ends).isoformat()}"
    )
