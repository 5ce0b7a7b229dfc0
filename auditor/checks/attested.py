"""What only a person can tell."""

from __future__ import annotations

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement
from auditor.model.finding import Verdict

_VERDICTS: dict[str, Verdict] = {"done": "compliant", "not-done": "noncompliant", "restart-pending": "pending"}


class AttestedCheck(CheckKind, frozen=True, tag="attested"):
    """What a person attested for this rule and target; `how` says how to find out."""

    how: str

    def judge(self, case: Case, observed: str = "") -> Judgement:
        """done: compliant, not-done: noncompliant, restart-pending: pending; none, expired or in the future: unknown."""
        required = "the fix, attested by a person"
        said, before = case.attestation, f"{observed}; " if observed else ""
        if said is None:
            why = f"it cannot be read from this host and nobody attested it. {self.how}"
            return Judgement(
                "unknown", f"{before}no attestation", required, why, resolved_by="an attestation: auditor attest add"
            )
        who = f"{said.state} by {said.by} on {said.date.isoformat()}" + (f" ({said.reference})" if said.reference else "")
        if said.date > case.today:
            return Judgement("unknown", f"{before}attested {who}", required, "the attestation is dated in the future",
                             resolved_by="an attestation with a correct date")  # fmt: skip
        if said.expires is not None and said.expires < case.today:
            why = f"the attestation expired on {said.expires.isoformat()}. {self.how}"
            return Judgement(
                "unknown", f"{before}attested {who}", required, why, resolved_by="a new attestation: auditor attest add"
            )
        return Judgement(
            _VERDICTS[said.state], f"{before}attested {who}", required, f"attested: {who}", evidence=(f"attestation: {who}",)
        )

    @property
    def attestable(self) -> bool:
        return True
