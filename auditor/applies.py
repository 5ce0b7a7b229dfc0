"""Does a rule apply to a host: its product lines, and the component that must be there for the problem to exist."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from msgspec import Struct

from auditor.model.facts import HostFacts, Platform, Program
from auditor.model.rule import Branch, Component, Rule


class Applies(Struct, frozen=True):
    """`known` is None where it cannot be told; `branches` are the product lines that may be this host's: one where the
    product is known, several where it is known too vaguely."""

    known: bool | None
    why: str
    branches: tuple[Branch, ...] = ()
    settles: str = ""


def applies(rule: Rule, facts: HostFacts) -> Applies:
    """Product first, then component; what is not known leaves it open, with the reason."""
    product = _product(rule, facts.platform)
    if product.known is False or rule.component is None:
        return product
    component = _component(rule.component, facts)
    if component.known is False:
        return component
    if product.known is None or component.known is None:
        why = "; ".join(a.why for a in (product, component) if a.known is None)
        return Applies(None, why, product.branches, product.settles or component.settles)
    return Applies(True, f"{product.why}, {component.why}", product.branches)


def may_apply(rule: Rule, platform: Platform) -> bool:
    """Can the rule's verdict on such a platform be anything but not_applicable?"""
    return platform.family in (None, rule.family) and _product(rule, platform).known is not False


def _product(rule: Rule, platform: Platform) -> Applies:
    if platform.product is None and platform.family is None:
        return Applies(None, "which system this host has is not known", rule.branches, "platform: not known")
    possible = []
    for branch in rule.branches:
        match = [covers(p, platform) for p in branch.products]
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
    return Applies(False, f"the rule does not cover {platform.product or platform.family}")


EDITIONS = ("server", "enterprise", "terminal-server", "workstation")  # any other word leaves the edition open
# The product ids of Windows that there are; another one is a system that cannot be told.
_WINDOWS = re.compile(
    r"windows-(nt-3\.1|nt-3\.5|nt-3\.51|nt-4\.0(-server|-workstation|-enterprise|-terminal-server)?|95|98|me|2000(-\w[\w-]*)?"
    r"|xp(-\w+)?|vista|7|8|8\.1|10(-\w+)?|11(-\w+)?|server-20\d\d(-r2)?|server-\d\dh\d|server-1[789]\d\d)"
)
# What an id without an edition covers (design, section 6); Terminal Server Edition has a service-pack line of its own.
_COVERED = {"windows-nt-4.0": ("windows-nt-4.0-server", "windows-nt-4.0-workstation", "windows-nt-4.0-enterprise")}


def covers(pattern: str, platform: Platform) -> bool | None:
    """Does a product pattern cover this platform? None where the platform is known less precisely than the pattern."""
    if pattern in ("linux", "windows"):
        return None if platform.family is None else pattern == platform.family
    product = platform.product.lower() if platform.product else None
    if product is None:
        return None if platform.family is None or pattern.startswith("windows") is (platform.family == "windows") else False
    if product.startswith("windows") and not _WINDOWS.fullmatch(product):
        return None if pattern.startswith("windows") else False
    if fnmatchcase(product, pattern) or product in _COVERED.get(pattern, ()):
        return True
    if pattern == "windows-2000" and product.startswith("windows-2000-"):
        return True
    return None if pattern.startswith(product + "-") and product.startswith("windows-") else False


def _component(component: Component, facts: HostFacts) -> Applies:
    """Present if any of its signs is there; absent only if every list that would show it was read."""
    services = None if facts.services is None else [s.name for s in facts.services]
    programs = None if facts.programs is None else [p.name for p in facts.programs]
    packages = None if facts.packages is None else [p.name for p in facts.packages]
    sources = {
        "services": (component.services, services),
        "processes": (component.processes, facts.processes),
        "programs": (component.programs, programs),
        "packages": (component.packages, packages),
    }
    for what, (patterns, names) in sources.items():
        if found := _first(patterns, names):
            return _named(component, facts.programs, f"{component.name} is there ({what}: {found})")
    unread = [what for what, (patterns, names) in sources.items() if patterns and names is None]
    if unread:
        why = f"whether {component.name} is there is not known: the {' and '.join(unread)} of this host could not be read"
        return Applies(None, why, settles=f"{unread[0]}: not read")
    if hint := _first(component.hints, programs):
        why = f"{hint} is there, which leaves open whether {component.name} is"
        return Applies(None, why, settles=f"programs: whether {component.name} is installed")
    return Applies(False, f"{component.name} is not on this host")


def _named(component: Component, programs: tuple[Program, ...] | None, why: str) -> Applies:
    """Present, and of a release that the advisory names?"""
    if component.named_up_to is not None:
        for program in programs or ():
            major = re.search(r"\d{1,9}", program.version or "")
            if _first(component.programs, [program.name]) and major and int(major[0]) > component.named_up_to:
                later = f"{why}, release {program.version}: the advisory names releases up to {component.named_up_to}.x only"
                return Applies(None, later, settles="the vendor's word on later releases")
    return Applies(True, why)


def _first(patterns: tuple[str, ...], names: list[str] | tuple[str, ...] | None) -> str | None:
    lowered = [p.lower() for p in patterns]
    return next((n for n in names or () if any(fnmatchcase(n.lower(), p) for p in lowered)), None)
