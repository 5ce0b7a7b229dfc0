"""The one form in which a section of facts is compared and kept: lists sorted by their elements' own text."""

from __future__ import annotations

import hashlib

import msgspec

SMALL = 400  # bytes; a shorter section is never told by its digest
APART = ("schema", "target", "collected_at", "volatile", "outcomes")  # they change by themselves, or name the result
_KEYED = ("settings",)
_encode = msgspec.json.Encoder().encode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def canonical(section: str, body: bytes) -> bytes:
    """JSON in its canonical form: lists sorted by their elements' own text, what has keys of the host's by these."""
    if body[:1] == b"[":
        return b"[" + b",".join(sorted(map(bytes, _decode_list(body)))) + b"]"
    return _encode(dict(sorted(_decode_object(body).items()))) if section in _KEYED else body


def digest(kind: str, body: bytes) -> bytes:
    """The 16 bytes by which a content of this kind is known (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(body, digest_size=16, person=kind.encode()).digest()
