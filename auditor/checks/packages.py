"""Packages held against one advisory of their distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from auditor.checks import kernel_packages
from auditor.checks.check_kind import CheckKind, Strict
from auditor.checks.enabled_repositories import lacking
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.facts import HostFacts, Kernels, Package
from auditor.model.finding import PackageState, Remedy
from auditor.versions.package_version import Manager, key, manager_of

State = Literal["fixed", "older", "unknown", "running"]  # running: fixed on disk, and an older kernel runs


class PackageFix(Strict, frozen=True):
    """A package is fixed from `fixed` on. `name` is the package's own, for dpkg and apk its source's. `arch`, `module`: of which
    builds, as in advisories (model/advisory.py); "" for all."""

    name: str
    fixed: str
    arch: str = ""
    module: str = ""


class _Found(Struct, frozen=True):
    package: Package
    state: State
    fixed: str
    why: str = ""


class PackagesCheck(CheckKind, frozen=True, tag="packages"):
    """Compliant if every installed package that an advisory names is at the version that fixes it; of several builds of one
    package any counts. `release`: whose advisory it is."""

    manager: Manager
    fixes: tuple[PackageFix, ...]
    release: str = ""

    def judge(self, case: Case) -> Judgement:
        """By each package's own manager; a kernel by what runs."""
        required = "; ".join(dict.fromkeys(f"{f.name} {f.fixed} or later" for f in self.fixes))
        if case.facts.packages is None:
            return unread(case.facts, "packages", "The installed packages", required)
        found = [x for name, fixes in _by_name(self.fixes) for x in _states(name, fixes, self.manager, case)]
        if not found:
            return Judgement("not_applicable", "none of its packages is installed", required, "there is nothing to fix")
        judged = _judged(found, required, self.release, case.facts.kernels or Kernels())
        if judged.verdict == "noncompliant" and (missing := lacking(self.manager, self.release, case.facts.repositories)):
            why = f"{judged.why}; no upgrade brings it before the host gets {missing}"
            return replace(judged, why=why, remediation=f"Enable {missing.partition(':')[0]}, then: {judged.remediation}")
        return judged


def _by_name(fixes: Iterable[PackageFix]) -> list[tuple[str, list[PackageFix]]]:
    names: dict[str, list[PackageFix]] = {}
    for fix in fixes:
        names.setdefault(fix.name, []).append(fix)
    return list(names.items())


def _states(name: str, fixes: list[PackageFix], manager: Manager, case: Case) -> list[_Found]:
    """How the installed packages of a name stand to the builds that fix it."""
    installed = case.packages(name) if manager == "rpm" else case.sources(name)
    installed = [p for p in installed if p.manager == manager]
    if len(installed) == 1 and len(fixes) == 1 and (simple := _simply(installed[0], fixes[0])) is not None:
        return [simple]
    found = list[_Found]()
    for p in kernel_packages.newest(installed):
        choices = [f for f in fixes if arch_fits(f.arch, p)]
        fitting = [f for f in choices if module_fits(f.module, p, case.facts) is True]
        open_ones = [f for f in choices if module_fits(f.module, p, case.facts) is None]
        if fitting or open_ones:
            found.append(_stands(p, fitting, open_ones, case.facts))
    return found


def _simply(p: Package, fix: PackageFix) -> _Found | None:
    """How most packages stand: one build, of no module, and no kernel; None for any other, and for what is no version."""
    if fix.arch or fix.module or p.half_installed or is_modular(p) or kernel_packages.side_by_side(p):
        return None
    try:
        return _Found(p, "older" if key(p.manager, compared(p)) < key(p.manager, fix.fixed) else "fixed", fix.fixed)
    except ValueError:
        return None


def arch_fits(arch: str, p: Package) -> bool:
    """Is a build for the architecture of a package? What is for all of them may become one for each."""
    return not arch or p.arch in (None, "noarch", "all") or p.arch in (words := arch.split(" ")) or "noarch" in words


def module_fits(module: str, p: Package, facts: HostFacts) -> bool | None:
    """Is a package of the module that a build is for? None where nobody says of which it is."""
    modular = is_modular(p)
    if not module or not modular:
        return not module and not modular
    own = ":".join(p.module.split(":")[:2]) if p.module else ""
    streams = module.split(" ")
    if own:
        return None if module == "?" else own in streams
    enabled = facts.module_streams
    if enabled is None or module == "?":
        return None
    if any(s in enabled for s in streams):
        return True
    return False if any(e.partition(":")[0] == s.partition(":")[0] for e in enabled for s in streams) else None


def is_modular(p: Package) -> bool:
    """Was an rpm built for a module? Its label says so, or its release."""
    return bool(p.module) or (p.release is not None and (".module+" in p.release or ".module_" in p.release))


def _stands(p: Package, fitting: list[PackageFix], open_ones: list[PackageFix], facts: HostFacts) -> _Found:
    lowest = fitting or open_ones
    if p.half_installed:
        return _Found(
            p, "unknown", lowest[0].fixed, f"{p.name} is half-installed, and which of its files lie there is not known"
        )
    try:
        have = key(p.manager, compared(p))
        keyed = sorted(((key(p.manager, f.fixed), f.fixed) for f in lowest), key=lambda k: k[0])
    except ValueError as e:
        return _Found(p, "unknown", lowest[0].fixed, f"the versions cannot be compared: {e}")
    least, fixed = keyed[0]
    if not fitting:
        if any(have < k for k, _ in keyed) and not any(have == k for k, _ in keyed):  # a build that is listed is of its module
            return _Found(p, "unknown", fixed, f"of which module {p.name} is, or this fix is, nobody says")
        return _Found(p, "fixed", fixed)
    if have < least:
        return _Found(p, "older", fixed)
    runs = kernel_packages.running(p, facts)
    if runs is None or runs.key >= least:
        return _Found(p, "fixed", fixed)
    if runs.known:
        return _Found(p, "running", fixed)
    return _Found(p, "unknown", fixed, "which kernel runs is not known, and one that is older than the fix could")


