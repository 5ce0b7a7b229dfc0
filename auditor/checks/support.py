"""Until when a release gets security fixes."""

from __future__ import annotations

from auditor.checks.attested import judge_attested
from auditor.checks.judgement import Case, Judgement, unread
from auditor.rulebook.rule import SupportCheck


def judge_support(check: SupportCheck, case: Case) -> Judgement:
    required = "a release that still gets security fixes"
    product = case.facts.platform.product
    if product is None:
        return unread(case.facts, "platform", "The product", required)
    support = check.products.get(product.lower())
    if support is None:
        why = f"the end of support of {product} is not among the rule's dates"
        return Judgement("unknown", product, required, why, settles="rules: the end of support of this release")
    today, ended = case.today, f"{product}, free security fixes ended on {support.ends.isoformat()}"
    if today <= support.ends:
        return Judgement(
            "compliant", f"{product}, until {support.ends.isoformat()}", required, "the release is in its regular support"
        )
    if support.long_term and today <= support.long_term:
        why = f"regular support ended on {support.ends.isoformat()}; {support.program} gives fixes for a part of the packages, free, until then"
        return Judgement("compliant", f"{product}, {support.program} until {support.long_term.isoformat()}", required, why)
    if check.subscribed and (attested := judge_attested(check.subscribed, case, ended)).verdict == "compliant":
        return attested
    if support.paid and today <= support.paid:
        why = f"only {support.program} subscribers get fixes until {support.paid.isoformat()}, and that cannot be read here"
        return Judgement("unknown", ended, required, why, settles=f"an attestation of the {support.program} subscription")
    return Judgement("noncompliant", ended, required, "no more security fixes come for this release")
