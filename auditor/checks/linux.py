"""Packages, kernels, restarts, processes with old code, pending security updates."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from auditor.checks import apt_pins
from auditor.checks.combine import ALL_OF, combine
from auditor.checks.judgement import Case, Judgement, unread
from auditor.foundation.sanitize import counted
from auditor.model.facts import Candidate, Package, Updates
from auditor.rulebook.rule import KernelCheck, PackageCheck, RebootCheck, SecurityUpdatesCheck, StaleProcessesCheck
from auditor.versions import deb, kernel_release, rpm
from auditor.versions.limit import MAX_VERSION


def judge_package(check: PackageCheck, case: Case) -> Judgement:
    required = f"{check.name} {check.fixed} or later"
    if case.facts.packages is None:
        return unread(case.facts, "packages", "The installed packages", required)
    installed = case.packages(check.name)
    if not installed:
        return Judgement("not_applicable", f"{check.name} is not installed", required, "there is nothing to fix")
    observed = ", ".join(f"{p.name} {p.full_version}{' (held)' if p.hold else ''}" for p in installed)
    if broken := [p for p in installed if p.half_installed]:
        why = f"{broken[0].name} is half-installed: its unpacking broke off, and which of its files lie there is not known"
        return Judgement("unknown", observed, required, why, settles="packages: `dpkg --configure -a`, or an installation anew")
    if doubt := _contradiction(case, installed):
        return Judgement(
            "unknown", observed, required, doubt, settles="packages: of which manager they are, and their whole versions"
        )
    try:
        old = [p for p in installed if _older(p.manager)(p.full_version, check.fixed)]
    except ValueError as e:
        return Judgement(
            "unknown", observed, required, f"the versions cannot be compared: {e}", settles="packages: a readable version"
        )
    return Judgement(
        "noncompliant" if old else "compliant",
        observed,
        required,
        f"{observed} is {'older than' if old else 'at or above'} {check.fixed}",
    )


def _contradiction(case: Case, packages: list[Package]) -> str:
    """Why facts of packages cannot be as they stand; "" where nothing speaks against them."""
    product = case.facts.platform.product or ""
    if product.lower().startswith(_RPM) and any(p.manager == "dpkg" for p in packages):
        return f"the facts say that {packages[0].name} is dpkg's, and the packages of {product} are rpm's"
    bare = next((p for p in packages if p.manager == "rpm" and not p.release), None)
    return f"an installed rpm has a release, and {bare.name} {bare.full_version} has none" if bare else ""


def _older(manager: str) -> Callable[[str, str], bool]:
    """How a package manager orders versions. ValueError for one whose order is not known here."""
    if manager not in _ORDERS:
        raise ValueError(f"the order of {manager} is not known to this release")
    return _ORDERS[manager]


_ORDERS: dict[str, Callable[[str, str], bool]] = {"dpkg": deb.older, "rpm": rpm.older}


def judge_kernel(check: KernelCheck, case: Case) -> Judgement:
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
            "unknown", f"running {kernels.running}", required, f"the releases cannot be compared: {e}", settles="kernels"
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
        why = (
            "Debian's kernels keep their release over several package versions, and this one does not say which it was built as"
        )
        return Judgement("unknown", observed, required, why, settles="kernels: the package version of the running kernel")
    if kernels.running not in kernels.installed:
        why = "the running kernel is none of the installed ones, so which of them is to replace it cannot be told"
        return Judgement("unknown", observed, required, why, settles="kernels: which kernel this host is to run")
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
    return Judgement("unknown", observed, required, why, settles="kernels: where the installed kernels are")


# Packages that bring a kernel, as distributions call them; what is for building, for other tools or for reading brings none.
_KERNEL_PACKAGE = re.compile(
    r"(?!.*-(?:headers|devel|dev|doc|docs|tools|libs|source|srpm-macros|dbg|dbgsym|debuginfo|common|firmware|base|libc-dev)\b)"
    r"(?:linux(?:-(?:image|modules|generic|virtual|lowlatency|kvm|aws|azure|gcp|oracle|oem|raspi|lts|virt|edge|stable|zen|hardened|rt|cloud|xanmod|"
    r"liquorix|surface)(?:[-.\d].*)?)?|kernel(?:-(?:default|core|modules|uek|ml|lt|rt|desktop|server|vanilla|longterm|debug|azure|aws|image|generic|"
    r"pae|lts|plus|64k|16k|kvmsmall|preempt|linus|flow|mainline)(?:[-.\d].*)?|-\d.*)?|(?:proxmox|pve)-kernel.*|nvidia-l4t-kernel|"
    r"raspberrypi-kernel|armbian-.*kernel.*|kernel[56]?\d*(?:\.\d+)*)",
    re.IGNORECASE,
)
# Their packages are rpm's; their kernels get a new release with every package.
_RPM = (
    "rhel", "almalinux", "rocky", "centos", "oracle", "fedora", "sles", "sle-", "sled", "opensuse", "suse", "amazon", "mageia",
    "openmandriva", "photon", "azurelinux", "mariner", "openeuler", "eurolinux", "scientific", "virtuozzo", "cloudlinux", "miracle",
    "anolis", "alinux", "tencentos", "kylin", "altlinux", "pclinuxos", "rosa", "xcp-ng", "xenenterprise", "nobara", "ultramarine",
)  # fmt: skip
_NEW_RELEASE_EACH_TIME = (*_RPM, "ubuntu", "alpine")


def _manager(case: Case) -> kernel_release.Manager:
    """The package manager whose order the kernels' releases follow."""
    if case.facts.packages:
        return case.facts.packages[0].manager
    running = case.facts.kernels.running if case.facts.kernels else None
    if running and kernel_release.of_rpm(running):
        return "rpm"
    return "rpm" if (case.facts.platform.product or "").startswith(_RPM) else "dpkg"


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


