"""Files of ours in folders that others may write: nothing is opened through a link that somebody else could have planted.

A service's folder belongs to the service's account; whoever runs auditor there as root must not be led elsewhere by it. So a
path is walked folder by folder (openat(2), O_NOFOLLOW): a link is followed only in a folder that nobody but root and us may
write, and what is changed in owner or mode is only what was made here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST_LINKS = 20


def _refused(path: Path | str) -> OSError:
    return OSError(errno.ELOOP, "it leads through a symbolic link in a folder that others may write", str(path))


def others_may_write(folder: int) -> bool:
    """May anybody but root and us put something into this folder?"""
    s = os.fstat(folder)
    if s.st_uid not in (0, os.geteuid()):
        return True
    by_group = s.st_mode & stat.S_IWGRP and s.st_gid not in (0, os.getegid())
    return bool(by_group or s.st_mode & stat.S_IWOTH)


@contextlib.contextmanager
def place(path: Path) -> Iterator[tuple[int, str]]:
    """The folder of a path, opened, and the name in it, which is no link: OSError ELOOP where that cannot be had."""
    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        left = [p for p in os.path.abspath(path).split("/") if p]
        links = 0
        while left:
            name = left.pop(0)
            target = _link(at, name)
            if target is not None:
                links += 1
                if others_may_write(at) or links > _MOST_LINKS:
                    raise _refused(path)
                if target.startswith("/"):
                    os.close(at)
                    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                left = [p for p in target.split("/") if p not in ("", ".")] + left
            elif left:
                below = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(at)
                at = below
            else:
                yield at, name
                return
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    finally:
        os.close(at)


def _link(at: int, name: str) -> str | None:
    """Where a link leads; None for what is none, or is not there."""
    try:
        return os.readlink(name, dir_fd=at)
    except OSError as e:
        if e.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def check(path: Path) -> None:
    """OSError ELOOP where a path, which something else opens by its name, leads through a planted link."""
    with place(path):
        pass


def create(path: Path, mode: int = 0o600) -> int:
    """A new file, open for reading and writing; FileExistsError where there is one."""
    with place(path) as (folder, name):
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """A file's content, whole or not at all. What is no file (a device, a pipe) is written to."""
    with place(path) as (folder, name):
        with contextlib.suppress(FileNotFoundError):
            there = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(there.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if not stat.S_ISREG(there.st_mode):
                node = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                with os.fdopen(node, "wb", buffering=0) as file:
                    file.write(content)
                return
        new = f".{name[:200]}.{secrets.token_hex(6)}"
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(new, dir_fd=folder)
            raise


def lock_file(path: Path) -> int:
    """A lock's file, made where it is not there. OSError where what lies there is not one that we or the folder's owner
    made: a link, a second name of another file, anything but a file."""
    with place(path) as (folder, name):
        owner = os.fstat(folder)
        try:
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except FileExistsError:
            handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            there = os.fstat(handle)
            if not stat.S_ISREG(there.st_mode) or there.st_nlink != 1 or there.st_uid not in (0, os.geteuid(), owner.st_uid):
                os.close(handle)
                raise OSError(errno.EPERM, "it is not a lock of ours; remove it", str(path)) from None
            return handle
        if os.geteuid() == 0:  # as SQLite does with its -wal: root's visit must not lock the service out
            os.fchown(handle, owner.st_uid, owner.st_gid)
        return handle
