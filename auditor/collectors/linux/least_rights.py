"""Set-ups with the least rights that an audit needs, made of what the collectors run: what `auditor commands` prints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from auditor.collectors.linux.script import DIGEST, PRIVILEGED

_HERE = Path(__file__).parent
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")  # useradd(8)
_ACCOUNT = re.compile(r"([\w .-]{1,255}\\)?[\w .$-]{1,104}")  # DOMAIN\NAME; none of the characters Windows forbids


def sudoers(user: str) -> str:
    """A file for /etc/sudoers.d (sudoers(5)). Raises ValueError for what cannot be a user's name."""
    if not _USER.fullmatch(user):
        raise ValueError(f"{user!r} cannot be a user's name on Linux")
    lines = [
        f"# auditor: all that {user} may run as root, with exactly these arguments, each in a sudo of its own.",
        "# Check it with `visudo -cf FILE`, then: install -m 0440 -o root FILE /etc/sudoers.d/auditor",
        *(f"{user} ALL=(root) NOPASSWD: {command}" for command in PRIVILEGED),
    ]
    return "\n".join(lines) + "\n"


def forced_command(settings: Iterable[str]) -> str:
    """The script that sshd(8) runs for an audit key, whatever was asked for. `settings`: keys that it lets the script read
    (model/setting_key.py), those of the loaded rules."""
    text = _HERE.joinpath("gate.sh").read_text("ascii")
    return text.replace("@DIGEST@", DIGEST).replace("@SETTINGS@", "\n".join(sorted(settings)))


def winrm(account: str) -> str:
    """PowerShell that lets an account read by WMI. Raises ValueError for what cannot be an account."""
    if not _ACCOUNT.fullmatch(account):
        raise ValueError(f"{account!r} cannot be an account or group on Windows")
    return _HERE.joinpath("windows", "winrm.ps1").read_text("ascii").replace("@ACCOUNT@", account)
