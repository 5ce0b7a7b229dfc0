"""What one sentence of a procedure says of a value: where it is, what it is called, its type, its data, and whether
somebody is told to set it at all. Each sentence is taken for itself; kb_settings puts them together."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from auditor.advisories.sources.kb.registry_path import HIVE, HIVES, PATH_INLINE, is_path
from auditor.advisories.sources.kb.setting_grammar import (
    ALSO,
    ASKS,
    ASSIGNMENT,
    AWAITED,
    CHANGES_VALUE,
    DATA_AHEAD,
    DESCRIBES,
    ELSEWHERE,
    ELSEWHERE_TYPED,
    ENTERED,
    EXAMPLE,
    FILE,
    FINDS,
    FROM_TO,
    GOOD,
    IN_A_KEY,
    IN_EDITOR,
    LIST,
    MARK,
    MUST_BE,
    NAMED,
    NO_VALUE,
    NOT_A_KEY,
    OF_TO,
    OLD,
    OR,
    SETS,
    SWITCH,
    THIS_TO,
    TO_DATA,
    TYPE_WORD,
    TYPED,
    UNDER,
    VALUE_FOLLOWS,
    VALUE_IN,
    WALK,
    WARNING,
    WITH_DATA,
)
from auditor.advisories.sources.kb.setting_names import clean, is_name, name_in, type_of, value_named, written


class SettingSentence(NamedTuple):
    """Empty where the sentence says nothing of it. `firm`: the name is called a value, entry or parameter, in so many
    words; `also`: names given with it. `awaits`: what the lines below are announced to be: "name", "list", "old" (what is to
    be replaced) or "". `value_follows`: a path below ends in the value's name. `changes`: what was said before it counts no
    more."""

    asks: bool = False
    describes: bool = False
    example: bool = False
    hive: str = ""
    path: str = ""
    path_ends_in_value: bool = False
    file: str = ""
    metabase: bool = False
    name: str = ""
    firm: bool = False
    also: tuple[str, ...] = ()
    type: str | None = None
    data: str = ""
    good: str = ""
    awaits: str = ""
    changes: bool = False
    value_follows: bool = False
    data_ahead: str = ""


@lru_cache(maxsize=8192)  # the same sentences stand in thousands of articles
def hear(text: str) -> SettingSentence:
    """What one sentence says."""
    lower = text.lower()
    if WARNING.search(text, lower):
        return SettingSentence()
    text = MARK.sub("", text)
    inline = _path(text)
    before = text[: inline.start()] if inline else ""
    ends_in_value = bool(CHANGES_VALUE.search(before) or (NOT_A_KEY.search(before) and not IN_A_KEY.search(before)))
    hive = None if inline else re.search(rf"\b{HIVE}\b", text)
    file = FILE.search(text, lower)
    awaits = _awaits(text, lower)
    ahead = DATA_AHEAD.search(text) if awaits else None
    good = GOOD.search(text, lower)
    named = _named(text, lower)
    data = named.data
    if inline and ends_in_value and not data and (m := TO_DATA.match(text[inline.end() :])):
        data = clean(m["data"])
    kind = TYPE_WORD.search(text, lower)
    return SettingSentence(
        asks=bool(awaits or ASKS.search(text, lower)),
        describes=bool(DESCRIBES.search(text, lower)),
        example=bool(EXAMPLE.search(text, lower)),
        hive=HIVES.get(hive[0].upper(), hive[0].upper()) if hive else "",
        path=inline["path"].rstrip(".") if inline else _walk(text, lower),
        path_ends_in_value=ends_in_value,
        file=file[0] if file else "",
        metabase="etabase" in text,
        name=named.name,
        firm=named.firm,
        also=named.also,
        type=type_of(kind[0]) if kind else None,
        data=data,
        good=clean(good["data"]) if good else "",
        awaits=awaits,
        changes=text.startswith("Change the "),
        value_follows=bool(awaits or text.endswith((":", "key")))
        and bool(ahead or VALUE_FOLLOWS.search(text))
        and not UNDER.search(text),
        data_ahead=clean(ahead["data"]) if ahead else "",
    )


def _path(text: str) -> re.Match[str] | None:
    """The registry path within a sentence that tells where to go, not where else something is."""
    m = PATH_INLINE.search(text) if "\\" in text or "HK" in text else None
    return m if m and is_path(m["path"]) and not ELSEWHERE.search(text[: m.start()]) else None


def _walk(text: str, lower: str) -> str:
    """The path of "expand HKEY_LOCAL_MACHINE, expand System, and then expand ..."; "" where there is none."""
    keys = WALK.findall(text) if "hkey" in lower else []
    return "\\".join(k.strip() for k in keys) if len(keys) > 2 and keys[0].upper().startswith("HKEY") else ""


def _awaits(text: str, lower: str) -> str:
    """What a sentence announces for the lines below it."""
    if LIST.search(text, lower):
        return "list"
    if not text.endswith(":"):
        return ""
    if OLD.search(text) and "follow" not in lower:
        return "old"
    return "name" if AWAITED.search(text) or DATA_AHEAD.search(text) else ""


class _Named(NamedTuple):
    name: str = ""
    firm: bool = False
    data: str = ""
    also: tuple[str, ...] = ()


def _named(text: str, lower: str) -> _Named:
    """The value's name and data."""
    if m := OF_TO.search(text):
        return _Named(m["name"], True, clean(m["data"]))
    given = [m for pattern in WITH_DATA if (m := pattern.search(text, lower))]
    if (m := VALUE_IN.search(text)) and not NO_VALUE.search(m["name"]):
        name, *others = (clean(n) for n in OR.split(m["name"]))
        if is_name(name):
            data = _data(text, lower) or (clean(given[0]["data"]) if given else "")
            return _Named(name, True, data, tuple(n for n in others if is_name(n)))
    for m in given:
        if name := name_in(m["between"]):
            return _Named(name, value_named(m["between"], name), clean(m["data"]))
    if (m := MUST_BE.search(text, lower)) and (name := name_in(text[max(0, m.start() - 80) : m.start()].rpartition(",")[2])):
        return _Named(name, True, clean(m["data"]))
    data = _data(text, lower)
    for form in NAMED:
        if not (m := form.pattern.search(text, lower)) or not (name := _name(m["between"], form.name)):
            continue
        behind = m["between"].partition(name)[2] + text[m.end() :]
        called_key = written(name) and behind.startswith((" key", " registry key"))  # many call values keys
        if ELSEWHERE_TYPED.search(text) or (NO_VALUE.match(behind) and not called_key):
            continue
        other = ALSO.match(behind)
        also = (other["name"],) if other and written(other["name"]) else ()
        return _Named(name, form.firm or value_named(m["between"], name), data, also)
    return _Named(data=data)


