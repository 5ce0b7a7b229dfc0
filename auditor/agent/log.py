"""The agent's log on standard error, for people or for machines; the journal adds the time to the former."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import msgspec

from auditor.foundation.sanitize import one_line

Form = Literal["text", "json"]
_FIELDS = ("audit", "due", "run", "target")


class Text(logging.Formatter):
    """`message (audit nightly, run …)`; for the journal with the priority before it that sd-daemon(3) reads, `<4>`."""

    def format(self, record: logging.LogRecord) -> str:
        level = {"WARNING": 4, "ERROR": 3}.get(record.levelname, 6)
        said = ", ".join(f"{key} {record.__dict__[key]}" for key in _FIELDS if record.__dict__.get(key))
        text = one_line(record.getMessage(), 1000) + (f" ({one_line(said)})" if said else "")
        return f"<{level}>{text}" if _journal_reads() else text


def _journal_reads() -> bool:
    """Is standard error the journal's (systemd.exec(5), $JOURNAL_STREAM: device and inode of the stream)?"""
    with suppress(OSError, ValueError, AttributeError):
        s = os.fstat(sys.stderr.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{s.st_dev}:{s.st_ino}"
    return False


class Json(logging.Formatter):
    """One object per line: time, level, message, and which audit, run and target."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: str(record.__dict__[key]) for key in _FIELDS if record.__dict__.get(key)}
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": when, "level": record.levelname.lower(), "message": one_line(record.getMessage(), 1000), **fields}
        return msgspec.json.encode(entry).decode()


def start(form: Form) -> logging.Logger:
    """The agent's logger. A log that cannot be written costs nothing else (`logging.raiseExceptions`)."""
    logging.raiseExceptions = False
    log = logging.getLogger("auditor.agent")
    log.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return log
