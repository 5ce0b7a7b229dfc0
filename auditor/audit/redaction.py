"""Taking secrets out of what a host said: whoever was given one can say it back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import replace

from auditor.model.encoded_facts import EncodedFacts, encode_facts
from auditor.model.facts import HostFacts

T = TypeVar("T")
MASK = "********"
SHORTEST_SECRET = 4  # characters; shorter words are part of too much else


def redacted_facts(facts: HostFacts, words: Sequence[str]) -> tuple[HostFacts, EncodedFacts]:
    """Facts with each of the words masked, and their JSON."""
    encoded = encode_facts(facts)
    words = [w for w in words if len(w) >= SHORTEST_SECRET]
    if not any(msgspec.json.encode(word)[1:-1] in body for word in words for body in encoded.values()):
        return facts, encoded
    masked: HostFacts = _redacted(facts, words)
    return masked, encode_facts(masked)


def redacted(told: T, words: Sequence[str]) -> T:
    """A record with each of the words masked in every text in it. Words of a closed list (`linux`, `ok`) are ours and
    stay, even where a password is one of them."""
    words = [w for w in words if len(w) >= SHORTEST_SECRET]
    text = msgspec.json.encode(told) if words else b""
    if not any(msgspec.json.encode(w)[1:-1] in text for w in words):
        return told
    found: T = _redacted(told, words)
    return found


def _redacted(value: Any, words: Sequence[str]) -> Any:
    if isinstance(value, str):
        for word in words:
            value = value.replace(word, MASK)
        return value
    if isinstance(value, tuple):
        return tuple(_redacted(v, words) for v in value)
    if isinstance(value, dict):
        return {_redacted(k, words): _redacted(v, words) for k, v in value.items()}
    if isinstance(value, msgspec.Struct):
        free = _free(type(value))
        return replace(value, **{name: _redacted(getattr(value, name), words) for name in free})
    return value


@lru_cache
def _free(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a record that may hold any text."""
    hints = get_type_hints(record)
    return tuple(name for name in record.__struct_fields__ if not _closed(hints[name]))


def _closed(hint: Any) -> bool:
    return get_origin(hint) is Literal or any(_closed(part) for part in get_args(hint) if get_origin(hint) is not Literal)


def redacted_bytes(answer: bytes, words: Sequence[str]) -> bytes:
    """An answer with each of the words masked."""
    for word in words:
        if len(word) >= SHORTEST_SECRET:
            answer = answer.replace(word.encode(), MASK.encode())
    return answer
