"""Rules of YAML files as they were once read, so that a start does not read the same YAML again (foundation/cache_folder.py).

They are known by the digest of the files' bytes and by the code that reads rules; a file that was changed by one byte is read anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from auditor.foundation import cache_folder
from auditor.foundation.yaml_file import MAX_BYTES
from auditor.rulebook.rule import Rule

Placed = tuple[int, Rule]  # a rule and its line

_KIND = "rules"
_CODE = (
    "foundation/yaml_file",
    "rulebook",
    "checks",
    "model",
    "versions",
)  # what decides how a file is read, and what is a fault


class CompiledRules:
    """What is known of some YAML files: all of them as they are now, or nothing."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._digest = _digest(files)
        self._read: dict[Path, list[Placed]] = {}
        kept = cache_folder.recall(_KIND, self._digest) if self._digest else None
        if kept:
            try:
                found = msgspec.msgpack.decode(kept, type=list[list[Placed]])
                self._read = dict(zip(files, found, strict=True))
            except (msgspec.MsgspecError, ValueError):
                pass  # another program's, or cut off: it is made anew
        self._new: dict[Path, list[Placed]] = {}

    def of(self, path: Path) -> list[Placed] | None:
        """The rules of one of the files; None where it has to be read."""
        return self._read.get(path)

    def note(self, path: Path, rules: list[Placed]) -> None:
        """One of the files was read."""
        self._new[path] = rules

    def keep(self) -> None:
        """Keep what was read for the next start; it was without a fault."""
        if self._digest and self._new:
            cache_folder.keep(_KIND, self._digest, msgspec.msgpack.encode([self._new[path] for path in self._files]))


def _digest(files: Sequence[Path]) -> str:
    """Of all that decides which rules the files hold; empty where one cannot be read, which its reader then says."""
    digest = hashlib.sha256(cache_folder.stamp(*_CODE).encode())
    for path in files:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.sha256(file.read(MAX_BYTES + 1)).digest())
        except OSError:
            return ""
    return digest.hexdigest()
