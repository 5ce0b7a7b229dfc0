"""Which service pack first has the fix: the forms of a statement, and everything that only looks like one."""

from __future__ import annotations

import pytest

from tests.advisories.made import EXCHANGE, NT4, article, fixes

TSE = (*NT4, "Microsoft Windows NT Server version 4.0, Terminal Server Edition")
SNA = ("Microsoft SNA Server, versions 3.0, 4.0, 4.0 SP1",)

NT, TERMINAL = "windows-nt-4.0", "windows-nt-4.0-terminal-server"
STATED = [
    ("This problem was first corrected in Windows NT 4.0 Service Pack 4.0 and Windows NT\nServer 4.0, Terminal Server Edition Service Pack 4.", TSE, {(NT, "4"), (TERMINAL, "4")}),
    ("This problem was first corrected in Windows NT Server 4.0 Service Pack 6 and Windows\nNT Server 4.0, Terminal Server Edition Service Pack 6.", TSE, {(f"{NT}-server", "6"), (TERMINAL, "6")}),
    ("This problem was first corrected in Windows NT Server or Workstation 4.0 Service\nPack 5.", NT4, {(NT, "5")}),
    ("This problem was first corrected in Windows NT Workstation 4.0 Service Pack 5.", NT4, {(f"{NT}-workstation", "5")}),
    ("This problem was first corrected in Windows NT 4.0 Service Pack 6a.", NT4, {(NT, "6a")}),
    ("This problem was corrected in Service Pack 3 for Windows NT version 4.0.", NT4, {(NT, "3")}),
    ("This problem was corrected in Windows NT version 3.51 U.S. Service Pack 4.", ("Microsoft Windows NT Server version 3.51",), {("windows-nt-3.51", "4")}),
    ("This problem was corrected in U.S. Service Pack 2.0 for Microsoft Exchange Server\nversion 4.0.", ("Microsoft Exchange Server, version 4.0",), {("exchange-4.0", "2")}),
    ("This problem was first corrected in Exchange Server 5.5 Service Pack Service Pack\n3.", EXCHANGE, {("exchange-5.5", "3")}),
    ("This problem was first corrected in SNA Server version 3.0 Service Pack 4 and SNA\nServer version 4.0 Service Pack 3.", SNA, {("sna-server-3.0", "4"), ("sna-server-4.0", "3")}),
    ("This bug was corrected in Visual Studio 97 Service Pack 2.", ("Microsoft Visual Basic Enterprise Edition for Windows, version 5.0",), {("visual-studio-97", "2")}),
    ("This problem no longer matters. It was fixed in Windows NT 4.0 SP4.", ("Microsoft Internet Information Server version 3.0",), {(NT, "4")}),
    ("To resolve this problem, obtain and apply Windows NT 4.0 Service Pack 3 or later.", NT4, {(NT, "3")}),
    ("Install Service Pack 5 or later for Windows NT 3.51.", ("Microsoft Windows NT Server version 3.51",), {("windows-nt-3.51", "5")}),
    ("SP6a includes an updated driver that resolves this issue.", NT4, {(NT, "6a")}),
    ("The fix is included in Windows NT 4.0 SP5.", NT4, {(NT, "5")}),
    ("This problem was first corrected in Systems Management Server version 2.0 Service\nPack 2.", ("Microsoft Systems Management Server version 2.0",), {("sms-2.0", "2")}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "applies", "expected"), STATED, ids=[s[0][:60] for s in STATED])
def test_stated(sentence: str, applies: tuple[str, ...], expected: set[tuple[str, str]]) -> None:
    found = article(STATUS=sentence, applies=applies)
    assert fixes(found) == expected
    assert not found.hotfix_only
    assert not found.latest_sp
    assert not found.no_fix
    assert {e.line for e in found.evidence["fixes"]} == {
        next(n for n, line in enumerate(_lines(sentence, applies), 1) if line == sentence.split(chr(10))[0])
    }


def _lines(sentence: str, applies: tuple[str, ...]) -> list[str]:
    from tests.advisories.made import text

    return text(STATUS=sentence, applies=applies).split("\n")


@pytest.mark.parametrize("section", ["RESOLUTION", "WORKAROUND", "CAUSE", "STATUS"])
def test_the_number_may_stand_in_any_section_that_answers(section: str) -> None:
    assert fixes(article(**{section: "This problem is fixed in Windows NT 4.0 Service Pack 5."})) == {(NT, "5")}


