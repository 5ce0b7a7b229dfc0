"""Spans of time as people write them in settings: 14d, 12w, 6m, 3y, and short ones: 30min, 4h."""

from __future__ import annotations

import re
from datetime import timedelta

_SPAN = re.compile(r"(\d{1,5})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
FORM = "write a span as 90d, 12w, 6m or 3y (a month is 30 days, a year 365)"


def span(text: str) -> timedelta | None:
    """A span; None where the text is none."""
    m = _SPAN.fullmatch(text)
    return timedelta(days=int(m[1]) * _DAYS[m[2]]) if m else None


_SHORT = re.compile(r"(\d{1,4})(min|h)")
SHORT_FORM = "write it as 30min or 4h"


def short_span(text: str) -> timedelta | None:
    """A short span; None where the text is none."""
    m = _SHORT.fullmatch(text)
    return timedelta(minutes=int(m[1]) * (60 if m[2] == "h" else 1)) if m else None
