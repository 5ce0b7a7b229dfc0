"""What an organisation decides about its audits: how long fixing may take, and how old knowledge may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct


class Policy(Struct, frozen=True):
    """`deadlines`: by severity, from the day the advisory was published, or where that is not known from the first day a
    host was seen to lack it. `groups` has other ones for the hosts of a group. Where a rule was read from its source
    longer than `max_age` ago, nothing is compliant by it. `accepted`: by rule, why its unknowns are accepted. `situational`: fixes for
    particular problems, which are for who sees them, are judged as well."""

    deadlines: dict[str, timedelta] = {}
    groups: dict[str, dict[str, timedelta]] = {}
    max_age: timedelta | None = None
    accepted: dict[str, str] = {}
    situational: bool = False

    def deadline(self, severity: str, groups: Sequence[str]) -> timedelta | None:
        """How long fixing may take on a host of these groups; the last of them that says something counts."""
        for group in reversed(groups):
            if (span := self.groups.get(group, {}).get(severity)) is not None:
                return span
        return self.deadlines.get(severity)
