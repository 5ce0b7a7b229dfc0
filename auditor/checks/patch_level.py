"""The level of updates: that nothing else is missing, or that nobody knows it."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.checks.attested import AttestedCheck
from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement
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
            return self._by_documents(coverage, case)
        platform = case.facts.platform
        product = platform.product or "this product"
        lacking = (
            coverage.lacking if coverage and coverage.lacking else f"no loaded rule knows which updates {product} should have"
        )
        return self._open(case, f"every update that the vendor has published for {product}", lacking, RULES)

    def _by_documents(self, c: Coverage, case: Case) -> Judgement:
        """What was held against what, and how old that is."""
        newest, due = c.newest or case.today, last_release(case.today)
        required = f"every monthly update for {', '.join(c.releases)}, by documents that cover {due:%B %Y}"
        observed = f"{counted(c.applicable, 'monthly update')} known, the last document that of {newest:%B %Y}; " + (
            f"{counted(c.open, 'month')} missing or not told" if c.open else "none of them missing"
        )
        if newest > case.today:
            why = f"the newest document is {ident(newest)}, and this machine's clock says {case.today}: one of them is wrong"
            return self._open(case, required, why, "the clock of this machine", observed)
        if newest < due:
            late = (due.year - newest.year) * 12 + due.month - newest.month
            why = f"the newest document is {ident(newest)}: what came in the {counted(late, 'month')} since is not known"
            return self._open(case, required, why, FEED, observed)
        if c.max_age is not None and c.as_of and case.today - c.as_of > c.max_age:
            days = counted((case.today - c.as_of).days, "day")
            why = f"the documents were last revised on {c.as_of}, {days} ago, longer than the {c.max_age.days} days that the policy allows"
            return self._open(case, required, why, FEED, observed)
        if c.open:
            why = f"{'it is a finding' if c.open == 1 else f'the {c.open} are findings'} of {'its' if c.open == 1 else 'their'} own, under the ids of {'its' if c.open == 1 else 'their'} months"
            return Judgement("not_applicable", observed, required, why, evidence=c.feeds)
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


RULES = "rules: which updates this product should have"
FEED = "advisories: Microsoft's newest monthly document (`auditor advisories fetch microsoft`)"
