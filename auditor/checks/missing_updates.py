"""Updates that the Windows Update Agent misses."""

from __future__ import annotations

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.facts import MissingUpdate

_RATINGS = ("critical", "important", "moderate", "low")  # MsrcSeverity; also empty, or a word that says no more


class MissingUpdatesCheck(CheckKind, frozen=True, tag="missing_updates"):
    """Compliant if the Windows Update Agent knows of no missing update, by its own last search. `severities` narrows to
    these words of the vendor (Critical, Important, Moderate, Low); a missing update without one then leaves it unknown. A
    search older than `max_age_days` proves nothing."""

    severities: tuple[str, ...] = ()
    max_age_days: int = 14

    def judge(self, case: Case) -> Judgement:
        """The agent's list is as old as its last search, and an update that the vendor gave no severity may have any."""
        of = f" of severity {' or '.join(self.severities)}" if self.severities else ""
        required = f"no missing update{of}"
        missing = case.facts.missing_updates
        if missing is None:
            if any(o.name == "missing_updates" and o.reason for o in case.facts.outcomes):
                return unread(case.facts, "missing_updates", "The missing updates", required)
            why = "the Windows Update Agent was not asked: set `missing_updates: true` for this host in the inventory"
            return Judgement("unknown", "the missing updates: not known", required, why,
                             resolved_by="missing_updates: not asked; set `missing_updates: true`")  # fmt: skip
        evidence = ("Windows Update Agent",)
        wanted = {s.lower() for s in self.severities}
        found = [u for u in missing if not wanted or (u.severity or "").lower() in wanted]
        if found:
            observed = f"missing: {', '.join(_update(u) for u in found)}"
            why = f"the Windows Update Agent lists {len(found)} missing update{'' if len(found) == 1 else 's'}{of}"
            return Judgement("noncompliant", observed, required, why, evidence=evidence, offending=tuple(map(_update, found)))
        if unrated := [u for u in missing if wanted and (u.severity or "").lower() not in _RATINGS]:
            names = ", ".join(_update(u) for u in unrated)
            why = f"the vendor gives {names} no severity, so whether {'it is' if len(unrated) == 1 else 'they are'}{of} is not known"
            return Judgement("unknown", f"missing, without a severity: {names}", required, why,
                             resolved_by=f"the vendor's word on {names}", evidence=evidence)  # fmt: skip
        searched = case.facts.volatile.updates_searched if case.facts.volatile else None
        if searched is None or not -1 <= (case.today - searched).days <= self.max_age_days:
            last = "on a day that is not known" if searched is None else f"on {searched.isoformat()}"
            why = f"the Windows Update Agent lists none, but searched {last}; the search must be of the last {self.max_age_days} days"
            return Judgement(
                "unknown", required, required, why, resolved_by="missing_updates: a search by the agent", evidence=evidence
            )
        why = f"the Windows Update Agent lists no missing update{of}, by its search of {searched.isoformat()}"
        return Judgement("compliant", required, required, why, evidence=evidence)


def _update(update: MissingUpdate) -> str:
    more = [update.severity or "", "waits for a restart" if update.restart else ""]
    said = ", ".join(m for m in more if m)
    return f"{update.kb} ({said})" if said else update.kb