def judge_reboot(check: RebootCheck, case: Case) -> Judgement:
    required = "no restart asked for"
    reboot = case.facts.reboot
    if reboot is None:
        return unread(case.facts, "reboot", "The restart flag", required)
    if reboot.required is None:
        why = next((o.reason for o in case.facts.outcomes if o.name == "reboot" and o.reason), "the facts leave it open")
        if reboot.weak:
            why = f"{', '.join(reboot.weak)} is set, by an update or by any other program; nothing else here would tell"
        return Judgement("unknown", "whether a restart is asked for is not known", required, why, settles="reboot")
    if reboot.required:
        asked = f" by {', '.join(reboot.packages)}" if reboot.packages else ""
        return Judgement("pending", f"a restart is asked for{asked}", required, "the host itself says so")
    if not reboot.writers:
        judged = combine(
            [judge_kernel(KernelCheck(), case), judge_stale_processes(StaleProcessesCheck(), case)], ALL_OF, " and "
        )
        why = f"nothing on this host would set the flag, so kernel and processes are judged instead: {judged.why}"
        return Judgement(judged.verdict, f"no flag; {judged.observed}", required, why, judged.settles, judged.evidence)
    return Judgement("compliant", "no flag", required, f"no flag, and it would be set by {reboot.writers[0]}")


# One right for a whole fleet, so all hosts name it in the same words.
ROOT = (
    "root's rights for a few listed commands: `become: {method: sudo}` in the inventory, and on the hosts what"
    " `auditor commands --sudoers` prints; or accept it in the inventory: `accept_unknown: {linux-stale-processes: WHY}`"
)


def judge_stale_processes(check: StaleProcessesCheck, case: Case) -> Judgement:
    required = "no process that runs deleted or replaced code"
    stale = case.facts.stale_processes
    if stale is None:
        judged = unread(case.facts, "stale_processes", "All processes' mapped files", required)
        return replace(judged, settles=ROOT) if "without root's rights" in judged.why else judged
    if not stale:
        return Judgement("compliant", "none", required, "no process maps deleted code", evidence=("/proc/PID/maps",))
    pids = case.facts.volatile.pids if case.facts.volatile else {}
    shown = [
        f"{p.name}{_pids(pids.get(p.name, ()))}: {', '.join(p.files[:6])}{' …' if len(p.files) > 6 else ''}" for p in stale
    ]
    why = "the update is on disk, and these still run the code from before it until they are restarted"
    names = tuple(p.name for p in stale)
    return Judgement("pending", "; ".join(shown), required, why, evidence=("/proc/PID/maps",), offending=names)


