"""A host's facts as JSON, section by section: encoded once per host, for the evaluation's cache, the way between processes
and the history."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, get_type_hints

import msgspec
from msgspec.structs import replace

from auditor.model.facts import HostFacts

EncodedFacts = dict[str, bytes]  # by the section's name in auditor.facts/1; a section that is not known is `null`

_NAMES = tuple(zip(HostFacts.__struct_fields__, HostFacts.__struct_encode_fields__, strict=True))
_FIELDS = {name: field for field, name in _NAMES}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(HostFacts).decode


def encode_facts(facts: HostFacts) -> EncodedFacts:
    """Every section."""
    return {name: _encode(getattr(facts, field)) for field, name in _NAMES}


def decode_sections(encoded: EncodedFacts) -> HostFacts:
    """The facts again. msgspec.MsgspecError where a value passes a limit of the records."""
    return _decode(b"{" + b",".join(b'"%s":%s' % (name.encode(), body) for name, body in encoded.items()) + b"}")


class SectionDecoder:
    """`decode_sections` for many hosts: what is long and the same on several of them is decoded, and held in memory, once."""

    _LONG = 2_000  # bytes
    _MOST = 16_000_000  # bytes of sections whose decoded form is remembered; it takes some three times as many

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
        self._held = 0
        self._decoders: dict[str, Any] = {}

    def decode(self, encoded: EncodedFacts) -> HostFacts:
        """The facts again. msgspec.MsgspecError where a value passes a limit of the records."""
        long = {name: body for name, body in encoded.items() if len(body) > self._LONG and name in _FIELDS}
        short = decode_sections({name: body for name, body in encoded.items() if name not in long})
        return replace(short, **{_FIELDS[name]: self._section(name, body) for name, body in long.items()})

    def _section(self, name: str, body: bytes) -> Any:
        found = self._known.get((name, body))
        if found is None:
            if name not in self._decoders:
                hints = get_type_hints(HostFacts, include_extras=True)
                self._decoders[name] = msgspec.json.Decoder(hints[_FIELDS[name]])
            found = self._known[name, body] = self._decoders[name].decode(body)
            self._held += len(body)
            while self._held > self._MOST:
                (_, dropped), _ = self._known.popitem(last=False)
                self._held -= len(dropped)
        return found
