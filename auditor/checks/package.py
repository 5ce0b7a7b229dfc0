"""Installed packages and their versions."""

from __future__ import annotations

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.facts import Package
from auditor.versions.package_version import older


class PackageCheck(CheckKind, frozen=True, tag="package"):
    """Compliant if every installed package of that name is at `fixed` or later; not applicable if none is."""

    name: str
    fixed: str

    def judge(self, case: Case) -> Judgement:
        required = f"{self.name} {self.fixed} or later"
        if case.facts.packages is None:
            return unread(case.facts, "packages", "The installed packages", required)
        installed = case.packages(self.name)
        if not installed:
            return Judgement("not_applicable", f"{self.name} is not installed", required, "there is nothing to fix")
        observed = ", ".join(f"{p.name} {p.full_version}{' (held)' if p.hold else ''}" for p in installed)
        if broken := [p for p in installed if p.half_installed]:
            why = f"{broken[0].name} is half-installed: its unpacking broke off, and which of its files lie there is not known"
            return Judgement(
                "unknown", observed, required, why, resolved_by="packages: `dpkg --configure -a`, or an installation anew"
            )
        if doubt := _contradiction(case, installed):
            return Judgement(
                "unknown",
                observed,
                required,
                doubt,
                resolved_by="packages: of which manager they are, and their whole versions",
            )
        try:
            old = [p for p in installed if older(p.manager, p.full_version, self.fixed)]
        except ValueError as e:
            return Judgement(
                "unknown",
                observed,
                required,
                f"the versions cannot be compared: {e}",
                resolved_by="packages: a readable version",
            )
        return Judgement(
            "noncompliant" if old else "compliant",
            observed,
            required,
            f"{observed} is {'older than' if old else 'at or above'} {self.fixed}",
        )


def _contradiction(case: Case, packages: list[Package]) -> str:
    """Why facts of packages cannot be as they stand; "" where nothing speaks against them."""
    product = case.facts.platform.product or ""
    if product.lower().startswith(RPM_DISTRIBUTIONS) and any(p.manager == "dpkg" for p in packages):
        return f"the facts say that {packages[0].name} is dpkg's, and the packages of {product} are rpm's"
    bare = next((p for p in packages if p.manager == "rpm" and not p.release), None)
    return f"an installed rpm has a release, and {bare.name} {bare.full_version} has none" if bare else ""


# Their packages are rpm's; their kernels get a new release with every package.
RPM_DISTRIBUTIONS = (
    "rhel", "almalinux", "rocky", "centos", "oracle", "fedora", "sles", "sle-", "sled", "opensuse", "suse", "amazon", "mageia",
    "openmandriva", "photon", "azurelinux", "mariner", "openeuler", "eurolinux", "scientific", "virtuozzo", "cloudlinux", "miracle",
    "anolis", "alinux", "tencentos", "kylin", "altlinux", "pclinuxos", "rosa", "xcp-ng", "xenenterprise", "nobara", "ultramarine",
)  # fmt: skip
