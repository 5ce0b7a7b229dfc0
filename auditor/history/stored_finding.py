"""A finding as it is stored: what a feed may edit without anything changing on a host lies apart."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from auditor.history import blobs
from auditor.model.finding import Finding


def body(finding: Finding) -> bytes:
    """The bytes of a finding, without its waiver; an advisory's title is its rule's, and vendors edit it."""
    if finding.packages:
        finding = replace(finding, title="")
    return blobs.encode(replace(finding, waiver=None) if finding.waiver else finding)


def read(db: Database, number: int) -> Finding:
    """A finding by the number of its body. Damaged where that is not what was stored."""
    finding = msgspec.json.decode(blobs.get(db, number), type=Finding)
    if finding.title:
        return finding
    row = db.execute("select title from rules where id=?", (finding.rule,)).fetchone()
    return replace(finding, title=row[0] if row else finding.rule)
