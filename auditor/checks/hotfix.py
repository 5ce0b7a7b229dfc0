"""Hotfixes that a Windows host lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.checks.check_kind import CheckKind, Needs
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.finding import Remedy
from auditor.versions.kb_number import article


class HotfixCheck(CheckKind, frozen=True, tag="hotfix"):
    """Compliant if any of `ids` is among the host's hotfixes; `tension` is what the advisory leaves open about it."""

    ids: tuple[str, ...]
    tension: str = ""

    def judge(self, case: Case) -> Judgement:
        """A hotfix entry in the registry is a claim: a service pack laid over it later leaves the entry (Q165709)."""
        required = f"hotfix {' or '.join(self.ids)}"
        if case.facts.hotfixes is None:
            return unread(case.facts, "hotfixes", "The hotfixes", required)
        found = listed_of(self.ids, case)
        if not found:
            remedy = Remedy("hotfix", "", self.ids[0])
            return Judgement(
                "noncompliant", f"{required} not installed", required, "the host lists no such hotfix", remedy=remedy
            )
        wanted = {article(f) for f in found}
        sources = sorted({h.source or "registry claim" for h in case.facts.hotfixes if article(h.id) in wanted})
        why = f"{', '.join(found)} is listed as installed ({', '.join(sources)})" + (
            f"; {self.tension}" if self.tension else ""
        )
        return Judgement("compliant", f"{', '.join(found)} installed", required, why, evidence=tuple(sources))

    def needs(self) -> Needs:
        return Needs(hotfixes=self.ids)

    def faults(self) -> Iterator[str]:
        yield from hotfix_number_faults(self.ids)


def listed_of(ids: tuple[str, ...], case: Case) -> list[str]:
    """Those of these hotfixes that the host lists."""
    listed = case.articles
    if listed is None:
        listed = frozenset(article(h.id) for h in case.facts.hotfixes or ())
    return [i for i in ids if article(i) in listed]


def hotfix_number_faults(ids: tuple[str, ...]) -> Iterator[str]:
    """A sentence for each id that is no hotfix's number."""
    for ident in ids:
        if not re.fullmatch(r"(Q|KB)\d{5,7}", ident):
            yield f"{ident!r} is no hotfix's number: Q or KB and five to seven digits"
