"""`make fuzz`: bytes that libFuzzer makes up, guided by what they reach in the reader (atheris).

What must hold is in `check`, and tests/advisories/test_fuzz.py holds it for articles made of the words that matter.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import msgspec

from auditor.advisories.article import Article
from auditor.advisories.kb_rule import NoRule, rule
from auditor.advisories.kb_text import read
from auditor.model.rule import Rule
from tests.advisories.made import text


def check(document: bytes) -> Article | None:
    """Whatever the bytes are, the reader gives an article that holds together, or a ValueError."""
    try:
        article = read(document, "Q190001.TXT")
    except ValueError:
        return None
    assert msgspec.json.decode(msgspec.json.encode(article), type=Article) == article
    lines = document.count(b"\n") + document.count(b"\r") + 1
    assert all(1 <= e.line <= lines for each in article.evidence.values() for e in each)
    assert not (article.no_fix and (article.fixes or article.hotfix_only or article.latest_sp or article.vendor_fix))
    assert not (article.latest_sp and article.fixes)
    assert (article.confidence == "low") == bool(article.doubts)
    try:
        made = rule(article, retrieved=date(2026, 11, 25))
    except NoRule:
        return article
    assert msgspec.json.decode(msgspec.json.encode(made), type=Rule) == made
    return article


def main() -> None:
    import atheris

    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "made").write_bytes(text(STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.").encode())
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *sys.argv[1:]], lambda data: check(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
