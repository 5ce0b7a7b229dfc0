"""Packages of kernels: several of one name lie side by side, and the one that runs decides (rpm's installonly packages, dpkg's
images with the release in their name).
"""

from __future__ import annotations

import re

from msgspec import Struct

from auditor.model.facts import HostFacts, Package
from auditor.versions import kernel_release
from auditor.versions.package_version import key

_RPM_KERNEL = re.compile(
    r"kernel(?!-(?:srpm-macros|headers|cross-headers|doc|abi-|tools|firmware|livepatch|rpm-macros|syms|macros|source))(?:-[\w+.-]+)?"
)
# What the name of an rpm is made of that holds a kernel itself: `kernel-core`, `kernel-rt-64k-debug-core`, `kernel-uki-virt`; and
# SUSE's flavours, which its releases end with (`6.4.0-150600.23.7-default`).
_HOLDS_A_KERNEL = {"core", "uki", "virt"}
_VARIANTS = {"rt", "64k", "debug", "uek", "uek64k", "lt", "ml"}
_SUSES = {"default", "azure", "preempt", "desktop", "longterm", "vanilla", "pae", "xen", "ec2"}
_DEB_IMAGE = re.compile(r"linux-image-(?:unsigned-)?(\d(?!.*-dbg(?:sym)?$).*?)(?:-unsigned)?")
_DEB_SIGNED = re.compile(r"linux-signed(?:-(?!amd64$|arm64$|i386$)(.+)|-(?:amd64|arm64|i386))?")


def signed(source: str) -> bool:
    """Is it a source that only signs another one's kernels?"""
    return source.startswith("linux-signed") and _DEB_SIGNED.fullmatch(source) is not None


def of_source(source: str) -> str:
    """The source that advisories name: of Debian's `linux-signed-amd64` and Ubuntu's `linux-signed` it is `linux`, of
    `linux-signed-aws` `linux-aws`."""
    found = _DEB_SIGNED.fullmatch(source) if source.startswith("linux-signed") else None
    return source if not found else f"linux-{found[1]}" if found[1] else "linux"


def side_by_side(p: Package) -> bool:
    """May several versions of this package be installed at once?"""
    if not p.name.startswith(("kernel", "linux-")):  # thousands of others are asked, too
        return False
    if p.manager == "rpm":
        return _RPM_KERNEL.fullmatch(p.name) is not None
    return (
        p.manager == "dpkg"
        and not p.name.endswith(("-dbg", "-dbgsym"))
        and re.match(
            r"linux-(?:image|modules|headers|buildinfo|tools|cloud-tools|binary|kbuild)(?:-extra|-unsigned)?-\d", p.name
        )
        is not None
    )


def newest(installed: list[Package]) -> list[Package]:
    """Of packages that lie side by side only the newest of each kind: the older ones are what could be booted instead."""
    if len(installed) < 2:
        return installed
    best: dict[tuple[str, str | None], Package] = {}
    others = []
    for p in installed:
        if not side_by_side(p):
            others.append(p)
            continue
        kind = (_kind(p), p.arch)
        known = best.get(kind)
        if known is None or _key(known) < _key(p):
            best[kind] = p
    return [*others, *best.values()]


def _kind(p: Package) -> str:
    """What a package is, without the release in its name: `linux-image amd64`."""
    if p.manager == "rpm":
        return p.name
    stem = re.split(r"-(?=\d)", p.name, maxsplit=1)
    return (
        f"{stem[0].removesuffix('-unsigned')} {kernel_release.flavour(stem[1].removesuffix('-unsigned')[:200])}"
        if len(stem) > 1
        else p.name
    )


def _key(p: Package) -> bytes:
    try:
        return key(p.manager, p.full_version)
    except ValueError:
        return b""


class Running(Struct, frozen=True):
    """The version that runs. Where that is not `known`, the oldest of those that could."""

    key: bytes
    known: bool = True


def running(p: Package, facts: HostFacts) -> Running | None:
    """What runs, where a package holds kernels of the running flavour, or may; None where it does not."""
    kernels = facts.kernels
    release = _deb_release(p) if p.manager == "dpkg" else _rpm_flavour(p)
    if release is None or (kernels is not None and kernels.outside):
        return None
    try:
        if kernels is None or not kernels.running:
            runs = b""
        elif kernel_release.flavour(release) != kernel_release.flavour(kernels.running):
            return None
        elif p.manager == "dpkg":
            runs = _deb_running(kernels.running, kernels.running_package, facts)
        else:
            runs = _rpm_running(p, kernels.running, facts)
        if runs:
            return Running(runs)
        return Running(
            min(key(o.manager, o.full_version) for o in facts.packages or () if _kind(o) == _kind(p) and o.arch == p.arch),
            False,
        )
    except ValueError:
        return Running(b"", False)


def _deb_release(p: Package) -> str | None:
    found = _DEB_IMAGE.fullmatch(p.name)
    return found[1] if found else None


def _deb_running(running: str, built: str | None, facts: HostFacts) -> bytes:
    """The version that the running kernel was built as; where it does not say, that of its image's package."""
    if built:
        return key("dpkg", built)
    names = (f"linux-image-{running}", f"linux-image-unsigned-{running}", f"linux-image-{running}-unsigned")
    image = next((x for x in facts.packages or () if x.name in names), None)
    return key("dpkg", image.full_version) if image else b""


def _rpm_flavour(p: Package) -> str | None:
    """A release of the kind that the kernels of a package have, None where it holds none."""
    first, *words = p.name.split("-")
    variants = [w for w in words if w not in _HOLDS_A_KERNEL]
    if first != "kernel" or p.arch is None:
        return None
    if len(variants) == 1 and variants[0] in _SUSES:
        return f"0-0-{variants[0]}"
    if not _VARIANTS.issuperset(variants):
        return None
    # What `uname -r` ends with: the architecture, then `+debug`, `+rt-64k`; uek and older rt stand in the release itself.
    version = f"{p.version}-{p.release}.{p.arch}"
    if variants == ["rt"] and p.release and ".rt" in p.release:
        return version
    told = [w.replace("uek64k", "64k") for w in variants if w not in ("uek", "lt", "ml")]
    return f"{version}+{'-'.join(told)}" if told else version


def _rpm_running(p: Package, running: str, facts: HostFacts) -> bytes:
    """The installed package that the running release is of; SUSE leaves the number of a rebuild out of it."""
    release = running.partition("+")[0]
    for other in facts.packages or ():
        if other.name == p.name and other.manager == "rpm":
            whole = f"{other.version}-{other.release}"
            if release in (f"{whole}.{other.arch}", whole) or _suse(release, whole):
                return key("rpm", other.full_version)
    bare = release.removesuffix(f".{p.arch}")
    epoch = f"{p.epoch}:" if p.epoch else ""
    return key("rpm", f"{epoch}{bare}") if bare.count("-") == 1 else b""


def _suse(release: str, whole: str) -> bool:
    stem, _, word = release.rpartition("-")
    return word.isalpha() and whole.startswith(f"{stem}.") and whole[len(stem) + 1 :].isdigit()
