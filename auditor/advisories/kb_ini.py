"""Named configuration values that are no registry values: entries of .ini files, switches of boot.ini, metabase properties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.advisories.kb_setting_grammar import UNSET
from auditor.advisories.kb_setting_names import datum
from auditor.advisories.kb_structure import fold, sentences


class Setting(NamedTuple):
    """`type` is None for what is no registry value; `recommended` is None where the article leaves it open."""

    key: str
    value: str
    type: str | None
    recommended: str | None
    text: str
    start: int


_INI = re.compile(r"\b(?P<file>[\w$]{2,8}\.ini)\b", re.I)
_INI_ADD = re.compile(
    r"\b(?:add|change|set|modify|edit|include|insert|place|remark|replace|increase|specify|make sure|verify)\b", re.I
)
_INI_LINE = re.compile(r"^[ \t]*\"?(?P<name>[A-Za-z][\w ./()-]{1,40}?) ?= ?(?P<data>[^\n=]{0,80})$", re.M)
_INI_PROSE = re.compile(
    r"\b(?:add|include|set|change|use|place|specify)\b[^.;]{0,50}?[\"' ](?P<name>[A-Za-z][\w]{2,30}) ?= ?(?P<data>[\w<>.:\\/*-]{1,40})",
    re.I,
)
_SWITCH = re.compile(
    r"\b(?:add|use|using|include|append|specify|adding|set|place)\b[^.;]{0,50}?[\"' ](?P<name>/[A-Za-z0-9]{2,20})(?:=(?P<data>[\w]+))?",
    re.I,
)


_ADSUTIL = re.compile(
    r"\badsutil(?:\.vbs)?[ \t]+set[ \t]+(?P<path>[\w/<> .-]*?/)?(?P<name>[A-Za-z]\w+)[ \t]+(?P<data>[^\n(]+)", re.I
)


def metabase_properties(text: str, start: int, end: int) -> Iterator[Setting]:
    """Properties that a section tells to set by adsutil."""
    for m in _ADSUTIL.finditer(text, start, end):
        data = m["data"].strip().strip("\"'")
        yield Setting("metabase", m["name"], None, None if UNSET.match(data) or "<" in data else data, fold(m[0]), m.start())


def ini_entries(text: str, start: int, end: int) -> Iterator[Setting]:
    """Entries of .ini files and switches of boot.ini that a section tells to add or change."""
    last = ""
    if ".ini" not in text[start:end].lower():
        return
    for s in sentences(text, start, end):
        file = _INI.search(s.text)
        if file:
            last = file["file"]
        if not last or not _INI_ADD.search(s.text):
            continue
        if last.lower() == "boot.ini" and (m := _SWITCH.search(s.text)):
            yield Setting("boot.ini", m["name"], None, m["data"], s.text, s.start)
        elif file and (m := _INI_PROSE.search(s.text)):
            data = None if UNSET.match(m["data"]) else m["data"].strip(".\"'")
            yield Setting(last, m["name"], None, data, s.text, s.start)
        elif file and s.text.endswith(":"):
            below = text.find("\n", s.start + len(s.text) - 1)
            for m in _INI_LINE.finditer(text, s.start, min(end, s.start + 600)):
                if text.count("\n\n", s.start, m.start()) > 2:
                    break
                data = m["data"].strip()
                yield Setting(
                    last, m["name"].strip(), None, None if not data or UNSET.match(data) else datum(data), s.text, m.start()
                )
            _ = below
