"""Hosts posed by people who know: each kind of case as a table of siblings, with whose word decides it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.checks.hotfix import HotfixCheck
from auditor.checks.judgement import Case
from auditor.checks.package import PackageCheck
from auditor.checks.service_pack import ServicePackCheck
from auditor.collectors.linux.kernels import _BUILT_AS, _ubuntu
from auditor.collectors.linux.stale_processes import no_packages
from auditor.evaluation.applicability import Host
from auditor.model.facts import (
    Candidate,
    HostFacts,
    Hotfix,
    Kernels,
    Listener,
    Package,
    Platform,
    Reboot,
    SourceOffer,
    UpdateList,
    Updates,
)
from auditor.model.policy import Policy
from auditor.versions import kernel_release
from tests.given import LINUX, RULES, WHEN, find, package, verdict


def case(facts: HostFacts) -> Case:
    return Case(facts, None, WHEN.date(), Host(facts).packages, Host(facts).sources)


def windows(**platform: Any) -> HostFacts:
    return HostFacts(
        target="w", collected_at=WHEN, platform=Platform(family="windows", **platform), hotfixes=(), services=(), programs=(),
        reboot=Reboot(False, (), ("x",)), settings={},
    )  # fmt: skip


# 1. A rule for every product whose updates no rule knows. ---------------------------------------------------------------------
MODERN = ["windows-server-2016", "windows-server-2019", "windows-server-2022", "windows-server-2025", "windows-server-23h2",
          "windows-server-1809", "windows-10-22h2", "windows-10-1607", "windows-11-23h2", "windows-11-24h2", "windows-7",
          "windows-server-2012-r2", "windows-8.1", "windows-server-2008-r2", "windows-server-2003", "windows-xp",
          "windows-98", "windows-me", "windows-server-25h1", "windows-12-26h2", "windows-8", "windows-xp-embedded"]  # fmt: skip


@pytest.mark.parametrize("product", MODERN)
def test_no_windows_is_good_by_rules_that_say_nothing_of_its_patches(product: str) -> None:
    f = find("windows-patch-level", windows(product=product, version="10.0", build="20348.2700"))
    assert (f.verdict, f.obligation) == ("unknown", "required")
    assert "no loaded rule knows" in f.why
    assert "20348.2700" in f.observed


@pytest.mark.parametrize("product", ["windows-nt-4.0-server", "windows-2000-server", "windows-nt-3.51"])
def test_where_rules_know_the_patches_they_decide(product: str) -> None:
    assert verdict("windows-patch-level", windows(product=product)) == "not_applicable"


@pytest.mark.parametrize("product", ["rhel-9", "fedora-44", "opensuse-leap-16.0", "alpine-3.23", "arch", None])
def test_no_linux_is_good_whose_packages_are_not_read_or_not_covered(product: str | None) -> None:
    facts = replace(LINUX, platform=Platform(family="linux", product=product), packages=None, updates=None)
    assert verdict("linux-security-updates", facts) == "unknown"
    known = (Package("bash", None, "5.2", "1.el9", "x86_64", None, None, manager="rpm"),)
    assert verdict("linux-security-updates", replace(facts, packages=known)) == "unknown"


# 2 to 4. Kernels: rpm's order where rpm is, variants apart, trailing numbers are revisions, backups are no kernels. ----------
KERNELS = [
    # product, running, installed, verdict
    ("rhel-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"], "pending"),
    ("rhel-9", "5.14.0-427.13.1.el9_4.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"], "compliant"),
    ("almalinux-8", "4.18.0-553.el8_10.x86_64", ["4.18.0-553.el8_10.x86_64", "4.18.0-553.5.1.el8_10.x86_64"], "pending"),
    ("rocky-9", "5.14.0-427.9.1.el9_4.aarch64", ["5.14.0-427.9.1.el9_4.aarch64", "5.14.0-427.13.1.el9_4.aarch64"], "pending"),
    ("centos-7", "3.10.0-1160.el7.x86_64", ["3.10.0-1160.el7.x86_64", "3.10.0-1160.119.1.el7.x86_64"], "pending"),
    ("fedora-44", "6.8.5-301.fc40.x86_64", ["6.8.5-301.fc40.x86_64", "6.8.10-300.fc40.x86_64"], "pending"),
    ("fedora-44", "6.8.10-300.fc40.x86_64", ["6.8.5-301.fc40.x86_64", "6.8.10-300.fc40.x86_64"], "compliant"),
    ("oracle-9", "5.15.0-200.131.27.el9uek.x86_64", ["5.15.0-200.131.27.el9uek.x86_64", "5.15.0-206.153.7.el9uek.x86_64"], "pending"),
    ("sles-15.6", "6.4.0-150600.21-default", ["6.4.0-150600.21-default", "6.4.0-150600.23.7-default"], "pending"),
    ("opensuse-tumbleweed", "6.9.1-1-default", ["6.9.1-1-default", "6.9.3-1-default"], "pending"),
    ("amazon-2023", "6.1.79-99.164.amzn2023.x86_64", ["6.1.79-99.164.amzn2023.x86_64", "6.1.79-99.167.amzn2023.x86_64"], "pending"),
    # Variants replace only themselves.
    ("oracle-9", "5.14.0-427.13.1.el9_4.x86_64", ["5.14.0-427.13.1.el9_4.x86_64", "5.15.0-206.153.7.el9uek.x86_64"], "compliant"),
    ("oracle-9", "5.15.0-200.131.27.el9uek.x86_64", ["5.15.0-200.131.27.el9uek.x86_64", "6.14.0-427.13.1.el9_4.x86_64"], "compliant"),
    ("rhel-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64+debug"], "compliant"),
    ("rhel-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64+rt"], "compliant"),
    ("rhel-9", "5.14.0-427.el9.aarch64", ["5.14.0-427.el9.aarch64", "5.14.0-427.13.1.el9_4.aarch64+64k"], "compliant"),
    ("rhel-9", "5.14.0-427.el9.x86_64+rt", ["5.14.0-427.el9.x86_64+rt", "5.14.0-427.13.1.el9_4.x86_64+rt"], "pending"),
    ("rhel-8", "4.18.0-553.el8_10.x86_64", ["4.18.0-553.el8_10.x86_64", "4.18.0-553.5.1.rt7.346.el8_10.x86_64"], "compliant"),
    ("rhel-8", "4.18.0-553.rt7.342.el8_10.x86_64", ["4.18.0-553.rt7.342.el8_10.x86_64", "4.18.0-553.5.1.rt7.346.el8_10.x86_64"], "pending"),
    ("centos-7", "3.10.0-1160.el7.x86_64", ["3.10.0-1160.el7.x86_64", "3.10.0-1160.119.1.el7.x86_64.debug"], "compliant"),
    ("sles-15.6", "6.4.0-150600.21-default", ["6.4.0-150600.21-default", "6.4.0-150600.23.7-rt"], "compliant"),
    ("sles-15.6", "6.4.0-150600.21-azure", ["6.4.0-150600.21-azure", "6.4.0-150600.23.7-default"], "compliant"),
    ("ubuntu-24.04", "6.8.0-31-generic", ["6.8.0-31-generic", "6.8.0-45-lowlatency"], "compliant"),
    ("ubuntu-24.04", "6.8.0-31-generic", ["6.8.0-31-generic", "6.8.0-45-generic-64k"], "compliant"),
    # A number behind a word is a revision of the build.
    ("ubuntu-24.04", "6.9.3-surface-1", ["6.9.3-surface-1", "6.9.3-surface-2"], "pending"),
    ("ubuntu-24.04", "6.9.3-surface-2", ["6.9.3-surface-1", "6.9.3-surface-2"], "compliant"),
    ("ubuntu-24.04", "6.9.3-x64v3-xanmod1", ["6.9.3-x64v3-xanmod1", "6.9.3-x64v3-xanmod2"], "pending"),
    ("ubuntu-24.04", "6.9.3-x64v3-xanmod1", ["6.9.3-x64v3-xanmod1", "6.9.3-x64v2-xanmod2"], "compliant"),
    ("ubuntu-24.04", "6.9.3-custom1", ["6.9.3-custom1", "6.9.3-custom12"], "pending"),
    ("mageia-9", "6.6.28-desktop-1.mga9", ["6.6.28-desktop-1.mga9", "6.6.28-desktop-2.mga9"], "pending"),
    ("mageia-9", "6.6.28-desktop-2.mga9", ["6.6.28-desktop-1.mga9", "6.6.28-desktop-2.mga9"], "compliant"),
    ("mageia-9", "6.6.28-desktop-1.mga9", ["6.6.28-desktop-1.mga9", "6.6.28-server-2.mga9"], "compliant"),
    ("ubuntu-24.04", "6.9.3-arch1-1", ["6.9.3-arch1-1", "6.9.3-arch1-2"], "pending"),
    ("ubuntu-24.04", "6.6.30-gentoo-r1", ["6.6.30-gentoo-r1", "6.6.30-gentoo-r2"], "pending"),
    ("ubuntu-24.04", "6.6.31+rpt-rpi-v7", ["6.6.31+rpt-rpi-v7", "6.6.31+rpt-rpi-v8"], "compliant"),  # an architecture's
    ("ubuntu-24.04", "6.6.31+rpt-rpi-v8", ["6.6.31+rpt-rpi-v8", "6.6.31+rpt-rpi-2712"], "compliant"),
    ("opensuse-leap-15.2", "5.3.18-lp152.102-default", ["5.3.18-lp152.102-default", "5.3.18-lp152.106-default"], "pending"),
    ("opensuse-leap-15.1", "4.12.14-lp151.28.79-default", ["4.12.14-lp151.28.79-default", "4.12.14-lp151.28.91-default"], "pending"),
    ("debian-12", "6.9.12", ["6.9.12", "6.10.1"], "pending"),  # mainline builds have no suffix
    ("debian-12", "6.9.3", ["6.9.3", "6.9.5"], "pending"),
    ("debian-12", "6.9.0-rc7", ["6.9.0-rc7", "6.9.0"], "pending"),
    ("debian-12", "6.9.0-rc1+", ["6.9.0-rc1+", "6.9.0-rc2+"], "pending"),
    ("debian-12", "6.9.0-rc1-00012-g0123456789ab", ["6.9.0-rc1-00012-g0123456789ab", "6.9.0-rc1-00015-gba9876543210"], "pending"),
    ("debian-12", "6.9.3-ck1", ["6.9.3-ck1", "6.9.3-ck2"], "pending"),
    ("debian-12", "6.9.3-pf2", ["6.9.3-pf2", "6.9.3-pf10"], "pending"),
    ("gentoo", "6.6.30-gentoo", ["6.6.30-gentoo", "6.6.30-gentoo-r1"], "pending"),
    ("gentoo", "6.6.30-gentoo-r1", ["6.6.30-gentoo-r1", "6.6.31-gentoo"], "pending"),
    ("gentoo", "6.6.31-gentoo", ["6.6.30-gentoo-r1", "6.6.31-gentoo"], "compliant"),
    ("ubuntu-24.04", "6.9.3-rt5-x64v3-xanmod1", ["6.9.3-rt5-x64v3-xanmod1", "6.9.4-x64v3-xanmod1"], "compliant"),
    ("ubuntu-24.04", "6.9.3-x64v3-xanmod1", ["6.9.3-x64v3-xanmod1", "6.9.4-rt5-x64v3-xanmod1"], "compliant"),
    ("centos-7", "3.10.0-1160.el7.x86_64", ["3.10.0-1160.el7.x86_64", "3.10.0-1160.119.1.el7.centos.plus.x86_64"], "compliant"),
    ("rocky-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "6.9.3-1.el9.elrepo.x86_64"], "compliant"),
    ("rocky-9", "6.9.3-1.el9.elrepo.x86_64", ["6.9.3-1.el9.elrepo.x86_64", "6.9.7-1.el9.elrepo.x86_64"], "pending"),
    ("mageia-9", "6.6.28-desktop-1.mga9", ["6.6.28-desktop-1.mga9", "6.6.28-desktop586-2.mga9"], "compliant"),
    ("springdale-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"], "pending"),  # rpm's own words
    (None, "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"], "pending"),
    # Backups are no kernels.
    ("debian-12", "6.1.0-28-amd64", ["6.1.0-28-amd64", "6.1.0-28-amd64.1"], "compliant"),
    ("ubuntu-24.04", "6.8.0-31-generic", ["6.8.0-31-generic", "6.8.0-45-generic.old"], "compliant"),
    ("ubuntu-24.04", "6.8.0-31-generic", ["6.8.0-31-generic", "6.8.0-45-generic.dpkg-bak"], "compliant"),
    ("ubuntu-24.04", "6.8.0-31-generic", ["6.8.0-31-generic", "6.8.0-45-generic~"], "compliant"),
    ("rhel-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-500.el9.x86_64.rpmsave"], "compliant"),
    ("rhel-9", "5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "0-rescue-0123456789abcdef0123456789abcdef"], "compliant"),
]  # fmt: skip


@pytest.mark.parametrize(("product", "running", "installed", "expected"), KERNELS, ids=lambda x: str(x)[:60])
def test_kernels(product: str | None, running: str, installed: list[str], expected: str) -> None:
    platform = Platform(family="linux", product=product)
    facts = replace(LINUX, platform=platform, packages=(), kernels=Kernels(running, tuple(installed)))
    assert verdict("linux-kernel-running", facts) == expected


def test_the_order_of_rpm_is_librpms() -> None:
    """Against the vectors of rpm's own test suite (rpmvercmp.at), read as facts: who is newer."""
    from auditor.versions import rpm

    newer = [("1.0", "0.9"), ("2.0.1", "2.0"), ("2.0.1a", "2.0.1"), ("5.5p10", "5.5p1"), ("10xyz", "10.1xyz"), ("xyz.4", "8"),
             ("5.6.0", "5.5p2"), ("6.5p1", "5.6p1"), ("6.0", "6.0.rc1"), ("10b2", "10a1"), ("1.0aa", "1.0a"), ("10.0001", "10.0000"),
             ("10.0039", "10.0001"), ("20101122", "4.999.9"), ("1.0", "1.0~rc1"), ("1.0~rc1", "1.0~rc1~git123"), ("1.0^", "1.0"),
             ("1.0^git1", "1.0"), ("1.0.1", "1.0^git1"), ("1.0^git2", "1.0^git1"), ("1.0^20160101~git1", "1.0~rc1"),
             ("427.13.1.el9_4", "427.el9")]  # fmt: skip
    turned = {("10xyz", "10.1xyz"): "less", ("xyz.4", "8"): "less", ("6.0", "6.0.rc1"): "less"}
    for a, b in newer:
        first, second = rpm.part_key(a), rpm.part_key(b)
        assert (first < second) if (a, b) in turned else (first > second), (a, b)
    for a, b in [("2_0", "2.0"), ("2.0", "2_0"), ("1.0", "1.00"), ("10.1", "10.01"), ("a", "a+"), ("+_", "_+"), ("+a", "a")]:
        assert rpm.part_key(a) == rpm.part_key(b) or "+_" in (a, b), (a, b)


