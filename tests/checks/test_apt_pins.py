"""Priorities as apt gives them (apt_preferences(5)), and which suites count for them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from auditor.checks.apt_pins import priority
from auditor.model.facts import Candidate, UpdateList, Updates
from tests.given import LINUX, WHEN, verdict

OWN = UpdateList("m_debian-security_dists_bookworm-security", WHEN, "bookworm", "Debian", "Debian-Security")
VENDOR = UpdateList("apt.vendor.example_dists_bookworm-security", WHEN, "bookworm", "Vendor", "Vendor")
LOW = "Package: * · Pin: origin apt.vendor.example · Pin-Priority: 1"
HIGH = "Package: openssl · Pin: origin apt.vendor.example · Pin-Priority: 990"

PRIORITIES = [
    ((), 500), ((LOW,), 1), ((LOW, HIGH), 990), ((HIGH, LOW), 990), ((LOW, "Package: bash · Pin: origin apt.vendor.example · Pin-Priority: 990"), 1),
    (("Package: * · Pin: release o=Vendor · Pin-Priority: 990", LOW), 990),  # the first general record decides
    ((LOW, "Package: * · Pin: release o=Vendor · Pin-Priority: 990"), 1),
    (('Package: * · Pin: origin "" · Pin-Priority: 1',), 500),  # files of this machine
    (("Package: * · Pin: origin apt · Pin-Priority: 1",), 500),  # another host
    (("Package: * · Pin: release · Pin-Priority: 1",), 500),
    (("Package: * · Pin: release n=bookworm-security · Pin-Priority: 1",), 1), (("Package: * · Pin: release n=trixie* · Pin-Priority: 1",), 500),
    (("Package: * · Pin: release a=bookworm-security,o=Vendor · Pin-Priority: never",), -1), (("Package: * · Pin: release o=Ven* · Pin-Priority: 50",), 50),
    (("Package: open* libfoo · Pin: release o=Vendor · Pin-Priority: 990", LOW), 990), (("Package: * · Pin: release o=Vendor · Pin-Priority: x",), 500),
]  # fmt: skip


@pytest.mark.parametrize(("pins", "wanted"), PRIORITIES)
def test_priority(pins: tuple[str, ...], wanted: int) -> None:
    assert priority(pins, VENDOR, "openssl") == wanted


@pytest.mark.parametrize(
    ("lists", "pins", "expected"),
    [
        ((OWN, VENDOR), (LOW, HIGH), "noncompliant"), ((OWN, VENDOR), (LOW,), "compliant"), ((OWN, VENDOR), (), "noncompliant"),
        ((VENDOR,), (LOW,), "unknown"),  # nothing of the distribution's own lies there
        ((replace(VENDOR, origin="UbuntuESMApps"),), (LOW,), "unknown"), ((replace(VENDOR, origin=""),), (LOW,), "unknown"),
        ((replace(OWN, release="trixie"), VENDOR), (LOW,), "unknown"),
    ],
)  # fmt: skip
def test_suites(lists: tuple[UpdateList, ...], pins: tuple[str, ...], expected: str) -> None:
    offered = Candidate("openssl", "amd64", "9.9-1", None, None, VENDOR.name)
    assert verdict("linux-security-updates", replace(LINUX, updates=Updates(lists, (offered,), pins))) == expected
