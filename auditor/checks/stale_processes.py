"""Processes that run code from before an update."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread

# One right for a whole fleet, so all hosts name it in the same words.
ROOT_RIGHTS = (
    "root's rights for a few listed commands: `become: {method: sudo}` in the inventory, and on the hosts what"
    " `auditor commands --sudoers` prints; or accept it in the inventory: `accept_unknown: {linux-stale-processes: WHY}`"
)


class StaleProcessesCheck(CheckKind, frozen=True, tag="stale_processes"):
    """Pending if a process still runs code that was deleted or replaced on disk."""

    def judge(self, case: Case) -> Judgement:
        required = "no process that runs deleted or replaced code"
        stale = case.facts.stale_processes
        if stale is None:
            judged = unread(case.facts, "stale_processes", "All processes' mapped files", required)
            return replace(judged, resolved_by=ROOT_RIGHTS) if "without root's rights" in judged.why else judged
        if not stale:
            return Judgement("compliant", "none", required, "no process maps deleted code", evidence=("/proc/PID/maps",))
        pids = case.facts.volatile.pids if case.facts.volatile else {}
        shown = [
            f"{p.name}{_pids(pids.get(p.name, ()))}: {', '.join(p.files[:6])}{' …' if len(p.files) > 6 else ''}" for p in stale
        ]
        why = "the update is on disk, and these still run the code from before it until they are restarted"
        names = tuple(p.name for p in stale)
        return Judgement("pending", "; ".join(shown), required, why, evidence=("/proc/PID/maps",), offending=names)


def _pids(pids: tuple[int, ...]) -> str:
    return f" ({', '.join(map(str, pids[:8]))}{' …' if len(pids) > 8 else ''})" if pids else ""