def _name(words: str, form: str) -> str:
    """The name among the words of a form of sentence (see Naming); "" if there is none."""
    if form in ("any", "called"):
        return name_in(words, called=form == "called")
    name = clean(words)
    if not is_name(name) or len(name.split()) > 6:
        return ""
    return name if written(name) or (form == "whole" and name[0].isupper()) else ""


def _data(text: str, lower: str) -> str:
    """What a sentence tells to type, or to set "it" to."""
    for pattern in (ENTERED, TYPED, THIS_TO, IN_EDITOR, FROM_TO):
        if m := pattern.search(text, lower):
            return clean(m["data"])
    return ""


def switches(text: str) -> list[tuple[str, str]]:
    """The boot.ini switches that a sentence tells to add, with what stands behind their `=`."""
    m = SWITCH.search(text)
    return [(m["name"], m["data"] or "")] if m else []


def assignments(text: str) -> list[tuple[str, str]]:
    """The entries `name=data` of a sentence; of two for one name the last, which is what the first is changed to."""
    found: dict[str, str] = {}
    for m in ASSIGNMENT.finditer(text):
        found[m["quoted"] or m["name"]] = (m["within"] if m["quoted"] else m["data"]).strip("\"'. ")
    if len(found) == 1 and FINDS.search(text) and not SETS.search(text):
        return [(name, "") for name in found]
    return list(found.items())
