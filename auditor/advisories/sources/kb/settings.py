"""The values that an article tells an administrator to set: registry values, entries of .ini files, boot.ini switches.

An article is followed in its own order, as an administrator does: a place is found, a value is named there, its type and
data are given. What is merely described (a reference list, a default, a range) is no instruction and is left out; an
example, a default or a range never becomes the recommended value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.advisories.sources.kb.metabase import metabase_properties
from auditor.advisories.sources.kb.setting_lines import events
from auditor.advisories.sources.kb.setting_names import likely
from auditor.advisories.sources.kb.setting_reader import ReadSetting, SettingReader
from auditor.advisories.sources.kb.structure import Structure

# Words of which every section that tells to set something readable holds one.
_PLACES = (
    "hkey",
    "hklm",
    "hkcu",
    "hkcr",
    "controlset",
    "system\\",
    "software\\",
    "software/",
    ".ini",
    ".cfg",
    "unattend.txt",
    "metabase",
    "adsutil",
)
# Titles of lists of all values that there are, which tell nobody to set them.
_REFERENCE = re.compile(
    r"\b(?:Entries|Registry Parameters|Release Notes|Read ?me\w*|Parameters for|Guide to|Contents\b|[A-Z]+\.(?:TXT|WRI|HLP))\b",
    re.I,
)
_ABOUT_VALUES = ("value", "entry", "parameter", "registry")
_SKIPPED = ("SYMPTOMS", "CAUSE", "REFERENCES", "REFERENCE", "STEPS TO REPRODUCE")
_TOLD = ("RESOLUTION", "WORKAROUND")


def settings(article: Structure) -> list[ReadSetting]:
    """The values that an article tells an administrator to set, in order, each key and value once."""
    if _REFERENCE.search(article.title) or not article.holds(*_PLACES):
        return []
    found: dict[tuple[str, str], ReadSetting] = {}
    reader = SettingReader()
    for told, start, end in _sections(article):
        words = _PLACES if not reader.key else (*_PLACES, *_ABOUT_VALUES)
        if any(w in article.lower[start:end] for w in words):
            reader.turn(told)
            for event in events(article.text, start, end):
                reader.take(event)
            reader.close()
            reader.drop_shown_files()
            if told is not None:
                reader.found += map(ReadSetting._make, metabase_properties(article.text, start, end))
    for s in reader.found:
        key = (s.key.lower(), s.value.lower())
        if likely(s.value) and (key not in found or (found[key].recommended is None and s.recommended is not None)):
            found[key] = s
    return list(found.values())


def _sections(article: Structure) -> Iterator[tuple[bool | None, int, int]]:
    """The sections, each with what stands below it: True if all it says is told somebody to do, None if nothing is (it
    may still say where a value is)."""
    told: bool | None = False
    start = end = -1
    for s in article.sections:
        skipped = s.name.startswith(_SKIPPED)
        if start < 0 or s.level == 1 or skipped != (told is None):
            if start >= 0:
                yield told, start, end
            told, start = None if skipped else s.name.startswith(_TOLD), s.start
        end = s.end
    if start >= 0:
        yield told, start, end
