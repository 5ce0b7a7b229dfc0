"""Where the fix comes from, beside numbered service packs."""

from __future__ import annotations

import pytest

from auditor.advisories.article import Article
from tests.advisories.made import NT4, article

STRANGER = "\n\nThe third-party products discussed in this article are manufactured by vendors\nindependent of Microsoft."
WAYS = [
    ("hotfix_only", "A supported fix is now available from Microsoft, but has not been fully\nregression-tested."),
    ("hotfix_only", "To resolve this problem, contact Product Support Services to obtain the hotfix."),
    ("hotfix_only", "To resolve this problem, obtain the individual software update."),
    ("latest_sp", "This problem was corrected in the latest Microsoft Windows NT 4.0 U.S. Service Pack."),
    ("latest_sp", "To resolve this problem, obtain the latest service pack for Windows NT 4.0."),
    ("vendor_fix", "Contact the manufacturer of the adapter to obtain an updated driver."),
    ("vendor_fix", "Acme Corporation has released a patch for this problem." + STRANGER),
    ("vendor_fix", "To resolve this problem, upgrade the computer's BIOS to the newest revision."),
    ("no_fix", "Microsoft is researching this problem and will post new information when it is known."),
    ("no_fix", "To work around this problem, restart the service."),
    ("no_fix", "This behavior is by design."),
    ("no_fix", "This problem was corrected in Windows NT version 3.51."),
    ("no_fix", "For more information about the adapter, contact the vendor." + STRANGER),
]


def ways(found: Article) -> set[str]:
    return {w for w in ("hotfix_only", "latest_sp", "vendor_fix", "no_fix") if getattr(found, w)}


@pytest.mark.parametrize(("method", "words"), WAYS, ids=[w[1][:50] for w in WAYS])
def test_way(method: str, words: str) -> None:
    found = article(RESOLUTION=words)
    assert ways(found) == {method}
    assert found.fixes == ()
    assert method == "no_fix" or found.evidence[method]


def test_presp_says_hotfix_whatever_the_boilerplate_says() -> None:
    found = article(
        RESOLUTION="To resolve this problem, obtain the latest service pack for Windows NT 4.0.", keywords="kbWinNT400PreSP7Fix"
    )
    assert ways(found) == {"hotfix_only"}


def test_products_differ_within_one_article() -> None:
    found = article(
        STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.\n\nMicrosoft has confirmed this to be a problem in Windows NT version 3.51. A\n"
        "supported fix is now available, but has not been fully regression-tested.",
        applies=(*NT4, "Microsoft Windows NT Server version 3.51"),
    )
    assert [(f.product, f.service_pack) for f in found.fixes] == [("windows-nt-4.0", "4")]
    assert found.hotfix_only


def test_a_hotfix_beside_the_numbered_pack_is_no_hotfix_only() -> None:
    found = article(
        RESOLUTION="To resolve this problem, obtain the latest service pack or the individual software\nupdate.",
        STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 6.",
    )
    assert ways(found) == set()
    assert found.hotfix
