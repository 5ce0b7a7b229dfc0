"""Rollups and supersedence: which package contains which, by the articles' own lists."""

from __future__ import annotations

import pytest

from auditor.advisories.article import Article
from auditor.advisories.sources.kb.packages import Packages
from tests.advisories.made import NT4, article
from tests.advisories.sources.kb.test_offers import DOWNLOAD, IIS

NT = "windows-nt-4.0"
PRE = "kbWinNT400PreSP7Fix"


def known(*found: Article) -> Packages:
    packages = Packages()
    for a in found:
        packages.add(a)
    return packages


def package(ident: str, contents: str, **more: object) -> Article:
    words = f"{DOWNLOAD.format(f'{ident}i.exe')}\n\n{contents}"
    return article(
        id=ident, title=more.pop("title", "Security Rollup Package (SRP)"), MORE_INFORMATION=words, keywords=PRE, **more
    )


LIST = "The SRP includes the following fixes:\n\n   Q190010 Ten Is Eleven\n\n   Q190011 Eleven Is Twelve\n\n"


def test_a_list_of_articles() -> None:
    rollup = package("Q299444", LIST)
    assert known(rollup).containing(frozenset({"Q190010"}), NT) == ("Q299444",)
    assert known(rollup).containing(frozenset({"Q190012"}), NT) == ()
    assert known(rollup).containing(frozenset({"Q190010"}), "windows-2000") == ()


def test_what_a_package_contains_contains_what_that_holds() -> None:
    outer = package(
        "Q317636",
        "This package includes the functionality from the SRP\n(http://support.microsoft.com/misc/kblookup.asp?ID=299444) and more.",
    )
    assert known(package("Q299444", LIST), outer).containing(frozenset({"Q190011"}), NT) == ("Q317636", "Q299444")  # fmt: skip


def test_an_article_stands_for_its_package_and_a_bulletin_for_its_articles() -> None:
    bulletin = article(
        id="Q190020", title="MS00-080: A Vulnerability", RESOLUTION=DOWNLOAD.format("Q190021i.exe"), keywords=PRE
    )
    words = "This cumulative package contains the following fixes:\n\n   Microsoft Security Bulletin MS00-080\n   (http://www.microsoft.com/technet/security/bulletin/ms00-080.asp)\n\n   Microsoft Security Bulletin MS00-079\n\n"
    found = known(bulletin, package("Q295534", words))
    assert found.containing(frozenset({"Q190020"}), NT) == ("Q295534",)
    assert found.containing(frozenset({"Q190021"}), NT) == ("Q295534",)  # the package that the article offers


def test_a_list_of_one_product_line_is_not_the_other_s() -> None:
    words = "\n\nInternet Information Services 5.0:\n\nThis cumulative package contains the following fixes:\n\n   Q190010 Ten\n\nInternet Information Server 4.0:\n\nThis cumulative package contains the following fixes:\n\n   Q190011 Eleven\n\n"
    found = known(package("Q301625", words, applies=IIS, topic="iis"))
    assert [found.containing(frozenset({q}), line) for q in ("Q190010", "Q190011") for line in ("iis-4.0", "iis-5.0")] == [
        (),
        ("Q301625",),
        ("Q301625",),
        (),
    ]


def test_references_are_no_contents() -> None:
    for words in (
        "For additional information about this package, click the article numbers below:\n\n   Q190010 Ten\n\n",
        "The package may introduce problems. It contains no fix for:\n\n   Q190010 Ten\n\n",
        "The fixes listed in the May section of the following article are included in the package:\n\n   Q190010 Ten\n\n",
        "This package does not include these fixes. The patch contains:\n\nOne.\n\n   Q190010 Ten\n\n",
    ):
        assert known(package("Q299444", words)).containing(frozenset({"Q190010"}), NT) == (), words


def test_a_circle_of_packages_ends() -> None:
    one = package(
        "Q190040", "This fix also includes the fix for the issue described in the following article:\n\n   Q190041 Other\n"
    )
    other = package(
        "Q190041", "This fix also includes the fix for the issue described in the following article:\n\n   Q190040 One\n"
    )
    assert known(one, other).containing(frozenset({"Q190040"}), NT) == ("Q190041",)


def test_later_articles_with_the_same_folder_offer_the_same_package() -> None:
    words = "This hotfix has been posted to the following Internet location:\n\n   ftp://ftp.microsoft.com/bussys/winnt/winnt-public/fixes/usa/NT40/hotfixes-postSP3/teardrop2-fix/"
    first, second = (article(id=q, RESOLUTION=words, keywords=PRE) for q in ("Q143478", "Q179129"))
    assert known(first, second).same(first) == ("Q179129",)
    assert known(first, second).same(second) == ()


def test_the_vendor_s_lists_of_what_a_pack_corrects() -> None:
    one = article(
        id="Q241211",
        title="List of Bugs Fixed in Windows NT 4.0 Service Pack 6/6a (Part 1)",
        MORE_INFORMATION="Base Operating System\n---------------------\n\n   Q190010 Ten\n\n   Q190011 Eleven\n",
    )
    several = article(
        id="Q224792", title="List of Bugs Fixed in Windows NT 4.0 Service Pack 1, 2, and 3",
        MORE_INFORMATION="See:\n\n   Q224793 List of Bugs Fixed in Windows NT 4.0\n\nService Pack 3\n--------------\n\n   Q190012 Twelve\n\nService Pack 2\n--------------\n\n   Q190013 Thirteen\n")  # fmt: skip
    found = known(one, several)
    assert [found.fixed_in((q,), NT) for q in ("Q190010", "Q190012", "Q190013", "Q190014", "Q224793")] == [
        "6",
        "3",
        "2",
        "",
        "",
    ]
    assert found.fixed_in(("Q190010",), "windows-nt-4.0-terminal-server") == "6"
    assert found.fixed_in(("Q190010",), "windows-2000") == ""


