"""The Linux checks, verdict by verdict."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from auditor.checks.judgement import Case
from auditor.checks.package import PackageCheck
from auditor.checks.setting import SettingCheck
from auditor.checks.stale_processes import ROOT_RIGHTS
from auditor.evaluation.applicability import Host
from auditor.model.facts import (
    Candidate,
    CollectorOutcome,
    HostFacts,
    Kernels,
    Listener,
    Reboot,
    Setting,
    StaleProcess,
    UpdateList,
    Updates,
    Volatile,
)
from auditor.model.finding import Attestation
from tests.given import LINUX, WHEN, find, package, platform, verdict

LISTS = LINUX.updates.lists if LINUX.updates else ()


def case(facts: HostFacts) -> Case:
    return Case(facts, None, WHEN.date(), Host(facts).packages, Host(facts).sources)


def listening(*listeners: Listener) -> HostFacts:
    return replace(LINUX, listeners=listeners)


BACKLOGS = [
    ([Listener("0.0.0.0", 80, 6)], "compliant"),
    ([Listener("0.0.0.0", 80, 5)], "noncompliant"),
    ([Listener("0.0.0.0", 80, 0), Listener("::", 81, None)], "noncompliant"),
    ([Listener("0.0.0.0", 80, 128), Listener("::", 81, None)], "unknown"),
    ([Listener("127.0.0.1", 80, 5)], "not_applicable"),
    ([Listener("::1", 80, 5), Listener("::ffff:127.0.0.9", 80, 5)], "not_applicable"),
    ([Listener("127.0.0.1", 80, 5), Listener("10.0.0.1", 80, 128)], "compliant"),
    ([Listener("not an address", 80, 5)], "noncompliant"),  # counts as reachable
    ([], "not_applicable"),
]


@pytest.mark.parametrize(("listeners", "expected"), BACKLOGS)
def test_listen_backlog(listeners: list[Listener], expected: str) -> None:
    assert verdict("linux-listen-backlog", listening(*listeners)) == expected


def test_the_observed_names_every_offender_and_what_was_asked_for() -> None:
    facts = replace(
        listening(
            Listener("0.0.0.0", 80, 5, "srv"),
            Listener("::", 81, 3, "two"),
            Listener("127.0.0.1", 82, 1, "own"),
            Listener("::", 443, 4096, "big"),
        ),
        volatile=replace(LINUX.volatile, queues={"0.0.0.0:80": 6}),  # type: ignore[type-var]
    )
    f = find("linux-listen-backlog", facts)
    assert f.observed == (
        "0.0.0.0:80 srv backlog 5 (asked for 5), 6 waiting; [::]:81 two backlog 3 (asked for 3); "
        "loopback, not judged: 127.0.0.1:82 own backlog 1 (asked for 1)"
    )
    capped = find("linux-listen-backlog", listening(Listener("::", 443, 4096, "big")))
    assert "backlog 4096 (asked for at least 4096)" in capped.observed


KERNELS = [
    (Kernels("6.1.0-28-amd64", ("6.1.0-9-amd64", "6.1.0-28-amd64"), "6.1.119-1"), "compliant"),
    (Kernels("6.1.0-9-amd64", ("6.1.0-9-amd64", "6.1.0-28-amd64"), "6.1.27-1"), "pending"),
    (Kernels("6.1.0-28-amd64", ("6.1.0-28-amd64",), "6.1.115-1"), "pending"),  # same release, older build
    (Kernels("6.1.0-28-amd64", ("6.1.0-28-amd64",), None), "unknown"),
    (Kernels("6.1.0-28-amd64", ("6.1.0-28-amd64",), "1:"), "unknown"),
    (Kernels("6.6.1-custom", ("6.1.0-28-amd64",), None), "unknown"),
    (Kernels("6.18.44-fc", (), None), "unknown"),  # kernel packages are installed, and no image is found
    (Kernels("6.18.44-fc", (), None, outside=True), "not_applicable"),
    (Kernels("6.1.0-rpi7-rpi-v8", ("6.1.0-rpi8-rpi-v8",), None), "pending"),
    (Kernels("6.1.0-28-amd64", None, "6.1.119-1"), "unknown"),
    (Kernels(None, ("6.1.0-28-amd64",), None), "unknown"),
]


@pytest.mark.parametrize(("kernels", "expected"), KERNELS)
def test_kernel(kernels: Kernels, expected: str) -> None:
    assert verdict("linux-kernel-running", replace(LINUX, kernels=kernels)) == expected


REBOOTS = [
    (Reboot(True, ("dbus",), ()), "pending"),
    (Reboot(False, (), ("/w",)), "compliant"),
    (Reboot(False, (), ()), "compliant"),  # nothing would set the flag: kernel and processes are judged
    (Reboot(None, (), ("/w",)), "unknown"),
    (None, "unknown"),
]


@pytest.mark.parametrize(("reboot", "expected"), REBOOTS)
def test_reboot(reboot: Reboot | None, expected: str) -> None:
    assert verdict("linux-reboot-pending", replace(LINUX, reboot=reboot)) == expected


def test_a_reboot_without_a_flag_writer_follows_kernel_and_processes() -> None:
    no_writer = replace(LINUX, reboot=Reboot(False))
    assert verdict("linux-reboot-pending", replace(no_writer, stale_processes=None)) == "unknown"
    assert verdict("linux-reboot-pending", replace(no_writer, kernels=KERNELS[1][0])) == "pending"
    assert verdict("linux-reboot-pending", replace(no_writer, stale_processes=(StaleProcess("x", ("/y",)),))) == "pending"


def test_a_host_without_a_kernel_of_its_own() -> None:
    facts = replace(LINUX, kernels=Kernels("6.18.44-fc", (), None), packages=(package("openssl", "1-1"),))
    assert verdict("linux-kernel-running", facts) == "not_applicable"
    assert verdict("linux-kernel-running", replace(facts, packages=None)) == "unknown"


def test_stale_processes() -> None:
    assert verdict("linux-stale-processes", LINUX) == "compliant"
    f = find(
        "linux-stale-processes",
        replace(
            LINUX,
            stale_processes=(StaleProcess("nginx", ("/usr/lib/libssl.so.3",)),),
            volatile=Volatile(pids={"nginx": (7, 9)}),
        ),
    )
    assert (f.verdict, f.observed) == ("pending", "nginx (7, 9): /usr/lib/libssl.so.3")
    facts = replace(
        LINUX, stale_processes=None, outcomes=(CollectorOutcome("stale_processes", "partial", "without root's rights"),)
    )
    f = find("linux-stale-processes", facts)
    assert (f.verdict, f.resolved_by) == ("unknown", ROOT_RIGHTS)


def updates(version: str = "3.0.15-1", arch: str = "amd64", age: int = 0, release: str = "bookworm") -> HostFacts:
    lists = (UpdateList("sec", WHEN - timedelta(days=age), release),)
    return replace(LINUX, updates=Updates(lists, (Candidate("openssl", arch, version),)))


UPDATES = [
    (updates(), "compliant"),
    (updates("3.0.14-9"), "compliant"),
    (updates("3.0.16-1"), "noncompliant"),
    (updates("3.0.16-1", "all"), "noncompliant"),  # offered for another architecture only: still this package
    (updates(age=7), "compliant"),
    (updates(age=8), "unknown"),
    (updates("3.0.16-1", age=900), "noncompliant"),
    (updates(age=-400), "unknown"),  # dated in the future
    (updates(release="bullseye"), "unknown"),  # the lists of the release before
    (platform(updates(), codename=None), "unknown"),
    (replace(LINUX, updates=Updates((), ())), "unknown"),
    (replace(LINUX, updates=Updates((UpdateList("x", None),), ())), "unknown"),
    (replace(LINUX, updates=None), "unknown"),
    (replace(LINUX, packages=None), "unknown"),
    (updates("not a version:"), "unknown"),
    (replace(updates(), packages=(package("openssl", "!lie!"),)), "unknown"),
]


@pytest.mark.parametrize(("facts", "expected"), UPDATES)
def test_security_updates(facts: HostFacts, expected: str) -> None:
    assert verdict("linux-security-updates", facts) == expected


def test_what_is_lacking_is_said_beside_what_cannot_be_read() -> None:
    facts = replace(updates("3.0.16-1"), packages=(package("openssl", "!lie!"), package("openssl", "3.0.15-1")))
    assert verdict("linux-security-updates", facts) == "noncompliant"


def test_what_is_lacking_by_old_lists_says_how_old_they_are() -> None:
    """There may be more than these lists know: the reader of "1 package" has to be told."""
    assert "days ago" not in find("linux-security-updates", updates("3.0.16-1", age=7)).why
    f = find("linux-security-updates", updates("3.0.16-1", age=900))
    assert f.verdict == "noncompliant"
    assert "; there may be more: the list sec is of 2024-06-06, 900 days ago; run apt-get update there" in f.why


def test_a_hold_and_a_pin_are_shown() -> None:
    facts = replace(updates("3.0.16-1"), packages=(package("openssl", "3.0.15-1", hold=True),))
    assert facts.updates
    f = find(
        "linux-security-updates", replace(facts, updates=replace(facts.updates, pins=("Package: openssl · Pin: version 3*",)))
    )
    assert f.observed == "openssl 3.0.15-1 → 3.0.16-1 (held); apt preferences: Package: openssl · Pin: version 3*"


SUPPORT = [
    ("debian-13", "compliant"),
    ("debian-12", "compliant"),  # LTS
    ("debian-11", "noncompliant"),
    ("ubuntu-20.04", "unknown"),  # ESM, for subscribers
    ("ubuntu-12.04", "unknown"),  # not listed
    ("ubuntu-25.10", "noncompliant"),
    (None, "unknown"),
]


@pytest.mark.parametrize(("product", "expected"), SUPPORT)
def test_support(product: str | None, expected: str) -> None:
    assert verdict("linux-end-of-support", platform(LINUX, product=product)) == expected


def test_an_attested_subscription_counts_after_free_support() -> None:
    said = Attestation(rule="linux-end-of-support", targets=("web1",), state="done", by="kim", date=WHEN.date())
    assert verdict("linux-end-of-support", platform(LINUX, product="ubuntu-20.04"), said) == "compliant"
    assert verdict("linux-end-of-support", platform(LINUX, product="debian-11"), said) == "compliant"


def test_an_overflow_is_a_finding_with_its_time() -> None:
    assert verdict("linux-accept-queue-overflow", LINUX) == "compliant"
    f = find(
        "linux-accept-queue-overflow",
        replace(LINUX, volatile=Volatile(uptime=3 * 86400.0, counters={"ListenOverflows": 7, "ListenDrops": 9})),
    )
    assert (f.verdict, f.observed) == ("noncompliant", "ListenOverflows 7 in 3.0 days (ListenDrops 9)")
    assert verdict("linux-accept-queue-overflow", replace(LINUX, volatile=Volatile(counters={}))) == "unknown"


KEY = "sysctl:a.b"
SETTINGS = [
    ({"at_least": 10}, Setting("present", "10"), "compliant"),
    ({"at_least": 10}, Setting("present", "9"), "noncompliant"),
    ({"at_most": 10}, Setting("present", "11"), "noncompliant"),
    ({"at_most": 0}, Setting("present", "0"), "compliant"),
    ({"at_least": 10}, Setting("present", "ten"), "unknown"),
    ({"at_least": 10}, Setting("present", "inf"), "unknown"),
    ({"at_least": 10}, Setting("present", "9" * 5000), "unknown"),
    ({"one_of": ("yes", "on")}, Setting("present", "on"), "compliant"),
    ({"one_of": ("yes",)}, Setting("present", ""), "noncompliant"),
    ({"at_least": 10}, Setting("absent"), "unknown"),
    ({"at_least": 10, "absent": "noncompliant"}, Setting("absent"), "noncompliant"),
    ({"at_least": 10, "default": "12"}, Setting("absent"), "compliant"),
    ({"at_least": 10, "default": "12"}, Setting("unreadable", reason="denied"), "unknown"),
    ({"at_least": 10, "default": "12"}, None, "unknown"),
]


@pytest.mark.parametrize(("comparison", "setting", "expected"), SETTINGS)
def test_settings(comparison: dict[str, object], setting: Setting | None, expected: str) -> None:
    found = case(replace(LINUX, settings={KEY: setting}))
    assert SettingCheck(KEY, **comparison).judge(found).verdict == expected  # type: ignore[arg-type]


PACKAGES = [
    ("openssl", "3.0.15-1", "compliant"),
    ("openssl", "3.0.16-1", "noncompliant"),
    ("nginx", "1", "not_applicable"),
    ("openssl", ":", "unknown"),
]


@pytest.mark.parametrize(("name", "fixed", "expected"), PACKAGES)
def test_package(name: str, fixed: str, expected: str) -> None:
    assert PackageCheck(name, fixed).judge(case(LINUX)).verdict == expected
    assert PackageCheck(name, fixed).judge(case(replace(LINUX, packages=None))).verdict == "unknown"


@pytest.mark.parametrize("version", ["!lie!", "unknown", "9.9<b>", "1-", "١.0"])
def test_a_version_that_is_none_is_not_newer_than_every_other(version: str) -> None:
    """By Debian's order letters and signs come behind all digits."""
    facts = replace(LINUX, packages=(package("openssl", version),))
    assert PackageCheck("openssl", "3.0.15-1").judge(case(facts)).verdict == "unknown"
