"""Every form of a feed into one record, with the traps that vendors' documents hold."""

from __future__ import annotations

import json
from datetime import date

import pytest

from auditor.advisories.feeds import csaf, debian_lists, osv, updateinfo
from auditor.advisories.feeds.document import form_of, read
from auditor.advisories.feeds.severity import severity
from auditor.model.advisory import FixedPackage as Fix
from tests.advisories import given


def test_osv_of_almalinux_and_rocky() -> None:
    (a,) = osv.read(
        given.osv(
            "ALSA-2026:1", ("AlmaLinux:9", "openssl", "1:3.0.7-28.el9_4"), ("AlmaLinux:8", "openssl", "1:1.1.1k-12.el8"), ("npm", "left-pad", "1"),
            related=["CVE-2026-1", "CVE-2026-1234", "CVE-2026-1234"], references=[{"type": "ADVISORY", "url": "https://errata.example/1"}],
        )
    )  # fmt: skip
    assert (a.kind, a.severity, a.vendor_severity, a.published, a.modified) == (
        "security",
        "important",
        "Important",
        date(2026, 11, 1),
        date(2026, 11, 20),
    )
    assert a.cves == ("CVE-2026-1234",)
    assert a.references == ("https://errata.example/1",)
    assert a.fixes == (Fix("almalinux-9", "openssl", "1:3.0.7-28.el9_4"), Fix("almalinux-8", "openssl", "1:1.1.1k-12.el8"))
    (b,) = osv.read(given.osv("RLBA-2026:2", ("Rocky Linux:9", "curl", "0:7-1.el9"), title="curl bug fix update"))
    assert (b.kind, b.severity, b.fixes) == ("bugfix", "unrated", (Fix("rocky-9", "curl", "0:7-1.el9"),))


@pytest.mark.parametrize(
    ("title", "module"),
    [
        ("Important: nodejs:18 security update", "nodejs:18"),
        ("Moderate: python38:3.8 and python38-devel:3.8 security update", "python38:3.8 python38-devel:3.8"),
        ("Moderate: httpd:2.4/httpd security update", "httpd:2.4"),
        ("Important: container-tools:rhel8 security, bug fix, and enhancement update", "container-tools:rhel8"),
        ("Important: 389-ds security update", "?"),
    ],
)
def test_the_stream_of_a_modular_build_stands_in_the_title(title: str, module: str) -> None:
    (a,) = osv.read(
        given.osv(
            "ALSA-2026:3",
            ("AlmaLinux:8", "x", "1-1.module_el8.9.0+3627+db8ec155"),
            ("AlmaLinux:8", "y", "1-1.el8"),
            title=title,
        )
    )
    assert [f.module for f in a.fixes] == [module, ""]


def test_osv_of_ubuntu_tells_what_only_subscribers_get() -> None:
    def affected(ecosystem: str, purl: str, version: str) -> dict[str, object]:
        return {
            "package": {"ecosystem": ecosystem, "name": "openssl", "purl": purl},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": version}]}],
            "ecosystem_specific": {
                "ubuntu_priority": "medium",
                "binaries": [{"binary_name": "libssl3", "binary_version": version}],
            },
        }

    (a,) = osv.read(
        given.osv("USN-7000-1", title="openssl vulnerabilities", related=["UBUNTU-CVE-2026-0001"], affected=[
            affected("Ubuntu:22.04:LTS", "pkg:deb/ubuntu/openssl@3?arch=source&distro=jammy", "3.0.2-0ubuntu1.20"),
            affected("Ubuntu:Pro:18.04:LTS", "pkg:deb/ubuntu/openssl@1?arch=source&distro=esm-infra/bionic", "1.1.1-1ubuntu2.1~18.04.23+esm5"),
            affected("Ubuntu:Pro:FIPS:20.04:LTS", "pkg:deb/ubuntu/openssl@1?arch=source&distro=fips/focal", "1.1.1f-1ubuntu2.fips.1"),
        ])
    )  # fmt: skip
    assert [(f.release, f.version) for f in a.fixes] == [
        ("ubuntu-22.04", "3.0.2-0ubuntu1.20"),
        ("ubuntu-18.04-esm-infra", "1.1.1-1ubuntu2.1~18.04.23+esm5"),
    ]
    assert (a.severity, a.vendor_severity, a.cves) == ("moderate", "medium", ("CVE-2026-0001",))


