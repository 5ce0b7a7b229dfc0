"""Whether the host says that it waits for a restart."""

from __future__ import annotations

from auditor.checks.check_kind import CheckKind
from auditor.checks.combine import ALL_OF, combine
from auditor.checks.judgement import Case, Judgement, unread
from auditor.checks.kernel import KernelCheck
from auditor.checks.stale_processes import StaleProcessesCheck


class RebootCheck(CheckKind, frozen=True, tag="reboot"):
    """Pending if the host says that it waits for a restart; where nothing on it would say so, kernel and processes are
    judged instead."""

    def judge(self, case: Case) -> Judgement:
        required = "no restart asked for"
        reboot = case.facts.reboot
        if reboot is None:
            return unread(case.facts, "reboot", "The restart flag", required)
        if reboot.required is None:
            why = next((o.reason for o in case.facts.outcomes if o.name == "reboot" and o.reason), "the facts leave it open")
            if reboot.weak:
                why = f"{', '.join(reboot.weak)} is set, by an update or by any other program; nothing else here would tell"
            return Judgement("unknown", "whether a restart is asked for is not known", required, why, resolved_by="reboot")
        if reboot.required:
            asked = f" by {', '.join(reboot.packages)}" if reboot.packages else ""
            return Judgement("pending", f"a restart is asked for{asked}", required, "the host itself says so")
        if not reboot.writers:
            judged = combine([KernelCheck().judge(case), StaleProcessesCheck().judge(case)], ALL_OF, " and ")
            why = f"nothing on this host would set the flag, so kernel and processes are judged instead: {judged.why}"
            return Judgement(judged.verdict, f"no flag; {judged.observed}", required, why, judged.resolved_by, judged.evidence)
        return Judgement("compliant", "no flag", required, f"no flag, and it would be set by {reboot.writers[0]}")
