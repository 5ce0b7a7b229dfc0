"""Until when a release gets security fixes."""

from __future__ import annotations

from datetime import date
from typing import Literal

from auditor.checks.attested import AttestedCheck
from auditor.checks.check_kind import CheckKind, Strict
from auditor.checks.judgement import Case, Judgement, unread
from auditor.foundation.sanitize import counted
from auditor.model.update_line import UpdateLine, second_tuesday


class Support(Strict, frozen=True):
    """Until when a release gets security fixes. `ends`: for everybody, free; `long_term`: free, by another team;
    `paid`: only with a subscription, whose name is `program`."""

    ends: date
    long_term: date | None = None
    paid: date | None = None
    program: str = ""


class SupportCheck(CheckKind, frozen=True, tag="support"):
    """Compliant while the product gets free security fixes; unknown while only subscribers do. An attestation
    (`subscribed`) of a paid program counts after that, and so does an update of the time after it that is in force."""

    products: dict[str, Support]
    subscribed: AttestedCheck | None = None

    def judge(self, case: Case) -> Judgement:
        required = "a release that still gets security fixes"
        product = case.facts.platform.product
        if product is None:
            return unread(case.facts, "platform", "The product", required)
        support = self.products.get(product.lower())
        if support is None:
            why = f"the end of support of {product} is not among the rule's dates"
            return Judgement("unknown", product, required, why, resolved_by="rules: the end of support of this release")
        today, ended = case.today, f"{product}, free security fixes ended on {(support.long_term or support.ends).isoformat()}"
        if today <= support.ends:
            return Judgement(
                "compliant", f"{product}, until {support.ends.isoformat()}", required, "the release is in its regular support"
            )
        if support.long_term and today <= support.long_term:
            why = f"regular support ended on {support.ends.isoformat()}; {support.program} gives fixes for a part of the packages, free, until then"
            return Judgement("compliant", f"{product}, {support.program} until {support.long_term.isoformat()}", required, why)
        if self.subscribed and (attested := self.subscribed.judge(case, ended)).verdict == "compliant":
            return attested
        if support.paid and support.program == EXTENDED and today <= support.paid and (why := subscribes(case, support)):
            return Judgement("compliant", f"{product}, {EXTENDED} until {support.paid.isoformat()}", required, why)
        ended += _later(case, support)
        if support.paid and today <= support.paid:
            why = f"only {support.program} subscribers get fixes until {support.paid.isoformat()}, and that cannot be read here"
            return Judgement(
                "unknown", ended, required, why, resolved_by=f"an attestation of the {support.program} subscription"
            )
        return Judgement("noncompliant", ended, required, "no more security fixes come for this release")

    @property
    def attestable(self) -> bool:
        return self.subscribed is not None


Owed = Literal["yes", "no", "unknown"]
EXTENDED = "Extended Security Updates"  # a program that is bought; any other narrows by edition


def owed(released: date, case: Case, reached: int, line: UpdateLine) -> Owed:
    """Is an update of a day owed to a host? After the end of free support only where extended updates are taken: an update of the time after it is in
    force (the first `reached` of the line are), or a licence for them was found. Where no rule knows the end, everything is."""
    support = case.support
    if support is None:
        return "yes"
    free = support.long_term or support.ends
    if released <= free:
        return "yes"
    if support.paid is None or released > support.paid:
        return "no"
    if support.program != EXTENDED:
        return "unknown"
    if case.facts.extended_updates or any(u.sure and second_tuesday(u.month) > free for u in line.updates[:reached]):
        return "yes"
    return "no"


def subscribes(case: Case, support: Support) -> str:
    """What tells that a host takes extended updates, or ""."""
    reached = case.coverage.reached if case.coverage else None
    if reached and reached > support.ends:
        return f"an update of {reached:%B %Y} is in force, which only subscribers to {EXTENDED} got"
    licences = case.facts.extended_updates
    return f"it has a licence: {licences[0]}" if licences else ""


def _later(case: Case, support: Support) -> str:
    """How many monthly updates came after the end, that only subscribers get."""
    free = support.long_term or support.ends
    count = sum(1 for day in case.coverage.released if day > free) if case.coverage else 0
    return f"; {counted(count, 'later update')} {'exists' if count == 1 else 'exist'} for subscribers" if count else ""
