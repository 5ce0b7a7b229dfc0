"""The words and tones that the report and the mail share: one table each.

A tone is good, pend, open, bad or none (""); the report's style sheet gives it a colour, the mail has the colours here.
"""

from __future__ import annotations

from auditor.model.finding import Verdict
from auditor.report.required import Standing

VERDICT_TONE: dict[Verdict, str] = {
    "noncompliant": "bad",
    "pending": "pend",
    "unknown": "open",
    "compliant": "good",
    "not_applicable": "",
}
VERDICT_WORDS: dict[Verdict, str] = {
    "noncompliant": "Missing",
    "pending": "Pending",
    "unknown": "Unknown",
    "compliant": "Compliant",
    "not_applicable": "Not applicable",
}
STANDING_TONE: dict[Standing, str] = {"lacking": "bad", "open": "open", "met": "good", "nothing": ""}
STANDING_WORDS: dict[Standing, str] = {
    "lacking": "lacks something required",
    "open": "leaves a required question open",
    "met": "has everything that is required",
    "nothing": "nothing required applied to it",
}
CHANGE_TONE: dict[str, str] = {
    "new": "bad",
    "came back": "bad",
    "not assessed": "bad",
    "fixed": "good",
    "changed": "pend",
    "became unknown": "open",
}
# Of the mail, whose readers know no style sheet: dark enough for small text on white (WCAG 2.2, 1.4.3).
COLOURS: dict[str, str] = {"bad": "#b42318", "good": "#146c2e", "pend": "#8a5300", "open": "#5b3fa8", "": "#1b1f24"}
