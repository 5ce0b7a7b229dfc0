"""Microsoft's monthly documents: what they say is read once, and what they say wrong is left as written."""

from __future__ import annotations

import re
import tarfile
from datetime import date
from xml.etree import ElementTree

import pytest

from auditor.advisories.feeds.msrc_cvrf import read
from auditor.model.monthly_release import MonthlyFlaw
from tests.conftest import SHARED

SAMPLES = SHARED / "advisories" / "feeds" / "microsoft-dev.tar.xz"
NS = 'xmlns:cvrf="http://www.icasi.org/CVRF/schema/cvrf/1.1" xmlns:prod="http://www.icasi.org/CVRF/schema/prod/1.1" xmlns:vuln="http://www.icasi.org/CVRF/schema/vuln/1.1"'
PRODUCTS = '<prod:FullProductName ProductID="1">Windows Server 2022</prod:FullProductName>'


def fix(number: str = "5011497", build: str = "10.0.20348.587", supersedes: str = "5010354", kind: str = "Vendor Fix") -> str:
    return (
        f'<vuln:Remediation Type="{kind}"><vuln:Description>{number}</vuln:Description><vuln:URL>https://example.org/</vuln:URL>'
        f"<vuln:Supercedence>{supersedes}</vuln:Supercedence><vuln:ProductID>1</vuln:ProductID><vuln:AffectedFiles/>"
        f"<vuln:SubType>Security Update</vuln:SubType><vuln:FixedBuild>{build}</vuln:FixedBuild></vuln:Remediation>"
    )


def flaw(cve: str = "CVE-2022-1", *fixes: str, severity: str = "Important", exploited: str = "No") -> str:
    return (
        f"<vuln:Vulnerability><vuln:Title>A Thing</vuln:Title><vuln:CVE>{cve}</vuln:CVE><vuln:ProductStatuses><vuln:Status><vuln:ProductID>9</vuln:ProductID></vuln:Status></vuln:ProductStatuses>"
        f'<vuln:Threats><vuln:Threat Type="Impact"><vuln:Description>Critical</vuln:Description></vuln:Threat><vuln:Threat Type="Severity"><vuln:Description>{severity}</vuln:Description><vuln:ProductID>1</vuln:ProductID></vuln:Threat>'
        f'<vuln:Threat Type="Exploit Status"><vuln:Description>Publicly Disclosed:No;Exploited:{exploited};DOS:N/A</vuln:Description></vuln:Threat></vuln:Threats>'
        f"<vuln:Remediations>{''.join(fixes)}</vuln:Remediations></vuln:Vulnerability>"
    )


def document(*flaws: str, ident: str = "2022-Mar", released: str = "2022-03-08T08:00:00", products: str = PRODUCTS) -> bytes:
    return (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><cvrf:cvrfdoc {NS}><cvrf:DocumentTracking><cvrf:Identification><cvrf:ID>{ident}</cvrf:ID></cvrf:Identification>'
        f"<cvrf:InitialReleaseDate>{released}</cvrf:InitialReleaseDate><cvrf:CurrentReleaseDate>2022-03-31T07:00:00</cvrf:CurrentReleaseDate></cvrf:DocumentTracking>"
        f"<prod:ProductTree>{products}</prod:ProductTree>{''.join(flaws)}</cvrf:cvrfdoc>"
    ).encode()


def test_an_update_stands_once_with_all_that_it_mends() -> None:
    month = read(document(flaw("CVE-2022-0001", fix()), flaw("CVE-2022-0002", fix(), severity="Critical", exploited="Yes")))
    assert (month.month, month.released, month.revised) == (date(2022, 3, 1), date(2022, 3, 8), date(2022, 3, 31))
    assert month.products == {"1": ("Windows Server 2022",)}
    (only,) = month.fixes
    assert (only.kb, only.products, only.build, only.supersedes) == (5011497, ("1",), "10.0.20348.587", (5010354,))
    assert (only.subtype, only.cves) == ("Security Update", ("CVE-2022-0001", "CVE-2022-0002"))
    assert month.flaws == {"CVE-2022-0001": MonthlyFlaw("important", False), "CVE-2022-0002": MonthlyFlaw("critical", True)}


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("None", ()),
        ("&lt;br&gt;", ()),
        ("", ()),
        ("5010354, 5010345", (5010354, 5010345)),
        ("4467226; 4467242", (4467226, 4467242)),
        ("MS16-110, 3187754", (3187754,)),
        ("501035", ()),  # cut off
        ("5011497", ()),  # itself
        ("5010354<vuln:x/>", (5010354,)),
        ("50103541", ()),
    ],
)
def test_what_it_takes_the_place_of(written: str, numbers: tuple[int, ...]) -> None:
    assert read(document(flaw("CVE-2022-0001", fix(supersedes=written)))).fixes[0].supersedes == numbers


