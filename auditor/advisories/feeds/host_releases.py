"""Which releases' advisories are about a host: that of its distribution, and of what else it takes packages from."""

from __future__ import annotations

import re

from msgspec import Struct

from auditor.model.facts import HostFacts, Repository

# Ubuntu's releases with long support, for systems that take their packages from them (UBUNTU_CODENAME of os-release).
_UBUNTU = {
    "trusty": "14.04",
    "xenial": "16.04",
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "noble": "24.04",
    "resolute": "26.04",
}
_DEBIAN = {"stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
_TAKES_UBUNTUS = ("linuxmint", "pop", "elementary", "zorin", "neon", "ubuntu")
_TAKES_DEBIANS = ("lmde", "linuxmint", "debian")
_STREAM = re.compile(r"(?:^|[-_.])(eus|aus|tus|e4s|els|ltss|espos)(?=[-_.]|$)", re.IGNORECASE)
_CIQ_LTS = re.compile(r"(?:ciq[-_.]?)?lts[-_.]?(\d+\.\d+)", re.IGNORECASE)


class HostReleases(Struct, frozen=True):
    """`main`: that of the distribution itself, "" where it is none that is known; `more`: what else packages are taken from;
    `others`: whose fixes the host is not entitled to, with the name of the service."""

    main: str
    more: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


def releases(facts: HostFacts) -> HostReleases:
    """Pure; of a host whose repositories are not known, only the distribution's own stream is."""
    product = (facts.platform.product or "").lower()
    family, _, version = product.rpartition("-")
    enabled = [r for r in facts.repositories or () if r.enabled]
    if family in _TAKES_UBUNTUS or product.startswith("linuxmint"):
        number = version if family == "ubuntu" else _UBUNTU.get(facts.platform.codename or "", "")
        if number:
            return _ubuntu(number, enabled)
    if family in _TAKES_DEBIANS:
        number = version if family == "debian" else _DEBIAN.get(facts.platform.codename or "", "")
        return _debian(number, enabled) if number else HostReleases("")
    if product.startswith(("sles", "sled", "sle_", "sle-")):
        return _suse(version, enabled)
    if product.startswith("opensuse-tumbleweed"):
        return HostReleases("opensuse-tumbleweed")
    if family == "rhel":
        return _red_hat(version, facts.platform.version or "", enabled)
    if family in ("almalinux", "rocky", "oracle", "centos"):
        lts = next((found[1] for r in enabled if (found := _CIQ_LTS.search(r.name))), "")
        main = f"rocky-{lts}-lts" if lts and family == "rocky" else product
        bridge = (
            ("centos-7-bridge",) if product == "centos-7" and any("ciq" in r.name or "cbr" in r.name for r in enabled) else ()
        )
        sig = (f"{product}-sig",) if family == "rocky" and any("sig" in re.split(r"[-_.]", r.name) for r in enabled) else ()
        return HostReleases(main, (*bridge, *sig, *_epel(version, enabled)))
    return HostReleases(product)


def _ubuntu(number: str, enabled: list[Repository]) -> HostReleases:
    more, others = [], []
    for service in ("esm-infra", "esm-apps"):
        release = f"ubuntu-{number}-{service}"
        suites = [
            r for r in enabled if "esm.ubuntu.com" in r.address and r.name.endswith(f"-{service.removeprefix('esm-')}-security")
        ]
        if suites:
            more.append(release)
        else:
            others.append((release, f"Ubuntu Pro ({service})"))
    return HostReleases(f"ubuntu-{number}", tuple(more), tuple(others))


def _debian(number: str, enabled: list[Repository]) -> HostReleases:
    release = f"debian-{number}-elts"
    if any("extended-lts" in r.address for r in enabled):
        return HostReleases(f"debian-{number}", (release,))
    return HostReleases(f"debian-{number}", (), ((release, "Extended LTS"),))


def _suse(version: str, enabled: list[Repository]) -> HostReleases:
    base = f"sles-{version}"
    more, others = [], []
    long = any("LTSS" in r.name or "LTSS" in r.address for r in enabled)
    (more.append(f"{base}-ltss") if long else others.append((f"{base}-ltss", "LTSS")))
    if any("PackageHub" in r.name or "PackageHub" in r.address for r in enabled):
        more.append(f"{base}-packagehub")
    return HostReleases(base, tuple(more), tuple(others))


def _red_hat(major: str, version: str, enabled: list[Repository]) -> HostReleases:
    """A host that is pinned to a minor release gets the builds of that stream, and is held against no other's."""
    stream = next((found[1].lower() for r in enabled if (found := _STREAM.search(r.name))), "")
    main = f"rhel-{version}-{stream}" if stream and "." in version else f"rhel-{major}-{stream}" if stream else f"rhel-{major}"
    return HostReleases(main, _epel(major, enabled))


def _epel(major: str, enabled: list[Repository]) -> tuple[str, ...]:
    return (f"epel-{major}",) if any(r.name.startswith("epel") for r in enabled) else ()
