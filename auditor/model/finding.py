"""Verdicts, findings, and what people add to them: waivers and attestations."""

from __future__ import annotations

import datetime
from typing import Literal

from msgspec import Struct, field

Severity = Literal["critical", "important", "moderate", "low", "unrated"]
SEVERITIES: tuple[Severity, ...] = ("critical", "important", "moderate", "low", "unrated")
Obligation = Literal["required", "advised", "situational"]
Verdict = Literal["compliant", "noncompliant", "pending", "unknown", "not_applicable"]
VERDICTS: tuple[Verdict, ...] = ("noncompliant", "pending", "unknown", "compliant", "not_applicable")


class WaiverNote(Struct, frozen=True):
    """The annotation a waiver leaves on a finding; the verdict stays."""

    owner: str
    reason: str
    expires: datetime.date | None


class Remedy(Struct, frozen=True):
    """What would settle a finding, where one thing settles many: a service pack of a product line (`windows-nt-4.0`,
    `6a`), a hotfix, a package (its source's name, the highest version that is needed) `of` a
    release, a cumulative update of a product line (`windows-server-2022`, `KB5078766`, of build `20348.4893`), or a restart (of the `kernel`)."""

    kind: Literal["service_pack", "hotfix", "package", "update", "restart"]
    line: str
    level: str
    of: str = ""


class PackageState(Struct, frozen=True):
    """A package that a finding is about: what is installed, and from which version on it is fixed. `hold`: no upgrade installs
    it."""

    name: str
    installed: str
    fixed: str
    hold: bool = False


def rating(severity: Severity, security: bool) -> str:
    """The severity in words: a flaw in security that nobody rated is not like any other unrated fault."""
    return "security, unrated" if security and severity == "unrated" else severity


class Finding(Struct, frozen=True, kw_only=True):
    """One rule on one target. The texts are plain strings for people; `evidence` says how it was read, and from what
    document the requirement is; `remedy` is what settles it together with others of its kind; `generated`: from a rule that an
    importer wrote, which reports show in short; `resolved_by` names what would settle an unknown (a collector, a right, an attestation).
    `offending`: what is not as required, item by item, where `observed` says more; without what changes by itself.
    `due` is the last day on which a required finding may be open, by the policy. `cves`: the flaws that the rule's advisory is about;
    `packages`: those that are not as it asks; `url`: the advisory as its vendor shows it, "" where none is known; `security`: it is
    about a flaw in security, rated or not; `exploited`: those of the flaws that attacks have been seen on."""

    rule: str
    title: str
    severity: Severity
    obligation: Obligation
    verdict: Verdict
    observed: str
    required: str
    why: str
    remediation: str
    waiver: WaiverNote | None = None
    evidence: tuple[str, ...] = ()
    resolved_by: str = field(default="", name="settles")
    remedy: Remedy | None = field(default=None, name="step")
    generated: bool = False
    due: datetime.date | None = None
    offending: tuple[str, ...] = ()
    cves: tuple[str, ...] = ()
    packages: tuple[PackageState, ...] = ()
    url: str = ""
    security: bool = False
    exploited: tuple[str, ...] = ()

    @property
    def rating(self) -> str:
        """The severity in words."""
        return rating(self.severity, self.security)

    def overdue(self, today: datetime.date) -> int:
        """Days since it was due; 0 where it is not, or not yet."""
        return max(0, (today - self.due).days) if self.due else 0


class Waiver(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rules` and `targets` are shell patterns; a target matches by its name or as `@group`. `expires` is the last
    day it holds; without one it is `permanent`. `date` is when it was given. With `observed` it holds only while that
    is what the finding shows."""

    rules: tuple[str, ...]
    targets: tuple[str, ...]
    owner: str
    reason: str
    expires: datetime.date | None = None
    permanent: bool = False
    date: datetime.date | None = None
    observed: str | None = None


class Attestation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fact given by a person. `targets` are shell patterns or `@group`."""

    rule: str
    targets: tuple[str, ...]
    state: Literal["done", "not-done", "restart-pending"]
    by: str
    date: datetime.date
    expires: datetime.date | None = None
    reference: str = ""