def compared(p: Package) -> str:
    """The version of a package that advisories tell of: its source's where they name sources, but for signed kernels, whose
    source has a number of its own."""
    if p.manager == "dpkg" and p.source_version and not kernel_packages.signed(p.source or ""):
        return p.source_version
    return p.full_version


def _judged(found: list[_Found], required: str, release: str, kernels: Kernels) -> Judgement:
    of: dict[State, list[_Found]] = {}
    for x in found:
        of.setdefault(x.state, []).append(x)
    worst: State = next(s for s in ("older", "unknown", "running", "fixed") if s in of)
    shown = of[worst]
    items = tuple(
        dict.fromkeys(f"{x.package.name} {compared(x.package)}{' (held)' if x.package.hold else ''} → {x.fixed}" for x in shown)
    )
    packages = tuple(dict.fromkeys(PackageState(x.package.name, compared(x.package), x.fixed, x.package.hold) for x in shown))
    component, needed = _component(shown)
    remedy = Remedy("package", component, needed, release)
    if worst == "older":
        held = [x.package.name for x in shown if x.package.hold]
        aside = f"; {', '.join(held[:5])}: on hold, so no upgrade installs it until the hold is lifted" if held else ""
        count = len(items)
        why = f"{count} installed package{' is' if count == 1 else 's are'} older than what fixes {'it' if count == 1 else 'them'}{aside}"
        why += live_patch(kernels) if any(kernel_packages.side_by_side(x.package) for x in shown) else ""
        return Judgement(
            "noncompliant",
            "; ".join(items),
            required,
            why,
            remedy=remedy,
            offending=items,
            packages=packages,
            remediation=upgrade(release, [p.name for p in packages]),
        )
    if worst == "unknown":
        return Judgement(
            "unknown", "; ".join(items), required, shown[0].why, resolved_by=f"packages: {shown[0].why}", packages=packages
        )
    if worst == "running":
        items = tuple(
            dict.fromkeys(
                f"{x.package.name} {compared(x.package)} is installed, and {kernels.running or 'another'} runs" for x in shown
            )
        )
        why = f"the fix ({', '.join(dict.fromkeys(x.fixed for x in shown))}) is installed, and an older kernel runs: it takes effect at the next restart{live_patch(kernels)}"
        return Judgement(
            "pending", "; ".join(items), required, why, remedy=Remedy("restart", "kernel", needed, release), offending=items,
            packages=packages, remediation="Restart the host.",
        )  # fmt: skip
    return Judgement("compliant", "; ".join(items), required, "every package that it names is at the fixed version, or later")


def live_patch(kernels: Kernels) -> str:
    """What is to be said of live patches: no feed tells which advisories one settles, so it changes no verdict."""
    if not kernels.livepatches:
        return ""
    names = f"{', '.join(kernels.livepatches[:3])}{' …' if len(kernels.livepatches) > 3 else ''}"
    return f"; live patches are enabled ({names}), and whether they mend this is not known here: ask the vendor's tool, and waive what it names as mended"


_MOST_NAMES = 8  # packages that a command names; more are one of their source's many parts


def upgrade(release: str, names: Iterable[str]) -> str:
    """The command that brings some packages of a release up to date. A new kernel is a new package for dpkg, and none runs before
    a restart."""
    manager, wanted = manager_of(release), list(dict.fromkeys(names))
    kernel = any(name.startswith(("linux-image", "kernel")) for name in wanted)
    then = ", then restart the host" if kernel else ""
    if manager == "dpkg" and kernel:
        return f"apt-get upgrade --with-new-pkgs{then}"
    command = {"dpkg": "apt-get install --only-upgrade", "apk": "apk upgrade", "rpm": "dnf upgrade"}[manager]
    if release.startswith(("sles", "opensuse")):
        command = "zypper update"
    more = f" and {len(wanted) - _MOST_NAMES} more of this source" if len(wanted) > _MOST_NAMES else ""
    return f"{command} {' '.join(wanted[:_MOST_NAMES])}{more}{then}"


def _component(found: list[_Found]) -> tuple[str, str]:
    """What one transaction updates: the source package, and the highest version that is needed."""
    highest = max(found, key=lambda x: _sortable(x))
    return source_name(highest.package), highest.fixed


def _sortable(x: _Found) -> bytes:
    try:
        return key(x.package.manager, x.fixed)
    except ValueError:
        return b""


def source_name(p: Package) -> str:
    """The name of the source of a package, without its version (`openssl` of openssl-3.0.7-27.el9.src.rpm); its own where none is known."""
    source = p.source or p.name
    if p.manager == "rpm" and source.endswith(".src.rpm"):
        return source.removesuffix(".src.rpm").rsplit("-", 2)[0]
    return kernel_packages.of_source(source) if p.manager == "dpkg" else source
