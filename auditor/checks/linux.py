"""Packages, kernels, restarts, processes with old code, pending security updates."""

from __future__ import annotations

from datetime import timedelta

from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.facts import Candidate, Package, Updates
from auditor.model.rule import KernelCheck, PackageCheck, RebootCheck, SecurityUpdatesCheck, StaleProcessesCheck
from auditor.versions import deb, kernel_release


def judge_package(check: PackageCheck, case: Case) -> Judgement:
    required = f"{check.name} {check.fixed} or later"
    if case.facts.packages is None:
        return unread(case.facts, "packages", "The installed packages", required)
    installed = [p for p in case.facts.packages if p.name == check.name]
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
        why = (
            "the kernel is given to this host from outside (a container, or a virtual machine's own boot); its owner updates it"
        )
        return Judgement("not_applicable", f"running {kernels.running}, none installed", required, why)
    try:
        newer = kernel_release.newer_than(kernels.running, kernels.installed)
    except ValueError as e:
        return Judgement(
            "unknown", f"running {kernels.running}", required, f"the releases cannot be compared: {e}", settles="kernels"
        )
    observed = f"running {kernels.running}, installed {', '.join(kernels.installed)}"
    if newer:
        return Judgement("pending", observed, required, f"{newer[0]} is installed and takes effect at the next restart")
    built, image = kernels.running_package, _image(kernels.running, case.facts.packages)
    if _keeps_its_release(case) and built and image and deb.older(built, image.full_version):
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


def _keeps_its_release(case: Case) -> bool:
    product = case.facts.platform.product
    return product is None or product.startswith("debian")


def _image(running: str, packages: tuple[Package, ...] | None) -> Package | None:
    names = (f"linux-image-{running}", f"linux-image-{running}-unsigned")
    return next((p for p in packages or () if p.name in names), None)


def judge_reboot(check: RebootCheck, case: Case) -> Judgement:
    required = "no restart asked for"
    reboot = case.facts.reboot
    if reboot is None:
        return unread(case.facts, "reboot", "The restart flag", required)
    if reboot.required is None:
        return Judgement("unknown", "the restart flag is not known", required, "the facts leave it open", settles="reboot")
    if reboot.required:
        asked = f" by {', '.join(reboot.packages)}" if reboot.packages else ""
        return Judgement("pending", f"a restart is asked for{asked}", required, "/run/reboot-required is there")
    if not reboot.writers:
        why = "no program that would ask for a restart is installed; the rules on kernels and libraries judge that here"
        return Judgement("not_applicable", "no flag, and nothing that would set it", required, why)
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
    try:
        pending = newer(updates.candidates, facts.packages)
    except ValueError as e:
        return Judgement("unknown", "a version could not be read", required, str(e), settles="packages: a readable version")
    if pending:
        shown = "; ".join(f"{p.name} {p.full_version} → {c.version}{' (held)' if p.hold else ''}" for p, c in pending)
        aside = "".join(f"; apt preferences: {pin}" for pin in updates.pins[:20])
        why = f"{len(pending)} packages have a newer version in the security suites {_simulated(updates)}"
        return Judgement("noncompliant", shown + aside, required, why.strip(), evidence=tuple(x.name for x in updates.lists))
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


def newer(candidates: tuple[Candidate, ...], packages: tuple[Package, ...]) -> list[tuple[Package, Candidate]]:
    """The installed packages of which a security suite offers a newer version, with the newest one offered."""
    best: dict[tuple[str, str | None], Candidate] = {}
    for c in candidates:
        for key in ((c.package, c.arch), (c.package, None)):  # None: of a package whose architecture is not offered
            known = best.get(key)
            if known is None or deb.older(known.version, c.version):
                best[key] = c
    offered = {c.package for c in candidates}
    found = ((p, best.get((p.name, p.arch)) or best.get((p.name, None))) for p in packages if p.name in offered)
    return [(p, c) for p, c in found if c and deb.older(p.full_version, c.version)]


def _simulated(updates: Updates) -> str:
    return "" if updates.simulated is None else f"(apt-get -s upgrade would install {len(updates.simulated)} packages now)"


def _too_old(updates: Updates, check: SecurityUpdatesCheck, case: Case) -> str:
    if not updates.lists:
        return "no list of a security suite lies on this host: it has no security source, or never ran apt-get update"
    for x in updates.lists:
        if x.date is None:
            return f"the list {x.name} has no date"
        age = case.facts.collected_at - x.date
        if age > timedelta(days=check.max_age_days):
            return f"the list {x.name} is of {x.date:%Y-%m-%d}, {age.days} days before this host was read"
    return ""
