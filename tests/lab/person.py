"""A throwaway user of this machine, with a password and rights of its own in sudoers. Needs root."""

from __future__ import annotations

import subprocess
from pathlib import Path
from secrets import token_hex
from typing import Self


class Person:
    def __init__(self, password: str) -> None:
        self.name, self.password = f"aud{token_hex(3)}", password
        self._sudoers = Path("/etc/sudoers.d") / self.name

    def __enter__(self) -> Self:
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", self.name], check=True)
        subprocess.run(["chpasswd"], input=f"{self.name}:{self.password}\n", text=True, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._sudoers.unlink(missing_ok=True)
        subprocess.run(["userdel", "--remove", self.name], check=False, capture_output=True)

    def may_sudo(self, *commands: str, nopasswd: bool) -> None:
        """Just these commands, with just these arguments."""
        tag = "NOPASSWD: " if nopasswd else ""
        self.may("".join(f"{self.name} ALL=(root) {tag}{c}\n" for c in commands))

    def may(self, sudoers: str) -> None:
        """What a whole file of its own says."""
        self._sudoers.write_text(sudoers)
        self._sudoers.chmod(0o440)
