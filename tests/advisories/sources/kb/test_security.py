"""Is an article about a flaw in security, by which bulletins, and is it an advisory at all?"""

from __future__ import annotations

import pytest

from auditor.advisories.sources.kb.sense import why_no_advisory
from tests.advisories.made import article
from tests.advisories.sources.kb.test_offers import DOWNLOAD

LINK = "http://www.microsoft.com/technet/security/bulletin/ms00-086.asp"
CASES = [
    ({"title": "MS01-003: Patch Available for the Mutex"}, True, ("MS01-003",)),
    ({"title": "A Buffer Overflow in the Thing"}, True, ()),
    ({"SYMPTOMS": f"A malicious user may stop it. For more information, see the following Web site:\n\n   {LINK}"}, True, ("MS00-086",)),
    ({"RESOLUTION": f"It can be attacked. See the associated Microsoft Security Bulletin\n({LINK}) for the risk."}, True, ("MS00-086",)),
    ({"STATUS": "Microsoft has confirmed that this problem could result in some degree of security\nvulnerability in Windows NT 4.0."}, True, ()),
    ({"keywords": "KbSECVulnerability"}, True, ()),
    ({"keywords": "kbSecurity"}, False, ()),  # a topic: rights and accounts
    ({"RESOLUTION": "It should be applied only to systems that are determined to be at risk of attack."}, False, ()),  # a boilerplate
    ({"RESOLUTION": "The file is included in MS01-044."}, False, ()),
    ({"title": "Logon Does Not Work After You Apply Fix from MS01-026", "STATUS": "A security vulnerability."}, False, ()),
    ({"title": "Server Hangs After Uninstalling the SRP", "STATUS": f"A security vulnerability: {LINK}"}, False, ()),
]  # fmt: skip


@pytest.mark.parametrize(("given", "security", "bulletins"), CASES, ids=[str(c[0])[:70] for c in CASES])
def test_security(given: dict[str, str], security: bool, bulletins: tuple[str, ...]) -> None:
    sections = {"SYMPTOMS": "It is slow."} | given
    found = article(**sections)
    assert (found.security, found.bulletins) == (security, bulletins)


TITLES = [
    ("HOWTO: Set the Thing", False, "tells how"),
    ("How to Add More Than Two IDE Drives", False, "tells how"),
    ("HOW TO: Secure the Thing Against Attack", True, "tells how"),
    ("Availability of a Security Tool", True, "tells how"),
    ("MS99-046: How to Prevent Predictable Sequence Numbers", True, ""),
    ("List of Bugs Fixed in Windows NT 4.0 Service Pack 5", False, "lists"),
    ("Cannot Log On After Installing Service Pack 4", False, "an update is the cause"),
    ("The Thing Stops Responding", False, ""),
]


@pytest.mark.parametrize(("title", "security", "why"), TITLES)
def test_what_is_no_advisory(title: str, security: bool, why: str) -> None:
    found = article(title=title, RESOLUTION=DOWNLOAD.format("Q190001i.exe"), keywords="KbSECVulnerability" if security else "")
    assert why in why_no_advisory(found)
    assert bool(why_no_advisory(found)) == bool(why)
