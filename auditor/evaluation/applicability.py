"""Does a rule apply to a host: its product lines, and the component that must be there for the problem to exist."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from typing import cast

from msgspec import Struct

from auditor.checks.packages import source_name
from auditor.evaluation.shared import WatchedFacts
from auditor.model.facts import HostFacts, Package, Platform, Program
from auditor.rulebook.rule import Branch, Component, Rule
from auditor.versions import windows_product
from auditor.versions.kb_number import article


class Applies(Struct, frozen=True):
    """`known` is None where it cannot be told; `branches` are the product lines that may be this host's: one where the
    product is known, several where it is known too vaguely. `other_product`: the rule is about other products, whatever else is
    on this host."""

    known: bool | None
    why: str
    branches: tuple[Branch, ...] = ()
    resolved_by: str = ""
    other_product: bool = False


class Host:
    """One host's facts, watched, and what was asked of them: thousands of rules name the same few products and parts. Who gets an answer that
    was worked out before has looked at the same facts (shared.py)."""

    def __init__(self, facts: HostFacts) -> None:
        self._watched = WatchedFacts(facts)
        self.facts = cast(HostFacts, self._watched)
        self._covers: dict[str, bool | None] = {}
        self._parts: dict[Component, tuple[Applies, frozenset[str]]] = {}
        self._names: dict[str, tuple[str, ...] | None] = {}
        self._packages: defaultdict[str, list[Package]] | None = None
        self._sources: defaultdict[str, list[Package]] | None = None
        self._articles: frozenset[str] | None = None

    def covers(self, pattern: str) -> bool | None:
        """Does a product pattern cover this host? None where that is not known."""
        platform = self.facts.platform
        if pattern not in self._covers:
            self._covers[pattern] = covers(pattern, platform)
        return self._covers[pattern]

    def packages(self, name: str) -> list[Package]:
        """The installed packages of a name; none where the packages are not known."""
        installed = self.facts.packages or ()
        if self._packages is None:
            self._packages = defaultdict(list)
            for package in installed:
                self._packages[package.name].append(package)
        return self._packages.get(name, [])

    def sources(self, name: str) -> list[Package]:
        """The installed packages of a source, a kernel's under the name that advisories have for it."""
        installed = self.facts.packages or ()
        if self._sources is None:
            self._sources = defaultdict(list)
            for package in installed:
                self._sources[source_name(package)].append(package)
        return self._sources.get(name, [])

    def part(self, component: Component) -> Applies:
        """Is a part on this host?"""
        known = self._parts.get(component)
        if known is None:
            known = self._parts[component] = self._watched.during(lambda: _component(component, self))
        self._watched.look(known[1])
        return known[0]

    def names(self, what: str) -> tuple[str, ...] | None:
        """The names of services, processes, programs or packages; None where they were not read."""
        read = getattr(self.facts, what)
        if what not in self._names:
            self._names[what] = None if read is None else tuple(n if isinstance(n, str) else n.name for n in read)
        return self._names[what]

    def first(self, what: str, patterns: tuple[str, ...]) -> str | None:
        """The first of these names that fits a pattern, without regard to case."""
        fits = _any_of(patterns)
        return next((n for n in self.names(what) or () if fits(n)), None) if patterns else None

    def articles(self) -> frozenset[str]:
        """The numbers of the hotfixes that are listed: Q246009 and KB246009 are one article."""
        listed = self.facts.hotfixes or ()
        if self._articles is None:
            self._articles = frozenset(article(h.id) for h in listed)
        return self._articles


def applies(rule: Rule, host: Host) -> Applies:
    """Product first, then the application and the part; what is not known leaves it open, with the reason."""
    product = _product(rule, host)
    parts = [host.part(part) for part in (rule.application, rule.component) if part is not None]
    if product.known is False or not parts:
        return product
    absent = next((p for p in parts if p.known is False), None)
    if absent:
        return absent
    questions = [product, *parts]
    if any(q.known is None for q in questions):
        why = "; ".join(q.why for q in questions if q.known is None)
        return Applies(None, why, product.branches, next((q.resolved_by for q in questions if q.resolved_by), ""))
    return Applies(True, ", ".join(q.why for q in questions), product.branches)


def is_about(rule: Rule, host: Host) -> bool:
    """Is a rule about a product that may be on this host? Of the thousands that importers write, the others are not even
    mentioned; a hand-written one always is."""
    if not rule.generated:
        return True
    if not any(host.covers(p) is not False for b in rule.branches for p in b.products):
        return False
    return rule.application is None or host.part(rule.application).known is not False


def may_apply(platform: Platform) -> Callable[[Rule], bool]:
    """Tells of a rule whether its verdict on such a platform can be anything but not_applicable."""
    host = Host(HostFacts(target="", collected_at=datetime.min.replace(tzinfo=UTC), platform=platform))
    return lambda rule: platform.family in (None, rule.family) and _product(rule, host).known is not False


