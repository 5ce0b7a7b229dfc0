"""Security updates that a Debian or Ubuntu host does not have, by its own package lists."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.checks import apt_pins
from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread
from auditor.foundation.sanitize import counted
from auditor.model.advisory import Coverage
from auditor.model.facts import Candidate, HostFacts, Package, Updates
from auditor.versions import deb, kernel_release
from auditor.versions.limit import MAX_VERSION
from auditor.versions.package_version import older


class SecurityUpdatesCheck(CheckKind, frozen=True, tag="security_updates"):
    """Is every security update installed, as far as that is known? Where a feed of the distribution's advisories covers the host,
    each advisory that is not fulfilled is a finding of its own, and this one says that nothing else is missing; a feed that tells
    less than the last `max_feed_age_days` days (or the inventory's `max_age`) gives unknown. Where none does, the host's own lists tell: compliant if no security
    suite offers a newer version of an installed package, by lists of at most `max_age_days` days."""

    max_age_days: int = 7
    max_feed_age_days: int = 14

    def judge(self, case: Case) -> Judgement:
        required = f"nothing newer in the security suites, by lists of at most {self.max_age_days} days"
        facts = case.facts
        if facts.packages is None:
            return unread(facts, "packages", "The installed packages", required)
        if case.coverage and case.coverage.releases:
            return self._by_advisories(case.coverage, case)
        if not any(p.manager == "dpkg" for p in facts.packages):
            lacking = case.coverage.lacking if case.coverage else "there is no advisory database"
            return Judgement(
                "unknown",
                "no package of dpkg's" if not facts.packages else lacking,
                f"a feed of the distribution's advisories, of at most {self.max_feed_age_days} days",
                f"{lacking}, and apt's lists tell of dpkg's packages only: which updates are missing is not known",
                resolved_by=FEED,
            )
        if facts.updates is None:
            return unread(facts, "updates", "The security suites' lists", required)
        own = _own(facts.updates, facts.platform.codename)
        pending, unreadable = newer(own.candidates, facts.packages)
        renamed, unclear = newer_sources(own, facts.packages, {p.name for p, _ in pending})
        doubt = _too_old(facts.updates, own, self, case) or _not_covered(own) or _half(facts.packages)
        if pending or renamed:
            offending = (*(f"{p.name} {p.full_version} → {c.version}{_held(p)}" for p, c in pending), *renamed)
            aside = "".join(f"; apt preferences: {pin}" for pin in own.pins[:20])
            count = len(pending) + len(renamed)
            more = f"; there may be more: {doubt}" if doubt else ""
            why = f"{count} package{'s have' if count > 1 else ' has'} a newer version in the security suites {_simulated(own)}"
            evidence = tuple(x.name for x in own.lists)
            return Judgement(
                "noncompliant",
                "; ".join(offending) + aside,
                required,
                why.strip() + more,
                evidence=evidence,
                offending=offending,
            )
        if unreadable or unclear:
            why = f"no version that can be compared: {', '.join((unreadable + unclear)[:10])}"
            return Judgement(
                "unknown", "a version could not be read", required, why, resolved_by="packages: a readable version"
            )
        if doubt:
            return Judgement(
                "unknown", "nothing newer, by lists that do not tell", required, doubt,
                resolved_by="updates: current and complete package lists (apt-get update)",
            )  # fmt: skip
        dates = ", ".join(f"{x.name} of {x.date:%Y-%m-%d}" for x in own.lists if x.date)
        return Judgement(
            "compliant", "nothing newer", required, f"compared with {dates}", evidence=tuple(x.name for x in own.lists)
        )

    def _by_advisories(self, c: Coverage, case: Case) -> Judgement:
        """What was held against what; the host's own lists are evidence beside it."""
        days = c.max_age.days if c.max_age is not None else self.max_feed_age_days
        required = f"every advisory of {', '.join(c.releases)}, by a feed of at most {days} days"
        about = f"{c.applicable:,} advisor{'y is' if c.applicable == 1 else 'ies are'} about installed packages"
        observed = "; ".join(
            (
                about,
                f"{c.open:,} of them not fulfilled or not told" if c.open else "all fulfilled",
                *c.aside,
                *_offered(case.facts),
            )
        )
        age = (case.today - c.as_of).days if c.as_of else None
        if c.lacking or age is None or age > days:
            old = (
                "the feed does not say up to which day it tells"
                if age is None
                else f"the feed tells up to {c.as_of}, {counted(age, 'day')} ago"
            )
            why = c.lacking or f"{old}: newer advisories are not known"
            return Judgement("unknown", observed, required, why, resolved_by=FEED, evidence=c.feeds)
        if c.open:
            why = f"{'it is a finding' if c.open == 1 else f'the {c.open:,} are findings'} of {'its' if c.open == 1 else 'their'} own, under the advisories' ids"
            return Judgement("not_applicable", observed, required, why, evidence=c.feeds)
        return Judgement("compliant", observed, required, f"held against {', '.join(c.feeds)}", evidence=c.feeds)


FEED = "advisories: a whole and current feed for this release (`auditor advisories fetch`)"


def _offered(facts: HostFacts) -> list[str]:
    """What the host's own lists offer."""
    if facts.updates is None:
        return []
    offered = newer(_own(facts.updates, facts.platform.codename).candidates, facts.packages or ())[0]
    return [f"its own lists offer {', '.join(f'{p.name} {c.version}' for p, c in offered[:50]) or 'nothing newer'}"]


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
            if newest and not p.half_installed and older(p.manager, p.full_version, newest.version):
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
