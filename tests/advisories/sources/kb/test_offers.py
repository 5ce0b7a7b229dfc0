"""Which packages an article offers, by the numbers under which a host lists them."""

from __future__ import annotations

import pytest

from tests.advisories.made import NT4, article

TSE = "Microsoft Windows NT Server version 4.0, Terminal Server Edition"
IIS = ("Microsoft Internet Information Server version 4.0", "Microsoft Internet Information Services version 5.0")
ROLLUP = "\n\n   Q299444 Post-Windows NT 4.0 Service Pack 6a Security Rollup Package (SRP)\n"
DOWNLOAD = "The following file is available for download from the Microsoft Download Center:\n\n   DownloadDownload {} now\n   (http://www.microsoft.com/Downloads/Release.asp?ReleaseID=1)"
CASES = [
    # the number in the file's name, whatever the article's own is
    (DOWNLOAD.format("Q295534i.exe"), {"Q295534"}),
    (DOWNLOAD.format("Q190001i.exe"), {"Q190001"}),
    (DOWNLOAD.format("PolQ280119i.exe"), {"Q280119"}),
    (DOWNLOAD.format("Q285985_w2k_sp3_x86_en.exe"), {"Q285985"}),
    # no number, or one that cannot be: the article's own
    (DOWNLOAD.format("Arbexei.exe"), {"Q190001"}),
    (DOWNLOAD.format("Q2769336i.exe"), {"Q190001"}),
    # the page of a package
    ("Patches are available from the following Microsoft Web site:\n\n   http://www.microsoft.com/ntserver/nts/downloads/critical/q299444/default.asp", {"Q299444"}),
    ("DownloadDownload the Q319733 Package now\n   (http://www.microsoft.com/x)", {"Q319733"}),
    # support hands it out
    ("A supported fix is now available from Microsoft, but it is only intended to\ncorrect the problem described in this article.", {"Q190001"}),
    ("To resolve this problem, contact Microsoft Product Support Services to obtain the\nhotfix.", {"Q190001"}),
    ("Obtain the latest service pack or the individual software update.", {"Q190001"}),
    ("This hotfix has been posted to the following Internet location:\n\n   ftp://ftp.microsoft.com/bussys/winnt/winnt-public/fixes/usa/NT40/hotfixes-postSP3/lsa-fix/", {"Q190001"}),
    ("The Intel version of this hotfix has been posted to the following Internet\nlocation as:\n\n   Q262694i.exe", {"Q262694"}),
    # by what is done with it
    ("2. Run the Q190001.exe SMS Installer script, and follow the wizard.\n", {"Q190001"}),
    ("Copy the hotfix folder structure to a share. Q190001_i386.exe is an installer.\n", {"Q190001"}),
    ("Run the Q190002.exe program, which another article is about.\n", set()),
    (DOWNLOAD.format("Lsa2fixi.exe") + "\n\nTo remove it, delete the Q184017 key from:\n\n   HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\n   \\CurrentVersion\\Hotfix\n", {"Q190001", "Q184017"}),
    ("To start afresh, delete the Q184017 key from:\n\n   HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Hotfix\n", set()),
    # another article holds it
    ("To resolve this problem, obtain the Windows NT 4.0 Security Rollup Package. For\nadditional information, click the article number below:" + ROLLUP, {"Q299444"}),
    ("To resolve this problem, obtain the individual package referenced below or obtain\nthe Windows NT 4.0 Security Rollup Package. See:" + ROLLUP + "\n" + DOWNLOAD.format("Q190001i.exe"), {"Q299444", "Q190001"}),
    ('The update is included in the "April 2002 Cumulative Patch". For how to obtain\nthis patch, see:\n\n   Q319733 April 2002 Cumulative Patch for IIS\n', {"Q319733"}),
    ("To resolve this problem, install the hotfix that is included in Microsoft\nKnowledge Base article Q324204.", {"Q324204"}),
    ("You must install the hotfix for article Q324204.", {"Q324204"}),
    # told of, and not offered
    ("The service stops after you install the hotfix for article Q324204.", set()),
    ("To work around this problem, restart the service. For more information, see:" + ROLLUP, set()),
    ("The rollup may introduce new problems. To fix these, install the patch in:\n\n   Q299273 Logon Does Not Work\n", set()),
    ("To resolve this problem, obtain the latest service pack. For more information:\n\n   Q152734 How to Obtain the Latest Windows NT 4.0 Service Pack\n", set()),
    ("No hotfix is available. Run Setup.exe again.", set()),
]  # fmt: skip


