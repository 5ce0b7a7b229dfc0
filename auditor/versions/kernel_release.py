"""Linux kernel releases (`uname -r`): which of the installed ones is newer than the running one.

A release is a version and a flavour: `6.1.0-28-amd64`, `5.15.0-91-generic`, `6.8.0-45-lowlatency`,
`6.12.38+deb12-rt-amd64`. Kernels of different flavours do not replace each other, so only those of the running flavour
are compared; versions are ordered like Debian's, whose turns of text and digits fit every distribution's scheme.
"""

from __future__ import annotations

import re

from auditor.versions import deb

_FLAVOUR = re.compile(r"-([a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*)$")


def flavour(release: str) -> str:
    """The flavour at the end of a release, or "" where it has none (`5.14.0-427.el9.x86_64` has none of its own)."""
    found = _FLAVOUR.search(release)
    return found[1] if found else ""


def version(release: str) -> str:
    """The release without its flavour."""
    return _FLAVOUR.sub("", release)


def newer_than(running: str, installed: tuple[str, ...]) -> tuple[str, ...]:
    """The installed releases of the running flavour that are newer, newest first."""
    own = flavour(running)
    same = [r for r in installed if flavour(r) == own and deb.older(_ordered(running), _ordered(r))]
    return tuple(sorted(same, key=lambda r: deb.sort_key(_ordered(r)), reverse=True))


def _ordered(release: str) -> str:
    return "0:" + version(release)