def _pids(pids: tuple[int, ...]) -> str:
    return f" ({', '.join(map(str, pids[:8]))}{' …' if len(pids) > 8 else ''})" if pids else ""


def judge_security_updates(check: SecurityUpdatesCheck, case: Case) -> Judgement:
    required = f"nothing newer in the security suites, by lists of at most {check.max_age_days} days"
    facts = case.facts
    if facts.packages is None:
        return unread(facts, "packages", "The installed packages", required)
    if not any(p.manager == "dpkg" for p in facts.packages):
        return Judgement(
            "unknown",
            "no package of dpkg's",
            required,
            "apt's lists tell of dpkg's packages, and none is known here",
            settles="packages: dpkg's",
        )
    if facts.updates is None:
        return unread(facts, "updates", "The security suites' lists", required)
    own = _own(facts.updates, facts.platform.codename)
    pending, unreadable = newer(own.candidates, facts.packages)
    renamed, unclear = newer_sources(own, facts.packages, {p.name for p, _ in pending})
    doubt = _too_old(facts.updates, own, check, case) or _not_covered(own) or _half(facts.packages)
    if pending or renamed:
        offending = (*(f"{p.name} {p.full_version} → {c.version}{_held(p)}" for p, c in pending), *renamed)
        aside = "".join(f"; apt preferences: {pin}" for pin in own.pins[:20])
        count = len(pending) + len(renamed)
        more = f"; there may be more: {doubt}" if doubt else ""
        why = f"{count} package{'s have' if count > 1 else ' has'} a newer version in the security suites {_simulated(own)}"
        evidence = tuple(x.name for x in own.lists)
        return Judgement(
            "noncompliant", "; ".join(offending) + aside, required, why.strip() + more, evidence=evidence, offending=offending
        )
    if unreadable or unclear:
        why = f"no version that can be compared: {', '.join((unreadable + unclear)[:10])}"
        return Judgement("unknown", "a version could not be read", required, why, settles="packages: a readable version")
    if doubt:
        return Judgement(
            "unknown", "nothing newer, by lists that do not tell", required, doubt,
            settles="updates: current and complete package lists (apt-get update)",
        )  # fmt: skip
    dates = ", ".join(f"{x.name} of {x.date:%Y-%m-%d}" for x in own.lists if x.date)
    return Judgement(
        "compliant", "nothing newer", required, f"compared with {dates}", evidence=tuple(x.name for x in own.lists)
    )


def _held(p: Package) -> str:
    return " (held)" if p.hold else ""


def _own(updates: Updates, codename: str | None) -> Updates:
    """What the lists of the host's own release offer. apt installs nothing of another release by itself, nor of a vendor's
    suite that preferences keep out (apt_preferences(5)); a distribution's own security suite counts whatever its priority:
    what it fixes is missing."""
    lists = {x.name: x for x in updates.lists if x.release == codename}

    def taken(package: str, suite: str | None) -> bool:
        x = lists.get(suite or "")
        return suite is None or (
            x is not None and (x.of_distribution or apt_pins.priority(updates.pins, x, package) >= _INSTALLED)
        )

    return replace(
        updates,
        lists=tuple(x for x in lists.values() if x.of_distribution or apt_pins.priority(updates.pins, x) >= _INSTALLED),
        candidates=tuple(c for c in updates.candidates if taken(c.package, c.suite)),
        sources=tuple(o for o in updates.sources if taken(f"src:{o.source}", o.suite)),
    )


_INSTALLED = 100  # the priority of what is installed: below it, apt upgrades nothing


def _not_covered(own: Updates) -> str:
    if not own.uncovered:
        return ""
    most = ", ".join(own.uncovered[:5])
    more = f" and {len(own.uncovered) - 5} more" if len(own.uncovered) > 5 else ""
    return f"no list of the security suite here covers {most}{more}: its component or architecture is not among the sources"


def _half(packages: tuple[Package, ...]) -> str:
    broken = [p.name for p in packages if p.half_installed]
    return f"{', '.join(broken[:5])}: half-installed, so which files lie there is not known" if broken else ""