@pytest.mark.parametrize(("words", "packages"), CASES, ids=[w[:60].replace("\n", " ") for w, _ in CASES])
def test_packages(words: str, packages: set[str]) -> None:
    found = article(RESOLUTION=words, keywords="kbWinNT400PreSP7Fix")
    assert {o.package for o in found.offers} == packages
    assert bool(found.evidence.get("offers")) == bool(packages)


def test_each_product_line_has_its_own() -> None:
    words = (
        "Windows NT 4.0\n--------------\n\nTo resolve this problem, obtain the Windows NT 4.0 Security Rollup Package:"
        f"{ROLLUP}\n\n{TSE}\n{'-' * len(TSE)}\n\nTo resolve this problem, obtain the Terminal Server Edition, Security Rollup\nPackage:\n\n"
        "   Q317636 Windows NT Server 4.0, Terminal Server Edition, Security Rollup Package\n"
    )
    found = article(applies=(*NT4, TSE), RESOLUTION=words, keywords="kbWinNT400PreSP7Fix")
    assert {o.package: o.lines for o in found.offers} == {
        "Q299444": ("windows-nt-4.0",),
        "Q317636": ("windows-nt-4.0-terminal-server",),
    }


def test_a_line_that_only_names_a_product_is_a_heading() -> None:
    words = f"\n\nInternet Information Services 5.0:\n\n{DOWNLOAD.format('Q293826_W2K_SP3_x86_en.exe')}\n\nInternet Information Server 4.0:\n\n{DOWNLOAD.format('Q295534i.exe')}"
    found = article(applies=IIS, topic="iis", RESOLUTION=words, keywords="kbWinNT400PreSP7Fix")
    assert {o.package: o.lines for o in found.offers} == {
        "Q293826": ("iis-5.0", "windows-2000"),
        "Q295534": ("iis-4.0", "windows-nt-4.0"),
    }


def test_what_is_forthcoming_is_not_offered() -> None:
    words = f"{DOWNLOAD.format('Q190001i.exe')}\n\n   NOTE: A patch for Windows NT Server 4.0, Terminal Server Edition is\n   forthcoming."
    found = article(applies=(*NT4, TSE), RESOLUTION=words, keywords="kbWinNT400PreSP7Fix")
    assert [(o.package, o.lines) for o in found.offers] == [("Q190001", ("windows-nt-4.0",))]


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        ("NOTE: Due to file dependencies, this hotfix requires Microsoft Windows NT 4.0\nService Pack 5 or Service Pack 6a.", {"windows-nt-4.0": "5"}),
        ("NOTE: This patch requires Windows NT 4.0 SP6a\n(http://www.microsoft.com/ntserver/nts/downloads/recommended/SP6/allSP6.asp).", {"windows-nt-4.0": "6a"}),
        ("NOTE: This patch can be installed on systems running Windows 2000 Gold or Windows\n2000 Service Pack 1.", {}),
    ],
)  # fmt: skip
def test_the_service_pack_that_a_package_needs(words: str, needs: dict[str, str]) -> None:
    found = article(RESOLUTION=f"{DOWNLOAD.format('Q190001i.exe')}\n\n{words}", keywords="kbWinNT400PreSP7Fix")
    assert found.needs_pack == needs
