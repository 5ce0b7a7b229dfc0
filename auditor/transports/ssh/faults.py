"""What can end an SSH connection, where paramiko's own exceptions do not say it."""

from __future__ import annotations

from paramiko import SSHException


class FastPathRefused(SSHException):
    """Something sent ahead was not taken. Nothing is known to be wrong: connect anew the plain way for the real answer."""


class NoBanner(SSHException):
    """The server closed before its version line: MaxStartups, a penalty, a TCP wrapper, or no sshd. `lines`: what it said."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("connection closed before the SSH banner" + (": " + " / ".join(lines) if lines else ""))
        self.lines = lines


class Dropped(SSHException):
    """The connection ended without a word."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"connection closed during {phase}")
        self.phase = phase


class Disconnected(SSHException):
    """SSH_MSG_DISCONNECT, whose code and text paramiko itself throws away."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"server disconnected ({code}): {text}")
        self.code, self.text = code, text


class DeadlineExceeded(TimeoutError):
    """A time limit passed; `phase` says in which step."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"deadline passed during {phase}")
        self.phase = phase