# 5. A file that says "container" beside an image that is running.
def test_an_image_that_runs_contradicts_a_container() -> None:
    from tests.collectors.linux.test_omission import WHOLE
    from tests.collectors.linux.test_script_output import facts_of

    assert b"inside=/.dockerenv" in WHOLE  # it was left there
    facts = facts_of(WHOLE)
    assert facts.kernels is not None
    assert not facts.kernels.outside
    assert verdict("linux-kernel-running", facts) == "pending"


# 4 and 5. What is not there, and who is to say so.
@pytest.mark.parametrize(
    ("package_name", "expected"),
    [(name, "unknown") for name in ("linux-image-amd64", "proxmox-kernel-6.8.12-1-pve-signed", "pve-kernel-6.2", "nvidia-l4t-kernel", "linux",
                                    "linux-modules-6.8.0-45-generic", "linux-generic", "linux-zen", "linux-hardened", "linux-lts", "kernel", "kernel-core",
                                    "kernel-default", "kernel-uek", "kernel-ml", "raspberrypi-kernel", "kernel-6.6.28-desktop")]
    + [(name, "not_applicable") for name in ("kerneltop", "kernel-wedge", "linux-libc-dev", "linux-base", "linux-headers-amd64", "kernel-headers",
                                             "kernel-tools", "linux-firmware", "kernel-srpm-macros", "linux-doc", "bash")],
)  # fmt: skip
def test_packages_that_bring_a_kernel_want_an_image(package_name: str, expected: str) -> None:
    facts = replace(LINUX, packages=(package(package_name, "1-1"),), kernels=Kernels("6.1.0-28-amd64", ()))
    assert verdict("linux-kernel-running", facts) == expected


