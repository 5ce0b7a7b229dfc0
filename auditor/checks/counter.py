"""Counters of the kernel."""

from __future__ import annotations

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread


class CounterCheck(CheckKind, frozen=True, tag="counter"):
    """Compliant if a counter of /proc/net/netstat has not passed `at_most` since the host started."""

    name: str
    at_most: int

    def judge(self, case: Case) -> Judgement:
        """Counters start at zero with the network namespace, at the latest when the host starts."""
        required = f"{self.name} at most {self.at_most}"
        volatile = case.facts.volatile
        if volatile is None or volatile.counters is None or self.name not in volatile.counters:
            return unread(case.facts, "counters", "The kernel's counters", required)
        count = volatile.counters[self.name]
        since = f" in {volatile.uptime / 86400:.1f} days" if volatile.uptime is not None else " since the host started"
        others = ", ".join(f"{k} {v}" for k, v in volatile.counters.items() if k != self.name and v)
        observed = f"{self.name} {count}{since}" + (f" ({others})" if others else "")
        full = "connections were refused or dropped because an accept queue was full"
        why = full if count > self.at_most else "no accept queue overflowed"
        if count > self.at_most:
            return Judgement(
                "noncompliant",
                observed,
                required,
                why,
                evidence=("/proc/net/netstat",),
                offending=(f"{self.name} above {self.at_most}",),
            )
        return Judgement("compliant", observed, required, why, evidence=("/proc/net/netstat",))
