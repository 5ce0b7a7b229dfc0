"""Articles that nobody wrote: words that matter in any order, sections cut and glued, bytes changed."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tests.advisories.fuzz import check
from tests.advisories.made import text

WORDS = [
    "This problem was first corrected in",
    "Windows NT 4.0",
    "Windows NT",
    "Terminal Server Edition",
    "Service Pack",
    "Service Pack 4",
    "SP6a",
    "and",
    "or",
    "not",
    "hotfix",
    "hot fix",
    "To resolve this problem, obtain the",
    "latest",
    "latest service pack",
    "A supported fix is now available",
    "contact",
    "the vendor",
    "workaround",
    "by design",
    "Exchange Server 5.5",
    "SNA Server",
    "post-Service Pack 6a Security Rollup",
    "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet",
    "\\Services\\Tcpip\\Parameters",
    "Value Name:",
    "Data Type: REG_DWORD",
    "Value: 1",
    "set",
    "to",
    "0x10",
    "the default is",
    "(for example",
    ")",
    "[",
    "]",
    ":",
    "=",
    ".",
    ",",
    "-",
    "\n\n",
    "\n",
    "\t",
    "   ",
    "=====",
    "-----",
    "1.",
    "2.",
    "boot.ini",
    "/3GB",
    "Microsoft Cluster Server",
    "if you use",
    "kbWinNT400sp4fix",
    "kbWinNT400PreSP7Fix",
    "STATUS",
    "CAUSE",
    "*",
    "0",
    "9",
    "é",
    "\u2028",
    "\x1a",
    "\x0c",
]
WORD = st.sampled_from(WORDS) | st.text(max_size=12)
PROSE = st.lists(WORD, max_size=60).map(" ".join)
ARTICLE = st.builds(
    text,
    title=st.lists(WORD, max_size=8).map(" ".join),
    date=st.sampled_from(["02-JAN-2001", "31-FEB-2001", "", "99-XXX-0000"]) | st.text(max_size=8),
    applies=st.lists(st.lists(WORD, max_size=10).map(" ".join), max_size=4).map(tuple),
    keywords=st.lists(WORD, max_size=8).map("".join),
    CAUSE=PROSE,
    RESOLUTION=PROSE,
    STATUS=PROSE,
    MORE_INFORMATION=PROSE,
)


@given(ARTICLE)
def test_any_words_in_any_order_give_an_article_that_holds_together(words: str) -> None:
    check(words.encode("utf-8", "replace"))


@given(ARTICLE, st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), max_size=8), st.floats(0, 1))
def test_cut_and_changed_bytes_do_too(words: str, changes: list[tuple[float, bytes]], cut: float) -> None:
    document = bytearray(words.encode("utf-8", "replace"))
    for place, put in changes:
        at = int(place * len(document))
        document[at : at + len(put)] = put
    check(bytes(document[: int(cut * len(document)) + 1]))


@given(st.binary(max_size=400))
@example(b"DOCUMENT:Q190001")
@example(b"DOCUMENT:Q190001  02-JAN-2001  [winnt]\n\n===\n")
def test_any_bytes_do_too(document: bytes) -> None:
    check(document)