def test_a_sign_of_a_container_beside_other_kernels_tells_nothing() -> None:
    """The running kernel was removed, and /.dockerenv left behind: images or packages of a machine's own contradict it."""
    from tests.collectors.linux.test_omission import WHOLE
    from tests.collectors.linux.test_script_output import facts_of

    lines = [line for line in WHOLE.split(b"\n") if line.startswith(b"image=")]
    running = next(line for line in WHOLE.split(b"\n") if line.startswith(b"uname=Linux ")).split()[1]
    gone = next(line for line in lines if line.endswith(running))
    assert len(lines) > 1
    said = WHOLE.replace(gone + b"\n", b"").replace(f"images={len(lines)}".encode(), f"images={len(lines) - 1}".encode())
    assert verdict("linux-kernel-running", facts_of(said)) == "unknown"


# 6 and 7. Which lists count. -------------------------------------------------------------------------------------------------
OWN = UpdateList("m_debian-security_dists_bookworm-security", WHEN, "bookworm", "Debian", "Debian-Security")
NEXT = UpdateList("m_debian-security_dists_trixie-security", WHEN, "trixie", "Debian", "Debian-Security")
VENDOR = UpdateList("apt.vendor.example_dists_bookworm-security", WHEN, "bookworm", "Vendor", "Vendor")
FOREIGN = UpdateList("apt.vendor.example_dists_stable-security", WHEN, "stable", "Vendor", "Vendor")


