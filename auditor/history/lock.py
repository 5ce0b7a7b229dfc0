"""One at a time: a lock that dies with its process (flock(2))."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditor.errors import HistoryError
from auditor.foundation.own_files import lock_file


class Busy(HistoryError):
    """Another process has the lock; the message names it."""


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock; Busy where another process does. The file stays: removing it would let two hold it."""
    try:
        handle = lock_file(path)
    except OSError as e:
        raise HistoryError(f"the lock {path} cannot be opened: {e.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Busy(f"{what} is under way already, as process {holder}; one at a time") from None
        with suppress(OSError):  # on a full disk nobody can be told who holds it; held it is
            os.pwrite(handle, f"{os.getpid():<19}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def holder(path: Path) -> int | None:
    """The process that holds the lock; None where nobody does."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(handle, 20, 0).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(handle)
    return None


def run_lock(history: Path) -> Path:
    """Held during an audit of the whole inventory, by whomever it is run."""
    return history.with_name(f"{history.name}.lock")


def agent_lock(history: Path) -> Path:
    """Held by the agent as long as it lives."""
    return history.with_name(f"{history.name}.agent-lock")
