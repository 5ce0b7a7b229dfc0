"""File versions as Windows' resources, WMI and articles write them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.versions.file_version import older, parse

# each sorts before the next
IN_ORDER = [
    "0.0.0.0",
    "4.0.1381.4",
    "4.0.1381.133",
    "4.0.1381.7094",
    "4.0.1381.7095",
    "4.0.1381.33554",
    "4.72.2106.5",
    "4.72.3110.0",
    "4.721.0.0",
    "5.00.2195.6655",
    "5.1.2600.5512",
    "6.0.6002.18005",
    "6.1.7600.16385",
    "6.1.7601.9999",
    "6.1.7601.17514",
    "6.2.9200.16384",
    "10.0.9.65535",
    "10.0.10.0",
    "10.0.17763.1",
    "10.0.17763.5576",
    "10.0.20348.1",
    "65535.65535.65535.65535",
]
SAME = [
    ("6.1", "6.1.0.0"),
    ("6", "6.0.0.0"),
    ("6.01.7601.17514", "6.1.7601.17514"),
    ("6, 1, 7601, 17514", "6.1.7601.17514"),
    ("6,1,7601,17514", "6.1.7601.17514"),
    ("6.1.7601.17514 (win7sp1_rtm.101119-1850)", "6.1.7601.17514"),
    ("4.0.1381.133 built by: ntbuild", "4.0.1381.133"),
    (" 5.1.2600.5512\r\n", "5.1.2600.5512"),
    ("6.1.7601.17514 " + "x" * 100_000, "6.1.7601.17514"),
]
NONE = [
    "", " ", "x", "v6.1", "6.", ".6", "6..1", "6.1.7601.17514.1", "6.1.7601.65536", "-1.0", "6.1-2", "6.1b", "6.1 7601", "0x6.1",
    "99999.0", "6.1.7601.123456", "1" * 5000, "6.1.7601.17514(x)", "(null)",
]  # fmt: skip
numbers = st.tuples(*[st.integers(0, 0xFFFF)] * 4)


@pytest.mark.parametrize(("a", "b"), list(itertools.pairwise(IN_ORDER)))
def test_order(a: str, b: str) -> None:
    assert older(a, b)
    assert not older(b, a)
    assert not older(a, a)


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a: str, b: str) -> None:
    assert parse(a) == parse(b)


@pytest.mark.parametrize("text", NONE)
def test_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(numbers, numbers)
def test_the_order_is_that_of_the_numbers(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert older(".".join(map(str, a)), ", ".join(map(str, b))) is (a < b)


@given(st.text(max_size=60))
def test_any_text_is_four_numbers_or_a_value_error(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    assert len(found) == 4
    assert all(0 <= n <= 0xFFFF for n in found)