def offers(*lists: UpdateList, of: UpdateList, pins: tuple[str, ...] = (), uncovered: tuple[str, ...] = ()) -> HostFacts:
    candidate = Candidate("openssl", "amd64", "3.9-1", "openssl", "3.9-1", of.name)
    return replace(LINUX, updates=Updates(lists, (candidate,), pins, uncovered=uncovered))


LOW = "Package: * · Pin: origin apt.vendor.example · Pin-Priority: 1"
LISTS = [
    (offers(OWN, of=OWN), "noncompliant"),
    (offers(OWN, NEXT, of=NEXT), "compliant"),  # apt takes nothing of another release by itself
    (offers(OWN, FOREIGN, of=FOREIGN), "compliant"),
    (offers(NEXT, of=NEXT), "unknown"),
    (offers(OWN, VENDOR, of=VENDOR), "noncompliant"),
    (offers(OWN, VENDOR, of=VENDOR, pins=(LOW,)), "compliant"),
    (offers(OWN, VENDOR, of=VENDOR, pins=("Package: * · Pin: release o=Vendor · Pin-Priority: -1",)), "compliant"),
    (offers(OWN, VENDOR, of=VENDOR, pins=("Package: * · Pin: release o=Other · Pin-Priority: -1",)), "noncompliant"),
    (offers(OWN, VENDOR, of=VENDOR, pins=("Package: * · Pin: release o=Vendor · Pin-Priority: 990",)), "noncompliant"),
    (offers(OWN, VENDOR, of=VENDOR, pins=("Package: nginx · Pin: release o=Vendor · Pin-Priority: 1",)), "noncompliant"),
    (offers(OWN, of=OWN, pins=("Package: * · Pin: release o=Debian · Pin-Priority: 1",)), "noncompliant"),  # still missing
    (offers(OWN, NEXT, of=NEXT, uncovered=("intel-microcode (non-free-firmware, amd64)",)), "unknown"),
    (offers(OWN, of=OWN, uncovered=("intel-microcode (non-free-firmware, amd64)",)), "noncompliant"),
    (
        offers(OWN, replace(NEXT, date=WHEN - timedelta(days=900)), of=NEXT),
        "compliant",
    ),  # how old a foreign list is says nothing
]


