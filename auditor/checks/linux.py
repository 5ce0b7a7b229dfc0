"""Packages, kernels, restarts, processes with old code, pending security updates."""

from __future__ import annotations

from auditor.checks.combine import ALL_OF, combine
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.facts import Candidate, Package, Updates
from auditor.model.rule import KernelCheck, PackageCheck, RebootCheck, SecurityUpdatesCheck, StaleProcessesCheck
from auditor.versions import deb, kernel_release


def judge_package(check: PackageCheck, case: Case) -> Judgement:
    required = f"{check.name} {check.fixed} or later"
    if case.facts.packages is None:
        return unread(case.facts, "packages", "The installed packages", required)
    installed = case.packages(check.name)
    if not installed:
        return Judgement("not_applicable", f"{check.name} is not installed", required, "there is nothing to fix")
    observed = ", ".join(f"{p.name} {p.full_version}{' (held)' if p.hold else ''}" for p in installed)
    try:
        old = [p for p in installed if deb.older(p.full_version, check.fixed)]
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
        newer = kernel_release.newer_than(kernels.running, kernels.installed)
        built, image = kernels.running_package, _image(kernels.running, case.facts.packages)
        rebuilt = bool(_keeps_its_release(case) and built and image and deb.older(built, image.full_version))
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
    if _keeps_its_release(case) and case.facts.packages is None:
        return unread(case.facts, "packages", "The installed packages", required)
    if _keeps_its_release(case) and image and not built:
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
    if outside or (packages is not None and not any(p.name.startswith(_KERNEL_PACKAGES) for p in packages)):
        why = (
            "the kernel is given to this host from outside (a container, or a virtual machine's own boot); its owner updates it"
        )
        return Judgement("not_applicable", observed, required, why)
    why = "no kernel image was found where they lie, although kernel packages are or may be installed (is /boot mounted?)"
    return Judgement("unknown", observed, required, why, settles="kernels: where the installed kernels are")


_KERNEL_PACKAGES = ("linux-image-", "kernel-", "kernel", "linux-lts", "linux-virt", "raspberrypi-kernel")
# Their kernels get a new release with every package; those of Debian and its relatives keep it over several.
_NEW_RELEASE_EACH_TIME = (
    "ubuntu", "rhel", "almalinux", "rocky", "centos", "oracle", "fedora", "sles", "opensuse", "amazon", "alpine",
)  # fmt: skip


def _keeps_its_release(case: Case) -> bool:
    product = case.facts.platform.product
    return product is None or not product.startswith(_NEW_RELEASE_EACH_TIME)


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


def judge_stale_processes(check: StaleProcessesCheck, case: Case) -> Judgement:
    required = "no process that runs deleted or replaced code"
    stale = case.facts.stale_processes
    if stale is None:
        return unread(case.facts, "stale_processes", "All processes' mapped files", required)
    if not stale:
        return Judgement("compliant", "none", required, "no process maps deleted code", evidence=("/proc/PID/maps",))
    pids = case.facts.volatile.pids if case.facts.volatile else {}
    shown = [
        f"{p.name}{_pids(pids.get(p.name, ()))}: {', '.join(p.files[:6])}{' …' if len(p.files) > 6 else ''}" for p in stale
    ]
    why = "the update is on disk, and these still run the code from before it until they are restarted"
    return Judgement("pending", "; ".join(shown), required, why, evidence=("/proc/PID/maps",))


def _pids(pids: tuple[int, ...]) -> str:
    return f" ({', '.join(map(str, pids[:8]))}{' …' if len(pids) > 8 else ''})" if pids else ""


def judge_security_updates(check: SecurityUpdatesCheck, case: Case) -> Judgement:
    required = f"nothing newer in the security suites, by lists of at most {check.max_age_days} days"
    facts = case.facts
    if facts.packages is None:
        return unread(facts, "packages", "The installed packages", required)
    if facts.updates is None:
        return unread(facts, "updates", "The security suites' lists", required)
    updates = facts.updates
    pending, unreadable = newer(updates.candidates, facts.packages)
    if pending:
        shown = "; ".join(f"{p.name} {p.full_version} → {c.version}{' (held)' if p.hold else ''}" for p, c in pending)
        aside = "".join(f"; apt preferences: {pin}" for pin in updates.pins[:20])
        why = f"{len(pending)} packages have a newer version in the security suites {_simulated(updates)}"
        return Judgement("noncompliant", shown + aside, required, why.strip(), evidence=tuple(x.name for x in updates.lists))
    if unreadable:
        why = f"no version that can be compared: {', '.join(unreadable[:10])}"
        return Judgement("unknown", "a version could not be read", required, why, settles="packages: a readable version")
    old = _too_old(updates, check, case)
    if old:
        return Judgement(
            "unknown",
            "nothing newer, by lists that do not tell",
            required,
            old,
            settles="updates: current package lists (apt-get update)",
        )
    dates = ", ".join(f"{x.name} of {x.date:%Y-%m-%d}" for x in updates.lists if x.date)
    return Judgement(
        "compliant", "nothing newer", required, f"compared with {dates}", evidence=tuple(x.name for x in updates.lists)
    )


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
                unreadable.append(f"{c.package} {c.version} ({e})")
    offered = {c.package for c in candidates}
    found = list[tuple[Package, Candidate]]()
    for p in packages:
        newest = (best.get((p.name, p.arch)) or best.get((p.name, None))) if p.name in offered else None
        try:
            if newest and deb.older(p.full_version, newest.version):
                found.append((p, newest))
        except ValueError as e:
            unreadable.append(f"{p.name} {p.full_version} ({e})")
    return found, unreadable


def _simulated(updates: Updates) -> str:
    return "" if updates.simulated is None else f"(apt-get -s upgrade would install {len(updates.simulated)} packages now)"


def _too_old(updates: Updates, check: SecurityUpdatesCheck, case: Case) -> str:
    """Why these lists do not tell, or ""."""
    if not updates.lists:
        return "no list of a security suite lies on this host: it has no security source, or never ran apt-get update"
    codename = case.facts.platform.codename
    if codename is None or all(x.release != codename for x in updates.lists):
        lists = ", ".join(x.release or x.name for x in updates.lists)
        return f"none of the lists is of this release's security suite ({codename or 'whose name is not known'}): {lists}"
    for x in updates.lists:
        if x.date is None:
            return f"the list {x.name} has no date"
        age = (case.today - x.date.date()).days
        if age > check.max_age_days:
            return f"the list {x.name} is of {x.date:%Y-%m-%d}, {age} days ago"
        if age < -1:
            return f"the list {x.name} is dated in the future, {x.date:%Y-%m-%d}"
    return ""
