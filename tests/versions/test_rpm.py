"""RPM's order, held against rpm itself: its own rpm.vercmp, by `rpm --eval`."""

from __future__ import annotations

import random
import re
import shutil
import subprocess

import pytest

from auditor.versions import rpm
from auditor.versions.limit import MAX_VERSION

# Parts as distributions write them, and pieces that versions are made of.
REAL = ["427.el9", "427.13.1.el9_4", "1.1.1k-9", "5.14.0", "0.9.8e", "9.fc40", "1.0~rc1", "1.0^20240101git", "2.4.6", "7.9p1", "1:2", "4.18.0",
        "553.rt7.342.el8_10", "200.131.27.el9uek", "1.module_el8.6.0+2868+44838709", "150600.23.7", "1.2.3a", "20240101", "0", "00", "001",
        "1.0.0-rc.1", "1_0", "a", "b", "rc1", "1.0~~", "1.0^~1", "~", "^", "1.el9", "1.el9_4.1", "3.0.7-27.el9", "10xyz", "xyz10", "5.5p10"]  # fmt: skip
PIECES = [*"0123456789", "00", "10", "99", ".", ".", "_", "+", "~", "^", "el", "fc", "rc", "a", "b", "git", "p"]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    chance = random.Random(7)
    made = ["".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(3000)]
    found = [v for v in (*REAL, *made) if re.fullmatch(r"[A-Za-z0-9._+~^]+", v)]
    return [(chance.choice(found), chance.choice(found)) for _ in range(20_000)] + [
        (a, b) for a in REAL for b in REAL if ":-" not in a + b
    ]


def test_the_order_is_rpms_own(pairs: list[tuple[str, str]]) -> None:
    assert shutil.which("rpm"), "the tests need rpm (tests/packages.sh)"
    pairs = [(a, b) for a, b in pairs if re.fullmatch(r"[A-Za-z0-9._+~^]+", a) and re.fullmatch(r"[A-Za-z0-9._+~^]+", b)]
    said: list[int] = []
    for at in range(0, len(pairs), 500):
        lines = "".join(f'print(rpm.vercmp("{a}","{b}").." ")' for a, b in pairs[at : at + 500])
        done = subprocess.run(["rpm", "--eval", f"%{{lua:{lines}}}"], capture_output=True, text=True, check=True)
        said += map(int, done.stdout.split())
    assert len(said) == len(pairs) > 15_000
    wrong = []
    for (a, b), theirs in zip(pairs, said, strict=True):
        x, y = rpm.part_key(a), rpm.part_key(b)
        if (x > y) - (x < y) != theirs:
            wrong.append((a, b, theirs))
    assert wrong == []


@pytest.mark.parametrize("version", ["", "a b", "1;2", "é", "1" * (MAX_VERSION + 1), "x:1-1", "1:2:3"])
def test_what_is_none(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        rpm.key(version)


def test_epochs_and_releases() -> None:
    assert rpm.older("9.9-1", "1:1.0-1")
    assert rpm.older("1.0-1.el9", "1.0-2.el9")
    assert not rpm.older("1.0-1.el9", "1.0")  # a requirement without a release is met by any
    assert not rpm.older("0:1.0-1", "1.0-1")