@pytest.mark.parametrize(("facts", "expected"), LISTS)
def test_lists(facts: HostFacts, expected: str) -> None:
    assert verdict("linux-security-updates", facts) == expected


# 8. What is fixed under another package's name (Debian Kernel Handbook: ABI changes rename the package). -------------------------
def image(release: str, version: str, source: str = "linux-signed-amd64") -> Package:
    return replace(package(f"linux-image-{release}", version), source=source, source_version=version.replace("-", "+"))


def kernels(*installed: Package, offered: str = "6.1.158+1", name: str = "linux-image-6.1.0-41-amd64") -> HostFacts:
    source = "linux-signed-amd64"
    candidate = Candidate(name, "amd64", "6.1.158-1", source, offered, OWN.name)
    updates = Updates((OWN,), (candidate,), sources=(SourceOffer(source, offered, OWN.name),))
    return replace(LINUX, packages=(*installed, package("openssl", "3.0.15-1")), updates=updates)


RENAMED = [
    (kernels(image("6.1.0-28-amd64", "6.1.119-1")), "noncompliant"),  # no metapackage that would bring the new one
    (kernels(image("6.1.0-28-amd64", "6.1.119-1"), image("6.1.0-41-amd64", "6.1.158-1")), "compliant"),  # an old one is left
    (kernels(image("6.1.0-41-amd64", "6.1.158-1")), "compliant"),
    (kernels(image("6.1.0-28-cloud-amd64", "6.1.119-1")), "compliant"),  # of that flavour nothing is offered
    (kernels(image("6.1.0-28-amd64", "6.1.119-1", "other")), "compliant"),
    (kernels(replace(image("6.1.0-28-amd64", "6.1.119-1"), source_version="!")), "unknown"),
]


@pytest.mark.parametrize(("facts", "expected"), RENAMED)
def test_fixes_under_another_name(facts: HostFacts, expected: str) -> None:
    f = find("linux-security-updates", facts)
    assert f.verdict == expected
    if expected == "noncompliant":
        assert "linux-image-6.1.0-28-amd64 6.1.119-1 → source linux-signed-amd64 6.1.158+1" in f.observed


# 10. What no package brought. ------------------------------------------------------------------------------------------------------
THROWN_AWAY = [
    "/tmp/ffiUYpMzl", "/var/tmp/ffiA1b2C3", "/dev/shm/ffiabcdef", "/root/ffiUYpMzl", "/tmp/jna-3506402/jna7263504318217684462.tmp",
    "/home/u/.cache/JNA/temp/jna123.tmp", "/opt/tomcat/temp/jna456.tmp", "/tmp/jffi3232.so", "/tmp/jffi-77.tmp", "/run/user/1000/orcexec.kYcVbd",
    "/root/orcexec.AbCdEf", "/tmp/libzstd-jni-1.5.5-3123.so", "/opt/app/libzstd-jni-1.5.so", "/tmp/#131102", "/#131102", "/home/u/#77",
    "/var/lib/kafka/tmp/snappy-1.1.8-libsnappyjava.so", "/tmp/libnetty_transport_native_epoll_x86_64123.so", "/srv/x/librocksdbjni123.so",
    "/tmp/hsperfdata_root/12", "/memfd:doublemapper", "/SYSV00000000", "/dev/zero", "/dev/shm/x", "/i915", "/var/run/x", "/srv/app/cache/x.so",
]  # fmt: skip
REPLACED = ["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/lib/systemd/systemd", "/usr/sbin/sshd", "/opt/app/bin/server", "/opt/app/lib/libfoo.so",
            "/srv/app/server", "/home/u/bin/tool", "/usr/lib/libffi.so.8", "/usr/lib64/libc-2.17.so;5f3a1b2c", "/usr/lib/firefox-esr/libxul.so",
            "/usr/share/cache/x.so", "/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/jni/libjnidispatch.system.so",
            "/usr/lib/jni/liblz4-java.so", "/usr/lib/x86_64-linux-gnu/jni/libjansi.so", "/usr/bin/ffiserver", "/drmserver/bin/x", "/i915x",
            "/opt/cache/bin/cache", "/data/tmp/postgres/bin/postgres", "/opt/vendor/lib/libfoo-jni.so", "/usr/lib/jvm/java-17/lib/server/libjvm.so"]  # fmt: skip


