"""Service packs of server applications."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.application import installed
from auditor.checks.check_kind import CheckKind, Needs, unparsed
from auditor.checks.judgement import Case, Judgement
from auditor.model.finding import Remedy
from auditor.versions import server_products, service_pack


class ProductPackCheck(CheckKind, frozen=True, tag="product_pack"):
    """Compliant if a server application (`exchange-5.5`) has service pack `at_least` or later of its own. Not applicable
    where another version of it is installed; unknown where the host does not say which service pack it has."""

    product: str
    at_least: str

    def judge(self, case: Case) -> Judgement:
        """The application's own registry value decides; it is a claim like Windows' own."""
        name, version = server_products.split(self.product)
        required = f"{self.product} service pack {self.at_least} or later"
        remedy = Remedy("service_pack", self.product, self.at_least)
        found = installed(self.product, case, required, remedy)
        if isinstance(found, Judgement):
            return found
        reached = service_pack.parse(found.service_pack).reaches(service_pack.parse(self.at_least))
        observed = f"{name} {found.version}, " + (
            f"service pack {found.service_pack}" if found.service_pack != "0" else "no service pack"
        )
        evidence = (f"registry claim: {server_products.key(self.product).partition('#')[2]}",)
        if found.version != version:
            return Judgement("not_applicable", observed, required, f"the advisory is about {self.product}", evidence=evidence)
        why = f"{observed} is {'' if reached else 'not '}{required}"
        return Judgement(
            "compliant" if reached else "noncompliant",
            observed,
            required,
            why,
            evidence=evidence,
            remedy=None if reached else remedy,
        )

    def needs(self) -> Needs:
        key = server_products.key(self.product)
        return Needs(settings=(key,) if key else ())

    def faults(self) -> Iterator[str]:
        yield from unparsed(service_pack.parse, [self.at_least])