def test_osv_of_ubuntu_has_the_severity_of_each_cve_beside_the_package() -> None:
    affected = {
        "package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "x"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1-2"}]}],
        "database_specific": {"cves_map": {"cves": [
            {"id": "CVE-2026-1", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/x"}, {"type": "Ubuntu", "score": "low"}]},
            {"id": "CVE-2026-2", "severity": [{"type": "Ubuntu", "score": "high"}]},
        ]}},
    }  # fmt: skip
    (a,) = osv.read(given.osv("USN-1-1", title="x vulnerability", affected=[affected]))
    assert (a.severity, a.vendor_severity) == ("important", "high")


def test_the_advisorys_own_page_goes_before_others() -> None:
    urls = ["https://access.redhat.example/errata/RHSA-2026:1", "https://errata.almalinux.example/9/ALSA-2026-1.html"]
    (a,) = osv.read(given.osv("ALSA-2026:1", references=[{"type": "ADVISORY", "url": u} for u in urls]))
    assert a.references == (urls[1],)


def test_osv_of_debians_extended_support_once_has_an_object_for_its_ranges() -> None:
    package = {
        "ecosystem": "Debian:8",
        "name": "qtsvg",
        "purl": "pkg:deb/debian/qtsvg?distro=jessie&repository_url=http%3A%2F%2Fdeb.example%2Fextended-lts",
    }
    events = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.3.2-2+deb8u1"}]}
    for ranges in (events, [events]):
        (a,) = osv.read(
            given.osv(
                "ELA-1-1", affected=[{"package": package, "ranges": ranges}], database_specific={"type": "security update"}
            )
        )
        assert a.fixes == (Fix("debian-8-elts", "qtsvg", "5.3.2-2+deb8u1"),)


def test_osv_of_suse_names_the_binaries_beside_the_source() -> None:
    affected = {
        "package": {"ecosystem": "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "name": "openssl-3"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.8-1.1"}]}],
        "ecosystem_specific": {"binaries": [{"libopenssl3": "3.0.8-1.1", "openssl-3": "3.0.8-1.1"}]},
    }
    (a,) = osv.read(given.osv("SUSE-SU-2026:1-1", title="Security update for openssl", affected=[affected]))
    assert {(f.release, f.name) for f in a.fixes} == {("sles-15.5", "libopenssl3"), ("sles-15.5", "openssl-3")}


def test_a_withdrawn_document() -> None:
    (a,) = osv.read(given.osv("ALSA-2026:4", ("AlmaLinux:9", "x", "1-1"), withdrawn="2026-11-21T00:00:00Z"))
    assert a.withdrawn


BASEOS = "BaseOS-9.5.0.Z.MAIN"
MAIN = given.platform(BASEOS, "cpe:/o:redhat:enterprise_linux:9::baseos")
EUS = given.platform("AppStream-9.4.0.Z.EUS", "cpe:/a:redhat:rhel_eus:9.4::appstream")


def test_csaf_of_red_hat_goes_by_relationships_purls_and_cpes() -> None:
    lib, source = "openssl-libs-1:3.0.7-28.el9_5.x86_64", "openssl-1:3.0.7-28.el9_5.src"
    other = "openssl-libs-1:3.0.7-28.el9_5.aarch64"
    branches = [
        MAIN, EUS,
        given.nevra_product(lib, "pkg:rpm/redhat/openssl-libs@3.0.7-28.el9_5?arch=x86_64&epoch=1"),
        given.nevra_product(other, "pkg:rpm/redhat/openssl-libs@3.0.7-28.el9_5?arch=aarch64&epoch=1"),
        given.nevra_product(source, "pkg:rpm/redhat/openssl@3.0.7-28.el9_5?arch=src&epoch=1"),
        given.nevra_product("g++-0:11.5-2%2B.el9.noarch", "pkg:rpm/redhat/g%2B%2B@11.5-2%2B1.el9?arch=noarch"),
        given.nevra_product("img@sha256:00_amd64", "pkg:oci/img@sha256:00?arch=amd64"),
    ]  # fmt: skip
    ids = [p["product"]["product_id"] for p in branches[2:]]
    relationships = [given.component(i, BASEOS) for i in ids] + [given.component(lib, "AppStream-9.4.0.Z.EUS")]
    fixed = [f"{BASEOS}:{i}" for i in ids] + [f"AppStream-9.4.0.Z.EUS:{lib}"]
    (a,) = csaf.read(given.csaf("RHSA-2026:1", branches, relationships, {"fixed": fixed}))
    assert set(a.fixes) == {
        Fix("rhel-9", "openssl-libs", "1:3.0.7-28.el9_5", "aarch64 x86_64"),
        Fix("rhel-9.4-eus", "openssl-libs", "1:3.0.7-28.el9_5", "x86_64"),
        Fix("rhel-9", "g++", "11.5-2+1.el9", "noarch"),
    }
    assert (a.severity, a.published, a.modified, a.cves) == (
        "important",
        date(2026, 11, 1),
        date(2026, 11, 5),
        ("CVE-2026-0001",),
    )
    assert a.references == ("https://errata.example/RHSA-2026:1",)


