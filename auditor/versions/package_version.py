"""Versions of packages in the order of the manager that installed them."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from auditor.versions import apk, deb, rpm

Manager = Literal["dpkg", "rpm", "apk"]
_KEYS = {"dpkg": deb.key, "rpm": rpm.key, "apk": apk.key}
_OLDER = {"dpkg": deb.older, "rpm": rpm.older, "apk": apk.older}
# The managers of releases by the beginning of their ids; all others have rpm.
_DPKG = ("debian", "ubuntu", "raspbian", "kali", "linuxmint", "proxmox", "devuan")
_APK = ("alpine", "postmarketos")


def key(manager: str, version: str) -> bytes:
    """Bytes whose order is the manager's; ValueError for no version, and for a manager whose order is not known here."""
    if manager not in _KEYS:
        raise ValueError(f"the order of {manager} is not known to this release")
    return _KEYS[manager](version)


def older(manager: str, version: str, than: str) -> bool:
    """True if `version` sorts before `than`; ValueError as `key`."""
    if manager not in _OLDER:
        raise ValueError(f"the order of {manager} is not known to this release")
    return _OLDER[manager](version, than)


@lru_cache(maxsize=1024)
def manager_of(release: str) -> Manager:
    """The package manager of a release."""
    return "dpkg" if release.startswith(_DPKG) else "apk" if release.startswith(_APK) else "rpm"
