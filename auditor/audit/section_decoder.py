"""Decoding the facts of many hosts, which say much the same."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
from msgspec.structs import replace

from auditor.foundation.remembered import Remembered
from auditor.model.encoded_facts import EncodedFacts, decode_sections
from auditor.model.facts import HostFacts

_FIELDS = dict(zip(HostFacts.__struct_encode_fields__, HostFacts.__struct_fields__, strict=True))


class SectionDecoder:
    """`decode_sections` for many hosts: what is long and the same on several of them is decoded, and held in memory, once."""

    _LONG = 2_000  # bytes
    _MOST = 16_000_000  # bytes of sections whose decoded form is remembered; it takes some three times as many

    def __init__(self) -> None:
        self._known = Remembered[tuple[str, bytes], Any](self._MOST)
        self._decoders: dict[str, Any] = {}

    def decode(self, encoded: EncodedFacts) -> HostFacts:
        """The facts again. msgspec.MsgspecError where a value passes a limit of the records."""
        long = {name: body for name, body in encoded.items() if len(body) > self._LONG and name in _FIELDS}
        short = decode_sections({name: body for name, body in encoded.items() if name not in long})
        return replace(short, **{_FIELDS[name]: self._section(name, body) for name, body in long.items()})

    def _section(self, name: str, body: bytes) -> Any:
        if name not in self._decoders:
            hints = get_type_hints(HostFacts, include_extras=True)
            self._decoders[name] = msgspec.json.Decoder(hints[_FIELDS[name]])
        return self._known.get((name, body), len(body), lambda: self._decoders[name].decode(body))