def _product(rule: Rule, host: Host) -> Applies:
    platform = host.facts.platform
    if platform.product is None and platform.family is None:
        return Applies(None, "which system this host has is not known", rule.branches, "platform: not known")
    possible = []
    for branch in rule.branches:
        match = [host.covers(p) for p in branch.products]
        if True in match:
            if not branch.editions or (platform.edition or "").lower() in branch.editions:
                return Applies(True, f"the rule covers {platform.product or platform.family}", (branch,))
            if (platform.edition or "").lower() not in EDITIONS:
                possible.append(branch)
        elif None in match:
            possible.append(branch)
    if possible:
        why = f"which edition of {platform.product or platform.family} this is, is not known"
        return Applies(None, why, tuple(possible), "platform: the product and its edition")
    return Applies(False, f"the rule does not cover {platform.product or platform.family}", other_product=True)


EDITIONS = ("server", "enterprise", "terminal-server", "workstation")  # any other word leaves the edition open
# The product ids of Windows that there are; another one is a system that cannot be told.
_WINDOWS = re.compile(
    r"windows-(nt-3\.1|nt-3\.5|nt-3\.51|nt-4\.0(-server|-workstation|-enterprise|-terminal-server)?|95|98|me|2000(-\w[\w-]*)?"
    r"|xp(-\w+)?|vista|7|8|8\.1|10(-\w+)?|11(-\w+)?|server-20\d\d(-r2)?|server-\d\dh\d|server-1[789]\d\d)"
)
# What an id without an edition covers (docs/contracts.md, product ids); Terminal Server Edition has a service-pack line of its own.
_COVERED = {"windows-nt-4.0": ("windows-nt-4.0-server", "windows-nt-4.0-workstation", "windows-nt-4.0-enterprise")}


def covers(pattern: str, platform: Platform) -> bool | None:
    """Does a product pattern cover this platform? None where the platform is known less precisely than the pattern."""
    if pattern in ("linux", "windows"):
        return None if platform.family is None else pattern == platform.family
    product = platform.product.lower() if platform.product else None
    if product is None and platform.family == "windows" and pattern.startswith("windows-"):
        ids = windows_product.possible(platform.version, platform.build)
        if ids is None or ("*" in pattern and not ids):
            return None
        return None if any(covers(pattern, Platform(family="windows", product=i)) is not False for i in ids) else False
    if product is None:
        return None if platform.family is None or pattern.startswith("windows") is (platform.family == "windows") else False
    if product.startswith("windows") and not _WINDOWS.fullmatch(product):
        return None if pattern.startswith("windows") else False
    if fnmatchcase(product, pattern) or product in _COVERED.get(pattern, ()):
        return True
    if pattern == "windows-2000" and product.startswith("windows-2000-"):
        return True
    return None if pattern.startswith(product + "-") and product.startswith("windows-") else False


def _component(component: Component, host: Host) -> Applies:
    """Present if any of its signs is there; absent only if every list that would show it was read. A part without a known
    sign cannot be recognised."""
    if not any((component.services, component.processes, component.programs, component.packages, component.hints)):
        why = f"whether {component.name} is there cannot be recognised from what is read of a host"
        return Applies(None, why, resolved_by=f"whether {component.name} is there: an attestation")
    signs = {"services": component.services, "processes": component.processes, "programs": component.programs,
             "packages": component.packages}  # fmt: skip
    for what, patterns in signs.items():
        if found := host.first(what, patterns):
            return _named(component, host.facts.programs, f"{component.name} is there ({what}: {found[:200]})")
    unread = [what for what, patterns in signs.items() if patterns and host.names(what) is None]
    if unread:
        why = f"whether {component.name} is there is not known: the {' and '.join(unread)} of this host could not be read"
        return Applies(None, why, resolved_by=f"{unread[0]}: not read")
    if hint := host.first("programs", component.hints):
        why = f"{hint[:200]} is there, which leaves open whether {component.name} is"
        return Applies(None, why, resolved_by=f"programs: whether {component.name} is installed")
    return Applies(False, f"{component.name} is not on this host")


def _named(component: Component, programs: tuple[Program, ...] | None, why: str) -> Applies:
    """Present, and of a release that the advisory names?"""
    if component.named_up_to is not None:
        fits = _any_of(component.programs)
        for program in programs or ():
            major = re.search(r"\d{1,9}", (program.version or "")[:100])
            if fits(program.name) and major and int(major[0]) > component.named_up_to:
                later = f"{why}, release {program.version}: the advisory names releases up to {component.named_up_to}.x only"
                return Applies(None, later, resolved_by="the vendor's word on later releases")
    return Applies(True, why)


@lru_cache(maxsize=4096)
def _any_of(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Does a name fit any of these shell patterns, without regard to case?"""
    return re.compile("|".join(translate(p.lower()) for p in patterns) or r"(?!)", re.IGNORECASE).match
