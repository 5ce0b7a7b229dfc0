"""Linux kernel releases (`uname -r`): which of the installed ones is newer than the running one.

A release is a version and a flavour: `6.1.0-28-amd64`, `5.15.0-91-generic`, `6.12.38+deb12-rt-amd64`; of an RPM system
`5.14.0-427.13.1.el9_4.x86_64+debug`, `5.15.0-200.131.27.el9uek.x86_64`. Kernels of different flavours do not replace each
other, so only those of the running flavour are compared, in the order of the distribution's package manager. A number
behind a word is a revision of the build (`6.9.3-surface-1`, `-xanmod2`), unless the word is an architecture's (`amd64`, `v8`).
"""

from __future__ import annotations

import re
from collections.abc import Collection

from auditor.versions import deb, rpm
from auditor.versions.limit import bounded
from auditor.versions.package_version import Manager

_ABI_WORD = re.compile(r"(?:rpi|rc)\d+")  # 6.1.0-rpi8-rpi-v8, 6.12.0-rc1-amd64: part of the version, though a word
_NUMBERED = re.compile(r"([a-z]+)(\d+(?:\.\w+)*)")
_COMMIT = re.compile(r"g[0-9a-f]{7,40}|dirty")  # what `git describe` adds: which build it is, not what for
# Words whose digits name what the kernel is built for.
_ARCHITECTURE = re.compile(
    r"(?:4|16|64)k|v\d\w*|k[678]|i?[3-6]86|x86|s390x?|armv\d\w*|(?:raspi|rpi|bcm|mt|imx|omap|bpo|deb|el|fc|mx|exynos|sun|tegra)\d\w*"
)
_RPM_ARCHITECTURE = re.compile(r"\.(x86_64|i[3-6]86|aarch64|armv7hl|ppc64(?:le)?|s390x?|riscv64|loongarch64|noarch)(?=$|[.+_])")
_BACKUP = re.compile(r"\.(?:old|bak|backup|orig|save|saved|prev|previous|broken|dpkg-\w+|ucf-\w+|rpm(?:save|new|orig))$|~$")


def _is_architecture(word: str) -> bool:
    """Numbers are none, but for those that x86 had for names; `generic-64k` is one."""
    named = word[:1].isalpha() and "." not in word and ("64" in word or "32" in word)
    return named or _ARCHITECTURE.fullmatch(word) is not None


def is_backup(release: str, others: Collection[str] = ()) -> bool:
    """Is it the name of an image that was put aside, rather than one that is to be booted? `linux-6.1.0-28-amd64.1` is one
    only beside the image without that number: unsuffixed mainline kernels end so (`6.9.12`)."""
    stem, _, number = release.rpartition(".")
    return _BACKUP.search(release) is not None or (number.isdigit() and stem in others)


def of_rpm(release: str) -> bool:
    """Does it name its architecture as rpm does (`.x86_64`)?"""
    return _RPM_ARCHITECTURE.search(release) is not None


def _split(release: str) -> tuple[str, str]:
    """Version and flavour. ValueError where it is longer than any release."""
    bounded(release)
    architecture = _RPM_ARCHITECTURE.search(release)
    variant = ""
    if architecture:
        variant = architecture[1] + release[architecture.end() :].replace(".", "+")
        release = release[: architecture.start()]
        if "uek" in release:
            variant += "+uek"
        if re.search(r"\.rt\d+\.", release):
            variant += "+rt"
        variant += next((f"+{by}" for by in ("centos.plus", "elrepo", "ueknext") if by in release), "")
    version, words = [], list[str]()
    for n, part in enumerate(release.rstrip("+").split("-")):
        if n and _COMMIT.fullmatch(part):
            continue
        if n == 0 or (part[:1].isdigit() and not _is_architecture(part)) or (not words and _ABI_WORD.fullmatch(part)):
            version.append(part)
            continue
        numbered = _NUMBERED.fullmatch(part)
        if numbered and not _is_architecture(part) and not _is_architecture(numbered[2]):
            words += [numbered[1]] if numbered[1] != "r" else []  # gentoo-r1 is gentoo's second
            version.append(numbered[2])
        else:
            words.append(part)
    return "-".join(version), "-".join([*words, variant] if variant else words)


def flavour(release: str) -> str:
    """What a release is built for, or "" where it does not say."""
    return _split(release)[1]


def newer_than(running: str, installed: tuple[str, ...], manager: Manager = "dpkg") -> tuple[str, ...]:
    """The installed releases of the running flavour that are newer, newest first. ValueError where a release of it is none."""
    own = flavour(running)
    same = [r for r in installed if not is_backup(r, installed) and flavour(r) == own]
    mine = _key(running, manager)
    return tuple(sorted((r for r in same if _key(r, manager) > mine), key=lambda r: _key(r, manager), reverse=True))


def _key(release: str, manager: Manager) -> bytes:
    version = _split(release)[0].replace("-rc", "~rc")
    if manager == "rpm":
        upstream, _, build = version.partition("-")
        return rpm.part_key(upstream) + rpm.part_key(build or "0")
    return deb.key("0:" + version.replace("_", "."))
