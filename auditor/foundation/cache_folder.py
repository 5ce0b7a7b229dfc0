"""What can be made again and only costs time: kept in the user's own cache folder ($XDG_CACHE_HOME/auditor, ~/.cache/auditor).

Nothing depends on it. A folder that cannot be written, or that somebody else could have written to, is as good as an empty one;
what is read from it was left there by this account, and names what it was made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

import platformdirs

from auditor.foundation import own_files

_MOST = 16  # of one kind; releases and rulebooks come and go
_LARGEST = 16_000_000  # bytes


def recall(kind: str, made_of: str) -> bytes | None:
    """What was kept under a kind and a digest of all that it was made of; None where nothing was."""
    try:
        with own_files.place(_folder() / _name(kind, made_of)) as (folder, name):
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(handle, "rb") as file:
                there = os.fstat(handle)
                others = own_files.others_may_write(folder) or there.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
                ours = stat.S_ISREG(there.st_mode) and there.st_uid == os.geteuid() and there.st_size <= _LARGEST
                return _whole(file.read()) if ours and not others else None
    except OSError:
        return None


def keep(kind: str, made_of: str, content: bytes) -> None:
    """Keep something for later, in the place of what is older; where that cannot be done, nothing happens."""
    folder = _folder()
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own_files.replace(folder / _name(kind, made_of), hashlib.sha256(content).digest() + content)
        of_kind = [
            (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
            for entry in os.scandir(folder)
            if entry.name.startswith(f"{kind}-")
        ]
        for _, path in sorted(of_kind)[:-_MOST]:
            os.unlink(path)


def stamp(*modules: str) -> str:
    """Of when the code of some of our packages or modules is, so that what it made is made anew once it changes."""
    package = Path(__file__).resolve().parents[1]
    files = [f for m in modules for f in ((package / m).glob("*.py") if (package / m).is_dir() else (package / f"{m}.py",))]
    return repr([(s.st_mtime_ns, s.st_size) for f in sorted(files) if (s := f.stat())])


def _whole(kept: bytes) -> bytes | None:
    """The content, behind its digest: a disk may lose bytes, and what is kept may be code."""
    digest, content = kept[:32], kept[32:]
    return content if hashlib.sha256(content).digest() == digest else None


def _name(kind: str, made_of: str) -> str:
    return f"{kind}-{made_of}"


def _folder() -> Path:
    return platformdirs.user_cache_path("auditor")
