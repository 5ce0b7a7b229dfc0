"""What must hold for any bytes that are given to the reader of articles (tests/fuzz), and for articles made of the words that
matter (test_fuzz.py)."""

from __future__ import annotations

from datetime import date

import msgspec

from auditor.advisories.article import Article
from auditor.advisories.sources.kb.article_reader import read
from auditor.advisories.sources.kb.packages import Packages
from auditor.advisories.sources.kb.rule import NoRule, rule
from auditor.rulebook.rule import Rule


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
    known = Packages()
    known.add(article)
    try:
        made = rule(article, known, retrieved=date(2026, 11, 25))
    except NoRule:
        return article
    assert msgspec.json.decode(msgspec.json.encode(made), type=Rule) == made
    return article
