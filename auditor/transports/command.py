"""What goes to a host and what comes back: the narrow waist between transports and collectors."""

from __future__ import annotations

import shlex

from msgspec import Struct

from auditor.model.run import TargetError

MAX_STDOUT = 16_000_000  # bytes; a large server's answer is below 1 MB
MAX_STDERR = 64_000


class Command(Struct, frozen=True):
    """One command: its words, and what it reads from stdin (a sudo password, never logged; or a Windows shell's lines).
    `marker` frames its answer."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    marker: str = ""

    @property
    def quoted(self) -> str:
        """The words as one line for a POSIX login shell."""
        return shlex.join(self.argv)


class CommandResult(Struct, frozen=True):
    """`exit_status` is None where it was not told; `truncated` says why an answer was cut off. `seconds` is wall time."""

    exit_status: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: TargetError | None = None


def too_much() -> TargetError:
    """The cut of an answer that has no end."""
    return TargetError("protocol", f"more than {MAX_STDOUT // 1_000_000} MB of output; the rest was not read")
