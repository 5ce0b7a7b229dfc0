"""How severe an article says that its problem is."""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import Sentence, Structure, fold
from auditor.model.finding import Severity

_SEVERITY = re.compile(
    r"\b(?:maximum\s+severity|severity\s+rating|rated(?:\s+as)?|severity)\s*(?:of|is|:)?\s*(critical|important|moderate|low)\b",
    re.I,
)


def severity(article: Structure) -> tuple[Severity, Sentence | None]:
    """Only what the article itself states."""
    if m := article.near(_SEVERITY, "severity", "rated", before=20, after=60):
        word = m[1].lower()
        stated: dict[str, Severity] = {"critical": "critical", "important": "important", "moderate": "moderate", "low": "low"}
        return stated[word], Sentence(fold(m[0]), m.start())
    return "unrated", None
