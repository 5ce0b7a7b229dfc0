"""Documents from files, folders, zip and tar archives (read without unpacking) and standard input, one at a time.

Everything is bounded: the size of a document, what an archive may make of a few bytes, how many members it has. What
cannot be taken comes as a `Refusal` with its reason and never stops the rest.
"""

from __future__ import annotations

import os
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

MAX_DOCUMENT = 4_000_000  # bytes of any document; an article is smaller (decode.py)
MAX_ARCHIVE = 8_000_000_000  # bytes unpacked, all members of one archive
MAX_MEMBERS = 1_000_000
MAX_STDIN = 256_000_000
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
_HEADER = re.compile(rb"^DOCUMENT:", re.M)


class Document(NamedTuple):
    """`name` is for people: the path, or the archive's and the member's with a `:` between."""

    name: str
    content: bytes


class Refusal(NamedTuple):
    """A document, or a whole archive, that was not read, and why."""

    name: str
    reason: str


def documents(paths: Iterable[str]) -> Iterator[Document | Refusal]:
    """The documents of files, folders (every file below, in the order of their names), archives and `-`."""
    for given in paths:
        if given == "-":
            yield from _stdin()
            continue
        path = Path(given)
        if path.is_dir():
            for root, folders, files in os.walk(path):
                folders.sort()
                for name in sorted(files):
                    yield from _file(Path(root) / name)
        elif path.exists():
            yield from _file(path)
        else:
            yield Refusal(given, "there is no such file or folder")


def _file(path: Path) -> Iterator[Document | Refusal]:
    name = str(path)
    try:
        if not path.is_file():
            yield Refusal(name, "is no regular file")
        elif name.lower().endswith(".zip"):
            yield from _zip(path)
        elif name.lower().endswith(_ARCHIVES):
            yield from _tar(path)
        else:
            with path.open("rb") as file:
                yield _taken(name, file.read(MAX_DOCUMENT + 1))
    except OSError as e:
        yield Refusal(name, e.strerror or str(e))


def _taken(name: str, content: bytes) -> Document | Refusal:
    if len(content) > MAX_DOCUMENT:
        return Refusal(name, f"is larger than {MAX_DOCUMENT // 1_000_000} MB, which no article is")
    if content.startswith(_MAGIC):
        return Refusal(name, "is an archive in an archive, or one without its usual name; unpack it first")
    return Document(name, content)


def _zip(path: Path) -> Iterator[Document | Refusal]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or sum(m.file_size for m in members) > MAX_ARCHIVE:
                yield Refusal(str(path), f"holds more than {MAX_MEMBERS:,} members or {MAX_ARCHIVE // 1_000_000_000} GB")
                return
            for member in members:
                if member.is_dir():
                    continue
                name = f"{path}:{member.filename}"
                if reason := _unfit(member.filename, member.file_size):
                    yield Refusal(name, reason)
                    continue
                try:
                    with archive.open(member) as file:
                        yield _taken(name, file.read(MAX_DOCUMENT + 1))
                except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as e:
                    yield Refusal(name, f"cannot be unpacked: {e}")
    except (zipfile.BadZipFile, ValueError, EOFError) as e:
        yield Refusal(str(path), f"is no zip archive that can be read: {e}")


def _tar(path: Path) -> Iterator[Document | Refusal]:
    """Members in the archive's own order; a member that is too large ends the reading, since it could only be skipped
    by unpacking it."""
    total = count = 0
    try:
        with tarfile.open(path, mode="r|*") as archive:
            for member in archive:
                count, total = count + 1, total + member.size
                name = f"{path}:{member.name}"
                if count > MAX_MEMBERS or total > MAX_ARCHIVE:
                    yield Refusal(str(path), "holds more than may be read; the rest was left out")
                    return
                if member.isdir():
                    continue
                if not member.isreg():
                    yield Refusal(name, "is a link or a device, not a file")
                    continue
                if reason := _unfit(member.name, member.size):
                    yield Refusal(name, reason)
                    if member.size > MAX_DOCUMENT:
                        yield Refusal(
                            str(path),
                            "the rest of this archive was not read: its next members lie behind the one that is too large",
                        )
                        return
                    continue
                file = archive.extractfile(member)
                yield _taken(name, file.read(MAX_DOCUMENT + 1) if file else b"")
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as e:
        yield Refusal(str(path), f"is no tar archive that can be read, or is cut off: {e}")


def _unfit(name: str, size: int) -> str:
    """Why a member is not read; "" if it is."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        return "its path leads out of the archive"
    if name.lower().endswith(_ARCHIVES):
        return "is an archive in an archive; unpack it first"
    if size > MAX_DOCUMENT:
        return f"would be {size:,} bytes unpacked; no article is larger than {MAX_DOCUMENT // 1_000_000} MB"
    return ""


def _stdin(source: BinaryIO | None = None) -> Iterator[Document | Refusal]:
    """Standard input holds one article or several behind each other."""
    content = (source or sys.stdin.buffer).read(MAX_STDIN + 1)
    if len(content) > MAX_STDIN:
        yield Refusal("-", f"standard input holds more than {MAX_STDIN // 1_000_000} MB; name files instead")
        return
    if content.startswith(_MAGIC):
        yield Refusal("-", "an archive cannot be read from standard input; name its file")
        return
    starts = [m.start() for m in _HEADER.finditer(content)]
    cuts = starts if starts and not content[: starts[0]].strip() else [0, *(s for s in starts if s)]
    for n, (start, end) in enumerate(zip(cuts, [*cuts[1:], len(content)], strict=True), 1):
        name = "-" if len(cuts) == 1 else f"-:{n}"
        yield _taken(name, content[start:end])
