"""What is kept once, by its content: sections of facts, findings, targets as they were, collectors' outcomes.

Facts are taken apart into their sections, each in a canonical form (lists sorted by their elements' own text), so that a
night on which one package changed adds one section and nothing else.
"""

from __future__ import annotations

import sys

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from auditor.foundation.remembered import Remembered
from auditor.model.canonical import APART, SMALL, canonical, digest
from auditor.model.encoded_facts import EncodedFacts
from auditor.model.facts import CollectorOutcome

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

encode = msgspec.json.Encoder().encode
LONG = ("packages", "updates", "processes")  # what a report has no use for (TargetResult.slim)


class Damaged(ValueError):
    """A content that is not what its digest says."""


MAX_CONTENT = 64_000_000  # bytes of any one content, unpacked; the facts of a large server take two
_WINDOW = 27  # log of the bytes that unpacking may look back on; what we write needs less (RFC 8878, Window_Descriptor)


def unpack(packed: bytes, prefix: bytes | None = None) -> bytes:
    """Undo zstd, at most MAX_CONTENT bytes of it. Raises Damaged where there is more, or it is no zstd."""
    dictionary = zstd.ZstdDict(prefix, is_raw=True).as_prefix if prefix is not None else None
    try:
        options = {int(zstd.DecompressionParameter.window_log_max): _WINDOW}
        unpacker = zstd.ZstdDecompressor(zstd_dict=dictionary, options=options)
        plain = unpacker.decompress(packed, MAX_CONTENT + 1)
    except (zstd.ZstdError, TypeError, ValueError, MemoryError) as e:
        raise Damaged(f"it cannot be unpacked: {e}") from None
    if len(plain) > MAX_CONTENT:
        raise Damaged(f"it unpacks to more than {MAX_CONTENT // 1_000_000} MB")
    if not unpacker.eof:
        raise Damaged("it cannot be unpacked: it ends too early")
    return plain


def store_blob(db: Database, kind: str, body: bytes, like: int | None = None) -> int:
    """The number of a content, stored if it is new. `like`: another that it mostly repeats, and is then kept by its
    difference from it (zstd with a prefix, RFC 8878 section 5); a difference is never taken from a difference."""
    known_by = digest(kind, body)
    return _lying(db, known_by) or _stored(db, kind, known_by, body, like)


def _lying(db: Database, known_by: bytes) -> int | None:
    row = db.execute("select n from contents where digest=?", (known_by,)).fetchone()
    return int(row[0]) if row else None


def _stored(db: Database, kind: str, known_by: bytes, body: bytes, like: int | None) -> int:
    packed, base = zstd.compress(body, 3), None
    if like is not None:
        whole = db.execute("select coalesce(base, n) from contents where n=?", (like,)).fetchone()[0]
        difference = zstd.compress(body, 3, zstd_dict=zstd.ZstdDict(get(db, whole), is_raw=True).as_prefix)
        if len(difference) < len(packed) // 2:
            packed, base = difference, whole
    cursor = db.execute("insert into contents (digest, kind, base, body) values (?,?,?,?)", (known_by, kind, base, packed))
    return int(cursor.lastrowid or 0)


def get(db: Database, number: int) -> bytes:
    """A content. Raises Damaged where it is not what its digest says, or is not there."""
    return _get(db, number, whole=False)


def _get(db: Database, number: int, *, whole: bool) -> bytes:
    """`whole`: it has to lie there by itself, since others are kept by their difference from it."""
    row = db.execute("select digest, kind, base, body from contents where n=?", (number,)).fetchone()
    if row is None:
        raise Damaged(f"content {number} is missing")
    known_by, kind, base, packed = row
    if whole and base is not None:
        raise Damaged(f"content {number} ({kind}) is a difference, and others are kept as differences from it")
    if not isinstance(packed, bytes) or not isinstance(kind, str):
        raise Damaged(f"content {number} is not what we store")
    try:
        plain = unpack(packed, _get(db, base, whole=True) if base is not None else None)
    except Damaged as e:
        raise Damaged(f"content {number} ({kind}): {e}") from None
    if digest(kind, plain) != known_by:
        raise Damaged(f"content {number} ({kind}): its digest does not fit")
    return plain


class Digests:
    """The digests of sections' canonical forms. Hosts have most sections in common, and sorting one costs more than
    everything else of storing it. A digest is the content's own, so what becomes of the file meanwhile does not matter."""

    _MOST = 16_000_000  # bytes of sections

    def __init__(self) -> None:
        self._known = Remembered[tuple[str, bytes], bytes](self._MOST)

    def of(self, name: str, plain: bytes) -> bytes:
        """The digest of a section's canonical form."""
        return self._known.get((name, plain), len(plain), lambda: digest(name, canonical(name, plain)))


def store_sections(db: Database, encoded: EncodedFacts, digests: Digests, before: int | None = None) -> int:
    """The stable facts, section by section. `before`: the same host's, which these mostly repeat."""
    known = _sections(db, before).apart if before is not None else {}
    lying: dict[str, msgspec.Raw] = {}
    apart: dict[str, int] = {}
    for name, plain in encoded.items():
        if name in APART or plain == b"null":
            continue
        if len(plain) <= SMALL:  # it lies in the list of sections itself
            lying[name] = msgspec.Raw(canonical(name, plain))
            continue
        known_by = digests.of(name, plain)
        apart[name] = _lying(db, known_by) or _stored(db, name, known_by, canonical(name, plain), known.get(name))
    return store_blob(db, "facts", encode({"here": lying, "apart": apart}))


class _Sections(msgspec.Struct):
    here: dict[str, msgspec.Raw]
    apart: dict[str, int]


def get_facts(db: Database, number: int, *, slim: bool) -> dict[str, msgspec.Raw]:
    """The sections of stable facts by name, still encoded; `slim`: without the long ones. Raises Damaged."""
    found = _sections(db, number)
    sections = dict(found.here)
    for name, content in found.apart.items():
        if not (slim and name in LONG):
            sections[name] = msgspec.Raw(get(db, content))
    return sections


def _sections(db: Database, number: int) -> _Sections:
    return msgspec.json.decode(get(db, number), type=_Sections)


def sections(db: Database, number: int) -> tuple[dict[str, msgspec.Raw], dict[str, int]]:
    """The sections of stable facts: those that lie there themselves, and the numbers of the others. Raises Damaged."""
    found = _sections(db, number)
    return found.here, found.apart


def parts(db: Database, number: int) -> list[int]:
    """The contents that stable facts consist of. Raises Damaged."""
    return list(_sections(db, number).apart.values())


def without_seconds(outcomes: tuple[CollectorOutcome, ...]) -> bytes:
    """Collectors' outcomes without what is another each night."""
    return encode([replace(o, seconds=None) for o in outcomes])