def test_code_that_was_thrown_away_is_no_old_code() -> None:
    assert [p for p in THROWN_AWAY if not no_packages(p)] == []
    assert [p for p in REPLACED if no_packages(p)] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # A mapping that is not executable: grep shows it from an x within its path on, and it is no old code.
        ("/proc/1/maps:x86_64-linux-gnu/gconv/gconv-modules.cache (deleted)", "compliant"),
        ("/proc/1/maps:xp 00001000 fe:00 77                         /usr/bin/old (deleted)", "pending"),
        ("/proc/1/maps:xp 00001000 fe:00 77                          (deleted)", "unknown"),  # its path was cut out
        ("/proc/1/maps:xp 00001000 fe:00 77                         /usr/bin/old", "unknown"),
    ],
)  # fmt: skip
def test_lines_of_the_maps(line: str, expected: str) -> None:
    from tests.collectors.linux.test_omission import MARK, WHOLE
    from tests.collectors.linux.test_script_output import facts_of

    text = WHOLE.decode("utf-8", "surrogateescape")
    begin = text.index(f"{MARK}<stale_processes\n") + len(f"{MARK}<stale_processes\n")
    end = text.index(f"\n{MARK}>stale_processes ")
    rows = [row for row in text[begin:end].split("\n") if row and "deleted" not in row and not row.startswith("=rows= ")]
    body = "\n".join([*rows, line, f"=rows= {len(rows) + 1}"])
    facts = facts_of((text[:begin] + body + text[end:]).encode("utf-8", "surrogateescape"))
    assert verdict("linux-stale-processes", facts) == expected


# 14. Bound to a device rather than to an address. -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("address", "expected"), [("0.0.0.0%lo", "not_applicable"), ("::%lo", "not_applicable"), ("0.0.0.0", "noncompliant"),
                                                   ("0.0.0.0%eth0", "noncompliant"), ("0.0.0.0%lo1", "noncompliant")])  # fmt: skip
def test_a_listener_of_the_loopback_device(address: str, expected: str) -> None:
    assert verdict("linux-listen-backlog", replace(LINUX, listeners=(Listener(address, 80, 5, "x"),))) == expected


# 15. A release candidate's name (Q222507, Q266433, Q293322). ----------------------------------------------------------------------------
STAMPED = [
    ("6", "Service Pack 6, RC 1.3", (), "6", "unknown"),
    ("6", "Service Pack 6, RC 1.3", ("Q246467",), "6", "compliant"),
    ("6", "Service Pack 6, RC 1.3", ("Q246009",), "6", "compliant"),
    ("6", "Service Pack 6, RC 1.3", ("KB266433",), "6", "compliant"),
    ("6", "Service Pack 6, RC 1.3", ("Q123456",), "6", "unknown"),
    ("6", "Service Pack 6, RC 1.3", (), "5", "compliant"),  # a candidate of six comes after five
    ("4", "Service Pack 4 RC 1.2", (), "4", "unknown"),
    ("4", "Service Pack 4 RC 1.2", (), "6", "noncompliant"),
    ("6", "Service Pack 6", (), "6", "compliant"),
    *[
        ("6", words, (), "6", "unknown")
        for words in (
            "Service Pack 5",
            "Service Pack 5, RC 1.1",
            "Service Pack 0",
            "Service Pack 6 Release Candidate 1",
            "Service Pack 6, Beta",
            "Service Pack 6, RC",
            "Service Pack 6 (RC 1.3)",
            "Service Pack 6-RC1",
            "Service Pack 6, Pre-release",
            "Dodatek Service Pack 6, RC 1.3",
        )
    ],
    ("Service Pack 6, RC 1.3", None, (), "6", "unknown"),
]


@pytest.mark.parametrize(("pack", "said", "hotfixes", "wanted", "expected"), STAMPED)
def test_a_stamp_that_nothing_explains(
    pack: str, said: str | None, hotfixes: tuple[str, ...], wanted: str, expected: str
) -> None:
    facts = replace(
        windows(product="windows-nt-4.0-server", version="4.0", service_pack=pack, csd_version=said),
        hotfixes=tuple(Hotfix(h) for h in hotfixes),
    )
    assert ServicePackCheck(wanted).judge(case(facts)).verdict == expected


# 16 and 17. Packages in their own manager's order; half-installed is not installed. ---------------------------------------------------------
PACKAGES = [
    ("rpm", "1.0^git1", "1.el9", "1.0-1.el9", "compliant"),
    ("rpm", "427", "el9", "427-13.1.el9_4", "noncompliant"),  # letters are older than digits
    ("rpm", "5.14.0", "427.el9", "5.14.0-427.13.1.el9_4", "noncompliant"),
    ("rpm", "5.14.0", "427.13.1.el9_4", "5.14.0-427.el9", "compliant"),
    ("rpm", "1.0~rc1", "1", "1.0-1", "noncompliant"),
    ("rpm", "!", "1", "1.0-1", "unknown"),
    ("rpm", "5.14.0", None, "5.14.0-427.13.1.el9_4", "unknown"),  # an installed rpm has a release
    ("rpm", "5.14.0", "", "5.14.0-427.13.1.el9_4", "unknown"),
    ("rpm", "5.14.0-1", "2.el9", "5.14.0-427", "unknown"),  # two dashes
    ("apk", "1.2.3", "r4", "1.2.3-r5", "noncompliant"),
    ("apk", "1.2.3", "r5", "1.2.3-r5", "compliant"),
    ("apk", "1.2.3foo", "r4", "1.2.3-r5", "unknown"),
    ("dpkg", "1.0~rc1", "1", "1.0-1", "noncompliant"),
]


