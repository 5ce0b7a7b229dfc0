"""The lines of a section, sorted by what they are in a procedure that sets values: places, entries, their parts, prose.

Nothing here knows what went before: what a line means where it stands is for kb_settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.advisories.sources.kb.registry_path import HIVES, PATH_LINE, continues, is_path, normal_key
from auditor.advisories.sources.kb.setting_names import TYPES, clean, is_name, type_of, written
from auditor.advisories.sources.kb.structure import sentences


class Place(NamedTuple):
    """A registry path that has its lines to itself, as written."""

    path: str
    start: int


class RegistryEntry(NamedTuple):
    """A line that names a value. `form` is "label" ("Value Name: X"), "typed" ("X:REG_DWORD:5"), "assigned" ("X = 5"),
    "item" (a bullet, or a row of two columns) or "alone" (a name and nothing else)."""

    form: str
    name: str
    type: str | None
    data: str
    start: int


class RegFilePart(NamedTuple):
    """A labelled line that gives a part of a value: `label` in lower case, `text` behind the colon."""

    label: str
    text: str
    start: int


class ProseLine(NamedTuple):
    """A sentence of prose, white space folded."""

    text: str
    start: int


Event = Place | RegistryEntry | RegFilePart | ProseLine

_MARK = r"[ \t]*(?:\d{1,2}[.)][ \t]+|[-*o][ \t]+|[a-z][.)][ \t]+)?"
_NAMES = r"(?:registry |new )?(?:value|entry|parameter|keyword|data|setting|variable|property)? ?names?|value to add|add(?: this)? value|new value|variable|keyword"
_PARTS = (
    r"value|entry|parameter|setting|(?:data|value|entry|parameter)[ -]?types?|type|class|data(?: value)?|value(?: |-)?data|string(?: value)?"
    r"|(?:multi-?string|binary|dword)(?: value| data)?|set(?:ting)?(?: (?:it )?to)?|recommended(?: value| setting)?|hex|decimal|(?:sub)?key(?: ?name)?"
    r"|defaults?(?: value| setting)?|(?:valid |value )?range|radix|base|units?|editor|(?:dword|string|binary|multi-string) editor(?: data)?|(?:valid|possible) values?|minimum|maximum|format|description"
)
_LABEL = re.compile(
    rf"^{_MARK}\"?(?:(?:in )?the )?(?P<label>{_NAMES}|{_PARTS})[ \t]*(?:\((?:in )?(?:hex(?:adecimal)?|decimal)\)[ \t]*)?(?:[:=][ \t]*|[ \t]{{3,}}|[ \t]+is[ \t]+(?=\S+$|REG_))(?P<rest>[^\n]*)$",
    re.I,
)
_NAME_LABEL = re.compile(rf"(?:{_NAMES})$", re.I)
_TYPED = re.compile(
    rf"^{_MARK}\"?(?P<name>[A-Za-z(!<][\w ./%()<>-]{{1,50}}?)\"?(?:[ \t]*[:=,(][ \t]*(?:[:=][ \t]*)?|[ \t]+(?:[:=][ \t]*)?)(?P<type>{TYPES})\)?[ \t]*[:=,]?[ \t]*(?P<data>\S.*)?$"
)
# What a line of prose with a type in it has before it, and no name of a value.
_PROSE = re.compile(
    r"\b(?:the|a|an|and|by|use|set|add|that|is|in|to|of|with|enter|select|choose|click|data|value|type|entry|key|of type|as|const|dim|declare)\b(?=.)|^(?:data|value|the)\b|\. ",
    re.I,
)
_REG_FILE = re.compile(
    r"^[ \t]*\"(?P<name>[^\"]{2,60})\"[ \t]*=[ \t]*(?:dword:[ \t]*(?P<dword>[0-9a-f]{8})|\"(?P<data>[^\"]*)\")", re.I
)
_ASSIGNED = re.compile(
    r"^(?:[ \t]+|[ \t]*[-*o][ \t]+)?\"?[ \t]?(?P<name>[A-Za-z!][\w ./()!,$-]{0,40}?)[ \t]*=[ \t]*(?P<data>[^=]{0,120})$"
)
_ITEM = re.compile(
    r"^(?:[ \t]*(?:[-*o]|\d{1,2}\.)[ \t]+|[ \t]+)(?P<name>[A-Za-z][\w ]{2,50}?)(?:[ \t]+<set to (?P<data>[^\s>(]+)[^\n]*|[ \t]{2,}(?P<column>(?:0x)?[\da-fA-F]+)(?: \(\w+\))?)?$"
)
_SEVERAL = re.compile(r"[ \t](?:data type|value type|type|value|data|string|entry)[ \t]*:[ \t]*(?=\S)", re.I)


def events(text: str, start: int, end: int) -> Iterator[Event]:
    """What the lines between two offsets are, in their order."""
    lines = [(start + at, line) for at, line in _lines(text[start:end])]
    prose: list[tuple[int, str]] = []
    i = 0
    while i < len(lines):
        at, line = lines[i]
        path = PATH_LINE.match(line) if "\\" in line or "HK" in line or "SOFTWARE/" in line else None
        if path and is_path(path["path"]) and not (prose and path.start("path") == 0):
            yield from _said(text, prose)
            parts = [path["path"].rstrip()]
            while i + 1 < len(lines) and continues(parts[-1], lines[i + 1][1], line):
                i += 1
                parts.append(lines[i][1].strip())
            yield from _place(" ".join(parts), at)
        elif event := _event(line, at, lines[i + 1][1] if i + 1 < len(lines) else "", not prose):
            yield from _said(text, prose)
            yield event
        else:
            prose.append((at, line))
            if i + 1 == len(lines) or text[at + len(line) : at + len(line) + 2] == "\n\n":
                yield from _said(text, prose)
        i += 1
    yield from _said(text, prose)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their offsets; one that holds a name and its type and data behind each other is taken apart."""
    for m in re.finditer(r"[^\n]+", text):
        line, at = m[0], m.start()
        cuts = [c.start() for c in _SEVERAL.finditer(line)] if line.count(":") > 1 and _LABEL.match(line) else []
        for low, high in zip([0, *cuts], [*cuts, len(line)], strict=True):
            yield at + low, line[low:high].rstrip()