MODULE = "python36:3.6:8040020241213073301:9bf6f064"
MODULAR = "python36-0:3.6.8-39.module+el8.4.0.x86_64"
NODE = "nodejs-18.1-1.module+el8.9.0.x86_64.rpm-nodejs:18"
RHEL_8 = given.platform("AppStream-8", "cpe:/a:redhat:enterprise_linux:8::appstream")


@pytest.mark.parametrize(
    ("branches", "relationships", "fixed", "expected"),
    [
        pytest.param(
            [given.nevra_product(MODULE, f"pkg:rpmmod/redhat/python36@{MODULE[9:]}"), given.nevra_product(MODULAR, "pkg:rpm/redhat/python36@3.6.8-39.module%2Bel8.4.0?arch=x86_64")],
            [given.component(MODULE, "AppStream-8"), given.component(MODULAR, f"AppStream-8:{MODULE}")],
            f"AppStream-8:{MODULE}:{MODULAR}", "python36:3.6", id="the module is a product of its own",
        ),
        pytest.param(
            [given.nevra_product(NODE, "pkg:rpm/redhat/nodejs@18.1-1.module%2Bel8.9.0?arch=x86_64&rpmmod=nodejs:18:8090020230627084142:b46abd14")],
            [given.component(NODE, "AppStream-8")], f"AppStream-8:{NODE}", "nodejs:18", id="rpmmod in the purl",
        ),
        pytest.param([given.nevra_product(NODE)], [given.component(NODE, "AppStream-8")], f"AppStream-8:{NODE}", "nodejs:18", id="in the id's tail"),
        pytest.param([given.nevra_product(MODULAR)], [given.component(MODULAR, "AppStream-8")], f"AppStream-8:{MODULAR}", "?", id="nobody says"),
    ],
)  # fmt: skip
def test_csaf_names_a_module_in_four_ways(
    branches: list[dict[str, object]], relationships: list[dict[str, object]], fixed: str, expected: str
) -> None:
    (a,) = csaf.read(given.csaf("RHSA-2026:2", [RHEL_8, *branches], relationships, {"fixed": [fixed]}))
    (fix,) = [f for f in a.fixes if f.name in ("python36", "nodejs")]
    assert (fix.release, fix.module) == ("rhel-8", expected)


def test_csaf_of_suse_recommends_and_has_no_epochs() -> None:
    name, ltss = "SUSE Linux Enterprise Module for Basesystem 15 SP5", "SUSE Linux Enterprise Server 15 SP3-LTSS"
    bind = "bind-9.16.50-1.2.x86_64"
    (a,) = csaf.read(
        given.csaf(
            "SUSE-SU-2026:1-1", [given.platform(name), given.platform(ltss), given.nevra_product(bind)], [given.component(bind, name), given.component(bind, ltss)],
            {"recommended": [f"{name}:{bind}", f"{ltss}:{bind}"]}, namespace="https://www.suse.com/", title="Security update for bind", severity="moderate",
        )
    )  # fmt: skip
    assert set(a.fixes) == {
        Fix("sles-15.5", "bind", "9.16.50-1.2", "x86_64"),
        Fix("sles-15.3-ltss", "bind", "9.16.50-1.2", "x86_64"),
    }
    assert a.severity == "moderate"


