"""The form of an article: header, APPLIES TO, sections, keyword block; and texts that are no article."""

from __future__ import annotations

from datetime import date

import pytest

from auditor.advisories.sources.kb.article_reader import read
from auditor.advisories.sources.kb.structure import Structure, sentences
from tests.advisories.made import article, text


def test_header_and_list() -> None:
    found = article(applies=("Microsoft Windows NT Server\n   version 4.0", "Microsoft  Exchange Server, version 5.5"))
    assert found.id == "Q190001"
    assert found.title == "The Thing Fails When It Is Used"
    assert found.revised == date(2001, 1, 2)
    assert found.applies_to == ("Microsoft Windows NT Server version 4.0", "Microsoft Exchange Server, version 5.5")


def test_a_date_that_is_none_is_not_known() -> None:
    assert article(date="31-FEB-2001").revised is None
    assert article(date="02-XXX-2001").revised is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda t: "", "is empty"),
        (lambda t: "\n \n", "is empty"),
        (lambda t: t[t.index("TITLE") :], "does not begin with a DOCUMENT line"),
        (lambda t: t[: t.index("Keywords   ")], "is cut off"),
        (lambda t: t[:200], "is cut off"),
        (lambda t: t.replace("Thing", "Th\0ing"), "is a binary file"),
    ],
)
def test_no_whole_article(damage: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(damage(text(STATUS="It is so.")).encode())  # type: ignore[operator]


def test_line_ends_and_code_pages() -> None:
    plain = text(title="Für Größe", STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.")
    for body in (
        plain.encode("cp1252"),
        plain.encode("utf-8"),
        plain.encode("cp437"),
        plain.replace("\n", "\r\n").encode("cp1252"),
    ):
        found = read(body)
        assert found.title == "Für Größe"
        assert [e.line for e in found.evidence["fixes"]] == [19]


def test_sentences_do_not_end_at_an_abbreviation() -> None:
    words = (
        "It was corrected in the latest U.S. Service Pack. See the list, e.g. The one below.\n\n - First item\n - Second item"
    )
    assert [s.text for s in sentences(words, 0, len(words))] == [
        "It was corrected in the latest U.S. Service Pack.",
        "See the list, e.g. The one below.",
        "First item",
        "Second item",
    ]


def test_sections() -> None:
    found = Structure(text(SYMPTOMS="One.", RESOLUTION="Windows NT 4.0\n--------------\n\nTwo."))
    at = found.text.index("Two.")
    assert found.section_at(at) == ("RESOLUTION", "Windows NT 4.0")
    assert found.line(at) == found.text.split("\n").index("Two.") + 1
