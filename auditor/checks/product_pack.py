"""Service packs of server applications."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from auditor.checks.check_kind import CheckKind, Needs, unparsed
from auditor.checks.judgement import Case, Judgement, unread
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
        key = server_products.key(self.product)
        if not key:
            why = f"no value of the registry that is known here tells which service pack {name} has"
            return Judgement("unknown", f"the service pack of {name}: not known", required, why,
                             resolved_by=f"an attestation, or the service pack of {name} as an administrator sees it", remedy=remedy)  # fmt: skip
        found = (case.facts.settings or {}).get(key)
        if found is None:
            return replace(unread(case.facts, "settings", f"The version of {name}", required), remedy=remedy)
        if found.state != "present":
            why = f"the value that tells the version of {name} is {'not set' if found.state == 'absent' else 'unreadable: ' + found.reason}"
            return Judgement(
                "unknown",
                f"the service pack of {name}: not known",
                required,
                why,
                resolved_by=f"settings: the version of {name}",
                remedy=remedy,
            )
        try:
            installed = server_products.read(self.product, found.value)
            reached = service_pack.parse(installed.service_pack).reaches(service_pack.parse(self.at_least))
        except ValueError as e:
            return Judgement(
                "unknown",
                f"{name}: {found.value[:60]}",
                required,
                str(e),
                resolved_by=f"settings: the version of {name}",
                remedy=remedy,
            )
        observed = f"{name} {installed.version}, " + (
            f"service pack {installed.service_pack}" if installed.service_pack != "0" else "no service pack"
        )
        evidence = (f"registry claim: {key.partition('#')[2]}",)
        if installed.version != version:
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
