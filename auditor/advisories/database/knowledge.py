"""What the database knows of one host: the rules that are not plainly fulfilled there, and what it was held against.

Most of the thousands of advisories about installed packages are fulfilled, and a comparison of bytes tells. What may be open
becomes a rule and is judged like any other; a rule that is left out here would be compliant or not applicable.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from pathlib import Path

from auditor.advisories.database import windows_knowledge
from auditor.advisories.database.index import AdvisoryIndex, Stored, StoredFix
from auditor.advisories.feeds.authority import BY_NAME
from auditor.advisories.feeds.host_releases import releases
from auditor.advisories.feeds.release_names import of_debian_backport
from auditor.checks import kernel_packages
from auditor.checks.packages import PackageFix, PackagesCheck, arch_fits, compared, is_modular, module_fits, source_name
from auditor.evaluation.knowledge import Knowledge
from auditor.model.advisory import Coverage
from auditor.model.facts import HostFacts, Package
from auditor.model.run import AdvisoriesSummary
from auditor.rulebook.rule import Branch, Provenance, Reference, Rule
from auditor.versions.package_version import Manager, key, manager_of

_MOST_RULES = 200_000
OpenFixes = dict[str, dict[str, list[StoredFix]]]  # by advisory and name


class AdvisoryDatabase:
    """The database of one run, as of one import; opened anew in every process. `summary`: what a run says of it."""

    def __init__(self, path: Path, as_of: datetime | None = None) -> None:
        """`as_of`: what it knew at that moment. UsageFault where the file is none, or has nothing of then."""
        self._path = path
        self._opened: tuple[int, AdvisoryIndex] | None = None
        self._rules: dict[tuple[object, ...], Rule] = {}  # hosts of one release lack much the same
        index = AdvisoryIndex(
            path, as_of.astimezone(UTC).isoformat(timespec="seconds") if as_of else None
        )  # closed again: no process forked from this one may inherit it
        days = sorted((c.feed, str(c.as_of or "a day that is not known")) for c in index.coverage())
        self.summary = AdvisoriesSummary(index.digest, tuple(f"{feed} as of {day}" for feed, day in dict(days).items()))
        self._import = index.number  # an import that comes meanwhile is not this run's
        index.close()

    def index(self) -> AdvisoryIndex:
        """The index of this process: a connection does not go through a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), AdvisoryIndex(self._path, number=self._import))
        return self._opened[1]

    def about(self, facts: HostFacts) -> Knowledge:
        """What is known of a host."""
        if facts.platform.family == "windows":
            return windows_knowledge.about(facts, self.index())
        return _Host(facts, self.index(), self._rules).knowledge()


def _lowest(installed: list[Package]) -> bytes | None:
    """The key of the oldest of a name's packages, as advisories tell of them; None where more than that matters: a module, a kernel,
    what broke off, what is no version."""
    found = None
    for p in installed:
        if p.half_installed or kernel_packages.side_by_side(p) or is_modular(p):
            return None
        try:
            have = key(p.manager, compared(p))
        except ValueError:
            return None
        found = have if found is None or have < found else found
    return found


class _About:
    """The advisories about a host's packages, as sets that are joined once."""

    def __init__(self) -> None:
        self.all: list[AbstractSet[str]] = []
        self.security: list[AbstractSet[str]] = []

    def add(self, advisories: AbstractSet[str], security: AbstractSet[str]) -> None:
        """Those of one name."""
        self.all.append(advisories)
        self.security.append(security)


