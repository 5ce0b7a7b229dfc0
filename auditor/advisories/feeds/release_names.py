"""What feeds call a release, in our product ids. Anything that is no release of a distribution gives None."""

from __future__ import annotations

import re
from functools import lru_cache

# OSV's ecosystems (the schema's list of defined ecosystems).
_OSV = (
    (re.compile(r"AlmaLinux:(\d+)"), "almalinux-{0}"),
    (re.compile(r"Rocky Linux:(\d+)"), "rocky-{0}"),
    (re.compile(r"Debian:([23]\.\d|\d+(?=\.0$|$))(?:\.0)?"), "debian-{0}"),
    (re.compile(r"Ubuntu:(\d+\.\d+)(?::LTS)?"), "ubuntu-{0}"),
    (re.compile(r"Alpine:v(\d+\.\d+)"), "alpine-{0}"),
    (re.compile(r"Mageia:(\d+)"), "mageia-{0}"),
    (re.compile(r"openEuler:(\d+\.\d+.*)"), "openeuler-{0}"),
)
_UBUNTU_PRO = re.compile(r"Ubuntu:Pro:(\d+\.\d+)(?::LTS)?")
_ESM = re.compile(r"distro=(esm-(?:infra|apps))(?:-legacy)?/")


@lru_cache(maxsize=4096)
def of_osv(ecosystem: str, purl: str = "") -> str | None:
    """The release of an OSV ecosystem. What Ubuntu fixes for its Pro subscribers is of a release of its own
    (`ubuntu-22.04-esm-apps`), and Debian's Extended LTS is; the package URL tells of which service."""
    if found := _UBUNTU_PRO.fullmatch(ecosystem):
        service = _ESM.search(purl)
        return f"ubuntu-{found[1]}-{service[1]}" if service else None
    for pattern, release in _OSV:
        if found := pattern.fullmatch(ecosystem):
            return release.format(found[1].lower()) + ("-elts" if "extended-lts" in purl else "")
    maker, _, product = ecosystem.partition(":")
    return of_suse(f"SUSE {product}" if maker == "SUSE" else f"openSUSE {product}") if maker in ("SUSE", "openSUSE") else None


# What SUSE sells for one service pack: SLES, SLES for SAP, SLED, modules and extensions. A package has one version in all of them.
_SUSE_PACK = re.compile(r"SUSE Linux Enterprise [A-Za-z].*? (\d+)(?: SP(\d+))?((?:-[A-Za-z][\w-]*)?)")
_SUSE_SIXTEEN = re.compile(
    r"SUSE Linux Enterprise (?:Server|Desktop|High Availability Extension|Server for SAP [Aa]pplications) (\d{2})\.(\d+)"
)
_SUSE_LONG = {"-LTSS": "-ltss", "-LTSS-EXTREME-CORE": "-ltss-core", "-ESPOS": "-espos", "-LTSS-SAP": "-ltss"}
_PACKAGE_HUB = re.compile(r"SUSE (?:Linux Enterprise )?(?:Module for )?Package ?Hub (\d+)(?: SP(\d+))?")
_LEAP, _OLD_OPENSUSE = re.compile(r"openSUSE Leap (\d+\.\d+)"), re.compile(r"openSUSE (\d+\.\d+)")


def of_suse(product: str) -> str | None:
    """The release of a product as SUSE names it (`SUSE Linux Enterprise Module for Basesystem 15 SP5`). Long support is of a
    release of its own (`sles-15.3-ltss`)."""
    if found := _LEAP.fullmatch(product):
        return f"opensuse-leap-{found[1]}"
    if product == "openSUSE Tumbleweed":
        return "opensuse-tumbleweed"
    if found := _OLD_OPENSUSE.fullmatch(product):
        return f"opensuse-{found[1]}"
    if found := _SUSE_SIXTEEN.fullmatch(product):
        return f"sles-{found[1]}.{found[2]}"
    if found := _PACKAGE_HUB.fullmatch(product):
        return f"sles-{found[1]}{'.' + found[2] if found[2] else ''}-packagehub"
    found = _SUSE_PACK.fullmatch(product)
    if not found or "Micro" in product or "Container" in product or "Live Patching" in product:
        return None
    base = f"sles-{found[1]}" + (f".{found[2]}" if found[2] else "")
    if not found[3] or found[3].startswith(("-TERADATA", "-BCL", "-CLIENT")):
        return base if not found[3] else None
    return base + _SUSE_LONG[found[3]] if found[3] in _SUSE_LONG else None


