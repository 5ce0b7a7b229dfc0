"""Is an article about a flaw in security, and which bulletins (MS01-026) announced its correction?"""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import Structure

BULLETIN = re.compile(r"\bMS(?:9[89]|0\d)-\d{3}\b", re.I)
_TITLE = re.compile(
    r"^(?:MS\d\d-\d{3})\b|vulnerab|denial.of.service|security (?:hole|hotfix|patch|update|fix)|\(SRP\)$|, SRP$|buffer (?:overrun|overflow)|privilege elevation",
    re.I,
)
_KEYWORD = re.compile(r"kbsec(?:vul|bul|hack|dos)", re.I)
_SAID = re.compile(
    r"eliminates?\s+a\s+(?:security\s+)?vulnerability|degree\s+of\s+(?:a\s+)?security\s+(?:vulnerability|risk)",
    re.I,
)
# An article about what happens after a security update was installed is about that, not about the flaw.
_AFTERWARDS = re.compile(
    r"\bafter (?:you )?(?:appl|(?:un|re)?install|remov)\w*|\bwith the (?:SRP|security)|security (?:update|patch|bulletin) .*(?:breaks|is installed)",
    re.I,
)
_SECTIONS = ("RESOLUTION", "STATUS", "SUMMARY", "MORE INFORMATION", "SOLUTION")
# Elsewhere only "For more information …: http://…/bulletin/ms00-086.asp".
_MORE = re.compile(r"\b(?:more|additional)\s+information\b[^:]{0,250}:\s+https?://\S*/bulletins?/(MS\d\d-\d{3})", re.I)
_ANNOUNCED = re.compile(r"(?:/bulletins?/|\bbulletin\s+\(?)(MS(?:9[89]|0\d)-\d{3})", re.I)
_LISTS = re.compile(r"\broll-?up|\bSRP\b|\bcumulative", re.I)
_MOST = 3  # bulletins that one article may be about; one that names more lists others'


def is_security(article: Structure) -> bool:
    """Does the article say that it is about a vulnerability?"""
    if _AFTERWARDS.search(article.title):
        return False
    if _TITLE.search(article.title):
        return True
    if bulletins(article) and article.holds("vulnerab", "denial of service", "denial-of-service", "attack", "malicious"):
        return True
    if "kbsec" in article.lower and any(_KEYWORD.match(k.text) for k in article.keywords):
        return True
    return article.near(_SAID, "vulnerab", "security risk") is not None


def bulletins(article: Structure) -> tuple[str, ...]:
    """The bulletins that announced the correction: in the title, or where the article says what to do."""
    titled = BULLETIN.match(article.title)
    if titled or not article.holds("ms9", "ms0") or _AFTERWARDS.search(article.title) or _LISTS.search(article.title):
        return (titled[0].upper(),) if titled else ()
    found: dict[str, None] = {}
    main = ""
    for section in article.sections:
        main = section.name if section.level == 1 else main
        text = article.text[section.start : section.end]
        if main.startswith(_SECTIONS):
            found |= {b.upper(): None for b in _ANNOUNCED.findall(text)}
        elif "bulletin" in text:
            found |= {m[1].upper(): None for m in _MORE.finditer(text)}
    return tuple(found) if len(found) <= _MOST else ()