def test_csaf_of_ciq() -> None:
    rocky = given.platform("rlc-9.4", "cpe:2.3:o:ciq:rocky_linux_from_ciq:9.4:*:*:*:*:*:*:*")
    lts = given.platform("lts-9.4", "cpe:2.3:o:ciq:rocky_linux_from_ciq_lts:9.4:*:*:*:*:*:*:*")
    java = "java-11-openjdk-1:11.0.23-2.el9.x86_64"
    (a,) = csaf.read(
        given.csaf("CRLSA-2026:1", [rocky, lts, given.nevra_product(java)], [given.component(java, "rlc-9.4"), given.component(java, "lts-9.4")],
                   {"fixed": [f"rlc-9.4:{java}", f"lts-9.4:{java}"]}, namespace="https://ciq.com/csaf", severity="High")
    )  # fmt: skip
    assert set(a.fixes) == {
        Fix("rocky-9", "java-11-openjdk", "1:11.0.23-2.el9", "x86_64"),
        Fix("rocky-9.4-lts", "java-11-openjdk", "1:11.0.23-2.el9", "x86_64"),
    }
    assert (a.kind, a.severity, a.vendor_severity) == ("security", "important", "High")
    (kernel,) = csaf.read(
        given.csaf(
            "CRXSA-2026:2",
            [rocky, given.nevra_product(java)],
            [given.component(java, "rlc-9.4")],
            {"fixed": [f"rlc-9.4:{java}"]},
            namespace="https://ciq.com/csaf",
        )
    )
    assert [f.release for f in kernel.fixes] == ["rocky-9-sig"]  # an interest group's packages are not the distribution's


X = "x-0:1-1.el9.x86_64"
PLAIN = [MAIN, given.nevra_product(X)]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (given.csaf("SSA-1", PLAIN, [], {"fixed": []}, namespace="https://www.siemens.com"), "published by The publisher"),
        (given.csaf("CVE-2026-1234", PLAIN, [], {"fixed": []}), "no advisory but a document of another kind"),
        (given.csaf("RHSA-2026:3", PLAIN, [], {"fixed": ["nowhere"]}), "names the product id 'nowhere'"),
        (given.csaf("RHSA-2026:4", PLAIN, [given.component("gone", BASEOS)], {"fixed": []}), "names the product id 'gone'"),
        (given.csaf("RHSA-2026:5", PLAIN, [given.component(X, BASEOS)], {"fixed": [f"{BASEOS}:{X}"], "known_affected": [f"{BASEOS}:{X}"]}), "two states"),
        (given.csaf("RHSA-2026:6", [*PLAIN, given.nevra_product(X, "pkg:rpm/redhat/y@1-1")], [], {"fixed": []}), "twice, as different products"),
        (
            given.csaf("RHSA-2026:7", PLAIN, [
                {"category": "default_component_of", "full_product_name": {"product_id": "a", "name": "a"}, "product_reference": X, "relates_to_product_reference": "b"},
                {"category": "default_component_of", "full_product_name": {"product_id": "b", "name": "b"}, "product_reference": X, "relates_to_product_reference": "a"},
            ], {"fixed": ["a"]}),
            "in a circle",
        ),
        (given.csaf("RHSA-2026:8", PLAIN, [], {"fixed": []}).replace(b'"final"', b'"draft"'), "draft"),
    ],
)  # fmt: skip
def test_csaf_that_is_not_read_says_why(document: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        list(csaf.read(document))


def test_debians_lists() -> None:
    ssl, curl, vlc, linux = debian_lists.read(given.DSA)
    assert (ssl.id, ssl.kind, ssl.published, ssl.cves) == (
        "DSA-9001-1",
        "security",
        date(2026, 11, 29),
        ("CVE-2026-1111", "CVE-2026-1112"),
    )
    assert ssl.fixes == (Fix("debian-12", "openssl", "3.0.17-1~deb12u3"), Fix("debian-13", "openssl", "3.5.1-1+deb13u1"))
    assert (curl.kind, curl.fixes) == ("bugfix", (Fix("debian-12", "curl", "7.88.1-10+deb12u15"),))
    assert vlc.fixes == ()
    assert linux.fixes == (Fix("debian-12", "linux", "6.1.140-1"),)
    odd = b"[16 Jan 2004] DSA-423 kernel\n\t[bookworm] - curl  7.26.0-1\n\t[woody] - kernel-image kernel-image-2.4\n"
    (old,) = debian_lists.read(odd)  # two blanks, and a name where a version belongs: which is none
    assert old.fixes == (Fix("debian-12", "curl", "7.26.0-1"), Fix("debian-3.0", "kernel-image", "kernel-image-2.4"))


def test_updateinfo() -> None:
    text = given.updateinfo(
        given.update("ALAS2-2026-1", "openssl-libs 1 1.0.2k 24.amzn2.0.3 x86_64;openssl-libs 1 1.0.2k 24.amzn2.0.3 aarch64;openssl 1 1.0.2k 24.amzn2.0.3 src", severity="medium"),
        given.update("FEDORA-2026-abc", "curl 0 8.1 2.fc44 x86_64", kind="bugfix"),
        given.update("FEDORA-EPEL-2026-def", "nginx 2 1.2 1.el9 x86_64", kind="enhancement"),
        given.update("ELSA-2026-9", "nodejs 1 18 1.module+el8.9.0 x86_64", module='<module name="nodejs" stream="18" version="1" context="c" arch="x86_64"/>'),
        given.update("ALAS2-2026-2", "x 0 1 1.amzn2 noarch", status="retracted"),
    )  # fmt: skip
    amazon, fedora, epel, oracle, gone = updateinfo.read(text)
    assert amazon.fixes == (Fix("amazon-2", "openssl-libs", "1:1.0.2k-24.amzn2.0.3", "aarch64 x86_64"),)
    assert (amazon.severity, amazon.published, amazon.modified, amazon.cves) == (
        "moderate",
        date(2026, 11, 1),
        date(2026, 11, 2),
        ("CVE-2026-0002",),
    )
    assert (fedora.kind, fedora.fixes[0].release) == ("bugfix", "fedora-44")
    assert (epel.kind, epel.fixes) == ("enhancement", (Fix("epel-9", "nginx", "2:1.2-1.el9", "x86_64"),))
    assert oracle.fixes == (Fix("oracle-8", "nodejs", "1:18-1.module+el8.9.0", "x86_64", "nodejs:18"),)
    assert gone.withdrawn


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (given.osv("ALSA-2026:1"), "osv"), (given.csaf("RHSA-2026:1", PLAIN, [], {}), "csaf"), (given.DSA, "debian-list"), (given.updateinfo(), "updateinfo"),
        (b"\xef\xbb\xbf" + given.osv("ALSA-2026:1"), "osv"), (b"<updates>", "updateinfo"), (b"<!-- made --><updates/>", "updateinfo"),
    ],
)  # fmt: skip
def test_a_form_is_known_by_what_it_holds(content: bytes, form: str) -> None:
    assert form_of(content) == form