@pytest.mark.parametrize("number", ["Release Notes", "Click to Run", "", "kernel", "501149", "50114971", "https://aka.ms/x"])
def test_what_is_no_update_s_number_is_counted(number: str) -> None:
    month = read(document(flaw("CVE-2022-0001", fix(number), fix("KB5011497"))))
    assert [f.kb for f in month.fixes] == [5011497]
    assert month.unread == 1


def test_known_issues_are_no_fixes_and_builds_stay_as_written() -> None:
    month = read(document(flaw("CVE-2022-0001", fix(kind="Known Issue"), fix(build="https://aka.ms/OfficeSecurityReleases"))))
    assert [f.build for f in month.fixes] == ["https://aka.ms/OfficeSecurityReleases"]


@pytest.mark.parametrize(
    ("ident", "released", "month"),
    [
        ("2018-FEB", "2018-02-13", date(2018, 2, 1)),
        ("2017-May-B", "2017-05-08", date(2017, 5, 1)),
        ("Oct-OOB", "2016-10-27", date(2016, 10, 1)),
        ("2022-Mar", "", date(2022, 3, 1)),
    ],
)
def test_the_month(ident: str, released: str, month: date) -> None:
    assert read(document(ident=ident, released=released)).month == month


def test_a_product_with_several_names_keeps_them() -> None:
    twice = PRODUCTS + '<prod:FullProductName ProductID="1">Windows Server 2022,  23H2\n Edition</prod:FullProductName>'
    assert read(document(products=twice)).products == {"1": ("Windows Server 2022", "Windows Server 2022, 23H2 Edition")}


@pytest.mark.parametrize(
    ("name", "build", "kept"),
    [
        ("Microsoft Edge (Chromium-based)", "146.0.3856.59", True),
        ("Microsoft Edge (Chromium-based)", "145.3800.99", False),
        ("Microsoft Edge (Chromium-based) Extended Stable", "144.0.3719.10", False),  # a channel that no host tells
        ("Microsoft Edge for iOS", "146.0.3856.59", False),
        ("Windows Server 2022", "146.0.3856.59", False),
    ],
)
def test_edge_s_updates_have_no_number(name: str, build: str, kept: bool) -> None:
    products = f'<prod:FullProductName ProductID="1">{name}</prod:FullProductName>'
    month = read(document(flaw("CVE-2022-0001", fix("Release Notes", build)), products=products))
    assert [(f.kb, f.build) for f in month.fixes] == ([(0, build)] if kept else [])
    assert month.unread == (not kept)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (document()[:-20], "is no whole XML"),
        (document(flaw("CVE-2022-0001", fix()))[:900], "is no whole XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + document(), "document type"),
        (document(ident="Oct-OOB", released=""), "of no month"),
        (document(ident="", released=""), "of no month"),
        (b'<?xml version="1.0" encoding="x-none"?><cvrf:cvrfdoc/>', "is no whole XML"),
        (b"", "is no whole XML"),
    ],
)
def test_what_is_no_document_of_a_month(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(content)


@pytest.mark.skipif(not SAMPLES.exists(), reason="needs the shared samples of Microsoft's documents; made ones are read above")
def test_twelve_real_months_against_a_reading_of_the_whole_tree() -> None:
    """Every pair of an update and a flaw, with its products and build, by a second reading that keeps the tree in memory."""
    seen = 0
    with tarfile.open(SAMPLES) as samples:
        for member in samples:
            if "msrc-cvrf/" not in member.name or not (file := samples.extractfile(member)):
                continue
            content, seen = file.read(), seen + 1
            month = read(content)
            ours = {(f.kb, cve, p, f.build) for f in month.fixes for cve in f.cves for p in f.products if f.kb}
            theirs, exploited = _by_tree(content)
            assert ours == theirs, member.name
            assert {cve for cve, f in month.flaws.items() if f.exploited} == exploited
            assert len(month.fixes) > 50
    assert seen == 12


def _by_tree(content: bytes) -> tuple[set[tuple[int, str, str, str]], set[str]]:
    found, exploited = set(), set()
    for flaw_ in ElementTree.fromstring(content).iter("{http://www.icasi.org/CVRF/schema/vuln/1.1}Vulnerability"):
        cve = (flaw_.findtext("{*}CVE") or "").strip()
        if not cve.startswith(("CVE-", "ADV")):
            continue
        for threat in flaw_.iterfind("{*}Threats/{*}Threat[@Type='Exploit Status']"):
            if "Exploited:Yes" in (threat.findtext("{*}Description") or ""):
                exploited.add(cve)
        for given in flaw_.iterfind("{*}Remediations/{*}Remediation[@Type='Vendor Fix']"):
            number = re.fullmatch(r"(?:KB)?\s?(\d{7})", (given.findtext("{*}Description") or "").strip(), re.I)
            if number:
                build = (given.findtext("{*}FixedBuild") or "").strip()
                found |= {(int(number[1]), cve, (p.text or "").strip(), build) for p in given.iterfind("{*}ProductID")}
    return found, exploited
