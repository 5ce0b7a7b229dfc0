"""Service packs as facts and CSDVersion write them."""

from __future__ import annotations

import pytest

from auditor.versions.service_pack import parse

# installed, required, reaches (None: cannot tell)
TABLE = [
    ("5", "6", False),
    ("6", "6", True),
    ("6a", "6", True),
    ("6", "6a", False),
    ("0", "6", False),
    ("10", "6", True),
    ("Service Pack 6", "6", True),
    ("Service Pack 6, RC 1.3", "6", None),  # Q293322
    ("Service Pack 6, RC1.6", "6", None),  # Q266433
    ("Service Pack 4 RC 1.2", "6", False),  # Q222507
    ("Service Pack 7, RC 1.1", "6", True),
    ("6 RC 1.3", "6", None),
]


@pytest.mark.parametrize(("installed", "required", "reaches"), TABLE)
def test_reaches(installed: str, required: str, reaches: bool | None) -> None:
    assert parse(installed).reaches(parse(required)) is reaches


@pytest.mark.parametrize("text", ["", " ", "six", "SP6", "-1", "6aa", "Service Pack", "6" * 5000])
def test_neither(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)
