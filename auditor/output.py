"""Where a document goes: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def write_out(content: bytes) -> bool:
    """Standard output; whoever reads it may have gone, or its disk may be full."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except OSError as e:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        if not isinstance(e, BrokenPipeError):
            print(f"auditor: standard output cannot be written: {e.strerror}", file=sys.stderr)
        return False
    return True


def write_file(path: Path, content: bytes) -> bool:
    """Whole or not at all, and for its owner's eyes: a report tells a fleet's weak spots. False, and a message, where
    it cannot be written."""
    fault = put_file(path, content)
    if fault:
        print(f"auditor: {fault}", file=sys.stderr)
    return not fault


def put_file(path: Path, content: bytes, mode: int = 0o600) -> str:
    """Whole or not at all; what is wrong where it cannot be written, else ""."""
    try:
        path = path.resolve()  # a link is followed, not replaced
        if path.exists() and not path.is_file():  # a device or a pipe is written to
            with path.open("wb", buffering=0) as node:
                node.write(content)
            return ""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as e:
        return f"{path} cannot be written: {e.strerror}; name another place"
    return ""
