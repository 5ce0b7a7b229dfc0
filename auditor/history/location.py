"""Why a history cannot be used, in words: what SQLite and the system say of a file, looked at once more."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

PATIENCE = 300.0  # seconds for any one question or change; the slowest of a year of 5,000 hosts takes 30
_FULL = "database or disk is full"
# What SQLite says (sqlite3_errstr), and what it means here.
_MEANINGS = {
    "file is not a database": "it is not a SQLite database, or was overwritten; name another file with --history, or put a backup in its place",
    "interrupted": f"it was given up after {PATIENCE:g} s; is the file what auditor wrote?",
    "database is locked": "another run holds it; wait for that run, or name another file with --history",
    _FULL: "the disk is full",
    "disk I/O error": "the disk gave an input/output error; it may be failing, the system's log tells more",
    "database disk image is malformed": "it is damaged; `auditor history check` says where, a backup is the way back",
}
_SPARE = 65_536  # bytes; with less left on a disk, nothing of SQLite's can be written


def no_place(path: Path) -> str:
    """Why this user can have no history at this path, whatever is in it; "" where nothing speaks against it.

    SQLite writes beside the file (-wal, -shm) whenever it is opened, so its folder has to be writable too, also for reading.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {folder}; make it, or name another file with --history"
    if path.is_dir():
        return "it is a folder; name a file in it with --history"
    with suppress(OSError):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"its folder {folder} lies on a file system that is mounted read-only"
    for place, what, right in ((path, "it", os.R_OK | os.W_OK), (folder, f"its folder {folder}", os.W_OK | os.X_OK)):
        if place.exists() and not os.access(place, right):
            return f"{what} {_owned(place)}, and you are {_user(os.geteuid())}; run auditor as its owner, or name another file with --history"
    return ""


def meaning(e: sqlite3.Error | OSError, path: Path) -> str:
    """What a fault of SQLite or the system means, for people."""
    if isinstance(e, OSError):
        return "the disk is full" if e.errno in (errno.ENOSPC, errno.EDQUOT) else e.strerror or str(e)
    with suppress(OSError):
        found = os.statvfs(path.absolute().parent)
        # A full disk shows as an input/output error, or as a file that cannot be opened, where its -shm finds no room.
        if found.f_bavail * found.f_frsize < _SPARE:
            return f"the disk is full: {found.f_bavail * found.f_frsize} bytes are left where {path} lies"
    return _MEANINGS.get(str(e), str(e))


def _owned(place: Path) -> str:
    s = place.stat()
    group = str(s.st_gid)
    with suppress(KeyError):
        group = grp.getgrgid(s.st_gid).gr_name
    return f"belongs to {_user(s.st_uid)} and the group {group} (mode {stat.S_IMODE(s.st_mode):04o})"


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"