NOT_STATED = [
    "NOTE: Because of file dependencies, this hotfix requires Microsoft Windows NT 4.0 Service Pack 6a.",
    "Service Pack 3 must be applied to Windows NT 4.0 prior to applying this fix.",
    "Apply Service Pack 3 before you install the hotfix.",
    "This problem occurs after you install Windows NT 4.0 Service Pack 4.",
    "Microsoft has confirmed this to be a problem in Windows NT 4.0 Service Pack 3.",
    "The driver that is included with Windows NT 4.0 Service Pack 3 has another size.",
    "This problem is not fixed in any service pack up to and including Service Pack 5.",
    "Reapply Windows NT 4.0 Service Pack 3 after you have added the protocol.",
    "The English version of this post-SP3 hotfix has been posted to the following location.",
    "This problem was first corrected in the Systems Management Server 2.0 Service Pack 4 Hotfix Rollup Package (HRP).",
    "Install the Windows NT 4.0 Post-Service Pack 6a Security Rollup Package.",
    "This problem was corrected in Windows NT version 3.51.",
    "For a list of the bugs that were fixed in Service Pack 5, see the following article.",
    "A fix to SNA Server 3.0 Service Pack 1 is available.",
    "This feature was first included in SNA Server 4.0 Service Pack 3.",
    "Apply InocuLAN 4.0 Service Pack 2 when it becomes available.",
]


@pytest.mark.parametrize("sentence", NOT_STATED)
def test_not_stated(sentence: str) -> None:
    assert fixes(article(RESOLUTION=sentence)) == set()


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("kbWinNT400sp4fix", {(NT, "4")}),
        ("kbWinNT4sp6fixkbfix", {(NT, "6")}),
        ("kbnetwork kbExchange550sp3fix", {("exchange-5.5", "3")}),
        ("kbsms200sp2fix", {("sms-2.0", "2")}),
        ("kbsna400sp3fixkbbuglist", {("sna-server-4.0", "3")}),
        ("exc55sp2fix", {("exchange-5.5", "2")}),
        ("TSESP4Fix", {(TERMINAL, "4")}),
        ("kbWin2000sp3fix", {("windows-2000", "3")}),
        ("kbWinNT400PreSP7Fix", set()),
        ("kbsms200preSP3", set()),
        ("kbsna400sp1 kbsna400sp2", set()),
    ],
)
def test_keywords(keywords: str, expected: set[tuple[str, str]]) -> None:
    found = article(SYMPTOMS="It fails.", keywords=keywords)
    assert fixes(found) == expected
    assert {f.source for f in found.fixes} <= {"keyword"}


def test_a_keyword_carries_what_the_prose_leaves_out() -> None:
    found = article(
        STATUS="This problem was first corrected in Windows NT Server version 4.0, Terminal\nServer Edition Service Pack 6.",
        keywords="kbWinNT4sp6fix",
        applies=TSE,
    )
    assert {(f.product, f.service_pack, f.source) for f in found.fixes} == {(TERMINAL, "6", "prose"), (NT, "6", "keyword")}


def test_a_keyword_adds_nothing_to_what_the_prose_says_and_a_contradiction_is_a_doubt() -> None:
    same = article(STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.", keywords="kbWinNT400sp4fix")
    assert fixes(same) == {(NT, "4")}
    assert same.confidence == "high"
    other = article(STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 5.", keywords="kbWinNT400sp4fix")
    assert fixes(other) == {(NT, "5")}
    assert other.confidence == "low"
    assert "kbWinNT400sp4fix" in other.doubts[0]


def test_what_first_had_the_fix_goes_before_weaker_words() -> None:
    found = article(
        SYMPTOMS="The original hotfix is included in Windows NT 4.0 Service Pack 3.",
        STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.",
    )
    assert fixes(found) == {(NT, "4")}


def test_a_list_of_bugs_is_no_advisory() -> None:
    found = article(
        title="List of Bugs Fixed in Windows NT 4.0 Service Pack 5",
        SUMMARY="These were fixed in Windows NT 4.0 Service Pack 5.",
    )
    assert found.no_fix
    assert found.fixes == ()


IIS = ("Microsoft Internet Information Server version 4.0",)


def test_windows_nt_without_a_version_is_supposed_and_said_so() -> None:
    """The pack is Windows NT's, not that of the product named before it."""
    found = article(STATUS="This problem was corrected in IIS 5.0 or Windows NT Service Pack 5.", applies=IIS)
    assert fixes(found) == {(NT, "5")}
    assert found.confidence == "low"
    assert "version is not named" in found.doubts[0]


def test_windows_nt_without_a_version_is_the_articles_own_where_it_has_one() -> None:
    found = article(
        STATUS="This problem was corrected in Windows NT Service Pack 5.", applies=("Microsoft Windows NT Server version 3.51",)
    )
    assert fixes(found) == {("windows-nt-3.51", "5")}
    assert found.confidence == "high"
