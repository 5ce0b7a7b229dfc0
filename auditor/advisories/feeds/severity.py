"""Every vendor's words for a severity, in ours."""

from __future__ import annotations

from auditor.model.finding import Severity

# Red Hat and its rebuilds: critical, important, moderate, low. SUSE: the same. Ubuntu's priorities: critical, high, medium, low,
# negligible. Debian's urgencies and CVSS's ratings: high, medium, low. Fedora: urgent, high, medium, low. Amazon: critical,
# important, medium, low. Words that say nothing: none, unspecified, unknown, n/a.
_WORDS: dict[str, Severity] = {
    "critical": "critical", "urgent": "critical", "important": "important", "high": "important", "moderate": "moderate", "medium": "moderate",
    "low": "low", "negligible": "low", "minor": "low",
}  # fmt: skip


def severity(word: str) -> Severity:
    """Our word for a vendor's, `unrated` for none and for one that is not known."""
    return _WORDS.get(word.strip().lower(), "unrated")
