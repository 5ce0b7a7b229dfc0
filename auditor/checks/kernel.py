"""The running kernel and those that are installed."""

from __future__ import annotations

import re

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread
from auditor.checks.package import RPM_DISTRIBUTIONS
from auditor.model.facts import Package
from auditor.versions import deb, kernel_release
from auditor.versions.package_version import Manager


class KernelCheck(CheckKind, frozen=True, tag="kernel"):
    """Compliant if no newer kernel of the running flavour is installed; else pending (a restart)."""

    def judge(self, case: Case) -> Judgement:
        """By the installed releases of the running flavour, and, where the release stays the same, by the package version
        that Debian's kernels carry in `uname -v`."""
        required = "the newest installed kernel of the running flavour"
        kernels = case.facts.kernels
        if kernels is None or kernels.running is None or kernels.installed is None:
            return unread(case.facts, "kernels", "The kernels", required)
        if not kernels.installed:
            return _no_kernel(kernels.outside, kernels.running, case, required)
        try:
            newer = kernel_release.newer_than(kernels.running, kernels.installed, _manager(case))
            built, image = kernels.running_package, _image(kernels.running, case.facts.packages)
            keeps = _keeps_its_release(case, kernels.running, image)
            respun = built and image and re.fullmatch(rf"{re.escape(_abi(kernels.running))}\.\d+(~[\d.]+)?", image.full_version)
            rebuilt = bool((keeps or respun) and built and image and deb.older(built, image.full_version))
        except ValueError as e:
            return Judgement(
                "unknown",
                f"running {kernels.running}",
                required,
                f"the releases cannot be compared: {e}",
                resolved_by="kernels",
            )
        observed = f"running {kernels.running}, installed {', '.join(kernels.installed)}"
        if newer:
            return Judgement("pending", observed, required, f"{newer[0]} is installed and takes effect at the next restart")
        if rebuilt and image:
            why = f"{image.name} {image.full_version} is installed, the running kernel was built as {built}: it takes effect at a restart"
            return Judgement("pending", f"{observed}; built as {built}", required, why)
        if keeps and case.facts.packages is None:
            return unread(case.facts, "packages", "The installed packages", required)
        if keeps and image and not built:
            why = "Debian's kernels keep their release over several package versions, and this one does not say which it was built as"
            return Judgement(
                "unknown", observed, required, why, resolved_by="kernels: the package version of the running kernel"
            )
        if kernels.running not in kernels.installed:
            why = "the running kernel is none of the installed ones, so which of them is to replace it cannot be told"
            return Judgement("unknown", observed, required, why, resolved_by="kernels: which kernel this host is to run")
        return Judgement("compliant", observed, required, "no newer kernel of this flavour is installed")


def _no_kernel(outside: bool, running: str, case: Case, required: str) -> Judgement:
    """No image was found: not this host's business in a container or where no kernel package is installed, and not
    known elsewhere (a /boot that is not mounted looks the same)."""
    observed = f"running {running}, no installed kernel found"
    packages = case.facts.packages
    if outside or (packages is not None and not any(_KERNEL_PACKAGE.fullmatch(p.name) for p in packages)):
        why = (
            "the kernel is given to this host from outside (a container, or a virtual machine's own boot); its owner updates it"
        )
        return Judgement("not_applicable", observed, required, why)
    why = "no kernel image was found where they lie, although kernel packages are or may be installed (is /boot mounted?)"
    return Judgement("unknown", observed, required, why, resolved_by="kernels: where the installed kernels are")


# Packages that bring a kernel, as distributions call them; what is for building, for other tools or for reading brings none.
_KERNEL_PACKAGE = re.compile(
    r"(?!.*-(?:headers|devel|dev|doc|docs|tools|libs|source|srpm-macros|dbg|dbgsym|debuginfo|common|firmware|base|libc-dev)\b)"
    r"(?:linux(?:-(?:image|modules|generic|virtual|lowlatency|kvm|aws|azure|gcp|oracle|oem|raspi|lts|virt|edge|stable|zen|hardened|rt|cloud|xanmod|"
    r"liquorix|surface)(?:[-.\d].*)?)?|kernel(?:-(?:default|core|modules|uek|ml|lt|rt|desktop|server|vanilla|longterm|debug|azure|aws|image|generic|"
    r"pae|lts|plus|64k|16k|kvmsmall|preempt|linus|flow|mainline)(?:[-.\d].*)?|-\d.*)?|(?:proxmox|pve)-kernel.*|nvidia-l4t-kernel|"
    r"raspberrypi-kernel|armbian-.*kernel.*|kernel[56]?\d*(?:\.\d+)*)",
    re.IGNORECASE,
)


_NEW_RELEASE_EACH_TIME = (*RPM_DISTRIBUTIONS, "ubuntu", "alpine")


def _manager(case: Case) -> Manager:
    """The package manager whose order the kernels' releases follow."""
    if case.facts.packages:
        return case.facts.packages[0].manager
    running = case.facts.kernels.running if case.facts.kernels else None
    if running and kernel_release.of_rpm(running):
        return "rpm"
    return "rpm" if (case.facts.platform.product or "").startswith(RPM_DISTRIBUTIONS) else "dpkg"


def _keeps_its_release(case: Case, running: str, image: Package | None) -> bool:
    """May a kernel's package change without its release, as those of Debian do? What the image's package is called says so:
    Ubuntu's version has the release's own number (`5.15.0-91.101` of `5.15.0-91-generic`)."""
    if image is not None:
        return image.manager == "dpkg" and not f"{image.full_version}.".startswith(f"{_abi(running)}.")
    product = case.facts.platform.product
    return _manager(case) == "dpkg" and (product is None or not product.startswith(_NEW_RELEASE_EACH_TIME))


def _abi(running: str) -> str:
    """`5.15.0-91` of `5.15.0-91-generic`."""
    return "-".join(running.split("-")[:2])


def _image(running: str, packages: tuple[Package, ...] | None) -> Package | None:
    names = (f"linux-image-{running}", f"linux-image-{running}-unsigned")
    return next((p for p in packages or () if p.name in names), None)
