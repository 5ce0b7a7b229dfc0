"""Which service pack brought the fault that an article is about: who has an older one does not have it."""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import Structure, sentences

# "… After You Install Service Pack 4"
_TITLE = re.compile(r"\b(?:after|since|with|once|when)\b.{0,60}?\b(?:Service Pack|SP) ?(\d[a-z]?)\b", re.I)
# "After you install Windows NT 4.0 Service Pack 4, …"
_OPENING = re.compile(
    r"(?:After|When|If|Once) (?:you )?(?:install|apply|upgrad|updat)\w*\b[^,;]{0,80}?\b(?:Service Pack|SP) ?(\d[a-z]?)\b", re.I
)
_LONGEST = 1_500  # letters in which a first sentence ends


def brought_by(article: Structure) -> str:
    """The service pack (`4`, `6a`), by the title or the first sentence of the symptoms; "" where neither names one."""
    if m := _TITLE.search(article.title):
        return m[1].lower()
    section = next((s for s in article.sections if s.name.startswith("SYMPTOM")), None)
    if section and "service pack" in article.lower[section.start : section.start + _LONGEST]:
        first = next(sentences(article.text, section.start, min(section.end, section.start + _LONGEST)), None)
        if first and (m := _OPENING.match(first.text)):
            return m[1].lower()
    return ""