@pytest.mark.parametrize(("manager", "version", "release", "fixed", "expected"), PACKAGES)
def test_packages_in_their_managers_order(manager: Any, version: str, release: str | None, fixed: str, expected: str) -> None:
    facts = replace(LINUX, packages=(Package("p", None, version, release, "x86_64", None, None, manager=manager),))
    assert PackageCheck("p", fixed).judge(case(facts)).verdict == expected


def test_a_half_installed_package_has_no_version() -> None:
    facts = replace(LINUX, packages=(package("openssl", "9.9-1", half_installed=True),))
    assert PackageCheck("openssl", "3.0.15-1").judge(case(facts)).verdict == "unknown"
    assert verdict("linux-security-updates", facts) == "unknown"


@pytest.mark.parametrize(
    "ident", ["Q246009", "KB246009", "kb246009", "KB246009-v2", "Q246009i", "Q246009_NT4", "q246009 (x86)"]
)
def test_hotfixes_of_one_article(ident: str) -> None:
    facts = replace(windows(product="windows-nt-4.0-server", version="4.0"), hotfixes=(Hotfix(ident),))
    host = Host(facts)
    judged = HotfixCheck(("Q246009",)).judge(Case(facts, None, WHEN.date(), host.packages, host.sources, host.articles))
    assert judged.verdict == "compliant"
    other = replace(facts, hotfixes=(Hotfix("Q2460091"), Hotfix("Q24600")))
    assert (
        HotfixCheck(("Q246009",))
        .judge(Case(other, None, WHEN.date(), host.packages, host.sources, Host(other).articles))
        .verdict
        == "noncompliant"
    )


DERIVATIVES = [
    # uname -v, and what it says the kernel was built as
    ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)", "6.1.119-1"),
    ("#1 SMP PREEMPT_DYNAMIC Kali 6.8.11-1kali2 (2024-05-30)", "6.8.11-1kali2"),
    ("#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)", "1:6.6.31-1+rpt1"),
    ("#1 SMP PREEMPT_DYNAMIC Devuan 6.1.119-1devuan1 (2024-11-22)", "6.1.119-1devuan1"),
    ("#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023", None),
    ("#1 SMP PREEMPT_DYNAMIC Thu Apr 11 16:06:32 UTC 2024", None),
]


@pytest.mark.parametrize(("said", "built"), DERIVATIVES)
def test_what_a_kernel_says_it_was_built_as(said: str, built: str | None) -> None:
    found = _BUILT_AS.search(f"uname=Linux 6.1.0-28-amd64 {said} x86_64")
    assert (found[1] if found else None) == built


@pytest.mark.parametrize("product", ["rhel-9", "almalinux-8", "oracle-9", "sles-15.6", "RHEL-9"])
def test_packages_of_another_manager_than_the_products_tell_nothing(product: str) -> None:
    facts = replace(LINUX, platform=Platform(family="linux", product=product), packages=(package("kernel", "3.10.0-1160.el7"),))
    assert PackageCheck("kernel", "3.10.0-1160.119.1.el7").judge(case(facts)).verdict == "unknown"


@pytest.mark.parametrize("product", ["rhel-9", "alpine-3.23", "arch", "sles-15.6", "nixos", None])
def test_apts_lists_tell_nothing_of_packages_that_are_not_dpkgs(product: str | None) -> None:
    rpm = Package("bash", None, "5.2", "1.el9", "x86_64", None, None, manager="rpm")
    for packages in ((), (rpm,)):
        facts = replace(offers(OWN, of=OWN), packages=packages, platform=replace(LINUX.platform, product=product))
        assert verdict("linux-security-updates", facts) == "unknown"


@pytest.mark.parametrize(
    ("uname", "running", "built"),
    [("#46-Ubuntu SMP Thu Apr 10", "3.13.0-24-generic", "3.13.0-24.46"), ("#45~22.04.1-Ubuntu SMP", "6.8.0-45-generic", "6.8.0-45.45~22.04.1"),
     ("#20-Ubuntu SMP", "6.8.0-1018-aws", "6.8.0-1018.20"), ("#1 SMP", "6.8.0-45-generic", None), ("#45-Ubuntu SMP", "6.9.3", None)],
)  # fmt: skip
def test_what_an_ubuntu_kernel_was_built_as(uname: str, running: str, built: str | None) -> None:
    assert _ubuntu(running, f"uname=Linux {running} {uname} x86_64") == built


