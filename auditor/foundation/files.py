"""Where a document goes: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from auditor.foundation import own_files


def write_out(content: bytes) -> bool:
    """Standard output; whoever reads it may have gone, or its disk may be full."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except OSError as e:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # it is flushed once more at the end
        if not isinstance(e, BrokenPipeError):
            print(f"auditor: standard output cannot be written: {e.strerror}", file=sys.stderr)
        return False
    return True


def write_file(path: Path, content: bytes) -> bool:
    """Whole or not at all, and for its owner's eyes: a report tells a fleet's weak spots; `-` is standard output. False, and a
    message, where it cannot be written."""
    if str(path) == "-":
        return write_out(content)
    fault = put_file(path, content)
    if fault:
        print(f"auditor: {fault}", file=sys.stderr)
    return not fault


def put_file(path: Path, content: bytes, mode: int = 0o600) -> str:
    """Whole or not at all; what is wrong where it cannot be written, else ""."""
    try:
        own_files.replace(path, content, mode)
    except OSError as e:
        return f"{path} cannot be written: {e.strerror}; name another place"
    return ""


def unwritable(path: Path) -> str:
    """Why no file can be put there, as far as it can be told without putting one; "" where nothing speaks against it."""
    folder = path.absolute().parent
    try:
        own_files.check(path)
    except OSError as e:
        return f"{path} cannot be written: {e.strerror}"
    if path.is_dir():
        return f"{path} is a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} may not be written"
    return ""
