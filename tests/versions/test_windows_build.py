"""Windows builds: revisions count only within their own build line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.versions.windows_build import Build, parse, reaches

# the host's build, the builds that have the fix, does it reach (None: cannot tell)
TABLE = [
    ("20348.2340", ["20348.2340"], True),
    ("20348.2339", ["20348.2340"], False),
    ("20348.999", ["20348.1000"], False),  # numbers, not texts
    ("20348.10000", ["20348.9999"], True),
    ("20348", ["20348.2340"], None),  # no revision says nothing
    ("20348", ["20348"], None),
    ("20348.0", ["20348.2340"], False),
    ("20348.2340", ["20348"], None),
    # Another line is neither newer nor older, whatever its number.
    ("22631.3235", ["19045.4170"], None),
    ("19045.9999", ["22631.1"], None),
    ("17763.5576", ["14393.6796", "17763.5576", "20348.2340"], True),
    ("17763.5575", ["14393.6796", "17763.5576", "20348.2340"], False),
    ("17763.9999", ["14393.6796", "20348.2340"], None),
    ("17763.9999", [], None),
    ("9600.20207", ["9600.19304"], True),
    ("1381", ["1381.1"], None),
]
NONE = [
    "",
    " ",
    "x",
    "20348.",
    ".1",
    "20348.1.2",
    "20348,1",
    " 20348.1",
    "20348.1\n",
    "-1",
    "1234567",
    "10.0.20348.1",
    "1" * 5000,
]


@pytest.mark.parametrize(("own", "required", "expected"), TABLE)
def test_reaches(own: str, required: list[str], expected: bool | None) -> None:
    assert reaches(own, required) is expected


@pytest.mark.parametrize("text", NONE)
def test_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_build_without_a_revision() -> None:
    assert parse("7601") == Build(7601, None)
    assert parse("17763.5576") == Build(17763, 5576)


revisions = st.integers(0, 99_999)


@given(st.integers(1, 99_999), revisions, revisions)
def test_within_one_line_the_revision_decides(line: int, a: int, b: int) -> None:
    assert reaches(f"{line}.{a}", [f"{line}.{b}"]) is (a >= b)


@given(st.integers(1, 99_999), st.integers(1, 99_999), revisions, revisions)
def test_two_lines_never_decide(one: int, other: int, a: int, b: int) -> None:
    if one != other:
        assert reaches(f"{one}.{a}", [f"{other}.{b}"]) is None