@pytest.mark.parametrize("content", [b"", b"<html>", b"[1, 2]", b"PK\x03\x04", b"text", b"\xff\xfe{\x00"])
def test_no_form(content: bytes) -> None:
    with pytest.raises(ValueError, match="is "):
        form_of(content)


DEEP = b'{"id": ' + b"[" * 100_000


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("osv", b"{"), ("osv", b"[]"), ("osv", b'{"id": 7}'), ("osv", b'{"id": ""}'), ("osv", b'{"summary": "x"}'), ("osv", b'{"id": "A", "affected": {}}'), ("osv", DEEP),
        ("osv", b'{"id": "\xff"}'), ("csaf", b'{"document": {}}'), ("csaf", b'{"product_tree": ' + b'{"branches": [' * 50_000),
        ("updateinfo", b"<updates><update>"), ("updateinfo", b'<!DOCTYPE updates [<!ENTITY a "b">]><updates/>'), ("updateinfo", b"<updates>" + b"<a>" * 100_000),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_so(form: str, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"is |has |declares"):
        list(read(form, content))  # type: ignore[arg-type]


def test_a_number_for_a_text_is_a_fault_of_its_document() -> None:
    document = json.loads(given.osv("ALSA-2026:1", ("AlmaLinux:9", "x", "1-1")))
    document["affected"][0]["package"]["name"] = 7
    with pytest.raises(ValueError, match=r"affected\[0\]\.package\.name"):
        list(read("osv", json.dumps(document).encode()))


@pytest.mark.parametrize(
    ("word", "ours"),
    [("Critical", "critical"), ("important", "important"), ("High", "important"), ("MEDIUM", "moderate"), ("Moderate", "moderate"), ("low", "low"),
     ("negligible", "low"), ("urgent", "critical"), ("None", "unrated"), ("Unknown", "unrated"), ("unspecified", "unrated"), ("", "unrated"), ("hoch", "unrated")],
)  # fmt: skip
def test_every_vendors_words_for_severity(word: str, ours: str) -> None:
    assert severity(word) == ours