_RHEL = re.compile(
    r"cpe:/[ao]:redhat:(enterprise_linux|rhel_(?:eus|aus|tus|e4s|els|eus_long_life)):(\d+)(?:\.(\d+))?(?::[^:]*(?::(.*))?)?"
)
_NOT_RHEL = ("hypervisor",)


def of_cpe(cpe: str) -> str | None:
    """The release of a CPE that Red Hat gives a platform. A stream that is pinned to a minor release is of a release of its own
    (`rhel-9.4-eus`), since it is fixed by builds of its own."""
    found = _RHEL.match(cpe)
    if not found or (found[4] or "") in _NOT_RHEL:
        return None
    product, major, minor, _ = found.groups()
    if product == "enterprise_linux":
        return f"rhel-{major}"
    stream = product.removeprefix("rhel_").replace("eus_long_life", "eus")
    return f"rhel-{major}.{minor}-{stream}" if minor else f"rhel-{major}-{stream}"


# CIQ's products for Rocky Linux: rolling by the major release, long support by the minor one.
_CIQ_NAMES = (
    (re.compile(r"cpe:2\.3:o:ciq:rocky_linux_from_ciq:(\d+)[.:].*"), "rocky-{0}"),
    (re.compile(r"cpe:2\.3:o:ciq:rocky_linux_from_ciq_lts:(\d+\.\d+):.*"), "rocky-{0}-lts"),
    (re.compile(r"cpe:2\.3:o:ciq:centos_linux_bridge:(\d+)[.:].*"), "centos-{0}-bridge"),
)


def of_ciq(cpe: str) -> str | None:
    """The release of a product of CIQ's."""
    return next((release.format(found[1]) for pattern, release in _CIQ_NAMES if (found := pattern.fullmatch(cpe))), None)


# Codenames of Debian's releases (the security tracker's lists name no numbers).
DEBIAN = {
    "potato": "2.2", "woody": "3.0", "sarge": "3.1", "etch": "4", "lenny": "5", "squeeze": "6", "wheezy": "7", "jessie": "8", "stretch": "9",
    "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15",
}  # fmt: skip


def of_debian(codename: str) -> str | None:
    """The release of a codename of Debian's."""
    return f"debian-{DEBIAN[codename]}" if codename in DEBIAN else None


def of_updateinfo(ident: str, package_release: str) -> str | None:
    """The release of a package in an updateinfo.xml: the update's id says whose it is, the package's own release (`9.el8_9`,
    `1.amzn2`) of which. The words around it (`<release>`, the collection's name) differ from feed to feed."""
    if found := _AMAZON.match(ident):
        return f"amazon-{found[1]}"
    for prefix, tag, name in _TAGS:
        if prefix.match(ident):
            found = tag.search(package_release)
            return narrowed(name.format(found[1]), ident) if found else None
    return None


_BACKPORT = re.compile(r"~bpo(\d+)\+\d")


def of_debian_backport(version: str) -> str | None:
    """The release that a build of Debian's backports was made for (`1.2-3~bpo12+1`: Debian 12); None for any other build."""
    found = _BACKPORT.search(version)
    return f"debian-{found[1]}" if found and len(found[1]) <= 2 else None


# By the beginning of the id, what the releases of the packages show. Amazon Linux 2023 has `.amzn2023`, 1 has `.amzn1`.
_AMAZON = re.compile(r"ALAS(2\d*)")  # ALAS2-…, ALAS2023NVIDIA-…: packages of its further repositories do not all say so
_TAGS = tuple(
    (re.compile(prefix), re.compile(tag), name)
    for prefix, tag, name in (
        (r"FEDORA-EPEL", r"\.el(\d+)", "epel-{0}"),
        (r"FEDORA-", r"\.fc(\d+)", "fedora-{0}"),
        (r"EL[SBE]A-", r"\.(?:module\+)?el(\d+)", "oracle-{0}"),
        (r"ALAS", r"\.amzn(\d+)", "amazon-{0}"),
        (r"AL[SBE]A-", r"\.(?:module_)?el(\d+)", "almalinux-{0}"),
        (r"R[LX][SBE]A-", r"\.(?:module\+)?el(\d+)", "rocky-{0}"),
        (r"RH[SBE]A-", r"\.(?:module\+)?el(\d+)", "rhel-{0}"),
    )
)


_INTEREST_GROUP = re.compile(r"C?RX[SBE]A-")


def narrowed(release: str, ident: str) -> str:
    """Packages of Rocky's interest groups (another kernel, say) are for those who have added their repository."""
    return f"{release}-sig" if _INTEREST_GROUP.match(ident) else release
