"""Which installed kernel is newer than the running one."""

from __future__ import annotations

import pytest

from auditor.versions.kernel_release import flavour, newer_than

TABLE = [
    ("6.1.0-9-amd64", ("6.1.0-9-amd64", "6.1.0-28-amd64"), ("6.1.0-28-amd64",)),
    ("6.1.0-28-amd64", ("6.1.0-9-amd64", "6.1.0-28-amd64"), ()),
    ("6.1.0-9-cloud-amd64", ("6.1.0-28-amd64", "6.1.0-9-cloud-amd64"), ()),
    ("5.15.0-91-generic", ("5.15.0-100-generic", "5.15.0-101-generic"), ("5.15.0-101-generic", "5.15.0-100-generic")),
    ("5.14.0-427.el9.x86_64", ("5.14.0-503.11.1.el9_5.x86_64",), ("5.14.0-503.11.1.el9_5.x86_64",)),
    ("6.1.0-rpi7-rpi-v8", ("6.1.0-rpi8-rpi-v8",), ("6.1.0-rpi8-rpi-v8",)),
    ("6.12.0-rc1-amd64", ("6.12.0-rc2-amd64", "6.12.0-amd64"), ("6.12.0-amd64", "6.12.0-rc2-amd64")),
    ("6.12.38+deb12-amd64", ("6.12.41+deb12-amd64",), ("6.12.41+deb12-amd64",)),
]


@pytest.mark.parametrize(("running", "installed", "newer"), TABLE)
def test_newer(running: str, installed: tuple[str, ...], newer: tuple[str, ...]) -> None:
    assert newer_than(running, installed) == newer


def test_a_hostile_release_costs_no_time() -> None:
    """A pattern with nested repeats would try every split of this; and a release that long is none."""
    assert flavour("1-" + "a-" * 100 + "!").endswith("-!")
    with pytest.raises(ValueError, match="is none"):
        flavour("1-" + "a-" * 50_000 + "!")
