"""A pattern tried only where one of its words stands finds what the pattern alone finds."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.advisories.pattern import Pattern
from auditor.advisories.sources.kb import component, outcome
from auditor.advisories.sources.kb.structure import Structure, sentences
from tests.advisories.shared import ARCHIVE

PATTERNS: list[Pattern] = [
    *(known.pattern for known in component.COMPONENTS),
    *(pattern for _, pattern in outcome.VENDOR),
    *(v for v in vars(outcome).values() if isinstance(v, Pattern)),
]


@pytest.mark.skipif(ARCHIVE is None, reason="the archive of articles is not here")
def test_over_every_fortieth_article() -> None:
    assert ARCHIVE
    with zipfile.ZipFile(ARCHIVE) as archive:
        for member in archive.infolist()[::40]:
            article = Structure(archive.read(member).decode("cp1252", "replace").replace("\r\n", "\n"))
            for text in [article.title, *(s.text for s in sentences(article.text, article.begin, article.end))]:
                for pattern in PATTERNS:
                    alone = pattern.compiled.search(text)
                    assert not alone or pattern.search(text), (alone[0] if alone else "", pattern.words)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_over_what_the_pattern_itself_makes(data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(PATTERNS))
    text = data.draw(st.from_regex(pattern.compiled, alphabet=st.characters(max_codepoint=126)))
    assert pattern.search(text)
