"""What the history has of a host's facts, so that a distant worker need not send it again. Read-only, on a connection of its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from auditor.foundation.remembered import Remembered
from auditor.history import blobs
from auditor.model.facts import Platform

_MOST, _TYPICAL = 16_000_000, 100_000  # bytes that are remembered, and what one section counts for


class KnownSections(Struct, frozen=True):
    """`digests`: by section, what it is known by (hex); `numbers`: the contents behind them."""

    family: Literal["linux", "windows"] | None = None
    digests: dict[str, str] = {}
    numbers: dict[str, int] = {}


class StoredSections:
    """For one thread at a time. What cannot be read is not known, and is sent again."""

    def __init__(self, path: Path | None) -> None:
        self._db: Database | None = None
        self._bodies = Remembered[int, bytes](_MOST)  # hosts have most of them in common
        if path and path.exists():
            try:
                address = f"file:{quote(str(path.absolute()))}?mode=ro"
                self._db = Database(sqlite3.connect(address, uri=True, check_same_thread=False, timeout=5.0))
            except sqlite3.Error:
                self._db = None

    def of(self, name: str) -> KnownSections:
        """What is known of a target."""
        try:
            return self._of(name) if self._db else KnownSections()
        except (sqlite3.Error, blobs.Damaged, msgspec.MsgspecError):
            return KnownSections()

    def body(self, number: int) -> bytes:
        """A section. Raises Damaged or sqlite3.Error where it is not there any more."""
        db = self._db
        assert db
        return self._bodies.get(number, _TYPICAL, lambda: blobs.get(db, number))

    def close(self) -> None:
        """Close the file."""
        if self._db:
            self._db.close()

    def _of(self, name: str) -> KnownSections:
        assert self._db
        row = self._db.execute(
            "select facts from latest join results on results.n=latest.result join targets on targets.n=latest.target where name=?",
            (name,),
        ).fetchone()
        if not row:
            return KnownSections()
        here, apart = blobs.sections(self._db, row[0])
        marks = ",".join("?" * len(apart))
        found = self._db.execute(f"select n, digest from contents where n in ({marks})", tuple(apart.values())).fetchall()
        digests = {n: bytes(digest).hex() for n, digest in found}
        platform = msgspec.json.decode(here["platform"], type=Platform) if "platform" in here else Platform()
        known = {section: n for section, n in apart.items() if n in digests}
        return KnownSections(platform.family, {section: digests[n] for section, n in known.items()}, known)