def test_what_a_rollup_of_security_fixes_names_is_about_security() -> None:
    many = "The SRP includes the following fixes:\n\n" + "".join(f"   Q1900{n} Number\n\n" for n in range(10, 22))
    assert known(package("Q299444", many)).in_security_rollup("Q190010")
    assert not known(package("Q299444", many)).in_security_rollup("Q190030")
    assert not known(package("Q299444", many, title="Rollup of Fixes for the Spooler")).in_security_rollup("Q190010")
    assert NT4


SUPPORT = "A supported fix is now available from Microsoft.\nTo resolve this problem, contact Microsoft Product Support Services to obtain the fix.\n\n"
TABLE = "   Date      Time     Version        Size       File name\n   ----------------------------------------------------\n"
WIN32K = "   10/23/00  06:01pm  4.0.1381.7086  1,254,512  Win32k.sys\n"
GDI32 = "   10/11/00  01:55pm  4.0.1381.298     166,160  Gdi32.dll\n"
BY_VERSION = "The English version of this fix should have the following file attributes or later:\n\n   File name   Version\n   ----------------------\n   Store.exe   5.5.2655.{}\n"


@pytest.mark.parametrize(
    ("mine", "other", "brings"),
    [
        (TABLE + WIN32K, TABLE + WIN32K, True),
        (TABLE + WIN32K, TABLE + GDI32 + WIN32K, True),  # with others
        (TABLE + GDI32 + WIN32K, TABLE + WIN32K, False),  # one is lacking
        (TABLE + WIN32K, TABLE + WIN32K.replace("512", "528"), False),
        (TABLE + WIN32K, TABLE + WIN32K.replace("10/23", "10/24"), False),
        (TABLE + WIN32K, f"{TABLE}   23-Oct-2000  17:01  1,254,512  Win32k.sys  Intel\n", True),  # another zone's hour
        (TABLE + WIN32K, f"{TABLE}   10/23/2000 06:01p             1,254,512  Win32k.sys     x86\n", True),
        (TABLE + WIN32K + WIN32K.replace("512", "896").replace("sys", "sys  (Alpha)"), TABLE + WIN32K, True),
        (f"{TABLE}{WIN32K}\nAlpha:\n\n{GDI32}", TABLE + WIN32K, True),
        (BY_VERSION.format(37), BY_VERSION.format(37), True),
        (BY_VERSION.format(37), BY_VERSION.format(38), False),  # which may lack it, as far as the articles tell
        (
            *[
                BY_VERSION.format("37").replace(
                    "   Store.exe   5", "You can restore the Store.exe file on the server, but only if it is of version 5"
                )
            ]
            * 2,
            False,
        ),
        ("No table.", "No table.", False),
    ],
)
def test_a_package_with_every_file_in_the_same_build_has_the_fix(mine: str, other: str, brings: bool) -> None:
    first, second = (
        article(id=q, RESOLUTION=f"{SUPPORT}{table}", keywords=PRE) for q, table in (("Q190041", mine), ("Q190042", other))
    )
    assert known(first, second).with_its_files(first, NT) == (("Q190042",) if brings else ())
    assert known(first, second).with_its_files(first, "windows-2000") == ()
    assert known(first, second).with_its_files(second, NT) == ()  # an earlier article's package may not be its table's


def test_binary_files_of_another_fix() -> None:
    words = "NOTE: The C2 Update also includes the binary files required in the Spooler-fix\ndescribed in the following article in the Microsoft Knowledge Base:\n\n   Q190010 Ten\n\n"
    assert known(package("Q244599", words)).containing(frozenset({"Q190010"}), NT) == ("Q244599",)


def test_a_fix_list_that_stands_under_symptoms() -> None:
    words = "For information on what fixes are included with this package, please see the\nfollowing articles in the Microsoft Knowledge Base:\n\n   Q190010 Ten\n\n   Q190011 Eleven\n\nIt has no others.\n"
    posted = "This hotfix has been posted to the following Internet location as Sp4hfixi.exe (x86)"
    rollup = article(id="Q195734", SYMPTOMS=words, RESOLUTION=posted, keywords=PRE)
    assert known(rollup).containing(frozenset({"Q190011"}), NT) == ("Q195734",)
    assert known(rollup).containing(frozenset({"Q190012"}), NT) == ()


def test_release_notes_that_point_to_articles() -> None:
    words = "The English version of this post-SP3 hotfix\nhas been posted to the following Internet location.\n\n   ftp://ftp.microsoft.com/bussys/winnt/winnt-public/fixes/usa/nt40/hotfixes-postSP3/pptp3-fix/"
    more = "A header has been corrected. This issue is documented at:\n\n   http://support.microsoft.com/support/kb/articles/q190/0/10.asp"
    notes = article(id="Q189595", SUMMARY=words, MORE_INFORMATION=more)
    assert known(notes).containing(frozenset({"Q190010"}), NT) == ("Q189595",)