BY_PACKAGE = [
    ("ubuntu-14.04", "3.13.0-24-generic", "3.13.0-24.47", "3.13.0-24.46", "pending"),  # one ABI, built anew
    ("ubuntu-14.04", "3.13.0-24-generic", "3.13.0-24.47", "3.13.0-24.47", "compliant"),
    ("ubuntu-24.04", "6.8.0-45-generic", "6.8.0-45.45+1", "6.8.0-45.45", "compliant"),  # signed anew, nothing more
    # product, running, package of its image, built as, verdict
    ("linuxmint-21.3", "5.15.0-91-generic", "5.15.0-91.101", None, "compliant"),  # the release changes with each package
    ("linuxmint-21.3", "5.15.0-91-generic", "5.15.0-91.101", "5.15.0-91.101", "compliant"),
    ("pop-22.04", "6.9.3-76060903-generic", "6.9.3-76060903.202405300957~1732141768~22.04~f2697e1", None, "compliant"),
    ("kali-2024.2", "6.8.11-amd64", "6.8.11-1kali2", "6.8.11-1kali2", "compliant"),
    ("kali-2024.2", "6.8.11-amd64", "6.8.11-1kali3", "6.8.11-1kali2", "pending"),
    ("kali-2024.2", "6.8.11-amd64", "6.8.11-1kali2", None, "unknown"),
    ("debian-12", "6.1.0-28-amd64", "6.1.119-1", None, "unknown"),
]


@pytest.mark.parametrize(("product", "running", "version", "built", "expected"), BY_PACKAGE)
def test_derivatives_by_what_their_kernels_package_says(
    product: str, running: str, version: str, built: str | None, expected: str
) -> None:
    facts = replace(
        LINUX, platform=Platform(family="linux", product=product), packages=(package(f"linux-image-{running}", version),),
        kernels=Kernels(running, (running,), built),
    )  # fmt: skip
    assert verdict("linux-kernel-running", facts) == expected


# 18. A version without a product. ---------------------------------------------------------------------------------------------------------
VERSIONS = [("10.0", "windows-nt-4.0-server", False), ("6.3", "windows-nt-4.0-server", False), ("4.0", "windows-nt-4.0-server", None),
            ("4.0", "windows-2000", False), ("5.0", "windows-2000", None), ("3.51", "windows-nt-4.0", False), ("5.2", "windows-server-2003", None),
            ("10.0", "windows-server-2022", None), ("6.3", "windows-server-2022", None), ("6.1", "windows-server-2022", False),
            (None, "windows-nt-4.0-server", None), ("99.9", "windows-nt-4.0-server", False), ("99.9", "windows-12-*", None)]  # fmt: skip


@pytest.mark.parametrize(("version", "pattern", "expected"), VERSIONS)
def test_a_known_version_rules_products_out(version: str | None, pattern: str, expected: bool | None) -> None:
    facts = HostFacts(target="w", collected_at=WHEN, platform=Platform(family="windows", version=version))
    assert Host(facts).covers(pattern) is expected


def test_a_modern_windows_without_a_product_has_no_rules_of_nt() -> None:
    from auditor.evaluation.evaluate import evaluate

    facts = HostFacts(target="w", collected_at=WHEN, platform=Platform(family="windows", version="10.0"))
    found = evaluate(facts, RULES, today=WHEN.date())
    assert [f.rule for f in found if f.verdict == "unknown" and f.generated] == []
    build = HostFacts(target="w", collected_at=WHEN, platform=Platform(family="windows", build="20348.2700"))
    assert [f.rule for f in evaluate(build, RULES, today=WHEN.date()) if f.verdict == "unknown" and f.generated] == []


# 19. A right that is missing, said once, or accepted. --------------------------------------------------------------------------------------
def test_an_unknown_that_the_policy_accepts_is_shown_as_such() -> None:
    from auditor.evaluation.evaluate import evaluate
    from auditor.model.facts import CollectorOutcome

    blind = replace(
        LINUX,
        stale_processes=None,
        outcomes=(CollectorOutcome("stale_processes", "partial", "without root's rights only own"),),
    )
    policy = Policy(accepted={"linux-stale-processes": "no sudo on the web servers"})
    found = {f.rule: f for f in evaluate(blind, RULES, today=WHEN.date(), policy=policy)}
    stale = found["linux-stale-processes"]
    assert (stale.verdict, stale.waiver.reason if stale.waiver else None) == ("unknown", "no sudo on the web servers")
    assert "become: {method: sudo}" in stale.resolved_by
    assert "auditor commands --sudoers" in stale.resolved_by
    seen = {f.rule: f for f in evaluate(LINUX, RULES, today=WHEN.date(), policy=policy)}
    assert seen["linux-stale-processes"].waiver is None  # nothing that is known is accepted


def test_backups_of_kernels() -> None:
    for name in (
        "6.1.0-28-amd64.old",
        "6.1.0-28-amd64.dpkg-bak",
        "6.1.0-28-amd64.bak",
        "6.1~",
        "6.1.0.rpmsave",
        "6.1.0-1-amd64.ucf-dist",
    ):
        assert kernel_release.is_backup(name)
    for name in (
        "6.1.0-28-amd64",
        "5.14.0-427.13.1.el9_4.x86_64",
        "6.9.3-surface-1",
        "6.12.38+deb12-amd64",
        "5.15.0-91-generic",
    ):
        assert not kernel_release.is_backup(name)
