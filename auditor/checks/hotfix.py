"""Hotfixes that a Windows host lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.checks.application import other_version
from auditor.checks.check_kind import CheckKind, Needs, unparsed
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.finding import Remedy
from auditor.versions import server_products, service_pack
from auditor.versions.kb_number import article


class HotfixCheck(CheckKind, frozen=True, tag="hotfix"):
    """Compliant if any of `ids` is among the host's hotfixes; `tension` is what the advisory leaves open about it. `settled_by`: the one
    among them to install, where a rollup settles others as well (else the first); `after`: the service pack that it needs. `product`: the server application
    (`exchange-5.5`) that it is for, where another version of it makes the check not applicable."""

    ids: tuple[str, ...]
    tension: str = ""
    settled_by: str = ""
    after: str = ""
    product: str = ""

    def judge(self, case: Case) -> Judgement:
        """A hotfix entry in the registry is a claim: a service pack laid over it later leaves the entry (Q165709)."""
        required = f"hotfix {' or '.join(self.ids)}"
        if self.product and (
            other := other_version(self.product, case, required, Remedy("service_pack", self.product, self.after or "0"))
        ):
            return other
        if case.facts.hotfixes is None:
            return unread(case.facts, "hotfixes", "The hotfixes", required)
        found = listed_of(self.ids, case)
        if not found:
            remedy = Remedy("hotfix", "", self.settled_by or self.ids[0], self.after)
            todo = f"Apply the package {remedy.level}{f', on Service Pack {self.after} or later,' if self.after else ''} and restart the host."
            why = "the host lists no such hotfix"
            return Judgement("noncompliant", f"{required} not installed", required, why, remedy=remedy, remediation=todo)
        wanted = {article(f) for f in found}
        sources = sorted({h.source or "registry claim" for h in case.facts.hotfixes if article(h.id) in wanted})
        why = f"{', '.join(found)} is listed as installed ({', '.join(sources)})" + (
            f"; {self.tension}" if self.tension else ""
        )
        return Judgement("compliant", f"{', '.join(found)} installed", required, why, evidence=tuple(sources))

    def needs(self) -> Needs:
        key = server_products.key(self.product) if self.product else ""
        return Needs(hotfixes=self.ids, settings=(key,) if key else ())

    def faults(self) -> Iterator[str]:
        yield from hotfix_number_faults(self.ids)
        yield from unparsed(service_pack.parse, [self.after] if self.after else [])
        if self.settled_by and self.settled_by not in self.ids:
            yield f"settled_by: {self.settled_by} is none of ids"


_NUMBER = re.compile(r"(?:Q|KB)\d{5,7}")


def listed_of(ids: tuple[str, ...], case: Case) -> list[str]:
    """Those of these hotfixes that the host lists."""
    listed = case.articles() if case.articles else frozenset(article(h.id) for h in case.facts.hotfixes or ())
    return [i for i in ids if article(i) in listed]


def hotfix_number_faults(ids: tuple[str, ...]) -> Iterator[str]:
    """A sentence for each id that is no hotfix's number."""
    for ident in ids:
        if not _NUMBER.fullmatch(ident):
            yield f"{ident!r} is no hotfix's number: Q or KB and five to seven digits"
