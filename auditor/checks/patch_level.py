"""The level of updates, where no rule knows it."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.checks.attested import AttestedCheck
from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement


class PatchLevelCheck(CheckKind, frozen=True, tag="patch_level"):
    """Which updates a product should have, where no loaded rule knows it: unknown, unless a person attested it. `how` says
    how to find out."""

    how: str

    def judge(self, case: Case) -> Judgement:
        """No rule knows it, so no list that was read is good or bad news."""
        platform, hotfixes = case.facts.platform, case.facts.hotfixes
        build = f"build {platform.build}" if platform.build else "the build: not known"
        listed = (
            "the hotfixes: not known"
            if hotfixes is None
            else f"{len(hotfixes)} {'hotfix' if len(hotfixes) == 1 else 'hotfixes'} listed"
        )
        judged = AttestedCheck(how=self.how).judge(case, f"{build}; {listed}")
        required = f"every update that the vendor has published for {platform.product or 'this product'}"
        if judged.verdict != "unknown" or case.attestation is not None:
            return replace(judged, required=required)
        why = f"no loaded rule knows which updates {platform.product or 'this product'} should have. {self.how}"
        return replace(judged, required=required, why=why, resolved_by="rules: which updates this product should have")

    @property
    def attestable(self) -> bool:
        return True
