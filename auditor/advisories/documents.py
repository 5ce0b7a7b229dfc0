"""Documents from files, folders, zip and tar archives (read without unpacking) and standard input, one at a time.

Everything is bounded: the size of a document, what an archive may make of a few bytes, how many members it has. What
cannot be taken comes as a `Refusal` with its reason and never stops the rest.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_DOCUMENT = 4_000_000  # bytes of any document; an article is smaller (decode.py)
MAX_ARCHIVE = 8_000_000_000  # bytes unpacked, all members of one archive
MAX_MEMBERS = 1_000_000
MAX_STDIN = 256_000_000
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_HEADER = re.compile(rb"^DOCUMENT:", re.M)


class Document(NamedTuple):
    """`name` is for people: the path, or the archive's and the member's with a `:` between."""

    name: str
    content: bytes


class Refusal(NamedTuple):
    """A document, or a whole archive, that was not read, and why."""

    name: str
    reason: str


def documents(paths: Iterable[str], most: int = MAX_DOCUMENT, *, compressed: bool = False) -> Iterator[Document | Refusal]:
    """The documents of files, folders (every file below, in the order of their names), archives and `-`, each of at most
    `most` bytes. `compressed`: a document may be gzip, bzip2, xz or zstd, as what it begins with says."""
    for given in paths:
        if given == "-":
            yield from _stdin()
            continue
        path = Path(given)
        if path.is_dir():
            for root, folders, files in os.walk(path):
                folders.sort()
                for name in sorted(files):
                    yield from _bounded(_file(Path(root) / name, most, compressed), name)
        elif path.exists():
            yield from _bounded(_file(path, most, compressed), given)
        else:
            yield Refusal(given, "there is no such file or folder")


def _bounded(found: Iterator[Document | Refusal], name: str) -> Iterator[Document | Refusal]:
    """Of one file, however often its parts are packed, no more than an archive may make."""
    total = 0
    for document in found:
        total += len(document.content) if isinstance(document, Document) else 0
        if total > MAX_ARCHIVE:
            yield Refusal(name, f"makes more than {MAX_ARCHIVE // 1_000_000_000} GB; the rest was left out")
            return
        yield document


def _file(path: Path, most: int, compressed: bool) -> Iterator[Document | Refusal]:
    name = str(path)
    try:
        if not path.is_file():
            yield Refusal(name, "is no regular file")
        elif name.lower().endswith(".zip"):
            yield from _zip(path, most, compressed)
        elif name.lower().endswith(_ARCHIVES):
            yield from _tar(path, most, compressed)
        else:
            with path.open("rb") as file:  # a file that is no longer than it said takes no more memory than it needs
                size = os.fstat(file.fileno()).st_size
                yield _taken(name, file.read(min(size, most) + 1), most, compressed)
    except OSError as e:
        yield Refusal(name, e.strerror or str(e))


def _taken(name: str, content: bytes, most: int, compressed: bool) -> Document | Refusal:
    if compressed and content.startswith(_COMPRESSED) and len(content) <= most:
        try:
            content = _unpacked(content, most + 1)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstd.ZstdError) as e:
            return Refusal(name, f"cannot be unpacked: {e}")
    if len(content) > most:
        return Refusal(name, f"is larger than {most // 1_000_000} MB, which no document is")
    if content.startswith(_MAGIC):
        return Refusal(name, "is an archive in an archive, or one without its usual name; unpack it first")
    return Document(name, content)


def _unpacked(content: bytes, most: int) -> bytes:
    """At most so many bytes of a compressed document; whole to its end, whose checksum is read too, where it is not longer."""
    opens: dict[bytes, Callable[[BytesIO], BufferedIOBase]] = {b"\x1f": _gunzip, b"B": bz2.BZ2File, b"\xfd": lzma.LZMAFile}
    with opens.get(content[:1], zstd.ZstdFile)(BytesIO(content)) as file:
        return file.read(most)


def _gunzip(file: BytesIO) -> BufferedIOBase:
    return gzip.GzipFile(fileobj=file)


def _zip(path: Path, most: int, compressed: bool) -> Iterator[Document | Refusal]:
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
                if reason := _unfit(member.filename, member.file_size, most):
                    yield Refusal(name, reason)
                    continue
                try:
                    with archive.open(member) as file:
                        yield _taken(name, file.read(most + 1), most, compressed)
                except (
                    zipfile.BadZipFile,
                    zlib.error,
                    lzma.LZMAError,
                    EOFError,
                    RuntimeError,
                    NotImplementedError,
                    OSError,
                ) as e:
                    yield Refusal(name, f"cannot be unpacked: {e}")
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, IndexError, struct.error) as e:
        yield Refusal(str(path), f"is no zip archive that can be read: {e}")


def _tar(path: Path, most: int, compressed: bool) -> Iterator[Document | Refusal]:
    """Members in the archive's own order; a member that is too large ends the reading, since it could only be skipped
    by unpacking it."""
    total = count = 0
    try:
        with _opened_tar(path) as archive:
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
                if reason := _unfit(member.name, member.size, most):
                    yield Refusal(name, reason)
                    if member.size > most:
                        yield Refusal(
                            str(path),
                            "the rest of this archive was not read: its next members lie behind the one that is too large",
                        )
                        return
                    continue
                file = archive.extractfile(member)
                yield _taken(name, file.read(most + 1) if file else b"", most, compressed)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, zstd.ZstdError, EOFError, OSError, ValueError) as e:
        yield Refusal(str(path), f"is no tar archive that can be read, or is cut off: {e}")


def _opened_tar(path: Path) -> tarfile.TarFile:
    if path.name.lower().endswith(".zst"):  # before Python 3.14 tarfile knows no zstd
        return tarfile.open(fileobj=zstd.ZstdFile(path), mode="r|")
    return tarfile.open(path, mode="r|*")


def _unfit(name: str, size: int, most: int) -> str:
    """Why a member is not read; "" if it is."""
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or re.match(r"[A-Za-z]:", name):
        return "its path leads out of the archive"
    if name.lower().endswith(_ARCHIVES):
        return "is an archive in an archive; unpack it first"
    if size > most:
        return f"would be {size:,} bytes unpacked; no document is larger than {most // 1_000_000} MB"
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
        yield _taken(name, content[start:end], MAX_DOCUMENT, False)
