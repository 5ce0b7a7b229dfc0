"""A host's facts as JSON, section by section: encoded once per host, for the evaluation's cache, the way between processes
and the history."""

from __future__ import annotations

import msgspec

from auditor.model.facts import HostFacts

EncodedFacts = dict[str, bytes]  # by the section's name in auditor.facts/1; a section that is not known is `null`

_NAMES = tuple(zip(HostFacts.__struct_fields__, HostFacts.__struct_encode_fields__, strict=True))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(HostFacts).decode


def encode_facts(facts: HostFacts) -> EncodedFacts:
    """Every section."""
    return {name: _encode(getattr(facts, field)) for field, name in _NAMES}


def decode_sections(encoded: EncodedFacts) -> HostFacts:
    """The facts again. msgspec.MsgspecError where a value passes a limit of the records."""
    return _decode(b"{" + b",".join(b'"%s":%s' % (name.encode(), body) for name, body in encoded.items()) + b"}")
