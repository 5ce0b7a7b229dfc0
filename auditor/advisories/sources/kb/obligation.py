"""How strictly an article asks, read from its words (docs/contracts.md: required, advised, situational)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditor.advisories.sources.kb.setting_reader import ReadSetting
from auditor.advisories.sources.kb.structure import Sentence, Structure, fold
from auditor.model.finding import Obligation, Severity

SITUATIONAL = re.compile(
    r"(?:unless|if)\s+you\s+are\s+(?:not\s+)?severely\s+(?:affected|impacted)|not\s+(?:yet\s+)?(?:been\s+)?fully\s+regression|only\s+to\s+(?:systems|computers|servers)\s+(?:that\s+are\s+)?(?:experiencing|determined|you\s+determine)"
    r"|only\s+(?:be\s+applied|apply\s+it|if\s+you\s+(?:see|experience|are\s+experiencing))|under\s+(?:heavy\s+)?attack|\bSYN\s+(?:flood|attack)|heavy\s+attack|subject\s+to\s+(?:\w+\s+)?attacks?",
    re.I,
)
_ADVISED = re.compile(
    r"\b(?:you\s+(?:may|can|might)\s+(?:want|wish)\s+to|optional(?:ly)?|recommend(?:s|ed)?|we\s+suggest|if\s+you\s+(?:want|prefer|wish))\b",
    re.I,
)
_SEVERITY = re.compile(
    r"\b(?:maximum\s+severity|severity\s+rating|rated(?:\s+as)?|severity)\s*(?:of|is|:)?\s*(critical|important|moderate|low)\b",
    re.I,
)


def obligation(
    article: Structure, numbered: bool, other_fix: bool, settings: Sequence[ReadSetting]
) -> tuple[Obligation | None, Sentence | None]:
    """The obligation and the words that made it other than plainly required; None where there is nothing to do."""
    if numbered:
        return "required", None
    if not other_fix and not settings:
        return None, None
    if article.holds("severely", "regression", "only", "attack", "syn flood") and (
        m := SITUATIONAL.search(article.text, article.begin, article.end)
    ):
        return "situational", Sentence(fold(m[0]), m.start())
    if other_fix:
        return "required", None
    section = article.section_at(settings[0].start)[0]
    if section.startswith(("RESOLUTION", "STATUS")):
        if m := _ADVISED.search(article.text, *article.paragraph(settings[0].start)):
            return "advised", Sentence(fold(m[0]), m.start())
        return "required", None
    return "advised", Sentence(f"under {section or 'the summary'}", settings[0].start)


def severity(article: Structure) -> tuple[Severity, Sentence | None]:
    """Only what the article itself states."""
    if article.holds("severity", "rated") and (m := _SEVERITY.search(article.text, article.begin, article.end)):
        word = m[1].lower()
        stated: dict[str, Severity] = {"critical": "critical", "important": "important", "moderate": "moderate", "low": "low"}
        return stated[word], Sentence(fold(m[0]), m.start())
    return "unrated", None
