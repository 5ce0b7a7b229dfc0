"""Properties of IIS's metabase that an article tells to set by its script adsutil.vbs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.advisories.sources.kb.setting_names import UNSET

_ADSUTIL = re.compile(
    r"\badsutil(?:\.vbs)?[ \t]+set[ \t]+(?P<path>[\w/<> .-]*?/)?(?P<name>[A-Za-z]\w+)[ \t]+(?P<data>[^\n(]+)", re.I
)


def metabase_properties(text: str, start: int, end: int) -> Iterator[tuple[str, str, None, str | None, int]]:
    """Component, property, no type, the value set (None where it is left open), offset."""
    for m in _ADSUTIL.finditer(text, start, end):
        data = m["data"].strip().strip("\"'")
        yield "metabase", m["name"], None, None if UNSET.match(data) or "<" in data else data, m.start()
