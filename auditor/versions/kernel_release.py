"""Linux kernel releases (`uname -r`): which of the installed ones is newer than the running one.

A release is a version and a flavour: `6.1.0-28-amd64`, `5.15.0-91-generic`, `6.8.0-45-lowlatency`,
`6.12.38+deb12-rt-amd64`. Kernels of different flavours do not replace each other, so only those of the running flavour
are compared; versions are ordered like Debian's, whose turns of text and digits fit every distribution's scheme.
"""

from __future__ import annotations

import re

from auditor.versions import deb

_ABI_WORD = re.compile(r"(?:rpi|rc)\d+")  # 6.1.0-rpi8-rpi-v8, 6.12.0-rc1-amd64: part of the version, though a word


def _split(release: str) -> tuple[str, str]:
    parts = release.split("-")
    for n, part in enumerate(parts[1:], 1):
        if part[:1].isalpha() and not _ABI_WORD.fullmatch(part):
            return "-".join(parts[:n]), "-".join(parts[n:])
    return release, ""


def flavour(release: str) -> str:
    """The flavour at the end of a release, or "" where it has none (`5.14.0-427.el9.x86_64` has none of its own)."""
    return _split(release)[1]


def newer_than(running: str, installed: tuple[str, ...]) -> tuple[str, ...]:
    """The installed releases of the running flavour that are newer, newest first."""
    own = flavour(running)
    same = [r for r in installed if flavour(r) == own and deb.older(_ordered(running), _ordered(r))]
    return tuple(sorted(same, key=lambda r: deb.sort_key(_ordered(r)), reverse=True))


def _ordered(release: str) -> str:
    return "0:" + _split(release)[0].replace("-rc", "~rc").replace("_", ".")
