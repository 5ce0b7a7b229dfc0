"""Debian's order of versions, held against dpkg itself."""

from __future__ import annotations

import itertools
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.versions import deb

# Each is older than the next; deb-version(7), confirmed with dpkg --compare-versions.
RISING = [
    "0~~",
    "0~~a",
    "0~",
    "0",
    "0a",
    "0+",
    "1.0~rc1-1",
    "1.0-1~bpo12+1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+deb12u1",
    "1.0-1.1",
    "1.0-2",
    "1.0-10",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.9-1",
    "1.10-1",
    "2.0-1",
    "6.1.0-9",
    "6.1.0-28",
    "1:0.1-1",
    "1:1.0-1",
    "2:0",
]
EQUAL = [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.09-1", "1.9-1"), ("1.0-01", "1.0-1")]


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(RISING, 2)))
def test_rising(a: str, b: str) -> None:
    assert deb.older(a, b)
    assert not deb.older(b, a)


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: str, b: str) -> None:
    assert deb.key(a) == deb.key(b)


@pytest.mark.parametrize("version", ["", "1:", "x:1", "-1", ":1.0", "1-", "a1", "1!", "1 2", "1_2-1", "1-1:1", "١:1", "1.0-١"])
def test_no_version(version: str) -> None:
    with pytest.raises(ValueError):
        deb.key(version)


part = st.text("019aZ.+~", min_size=1, max_size=6)
versions = st.builds(
    lambda e, u, r: (f"{e}:" if e else "") + "1" + u + (f"-{r}" if r else ""),
    st.sampled_from(["", "0", "1"]),
    part,
    st.one_of(st.just(""), part),
)


@given(st.lists(st.tuples(versions, versions), min_size=40, max_size=40))
def test_as_dpkg_says(pairs: list[tuple[str, str]]) -> None:
    script = "".join(f"dpkg --compare-versions '{a}' lt '{b}' && echo y || echo n\n" for a, b in pairs)
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["y" if deb.older(a, b) else "n" for a, b in pairs]
