"""Everything that can go wrong in a way a person can mend.

AuditorError                 a message for people; the command line prints it, never a traceback
├── UsageFault               the words of the call are wrong                        (exit 2)
├── FileFaults               every fault of the files read, as file:line: message   (exit 2)
├── HostError                one target could not be reached or read; becomes the target's `error`
│   └── Refused              one question to it was refused; the others may be answered
├── HistoryError             the history cannot be opened, read or written
│   ├── WrongHistory         what was named is no history that can be used here        (exit 2)
│   └── HistoryDamaged       what is asked of it cannot be read any more
├── MailError                a mail server has not taken a mail
└── FactUnavailable               a collector could not read its facts: what depends on them is unknown
"""

from __future__ import annotations

from typing import Literal, get_args

ErrorKind = Literal[
    "resolve", "refused", "timeout", "unknown-host-key", "host-key-changed", "host-key-revoked",
    "no-common-algorithm", "auth-failed", "key-locked", "jump-failed", "sudo-denied", "protocol",
    "tls-untrusted", "tls-name-mismatch", "unencrypted-refused", "access-denied", "quota", "no-listener",
    "secret-unavailable", "interrupted", "internal", "limit", "zone-down", "worker-lost",
]  # fmt: skip
ERROR_KINDS: frozenset[str] = frozenset(get_args(ErrorKind))


class AuditorError(Exception):
    """The message says what happened, to what, and what to do."""


class UsageFault(AuditorError):
    """The call's words cannot be followed; nothing was contacted."""


class FileFaults(AuditorError):
    """All faults found in the files of one call, each `file:line: message`."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class HostError(AuditorError):
    """A target that gave no answer. `kind` is one of the closed list, the message says what to do."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        self.kind: ErrorKind = kind
        super().__init__(message)


class Refused(HostError):
    """One question was refused and the session goes on. `code` is the protocol's own number, 0 where there is none."""

    def __init__(self, kind: ErrorKind, message: str, code: int = 0) -> None:
        self.code = code
        super().__init__(kind, message)


class HistoryError(AuditorError):
    """The SQLite history cannot be used; the message names the file and the reason."""


class WrongHistory(HistoryError):
    """The file named cannot be the history: it is something else, lies where nothing can be written, is not there."""


class HistoryDamaged(HistoryError):
    """What is asked of the history cannot be read any more, now or later."""


class MailError(AuditorError):
    """A mail server has not taken a mail; the message names the server and what to do. `unanswered`: it had the whole mail
    and said neither yes nor no."""

    def __init__(self, message: str, *, unanswered: bool = False) -> None:
        super().__init__(message)
        self.unanswered = unanswered


class FactUnavailable(AuditorError):
    """A fact could not be read; the message is the reason shown beside every unknown that follows."""