class _Host:
    """One host's packages, beside the database."""

    def __init__(self, facts: HostFacts, index: AdvisoryIndex, rules: dict[tuple[object, ...], Rule]) -> None:
        self._facts, self._index, self._known_rules = facts, index, rules
        self._releases = releases(facts)
        self._manager: Manager = manager_of(self._releases.main)

    def knowledge(self) -> Knowledge:
        main = self._releases.main
        covering = self._index.covering(main) if main else []
        if not covering:
            product = self._facts.platform.product or "this system"
            return Knowledge((), Coverage(lacking=f"no feed of advisories for {main or product} is in the advisory database"))
        packages = self._by_name()
        open_fixes: OpenFixes = {}
        about = _About()
        for release in (main, *self._releases.more):
            self._open(release, packages, open_fixes, about)
        backported = self._backports(packages)
        for release, own in backported.items():
            self._open(release, own, open_fixes, about)
        days = [c.as_of for c in covering if c.as_of]
        coverage = Coverage(
            releases=(main, *self._releases.more),
            feeds=tuple(f"{BY_NAME[c.feed].publisher} ({c.feed})" for c in covering),
            as_of=min(days) if len(days) == len(covering) else None,
            since=min((c.since for c in covering if c.since), default=None),
            lacking=""
            if all(c.whole for c in covering)
            else f"only single advisories of {main} were imported, not its whole feed",
            applicable=len(set().union(*about.all)),
            security=len(set().union(*about.security)),
            open=len(open_fixes),
            aside=tuple(self._not_entitled(packages)),
        )
        return Knowledge(self._rules(open_fixes, max(days, default=date.min)), coverage)

    def _by_name(self) -> dict[str, list[Package]]:
        """The packages that advisories may name, by the name that these have for them."""
        found: dict[str, list[Package]] = {}
        for p in self._facts.packages or ():
            if p.manager == self._manager:
                found.setdefault(p.name if p.manager == "rpm" else source_name(p), []).append(p)
        return found

    def _backports(self, packages: dict[str, list[Package]]) -> dict[str, dict[str, list[Package]]]:
        """A build that was made for another release (`~bpo11+1` on Debian 12) is held against that one's advisories, too."""
        found: dict[str, dict[str, list[Package]]] = {}
        if self._releases.main.startswith("debian-"):
            for name, own in packages.items():
                for p in own:
                    release = of_debian_backport(p.release or "")
                    if release and release != self._releases.main:
                        found.setdefault(release, {}).setdefault(name, []).append(p)
        return found

    def _open(self, release: str, packages: dict[str, list[Package]], into: OpenFixes, about: _About) -> None:
        if not self._index.covering(release):
            return
        for name, known in self._index.fixes(release, packages).items():
            installed = packages[name]
            lowest = _lowest(installed) if known.plain else None
            if lowest is not None:
                about.add(known.advisories, known.security)
                found: Iterable[StoredFix] = known.newer_than(lowest)
            else:
                fitting = [f for f in known.fixes if any(self._concerns(f, p) for p in installed)]
                about.add({f.advisory for f in fitting}, {f.advisory for f in fitting if f.security})
                found = self._unfulfilled(installed, known.fixes)
            for fix in found:
                names = into.get(fix.advisory)
                if names is None:
                    into[fix.advisory] = {name: [fix]}
                elif name in names:
                    names[name].append(fix)
                else:
                    names[name] = [fix]

    def _concerns(self, fix: StoredFix, p: Package) -> bool:
        return arch_fits(fix.arch, p) and module_fits(fix.module, p, self._facts) is not False

    def _unfulfilled(self, installed: list[Package], fixes: tuple[StoredFix, ...]) -> Iterable[StoredFix]:
        """The fixes that the comparison of bytes does not tell to be fulfilled, and the others of their advisories."""
        idents = set[str]()
        for p in installed:
            try:
                have = key(p.manager, compared(p))
                runs = kernel_packages.running(p, self._facts) if kernel_packages.side_by_side(p) else None
            except ValueError:
                return fixes
            lowest = b"" if p.half_installed else min(have, runs.key) if runs else have
            idents |= {f.advisory for f in fixes if (f.key is None or f.key > lowest) and self._concerns(f, p)}
        return [f for f in fixes if f.advisory in idents]

    def _rules(self, open_fixes: OpenFixes, day: date) -> tuple[Rule, ...]:
        stored = self._index.advisories(open_fixes)
        return tuple(self._rule(stored[ident], names, day) for ident, names in open_fixes.items() if ident in stored)

    def _rule(self, a: Stored, names: dict[str, list[StoredFix]], day: date) -> Rule:
        if len(self._known_rules) > _MOST_RULES:
            self._known_rules.clear()
        # The index gives the same fixes for the same name, so what they are is who they are.
        which = (self._releases.main, a.id, *[(name, *map(id, found)) for name, found in names.items()])
        known = self._known_rules.get(which)
        if known is None:
            known = self._known_rules[which] = _rule(a, self._manager, names, day, self._releases.main)
        return known

    def _not_entitled(self, packages: dict[str, list[Package]]) -> Iterable[str]:
        """What would be fixed for subscribers of a service that this host does not have."""
        for release, service in self._releases.others:
            found: OpenFixes = {}
            self._open(release, packages, found, _About())
            if found:
                yield f"{len(found)} more {'advisory is' if len(found) == 1 else 'advisories are'} fixed only by {service}, which this host does not have"


def _rule(a: Stored, manager: Manager, names: dict[str, list[StoredFix]], day: date, release: str) -> Rule:
    fixes = tuple(PackageFix(name, f.version, f.arch, f.module) for name, found in names.items() for f in dict.fromkeys(found))
    publisher = BY_NAME[a.feed].publisher
    return Rule(
        id=a.id,
        title=a.title or a.id,
        severity=a.severity,
        obligation="required" if a.kind == "security" else "advised",
        family="linux",
        published=a.published,
        branches=(Branch(("linux",), PackagesCheck(manager, fixes, release)),),
        remediation=_REMEDIATION[manager],
        references=tuple(Reference(a.id, url) for url in a.references),
        cves=a.cves,
        provenance=Provenance(
            source=f"{publisher}: {a.id}{f', {a.vendor_severity}' if a.vendor_severity else ''}",
            retrieved=day,
            publisher=publisher,
            importer=a.feed,
        ),
    )


_REMEDIATION = {
    "dpkg": "apt-get update && apt-get upgrade",
    "rpm": "dnf upgrade (yum update, zypper patch)",
    "apk": "apk update && apk upgrade",
}
