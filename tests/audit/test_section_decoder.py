"""Decoding many hosts' facts: the same as one by one, with what is alike held once."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from auditor.audit.section_decoder import SectionDecoder
from auditor.model.encoded_facts import decode_sections, encode_facts
from auditor.model.facts import HostFacts, Package, Platform, Setting, Volatile

WHEN = datetime(2026, 11, 30, tzinfo=UTC)
MANY = tuple(Package(f"package-{n}", None, "1.0", "1", "amd64", None, None) for n in range(300))


def host(name: str, packages: tuple[Package, ...] | None = MANY) -> HostFacts:
    return HostFacts(
        target=name,
        collected_at=WHEN,
        platform=Platform(family="linux", product="debian-12"),
        packages=packages,
        programs=(),
        settings={f"sysctl:a.{n}": Setting("present", str(n)) if n % 2 else None for n in range(100)},
        method="ssh",
        volatile=Volatile(),
    )


def test_it_is_what_decoding_gives() -> None:
    decoder = SectionDecoder()
    for facts in (host("a"), host("b"), host("c", MANY[1:]), host("d", None), host("e", ()), host("a")):
        assert decoder.decode(encode_facts(facts)) == decode_sections(encode_facts(facts)) == facts


def test_what_is_alike_is_held_once() -> None:
    decoder = SectionDecoder()
    one, other = (decoder.decode(encode_facts(host(name))) for name in "ab")
    assert one.packages is other.packages
    assert one.target != other.target


def test_a_limit_holds_for_long_sections_too() -> None:
    facts = encode_facts(host("a"))
    facts["packages"] = facts["packages"].replace(b'"package-7"', b"7")
    with pytest.raises(msgspec.ValidationError):
        SectionDecoder().decode(facts)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SectionDecoder, "_MOST", 100_000)
    decoder = SectionDecoder()
    for number in range(20):
        decoder.decode(encode_facts(host("a", MANY[number:])))
    assert sum(size for size, _ in decoder._known._known.values()) <= 100_000
