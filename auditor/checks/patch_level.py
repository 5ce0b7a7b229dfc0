"""The level of updates: that nothing else is missing, or that nobody knows it."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from auditor.checks.attested import AttestedCheck
from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement
from auditor.checks.support import subscribes
from auditor.foundation.sanitize import counted
from auditor.model.advisory import Coverage
from auditor.model.update_line import ident, last_release


class PatchLevelCheck(CheckKind, frozen=True, tag="patch_level"):
    """Is every update of a Windows installed? Where Microsoft's monthly documents are in the advisory database, each month that is open is a finding of
    its own, and this one says that nothing else is missing: as far as the newest document covers the last second Tuesday. Without them, or
    where they are older: unknown, unless a person attested it. `how` says how to find out."""

    how: str

    def judge(self, case: Case) -> Judgement:
        """No list of updates that was read is good or bad news by itself."""
        coverage = case.coverage
        if coverage and coverage.releases and coverage.newest:
            return self._by_documents(coverage, coverage.newest, case)
        platform = case.facts.platform
        product = platform.product or "this product"
        lacking = (
            coverage.lacking if coverage and coverage.lacking else f"no loaded rule knows which updates {product} should have"
        )
        return self._open(case, f"every update that the vendor has published for {product}", lacking, RULES)

    def _by_documents(self, c: Coverage, newest: date, case: Case) -> Judgement:
        """What was held against what, and how old that is."""
        due = _due(case)
        required = f"every monthly update for {', '.join(c.releases)}, by documents that cover {due:%B %Y}"
        observed = f"{counted(c.applicable, 'monthly update')} known, the last document that of {newest:%B %Y}; " + (
            f"{counted(c.open, 'month')} missing or not told" if c.open else "none of them missing"
        )
        lacking = _lacking(c, due)
        late = [m for m in lacking if m > newest]
        if newest > case.today:
            why = f"the newest document is {ident(newest)}, and this machine's clock says {case.today}: one of them is wrong"
            return self._open(case, required, why, "the clock of this machine", observed)
        if late:
            why = f"the newest document is {ident(newest)}: what came in the {counted(len(late), 'month')} since is not known"
            return self._open(case, required, why, FEED, observed)
        if c.max_age is not None and c.as_of and case.today - c.as_of > c.max_age:
            days = counted((case.today - c.as_of).days, "day")
            why = f"the documents were last revised on {c.as_of}, {days} ago, longer than the {c.max_age.days} days that the policy allows"
            return self._open(case, required, why, FEED, observed)
        if c.open:
            many = c.open > 1
            why = f"{f'the {c.open} are findings' if many else 'it is a finding'} of {'their' if many else 'its'} own, under the ids of {'their months' if many else 'its month'}"
            return Judgement("not_applicable", observed, required, why, evidence=c.feeds)
        if lacking:
            shown = ", ".join(f"{m:%Y-%m}" for m in lacking[:6]) + (f" and {len(lacking) - 6} more" if len(lacking) > 6 else "")
            why = f"there is no document of {shown}, and the host's newest update is older"
            return self._open(case, required, why, FEED, observed)
        return Judgement("compliant", observed, required, f"held against {', '.join(c.feeds)}", evidence=c.feeds)

    def _open(self, case: Case, required: str, why: str, settles: str, observed: str = "") -> Judgement:
        platform, hotfixes = case.facts.platform, case.facts.hotfixes
        listed = (
            "the hotfixes: not known"
            if hotfixes is None
            else f"{len(hotfixes)} {'hotfix' if len(hotfixes) == 1 else 'hotfixes'} listed"
        )
        seen = f"{f'build {platform.build}' if platform.build else 'the build: not known'}; {listed}"
        judged = AttestedCheck(how=self.how).judge(case, observed or seen)
        if judged.verdict != "unknown" or case.attestation is not None:
            return replace(judged, required=required)
        return replace(judged, required=required, why=f"{why}. {self.how}" if settles == RULES else why, resolved_by=settles)

    @property
    def attestable(self) -> bool:
        return True


def _due(case: Case) -> date:
    """The month whose updates a host should have by now: the last, or the last before its free support ended."""
    due = last_release(case.today)
    support = case.support
    if support is None or subscribes(case, support):
        return due
    return min(due, last_release((support.long_term or support.ends) + timedelta(days=1)))


def _lacking(c: Coverage, due: date) -> list[date]:
    """The months after the newest update that is in force, to the one that is due, of which no document is known."""
    month, found = c.reached or (c.documents[0] if c.documents else due), []
    while (month := (month.replace(day=1) + timedelta(days=32)).replace(day=1)) <= due:
        if month not in c.documents:
            found.append(month)
    return found


RULES = "rules: which updates this product should have"
FEED = "advisories: Microsoft's newest monthly document (`auditor advisories fetch microsoft`)"
