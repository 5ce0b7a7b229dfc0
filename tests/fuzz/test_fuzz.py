"""True samples with pieces cut out, doubled, put elsewhere, or taken by what readers stumble over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS

STUMBLES = [
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"\n", b"\r\n", b"\t" * 9, b"'", b'"', b"\\", b"-1", b"1e999", b"NaN", b"null", b"~",
    b"9" * 400, "٣".encode(), "²".encode(), "\u202e\u2066".encode(), b"\xed\xa0\x80", b"<script>alert(1)</script>", b"<!DOCTYPE x [<!ENTITY a \"b\">]>",
    b"&a;", b"{{7*7}}", b"%s%n", b"../../../etc/passwd", b"[" * 3000, b"{" * 3000, b"- " * 3000, b"<a>" * 3000, b"a" * 70_000, b"&x [*x, *x]", b"!!python/object:os.system",
    b"<<: *x", b"2026-02-30", b"0001-01-01", b"9999-12-31T23:59:60Z", b"\x1f\x8b", b"PK\x03\x04", b";DROP TABLE runs", b"=1+1",
]  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A sample, changed in one to four places."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.sampled_from([0, 1, 2, 8, 40, 400, 5000]))
        piece = text[at : at + length]
        new = draw(st.one_of(st.sampled_from(STUMBLES), st.binary(max_size=6), st.just(piece * 2)))
        text = text[:at] + new + text[at + length :]
        if draw(st.booleans()):
            to = draw(st.integers(0, len(text)))
            text = text[:to] + piece + text[to:]
    return text


@pytest.mark.parametrize("name", PARSERS)
def test_the_samples_are_read(name: str) -> None:
    for seed in PARSERS[name].seeds:
        PARSERS[name].check(seed)


@pytest.mark.parametrize("name", PARSERS)
def test_a_stumble_alone(name: str) -> None:
    for stumble in STUMBLES:
        try:
            PARSERS[name].check(stumble)
        except Exception as e:
            e.add_note(f"given {stumble[:60]!r}")
            raise


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_is_made_of_a_sample(name: str) -> None:
    @settings(max_examples=100)
    @given(spoiled(PARSERS[name].seeds))
    def holds(text: bytes) -> None:
        PARSERS[name].check(text)

    holds()