def newer(
    candidates: tuple[Candidate, ...], packages: tuple[Package, ...]
) -> tuple[list[tuple[Package, Candidate]], list[str]]:
    """The installed packages of which a security suite offers a newer version, with the newest one offered; and what
    could not be compared."""
    best: dict[tuple[str, str | None], Candidate] = {}
    unreadable: list[str] = []
    for c in candidates:
        for key in ((c.package, c.arch), (c.package, None)):  # None: of a package whose architecture is not offered
            known = best.get(key)
            try:
                if known is None or deb.older(known.version, c.version):
                    best[key] = c
            except ValueError as e:
                unreadable.append(f"{c.package} {c.version[:80]} ({e})")
    offered = {c.package for c in candidates}
    found = list[tuple[Package, Candidate]]()
    for p in packages:
        newest = (best.get((p.name, p.arch)) or best.get((p.name, None))) if p.name in offered else None
        try:
            if newest and not p.half_installed and _older(p.manager)(p.full_version, newest.version):
                found.append((p, newest))
        except ValueError as e:
            unreadable.append(f"{p.name} {p.full_version[:80]} ({e})")
    return found, unreadable


def newer_sources(updates: Updates, packages: tuple[Package, ...], told: set[str]) -> tuple[list[str], list[str]]:
    """What is fixed under another package's name, as a kernel with another ABI is (Debian Kernel Handbook): the newest
    installed package of a source, and of a flavour of its kernels, is older than the source that a suite offers. `told`: the
    names of packages that lack a newer version by their own name. Returns what to show, and what could not be compared."""
    images = {(c.source, _image_flavour(c.package)) for c in updates.candidates if _image_flavour(c.package)}
    offered: dict[str, str] = {}
    unclear: list[str] = []
    for o in updates.sources:
        try:
            if o.source not in offered or deb.older(offered[o.source], o.version):
                offered[o.source] = o.version
        except ValueError as e:
            unclear.append(f"{o.source} {o.version[:80]} ({e})")
    newest: dict[tuple[str, str], Package] = {}
    for p in packages:
        if p.source not in offered or not p.source_version or p.manager != "dpkg" or p.half_installed:
            continue
        key = (p.source, _image_flavour(p.name))
        try:
            if key not in newest or deb.older(newest[key].source_version or "", p.source_version):
                newest[key] = p
        except ValueError as e:
            unclear.append(f"{p.name} {p.source_version[:80]} ({e})")
    found = []
    for (source, flavour), p in sorted(newest.items()):
        try:
            if (
                p.name not in told
                and deb.older(p.source_version or "", offered[source])
                and (not flavour or (source, flavour) in images)
            ):
                found.append(f"{p.name} {p.full_version} → source {source} {offered[source]}, under another package's name")
        except ValueError as e:
            unclear.append(f"{p.name} ({e})")
    return found, unclear


def _image_flavour(name: str) -> str:
    """The flavour of a kernel image's package (`linux-image-6.1.0-28-amd64`: amd64); "" for any other, a metapackage too."""
    release = name.removeprefix("linux-image-")
    if release == name or not release[:1].isdigit():
        return ""
    return kernel_release.flavour(release.removesuffix("-unsigned")[:MAX_VERSION]) or "-"


def _simulated(updates: Updates) -> str:
    return (
        ""
        if updates.simulated is None
        else f"(apt-get -s upgrade would install {counted(len(updates.simulated), 'package')} now)"
    )


def _too_old(updates: Updates, own: Updates, check: SecurityUpdatesCheck, case: Case) -> str:
    """Why these lists do not tell, or ""."""
    if not updates.lists:
        return "no list of a security suite lies on this host: it has no security source, or never ran apt-get update"
    codename = case.facts.platform.codename
    if codename is None or not any(x.of_distribution for x in own.lists):
        lists = ", ".join(x.release or x.name for x in updates.lists)
        return f"none of the lists is of the distribution's own security suite for this release ({codename or 'whose name is not known'}): {lists}"
    for x in own.lists:
        if x.date is None:
            return f"the list {x.name} has no date"
        age = (case.today - x.date.date()).days
        if age > check.max_age_days:
            return f"the list {x.name} is of {x.date:%Y-%m-%d}, {counted(age, 'day')} ago; run apt-get update there"
        if age < -1:
            return f"the list {x.name} is dated in the future, {x.date:%Y-%m-%d}"
    return ""
