"""Puts together what the lines of a procedure say: the values it sets, with their place, type and data."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from auditor.advisories.sources.kb.registry_path import normal_key
from auditor.advisories.sources.kb.setting_lines import Event, Place, ProseLine, RegFilePart, RegistryEntry, hive_of
from auditor.advisories.sources.kb.setting_names import TYPES, UNSET, clean, datum, is_name, type_of, written
from auditor.advisories.sources.kb.setting_prose import SettingSentence, assignments, hear, switches

_LETTER = re.compile(r"[A-Za-z]")
_LINE_NAME = re.compile(
    r"(?!(?:Quit|Exit|Close|Click|Restart|Start|Reboot|On|In|For|Note|Where|Example|Or|And|This|The|If|Save|Then|Select|Press|From) )(?:[A-Z][\w/.-]*)(?: (?:[A-Z][\w/.-]*|for|of|to|on|and|the|a|by|[a-z]+)){0,6}$"
)
# The end of a path that was wrapped at a blank.
_ONE_WORD = re.compile(r"[A-Z][a-z]+(?:\\[\w\\]+)?$")
# Labels of what is told about a value, and is not its data.
_NO_DATA = re.compile(r"default|range|valid|value range|radix|base|unit|editor|possible|minimum|maximum|format|description")
_PAIR = re.compile(r"\"?([A-Za-z][\w ]{2,40}?)\"? ?[=:] ?(\S[^=:]*)$")
_RADIX = re.compile(r"\s+\((?:in )?(?:hex|dec)\w*\)$")
_DEFAULT = re.compile(r"(?<=\w) \(default (?:is|=|value)[^)]*\)", re.I)
_REMARK = re.compile(r"\s*(?:<[^>]*>|\([^)]*\))$")
# A file of which more entries than this stand in an article is shown as a whole.
_MOST_ENTRIES = 12


class ReadSetting(NamedTuple):
    """`type` is None for what is no registry value; `recommended` is None where the article leaves it open; `start` is
    the offset of the line that names it."""

    key: str
    value: str
    type: str | None
    recommended: str | None
    start: int


@dataclass(slots=True)
class _Draft:
    """A value that is being read."""

    name: str
    start: int
    told: bool
    firm: bool
    type: str | None = None
    data: str | None = None
    from_path: bool = False

    @property
    def done(self) -> bool:
        return self.data is not None or self.type is not None


class SettingReader:
    """Follows a procedure, event by event: where it is (a key, a file, the metabase), the value at hand, and what is to
    come. `found` holds what is set."""

    def __init__(self) -> None:
        self.told = self.silent = False
        self.hive = "HKEY_LOCAL_MACHINE"
        self.key = self.file = ""
        self.metabase = False
        self.draft: _Draft | None = None
        self.ahead: SettingSentence | None = None  # a value that was named before its place
        self.last = SettingSentence()  # the sentence before
        self.listing = False  # the entries of a file are told below, one by one
        self.shown = False  # a whole file is shown below, in which the entry just named stands
        self.placed = False  # the line before was a path
        self.found: list[ReadSetting] = []

    def turn(self, told: bool | None) -> None:
        """To the next section; the place that was named before still counts, if it was a key."""
        self.told, self.silent = bool(told), told is None
        self.file, self.metabase, self.listing, self.shown, self.placed = "", False, False, False, False
        self.ahead, self.last = None, SettingSentence()

    def take(self, event: Event) -> None:
        """Take the next event of the text."""
        if isinstance(event, ProseLine):
            self._sentence(event)
        elif isinstance(event, Place):
            self._place(event)
            self.placed = True
            return
        elif isinstance(event, RegistryEntry):
            self._entry(event)
        else:
            self._part(event)
        self.placed = False

    def close(self) -> None:
        """The value at hand is read to its end: kept if it is one, and somebody is told to set it."""
        d, self.draft = self.draft, None
        if d is None or self.silent or not (d.told or self.told) or not (d.firm or d.done):
            return
        key = self.key
        head, _, last = key.rpartition("\\")
        if last.lower() == d.name.lower() and head.count("\\") > 1 and d.done:
            key = head
        if key.count("\\") >= 1:
            self.found.append(ReadSetting(key, d.name, d.type, d.data, d.start))
        elif self.file or self.metabase:
            self.found.append(ReadSetting(self.file or "metabase", d.name, None, d.data, d.start))

    def _open(self, name: str, start: int, firm: bool, told: bool = False) -> _Draft:
        if self.draft and self.draft.from_path and not self.draft.done:
            # What was taken for a value at the end of a path was a key: here is the value.
            self.key, self.draft = f"{self.key}\\{self.draft.name}", None
        self.close()
        self.draft = _Draft(clean(name), start, told or self.told, firm)
        return self.draft

    def _give(self, data: str) -> None:
        """Data for the value at hand; the first counts, and what is no data (a range, a placeholder) is none."""
        data = data.strip()
        if (
            self.draft
            and data
            and clean(data) != self.draft.name
            and self.draft.data is None
            and not UNSET.match(data)
            and not re.fullmatch(TYPES, data)
        ):
            self.draft.data = datum(data) or None

    def _place(self, place: Place) -> None:
        if hive := hive_of(place.path, self.hive):
            self.hive = self.key = hive
            return
        self._go(place.path, place.start, self.last.value_follows and not self.ahead)

    def _go(self, path: str, start: int, ends_in_value: bool) -> None:
        key = normal_key(path, self.hive)
        if self.draft and (self.draft.done or self.key):
            self.close()
        head, _, last = key.rpartition("\\")
        self.file = ""
        if ends_in_value and head.count("\\") > 1 and last.lower() != "parameters":
            self.key = head
            self._open(last, start, firm=self.last.asks).from_path = True
            self._give(self.last.data_ahead)
        else:
            self.key = head if self.ahead and self.ahead.name.lower() == last.lower() else key
            if self.ahead:
                self._open(self.ahead.name, start, firm=True, told=self.ahead.asks)
                assert self.draft
                self.draft.type = self.ahead.type
                self._give(self.ahead.data)
        self.ahead = None

    def _entry(self, e: RegistryEntry) -> None:
        last, self.last = self.last, self.last._replace(awaits="" if self.last.awaits != "list" else "list")
        name = _REMARK.sub("", e.name.partition(". ")[0]).strip()
        typed = bool((e.type or e.form == "label") and re.fullmatch(r"\.?\w+", name))
        if (
            not (typed or is_name(clean(name)))
            or last.awaits == "old"
            or clean(name).startswith("REM ")
            or not (self.key or self.file or self.metabase)
        ):
            return
        if e.form == "assigned" and self.file and (self.shown or not self.listing):
            return
        if e.form == "assigned" and not (self.file or (self.key and last.awaits)):
            return
        if e.form in ("item", "alone") and last.awaits not in ("name", "list"):
            return
        d = self._open(name, e.start, firm=True, told=bool(last.awaits))
        d.type = e.type or (last.type if last.awaits == "name" else None)
        if not last.example:
            self._give(e.data)
        if e.form in ("assigned", "item"):
            self.close()

    def _part(self, p: RegFilePart) -> None:
        """A labelled part of the value at hand; some labels stand before a name as well."""
        label, rest = p.label, p.text
        if self.placed and self.draft is None and self.told and written(self.key.rpartition("\\")[2]):
            # A path followed by a type or a range was the value's whole path.
            self.key, _, name = self.key.rpartition("\\")
            self._open(name, p.start, firm=True)
        d = self.draft
        if label == "value" and self.key and (pair := _PAIR.match(rest)):
            self._open(pair[1], p.start, firm=True)
            self._give(pair[2])
        elif "type" in label:
            if d:
                d.type = type_of(rest) or d.type
        elif label == "class":
            if d and not d.done:
                self.key, self.draft = f"{self.key}\\{d.name}", None  # only keys have a class
        elif label.startswith(("key", "subkey")):
            if self.key and rest and not rest.startswith("<") and ("\\" in rest or len(rest.split()) < 4):
                self.close()
                self.key = self.key.rstrip("\\") + "\\" + clean(rest)
        elif _NO_DATA.match(label):
            return
        elif self.key and self._names(label) and is_name(name := clean(_RADIX.sub("", rest))):
            self._open(name, p.start, firm=True).type = type_of(label)
        elif d:
            self._data(d, label, _DEFAULT.sub("", rest))

    def _names(self, label: str) -> bool:
        """Does a label that may stand before a name or before data stand before a name?"""
        d = self.draft
        if label in ("entry", "parameter", "value", "setting"):
            return d is None or d.data is not None or (d.type is None and label != "value")
        return (d is None or (d.from_path and not d.done)) and label.startswith(("string", "dword", "binary", "multi"))

    def _data(self, d: _Draft, label: str, rest: str) -> None:
        if re.search(r"\bdefault\b", rest, re.I):
            return
        if d.data and label == "value" and rest[:1].isdigit():
            d.data = None  # not one value: the values that there are
            return
        if m := re.match(TYPES, rest, re.I):
            d.type = type_of(m[0])
            rest = rest[m.end() :].strip(" :-")
        self._give(rest)

    def _sentence(self, s: ProseLine) -> None:
        if not _LETTER.search(s.text):
            return
        somewhere = self.key or self.file
        if somewhere and self.last.awaits in ("name", "list") and _LINE_NAME.match(s.text) and is_name(s.text):
            self._open(s.text, s.start, firm=True, told=True).type = self.last.type
            self.last = self.last._replace(awaits="")
        elif self.placed and _ONE_WORD.match(s.text) and not written(s.text):
            self.key = f"{self.key} {s.text}"  # a path that was wrapped at a blank
        else:
            h = hear(s.text)
            self._tells(h)
            self._moves(h, s)
            self.last = h
            if not h.path_ends_in_value and (h.name or not self.file):
                self._value(h, s)

    def _tells(self, h: SettingSentence) -> None:
        """Whether somebody is told to do something, from here on."""
        if h.describes:
            self.told = False
        elif h.asks:
            self.told = True
        if h.asks and (h.file or h.awaits):
            self.listing = True
        elif h.describes or (h.example and not h.asks):
            self.listing = False
        if h.good and self.draft and self.draft.data is None:
            self.draft.data = datum(h.good)
        elif h.good and not self.draft and self.found and self.found[-1].recommended is None:
            self.found[-1] = self.found[-1]._replace(recommended=datum(h.good))

    def _moves(self, h: SettingSentence, s: ProseLine) -> None:
        """To the place that a sentence names: a path, a file, the metabase."""
        self.hive = h.hive or self.hive
        self.metabase = self.metabase or h.metabase
        if h.path and normal_key(h.path, self.hive).count("\\") >= 2:
            if h.name and not h.path_ends_in_value and h.name.lower() not in h.path.lower():
                self.ahead = h
            self._go(h.path, s.start, h.path_ends_in_value)
            if h.path_ends_in_value:
                self._give(h.data)
        elif h.file and (h.asks or not self.key):
            self.close()
            self.file, self.key = h.file, ""
        if self.file:
            self._in_file(h, s)

    def _value(self, h: SettingSentence, s: ProseLine) -> None:
        """The value that a sentence names, or says more of."""
        if not (self.key or self.file):
            if h.name and h.firm and (h.asks or self.told):
                self.ahead = h  # "Add the X value in the following key": the name comes before the place
            if not self.metabase:
                return
        d = self.draft
        head, _, last = self.key.rpartition("\\")
        if h.data and not h.name and d is None and last in ("Start", "Type", "Enabled"):
            self.key, d = head, self._open(last, s.start, firm=True)
        if h.name and d and h.name.lower() == d.name.lower():
            d.firm = d.firm or h.firm
        elif h.name and (d is None or not d.firm or d.done or h.firm):
            d = self._open(h.name, s.start, h.firm, h.asks)
        if d:
            if h.changes and h.data and not h.name:
                d.data = None
            self._give(h.data)
            d.type = d.type or h.type
        for name in h.also:
            self._open(name, s.start, h.firm, h.asks)

    def _in_file(self, h: SettingSentence, s: ProseLine) -> None:
        """Entries that the sentence itself sets: "add X=5 to the [Y] section"; switches of boot.ini."""
        pairs = switches(s.text) if self.file.lower() == "boot.ini" else assignments(s.text) if h.asks else []
        for name, data in pairs:
            self._open(name, s.start, firm=True, told=True)
            if not h.example:
                self._give(data)
            self.close()
        self.shown = bool(pairs) and h.example

    def drop_shown_files(self) -> None:
        """A file of which very many entries stand there is shown as a whole, and nobody is told to set them all."""
        counts = Counter(s.key for s in self.found if "\\" not in s.key)
        self.found = [s for s in self.found if counts[s.key] <= _MOST_ENTRIES]