def _said(text: str, prose: list[tuple[int, str]]) -> Iterator[ProseLine]:
    if prose:
        low, high = prose[0][0], prose[-1][0] + len(prose[-1][1])
        prose.clear()
        for s in sentences(text, low, high):
            yield ProseLine(s.text, s.start)


def _place(path: str, at: int) -> Iterator[Event]:
    """A path, and the value at its end if type or data follow."""
    typed = re.match(rf"(?P<path>[^:=]+?)\s*[:=]\s*(?P<type>{TYPES})(?:\s*[:=]\s*(?P<data>\S[^:]*))?:?$", path, re.I)
    if not typed and (given := re.match(r"(?P<path>[^:=]+?)\s*=\s*(?P<data>\S+)$", path)):
        head, _, name = re.sub(r"\s*[\\/]\s*", r"\\", given["path"]).rpartition("\\")
        yield Place(head, at)
        yield RegistryEntry("typed", name, None, given["data"], at)
        return
    if (
        not typed
        and (named := re.match(r"(?P<path>.+?)(?::|(?<=Parameters)\s+)(?P<name>[A-Za-z]\w{4,})$", path))
        and written(named["name"])
    ):
        yield Place(named["path"], at)
        yield RegistryEntry("label", named["name"], None, "", at)
        return
    if not typed:
        yield Place(path, at)
        return
    head, _, name = re.sub(r"\s*\\\s*", r"\\", typed["path"]).rpartition("\\")
    yield Place(head, at)
    yield RegistryEntry("typed", name, type_of(typed["type"]), typed["data"] or "", at)


def _event(line: str, at: int, below: str, opens: bool) -> Event | None:
    """What one line is; None for prose. `opens`: no prose is being gathered."""
    if (":" in line or "=" in line or "   " in line or " is " in line) and (m := _LABEL.match(line)):
        label, rest = m["label"].lower(), m["rest"].strip()
        if label == "key name" and re.fullmatch(r"\w+", rest):
            return RegistryEntry("label", rest, None, "", at)
        if not rest and not opens:
            return None  # the end of a sentence: "... add the following registry / value:"
        return (
            RegistryEntry("label", rest.strip('"'), None, "", at) if _NAME_LABEL.match(label) else RegFilePart(label, rest, at)
        )
    if (
        "REG" in line
        and (m := _TYPED.match(line))
        and not _PROSE.search(m["name"])
        and (m["name"].lower() != "type" or m["data"])
    ):
        return RegistryEntry("typed", m["name"], type_of(m["type"]), m["data"] or "", at)
    if '"' in line and (m := _REG_FILE.match(line)):
        dword = m["dword"]
        return RegistryEntry(
            "typed", m["name"], "REG_DWORD" if dword else "REG_SZ", str(int(dword, 16)) if dword else m["data"], at
        )
    if "=" in line and (m := _ASSIGNED.match(line)) and len(m["name"].split()) < 6:
        return RegistryEntry("assigned", m["name"], None, m["data"].strip(), at)
    bare = line.strip().strip('"')
    if (
        line[:1] in " \t"
        and opens
        and bare
        and " " not in bare
        and written(bare)
        and is_name(bare)
        and not bare.endswith((".", ":", ","))
    ):
        described = _LABEL.match(below)
        return RegistryEntry("label" if described and "type" in described["label"].lower() else "alone", bare, None, "", at)
    if opens and (m := _ITEM.match(line)) and is_name(clean(m["name"])) and (m["data"] or m["column"] or written(m["name"])):
        return RegistryEntry("item", m["name"], None, m["data"] or m["column"] or "", at)
    return None


def hive_of(path: str, hive: str) -> str:
    """The hive, if a path is nothing but one; else ""."""
    key = normal_key(path, hive)
    return key if key in HIVES.values() or re.fullmatch(r"HKEY_[A-Z_]+", key) else ""
