"""What feeds call a release, and which releases' advisories are about a host."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from auditor.advisories.feeds import authority, release_names
from auditor.advisories.feeds.host_releases import HostReleases, releases
from auditor.model.facts import Platform, Repository
from tests.given import LINUX


@pytest.mark.parametrize(
    ("ecosystem", "purl", "release"),
    [
        ("AlmaLinux:10", "", "almalinux-10"), ("Rocky Linux:8", "", "rocky-8"), ("Debian:12", "", "debian-12"), ("Debian:6.0", "", "debian-6"),
        ("Ubuntu:24.04:LTS", "", "ubuntu-24.04"), ("Ubuntu:25.10", "", "ubuntu-25.10"), ("Alpine:v3.21", "", "alpine-3.21"), ("Alpine", "", None),
        ("Ubuntu:Pro:16.04:LTS", "pkg:deb/ubuntu/x?distro=esm-infra/xenial", "ubuntu-16.04-esm-infra"),
        ("Ubuntu:Pro:14.04:LTS", "pkg:deb/ubuntu/x?distro=esm-infra-legacy/trusty", "ubuntu-14.04-esm-infra"),
        ("Ubuntu:Pro:22.04:LTS", "pkg:deb/ubuntu/x?distro=esm-apps/jammy", "ubuntu-22.04-esm-apps"),
        ("Ubuntu:Pro:22.04:LTS", "pkg:deb/ubuntu/x?distro=fips-updates/jammy", None), ("Ubuntu:Pro:Realtime:22.04:LTS", "", None),
        ("Debian:10", "pkg:deb/debian/x?distro=buster&repository_url=http%3A%2F%2Fx%2Fextended-lts", "debian-10-elts"),
        ("SUSE:Linux Enterprise Server 12 SP5", "", "sles-12.5"), ("SUSE:Linux Enterprise Server 12 SP5-LTSS", "", "sles-12.5-ltss"),
        ("openSUSE:Leap 15.6", "", "opensuse-leap-15.6"), ("openSUSE:Tumbleweed", "", "opensuse-tumbleweed"), ("npm", "", None), ("", "", None),
    ],
)  # fmt: skip
def test_osvs_ecosystems(ecosystem: str, purl: str, release: str | None) -> None:
    assert release_names.of_osv(ecosystem, purl) == release


@pytest.mark.parametrize(
    ("product", "release"),
    [
        ("SUSE Linux Enterprise Server 15 SP4", "sles-15.4"), ("SUSE Linux Enterprise Desktop 12", "sles-12"), ("SUSE Linux Enterprise Server for SAP Applications 15 SP1", "sles-15.1"),
        ("SUSE Linux Enterprise Module for Basesystem 15 SP4", "sles-15.4"), ("SUSE Linux Enterprise High Performance Computing 15 SP3-ESPOS", "sles-15.3-espos"),
        ("SUSE Linux Enterprise Server 15-LTSS", "sles-15-ltss"), ("SUSE Linux Enterprise Server 11 SP1-TERADATA", None), ("SUSE Linux Enterprise Micro 5.3", None),
        ("SUSE Linux Enterprise Live Patching 15 SP4", None), ("SUSE Package Hub 12", "sles-12-packagehub"), ("SUSE Manager Server 4.2", None), ("openSUSE Leap 15.5", "opensuse-leap-15.5"),
        ("SUSE Linux Enterprise Server 16.0", "sles-16.0"), ("openSUSE Tumbleweed", "opensuse-tumbleweed"),
    ],
)  # fmt: skip
def test_suses_products(product: str, release: str | None) -> None:
    assert release_names.of_suse(product) == release


@pytest.mark.parametrize(
    ("cpe", "release"),
    [
        ("cpe:/o:redhat:enterprise_linux:9::baseos", "rhel-9"), ("cpe:/a:redhat:enterprise_linux:8::appstream", "rhel-8"), ("cpe:/o:redhat:enterprise_linux:7::server", "rhel-7"),
        ("cpe:/o:redhat:enterprise_linux:6", "rhel-6"), ("cpe:/a:redhat:rhel_eus:9.4::appstream", "rhel-9.4-eus"), ("cpe:/o:redhat:rhel_aus:8.2::baseos", "rhel-8.2-aus"),
        ("cpe:/o:redhat:rhel_tus:7.6::server", "rhel-7.6-tus"), ("cpe:/a:redhat:rhel_e4s:8.1::appstream", "rhel-8.1-e4s"), ("cpe:/o:redhat:rhel_els:7", "rhel-7-els"),
        ("cpe:/o:redhat:enterprise_linux:8::hypervisor", None), ("cpe:/a:redhat:openshift:4.14::el8", None), ("cpe:/a:redhat:rhev_manager:4.4:el8", None), ("", None),
    ],
)  # fmt: skip
def test_red_hats_cpes(cpe: str, release: str | None) -> None:
    assert release_names.of_cpe(cpe) == release


@pytest.mark.parametrize(
    ("ident", "built", "release"),
    [
        ("ALAS2-2026-1", ".1.amzn2.0.3", "amazon-2"), ("ALAS2023-2026-1", ".1.amzn2023", "amazon-2023"), ("ALAS-2018-1", ".1.amzn1", "amazon-1"), ("ALAS2023NVIDIA-2025-001", ".1", "amazon-2023"), ("ALAS2LIVEPATCH-2026-1", ".2", "amazon-2"), ("ELSA-2026-1", ".1.el9_4", "oracle-9"),
        ("ELSA-2026-1", ".1.0.1.module+el8.9.0+1", "oracle-8"), ("FEDORA-2026-1", ".2.fc44", "fedora-44"), ("FEDORA-EPEL-2026-1", ".2.el10_1", "epel-10"),
        ("RLSA-2026:1", ".2.el9", "rocky-9"), ("RXSA-2026:1", ".2.el9.cloud", "rocky-9-sig"), ("ALSA-2026:1", ".1.module_el8.9.0+1", "almalinux-8"), ("BRSA-x", ".1", None), ("ELSA-2026-1", ".1", None),
    ],
)  # fmt: skip
def test_updateinfos_packages(ident: str, built: str, release: str | None) -> None:
    assert release_names.of_updateinfo(ident, built) == release


def repository(name: str, address: str = "", enabled: bool = True, manager: str = "rpm") -> Repository:
    return Repository(manager, name, address, (), enabled)  # type: ignore[arg-type]


ESM = repository("jammy-apps-security", "https://esm.ubuntu.com/apps/ubuntu", manager="dpkg")
HOSTS = [
    (Platform(product="almalinux-9", version="9.5"), (), HostReleases("almalinux-9")),
    (Platform(product="almalinux-9", version="9.5"), (repository("epel"), repository("epel-testing", enabled=False)), HostReleases("almalinux-9", ("epel-9",))),
    (Platform(product="rhel-9", version="9.4"), None, HostReleases("rhel-9")),
    (Platform(product="rhel-9", version="9.4"), (repository("rhel-9-for-x86_64-baseos-rpms"),), HostReleases("rhel-9")),
    (Platform(product="rhel-9", version="9.4"), (repository("rhel-9-for-x86_64-baseos-eus-rpms"),), HostReleases("rhel-9.4-eus")),
    (Platform(product="rhel-8", version="8.4"), (repository("rhel-8-for-x86_64-appstream-e4s-rpms"),), HostReleases("rhel-8.4-e4s")),
    (Platform(product="rhel-8", version="8.4"), (repository("rhel-8-for-x86_64-appstream-aus-rpms", enabled=False),), HostReleases("rhel-8")),
    (Platform(product="rocky-8", version="8.6"), (repository("ciq-lts-8.6-baseos"),), HostReleases("rocky-8.6-lts")),
    (Platform(product="rocky-9", version="9.4"), (repository("baseos"), repository("sig-cloud-kernel")), HostReleases("rocky-9", ("rocky-9-sig",))),
    (Platform(product="ubuntu-22.04"), (ESM,), HostReleases("ubuntu-22.04", ("ubuntu-22.04-esm-apps",), (("ubuntu-22.04-esm-infra", "Ubuntu Pro (esm-infra)"),))),
    (Platform(product="linuxmint-21.2", codename="jammy"), (), HostReleases("ubuntu-22.04", (), (("ubuntu-22.04-esm-infra", "Ubuntu Pro (esm-infra)"), ("ubuntu-22.04-esm-apps", "Ubuntu Pro (esm-apps)")))),
    (Platform(product="lmde-6", codename="bookworm"), (), HostReleases("debian-12", (), (("debian-12-elts", "Extended LTS"),))),
    (Platform(product="debian-10"), (repository("buster", "http://deb.example/extended-lts", manager="dpkg"),), HostReleases("debian-10", ("debian-10-elts",))),
    (Platform(product="sles-15.5", version="15.5"), (), HostReleases("sles-15.5", (), (("sles-15.5-ltss", "LTSS"),))),
    (Platform(product="sles_sap-15.3", version="15.3"), (repository("SLE-Product-SLES15-SP3-LTSS-Updates"),), HostReleases("sles-15.3", ("sles-15.3-ltss",))),
    (Platform(product="opensuse-tumbleweed-20261101"), (), HostReleases("opensuse-tumbleweed")),
    (Platform(product="amazon-2023"), (), HostReleases("amazon-2023")), (Platform(product="alpine-3.21"), (), HostReleases("alpine-3.21")),
    (Platform(product="centos-stream-9"), (), HostReleases("centos-stream-9")), (Platform(product=None), (), HostReleases("")),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "repositories", "expected"), HOSTS)
def test_the_releases_of_a_host(
    platform: Platform, repositories: tuple[Repository, ...] | None, expected: HostReleases
) -> None:
    assert releases(replace(LINUX, platform=platform, repositories=repositories)) == expected


def test_one_authority_for_a_release() -> None:
    assert authority.chosen(["ciq-csaf", "rocky-osv"]) == ("rocky-osv",)
    assert authority.chosen(["debian-osv", "debian-dla", "debian-dsa"]) == ("debian-dsa", "debian-dla")
    assert authority.chosen(["debian-osv"]) == ("debian-osv",)
    assert authority.chosen([]) == ()


@pytest.mark.parametrize(
    ("form", "ident", "feed"),
    [("osv", "USN-1-1", "ubuntu-usn"), ("osv", "UBUNTU-CVE-2026-1", None), ("osv", "LSN-1-1", None), ("osv", "GHSA-x", None), ("csaf", "RHSA-2026:1", "redhat-csaf"),
     ("osv", "RLSA-2026:1", "rocky-osv"), ("osv", "RXSA-2026:1", "rocky-osv"), ("csaf", "CRLSA-2026:1", "ciq-csaf"), ("csaf", "CIQSA-LTS-1", "ciq-csaf"), ("osv", "DSA-1-1", "debian-osv"),
     ("updateinfo", "FEDORA-EPEL-1", "epel-updateinfo"), ("updateinfo", "FEDORA-1", "fedora-updateinfo"), ("osv", "ALPINE-CVE-2026-1", "alpine-osv"), ("osv", "CVE-2026-1", "alpine-osv")],
)  # fmt: skip
def test_whose_an_advisory_is(form: authority.Form, ident: str, feed: str | None) -> None:
    found = authority.feed_of(form, ident)
    assert (found.name if found else None) == feed
