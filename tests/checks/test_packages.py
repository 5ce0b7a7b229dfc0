"""Packages held against an advisory: builds, modules, kernels side by side, holds, and versions that are none."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from msgspec.structs import replace

from auditor.checks.judgement import Case, Judgement
from auditor.checks.packages import PackageFix, PackagesCheck
from auditor.evaluation.applicability import Host
from auditor.model.facts import Kernels, Package, Platform, Repository
from auditor.versions.package_version import manager_of
from tests.given import LINUX, WHEN

EL9 = Platform(family="linux", product="almalinux-9", version="9.5", arch="x86_64")


def rpm(name: str, version: str, *, arch: str = "x86_64", module: str | None = None, **more: Any) -> Package:
    epoch, _, rest = version.rpartition(":")
    upstream, _, release = rest.rpartition("-")
    return Package(
        name, int(epoch) if epoch else None, upstream, release, arch, f"{name}-{rest}.src.rpm", None, module, "rpm", **more
    )


def deb(name: str, version: str, source: str = "", source_version: str = "", **more: Any) -> Package:
    epoch, _, rest = version.rpartition(":")
    upstream, _, release = rest.rpartition("-") if "-" in rest else (rest, "", None)
    return Package(
        name, int(epoch) if epoch else None, upstream, release, "amd64", source or name, source_version or version, **more
    )


def judged(fixes: list[PackageFix], *packages: Package, **more: Any) -> Judgement:
    manager = packages[0].manager if packages else "rpm"
    facts = replace(LINUX, platform=EL9 if manager == "rpm" else LINUX.platform, packages=packages, kernels=None)
    facts = replace(facts, **more)
    host = Host(facts)
    return PackagesCheck(manager, tuple(fixes)).judge(Case(facts, None, WHEN.date(), host.packages, host.sources))


Fix = PackageFix
M18, M20 = "nodejs:18:8070020221212:abcdef12", "nodejs:20:9:x"
MOD = ".module+el8.9.0+1+abc"
RPMS = [
    ([Fix("openssl", "1:3.0.7-28.el9")], [rpm("openssl", "1:3.0.7-27.el9")], "noncompliant"),
    ([Fix("openssl", "1:3.0.7-28.el9")], [rpm("openssl", "1:3.0.7-28.el9")], "compliant"),
    ([Fix("openssl", "1:3.0.7-28.el9")], [rpm("openssl", "3.0.9-1.el9")], "noncompliant"),  # an epoch that is not there is 0
    ([Fix("openssl", "3.0.7-28.el9")], [rpm("curl", "1-1")], "not_applicable"),
    # Two builds of one package in one advisory: any counts.
    ([Fix("x", "1-2.el9_4"), Fix("x", "1-3.el9_5")], [rpm("x", "1-2.el9_4")], "compliant"),
    ([Fix("x", "1-2.el9_4"), Fix("x", "1-3.el9_5")], [rpm("x", "1-1.el9")], "noncompliant"),
    # The architecture is the package's own; what was for all may become one for each.
    ([Fix("x", "1-2", "aarch64 s390x")], [rpm("x", "1-1")], "not_applicable"),
    ([Fix("x", "1-2", "aarch64 x86_64")], [rpm("x", "1-1"), rpm("x", "1-2", arch="i686")], "noncompliant"),
    ([Fix("x", "1-2", "x86_64")], [rpm("x", "1-1", arch="i686"), rpm("x", "1-2")], "compliant"),
    ([Fix("x", "1-2", "noarch")], [rpm("x", "1-1")], "noncompliant"),
    ([Fix("x", "1-2", "x86_64")], [rpm("x", "1-1", arch="noarch")], "noncompliant"),
    # Modules: by the label; without one unknown, but never a plain build against a modular one.
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")], [rpm("nodejs", f"1:18.1-1{MOD}", module=M18)], "noncompliant"),
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")], [rpm("nodejs", f"1:20.1-1{MOD}", module=M20)], "not_applicable"),
    ([Fix("nodejs", f"1:20.2-1{MOD}", "", "nodejs:20"), Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")], [rpm("nodejs", f"1:18.2-1{MOD}", module=M18)], "compliant"),
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18 nodejs-devel:18")], [rpm("nodejs", f"1:18.1-1{MOD}", module=M18)], "noncompliant"),
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "?")], [rpm("nodejs", f"1:18.1-1{MOD}", module=M18)], "unknown"),
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")], [rpm("nodejs", f"1:18.1-1{MOD}")], "unknown"),
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")], [rpm("nodejs", f"1:18.3-1{MOD}")], "compliant"),  # newer than every build
    ([Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")], [rpm("nodejs", "1:16.1-1.el8")], "not_applicable"),
    ([Fix("nodejs", "1:18.2-1.el9")], [rpm("nodejs", f"1:18.1-1{MOD}", module=M18)], "not_applicable"),
    # What is no version is unknown.
    ([Fix("x", "!-1")], [rpm("x", "1-1")], "unknown"), ([Fix("x", "1-2")], [rpm("x", "1!-1")], "unknown"),
    # One package that lacks it is enough; the worst of the others counts otherwise.
    ([Fix("a", "1-2"), Fix("b", "1-2")], [rpm("a", "1-2"), rpm("b", "1-1")], "noncompliant"),
    ([Fix("a", "1-2"), Fix("b", "!")], [rpm("a", "1-2"), rpm("b", "1-1")], "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("fixes", "packages", "verdict"), RPMS)
def test_rpms(fixes: list[PackageFix], packages: list[Package], verdict: str) -> None:
    assert judged(fixes, *packages).verdict == verdict


@pytest.mark.parametrize(
    ("streams", "verdict"),
    [
        (("nodejs:18",), "noncompliant"),
        (("nodejs:20",), "not_applicable"),
        (("php:8",), "unknown"),
        ((), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_modular_build_without_a_label_goes_by_the_streams_that_are_enabled(
    streams: tuple[str, ...] | None, verdict: str
) -> None:
    fixes = [Fix("nodejs", f"1:18.2-1{MOD}", "", "nodejs:18")]
    assert judged(fixes, rpm("nodejs", f"1:18.1-1{MOD}"), module_streams=streams).verdict == verdict


def test_what_is_shown() -> None:
    j = judged(
        [Fix("openssl-libs", "1:3.0.7-28.el9"), Fix("openssl", "1:3.0.7-28.el9")],
        rpm("openssl", "1:3.0.7-27.el9", hold=True),
        rpm("openssl-libs", "1:3.0.7-28.el9"),
    )
    assert j.observed == "openssl 1:3.0.7-27.el9 (held) → 1:3.0.7-28.el9"
    assert "on hold" in j.why
    assert [(p.name, p.installed, p.fixed, p.hold) for p in j.packages] == [
        ("openssl", "1:3.0.7-27.el9", "1:3.0.7-28.el9", True)
    ]
    assert j.remedy
    assert (j.remedy.kind, j.remedy.line, j.remedy.level) == ("package", "openssl", "1:3.0.7-28.el9")
    assert judged([Fix("x", "1-1")], packages=None).verdict == "unknown"


DEBS = [
    ([Fix("openssl", "3.0.17-1~deb12u3")], [deb("libssl3", "3.0.16-1~deb12u1", "openssl")], "noncompliant"),
    ([Fix("openssl", "3.0.17-1~deb12u3")], [deb("libssl3", "3.0.17-1~deb12u3", "openssl")], "compliant"),
    # By the source's version: a build of its own (+b1) has a larger one.
    ([Fix("glib", "2.1-2")], [deb("libglib", "2.1-1+b1", "glib", "2.1-1")], "noncompliant"),
    ([Fix("glib", "2.1-2")], [deb("libglib", "1:9-9", "glib", "2.1-2")], "compliant"),
    ([Fix("libglib", "2.1-2")], [deb("libglib", "2.1-1", "glib")], "not_applicable"),
    ([Fix("openssl", "3.0.17-1")], [deb("libssl3", "3.0.18~rc1-1", "openssl", half_installed=True)], "unknown"),
    # Debian's kernels are of linux-signed-amd64, Ubuntu's of linux-signed; the advisory names linux.
    ([Fix("linux", "6.1.140-1")], [deb("linux-image-6.1.0-30-amd64", "6.1.124-1", "linux-signed-amd64", "6.1.124+1")], "noncompliant"),
    ([Fix("linux", "6.1.140-1")], [deb("linux-image-6.1.0-37-amd64", "6.1.140-1", "linux-signed-amd64", "6.1.140+1")], "compliant"),
    ([Fix("linux", "5.15.0-91.101")], [deb("linux-image-5.15.0-90-generic", "5.15.0-90.100", "linux-signed")], "noncompliant"),
    ([Fix("linux-aws", "5.15.0-1050.55")], [deb("linux-image-5.15.0-1049-aws", "5.15.0-1049.54", "linux-signed-aws")], "noncompliant"),
    ([Fix("linux", "5.15.0-91.101")], [deb("linux-image-5.15.0-1049-aws", "5.15.0-1049.54", "linux-signed-aws")], "not_applicable"),
    ([Fix("linux", "5.15.0-91.101")], [deb("linux-generic", "5.15.0.90.87", "linux-meta")], "not_applicable"),
]  # fmt: skip


@pytest.mark.parametrize(("fixes", "packages", "verdict"), DEBS)
def test_debs(fixes: list[PackageFix], packages: list[Package], verdict: str) -> None:
    assert judged(fixes, *packages, kernels=Kernels(outside=True)).verdict == verdict


def kernel_of(
    facts_packages: list[Package], running: str | None, fixed: str, name: str = "kernel-core", built: str | None = None
) -> str:
    return judged([Fix(name, fixed)], *facts_packages, kernels=Kernels(running, (), built)).verdict


OLD, NEW = "5.14.0-427.13.1.el9_4", "5.14.0-503.11.1.el9_5"
BOTH = [rpm("kernel-core", OLD), rpm("kernel-core", NEW)]
KERNELS = [
    (BOTH, f"{NEW}.x86_64", NEW, "kernel-core", "compliant"),
    (BOTH, f"{OLD}.x86_64", NEW, "kernel-core", "pending"),  # on disk, and not running
    (BOTH, f"{OLD}.x86_64", OLD, "kernel-core", "compliant"),
    ([rpm("kernel-core", OLD)], f"{OLD}.x86_64", NEW, "kernel-core", "noncompliant"),
    (BOTH, None, NEW, "kernel-core", "unknown"),  # the older one may run
    (BOTH, None, OLD, "kernel-core", "compliant"),  # whichever runs
    # Another flavour runs: its own package tells.
    ([*BOTH, rpm("kernel-rt-core", OLD)], f"{OLD}.x86_64+rt", NEW, "kernel-core", "compliant"),
    ([*BOTH, rpm("kernel-rt-core", OLD), rpm("kernel-rt-core", NEW)], f"{OLD}.x86_64+rt", NEW, "kernel-rt-core", "pending"),
    ([rpm("kernel-64k-core", NEW, arch="aarch64"), rpm("kernel-64k-core", OLD, arch="aarch64")], f"{OLD}.aarch64+64k", NEW, "kernel-64k-core", "pending"),
    ([rpm("kernel-debug-core", NEW), rpm("kernel-debug-core", OLD)], f"{OLD}.x86_64+debug", NEW, "kernel-debug-core", "pending"),
    ([rpm("kernel-uek", "5.15.0-206.153.7.el9uek"), rpm("kernel-uek", "5.15.0-200.131.27.el9uek")], "5.15.0-200.131.27.el9uek.x86_64", "5.15.0-206.153.7.el9uek", "kernel-uek", "pending"),
    ([rpm("kernel-uek", "5.15.0-206.153.7.el9uek"), *BOTH], f"{OLD}.x86_64", "5.15.0-206.153.7.el9uek", "kernel-uek", "compliant"),
    # SUSE leaves the number of a rebuild out of its releases.
    ([rpm("kernel-default", "6.4.0-150600.23.7.3"), rpm("kernel-default", "6.4.0-150600.23.17.1")], "6.4.0-150600.23.7-default", "6.4.0-150600.23.17.1", "kernel-default", "pending"),
    ([rpm("kernel-default", "6.4.0-150600.23.17.1")], "6.4.0-150600.23.17-default", "6.4.0-150600.23.17.1", "kernel-default", "compliant"),
    # Modules and headers are no kernels; what lies beside a newer one of its kind is not judged.
    ([rpm("kernel-modules", OLD), rpm("kernel-modules", NEW)], f"{OLD}.x86_64", NEW, "kernel-modules", "compliant"),
    ([rpm("kernel-headers", OLD)], f"{NEW}.x86_64", NEW, "kernel-headers", "noncompliant"),
]  # fmt: skip


@pytest.mark.parametrize(("packages", "running", "fixed", "name", "verdict"), KERNELS)
def test_kernels_of_rpm(packages: list[Package], running: str | None, fixed: str, name: str, verdict: str) -> None:
    assert kernel_of(packages, running, fixed, name) == verdict


def image(abi: str, version: str, source: str = "linux-signed-amd64") -> Package:
    return deb(f"linux-image-{abi}", version, source)


DEB_KERNELS = [
    ([image("6.1.0-30-amd64", "6.1.124-1"), image("6.1.0-37-amd64", "6.1.140-1")], "6.1.0-30-amd64", "6.1.124-1", "6.1.140-1", "pending"),
    ([image("6.1.0-30-amd64", "6.1.124-1"), image("6.1.0-37-amd64", "6.1.140-1")], "6.1.0-37-amd64", "6.1.140-1", "6.1.140-1", "compliant"),
    ([image("6.1.0-37-amd64", "6.1.140-1")], "6.1.0-37-amd64", "6.1.137-1", "6.1.140-1", "pending"),  # the same release, built before
    ([image("6.1.0-30-amd64", "6.1.124-1")], "6.1.0-30-amd64", "6.1.124-1", "6.1.140-1", "noncompliant"),
    ([image("6.1.0-37-rt-amd64", "6.1.140-1"), image("6.1.0-30-amd64", "6.1.124-1")], "6.1.0-30-amd64", "6.1.124-1", "6.1.140-1", "noncompliant"),  # flavours apart
    ([image("6.1.0-37-amd64", "6.1.140-1"), deb("linux-libc-dev", "6.1.124-1", "linux")], "6.1.0-37-amd64", "6.1.140-1", "6.1.140-1", "noncompliant"),
]  # fmt: skip


@pytest.mark.parametrize(("packages", "running", "built", "fixed", "verdict"), DEB_KERNELS)
def test_kernels_of_debian(packages: list[Package], running: str, built: str, fixed: str, verdict: str) -> None:
    assert kernel_of(packages, running, fixed, "linux", built) == verdict


def test_a_kernel_from_outside_is_not_this_hosts() -> None:
    packages = [image("6.1.0-37-amd64", "6.1.140-1")]
    assert (
        judged([Fix("linux", "6.1.140-1")], *packages, kernels=Kernels("5.4.0-1-generic", (), None, outside=True)).verdict
        == "compliant"
    )


@pytest.mark.parametrize(
    ("packages", "verdict"),
    [([rpm("kernel-core", OLD)], "noncompliant"), (BOTH, "pending"), ([rpm("kernel-core", NEW)], "pending")],
)
def test_a_live_patch_is_said_and_excuses_nothing(packages: list[Package], verdict: str) -> None:
    found = judged([Fix("kernel-core", NEW)], *packages, kernels=Kernels(f"{OLD}.x86_64", (), None, livepatches=("kpatch_5",)))
    assert found.verdict == verdict
    assert "live patches are enabled (kpatch_5)" in found.why
    other = judged(
        [Fix("curl", "2-1")], rpm("curl", "1-1"), kernels=Kernels(f"{OLD}.x86_64", (), None, livepatches=("kpatch_5",))
    )
    assert "live patch" not in other.why


def test_alpines() -> None:
    ssl = Package("libcrypto3", None, "3.3.1", "r2", "x86_64", "openssl", "3.3.1-r2", manager="apk")
    assert judged([Fix("openssl", "3.3.1-r3")], ssl).verdict == "noncompliant"
    assert judged([Fix("openssl", "3.3.1-r2")], ssl).verdict == "compliant"
    assert judged([Fix("libcrypto3", "3.3.1-r3")], ssl).verdict == "not_applicable"


def suites(*names: str, manager: Literal["dpkg", "rpm", "apk"] = "dpkg", **more: Any) -> tuple[Repository, ...]:
    return tuple(Repository(manager, name, **more) for name in names)


@pytest.mark.parametrize(
    ("release", "repositories", "missing"),
    [
        ("debian-12", suites("bookworm", "bookworm-updates"), "security suite"),
        ("debian-12", suites("bookworm-security", enabled=False) + suites("bookworm"), "security suite"),
        ("debian-12", suites("bookworm", "bookworm-security"), ""),
        ("debian-10", suites("buster", "buster/updates"), ""),
        ("debian-12", suites("main", address="https://mirror.example/debian-security-2026"), ""),
        ("debian-12", suites("sid"), ""),
        ("debian-12", None, ""),  # not known is no answer
        ("debian-12", (), "none is enabled"),
        ("ubuntu-22.04", suites("jammy"), "security suite"),
        ("ubuntu-22.04", suites("jammy", "jammy-updates"), ""),
        ("almalinux-9", suites("baseos", manager="rpm", enabled=False), "none is enabled"),
        ("almalinux-9", suites("baseos", manager="rpm"), ""),
        ("almalinux-9", suites("bookworm"), "none is enabled"),  # another manager's
        ("alpine-3.20", suites("v3.20/main", manager="apk"), ""),
    ],
)
def test_a_fix_that_no_enabled_repository_has(release: str, repositories: tuple[Repository, ...] | None, missing: str) -> None:
    manager = manager_of(release)
    made = {"rpm": rpm("x", "1-1"), "dpkg": deb("x", "1-1"), "apk": Package("x", None, "1", "r1", None, "x", None, None, "apk")}
    facts = replace(LINUX, packages=(made[manager],), repositories=repositories)
    host = Host(facts)
    fixes = (PackageFix("x", "2-r1" if manager == "apk" else "2-1"),)
    found = PackagesCheck(manager, fixes, release).judge(Case(facts, None, WHEN.date(), host.packages, host.sources))
    assert found.verdict == "noncompliant"
    assert (missing in found.why and found.remediation.startswith("Enable ")) if missing else "Enable" not in found.remediation
