r"""What a rule may ask to be read: the names of settings, checked against strict patterns before anything is asked.

sysctl:net.core.somaxconn                       a sysctl
file:/etc/login.defs#PASS_MAX_DAYS              what follows a key in a file
line:/etc/fstab#whole line                      a whole line of a file
registry:HKLM\SYSTEM\...\Parameters#NAME        one registry value
file-version:%SystemRoot%\system32\afd.sys      the version of a file on Windows
"""

from __future__ import annotations

import re
from typing import Literal

# No quote, no glob, no option, no expansion: each of these is safe as one word of a command or one field of a query.
_LINUX = re.compile(
    r"sysctl:[a-z0-9_]+([./][A-Za-z0-9_-]+)+"
    r"|file:/[A-Za-z0-9._/+@-]+#[A-Za-z0-9._/@-]+|line:/[A-Za-z0-9._/+@-]+#[A-Za-z0-9._/+@:=, -]+"
)
_NAME = r"[A-Za-z0-9{}()._:+-][A-Za-z0-9{}()._:+ -]{0,100}"
_WINDOWS = re.compile(
    rf"registry:HKLM(\\{_NAME}){{1,20}}#{_NAME}|file-version:(%(SystemRoot|ProgramFiles)%|[A-Z]:)(\\{_NAME}){{1,12}}"
)


def problem(key: str) -> str | None:
    """Why a rule may not ask for this setting; None where it may."""
    if family(key) and "/../" not in key and "\\..\\" not in key and len(key) <= 400:
        return None
    return (
        f"{key!r} is no setting that can be read: sysctl:NAME, file:/PATH#KEY, line:/PATH#LINE, registry:HKLM\\KEY#NAME or "
        "file-version:%SystemRoot%\\PATH, of plain characters"
    )


def family(key: str) -> Literal["linux", "windows"] | None:
    """The family of hosts that have such a setting; None for what is none."""
    return "linux" if _LINUX.fullmatch(key) else "windows" if _WINDOWS.fullmatch(key) else None


def shown(key: str) -> str:
    r"""The name as people say it: `net.core.somaxconn`, `EnableDynamicBacklog (HKLM\…\AFD\Parameters)`."""
    kind, _, name = key.partition(":")
    if kind == "registry":
        place, _, value = name.partition("#")
        return f"{value} ({place})"
    return name
