"""The values that an article tells an administrator to set: registry values, entries of .ini files, boot.ini switches.

An article is read in its own order, as an administrator follows it: a key is located, a value is named under it, its
type and data are given. What is merely described (a reference list, a default, a range) is no instruction and is left
out; an example, a default or a range never becomes the recommended value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.advisories.kb_structure import Structure, fold, sentences


class Setting(NamedTuple):
    """`type` is None for what is no registry value; `recommended` is None where the article leaves it open."""

    key: str
    value: str
    type: str | None
    recommended: str | None
    text: str
    start: int


_HIVES = {
    "KEY_LOCAL_MACHINE": "HKEY_LOCAL_MACHINE", "HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS",
    "HKEY_LOCALMACHINE": "HKEY_LOCAL_MACHINE", "HKEY_LOCAL_MACHIN": "HKEY_LOCAL_MACHINE", "HKEY_LOCAL MACHINE": "HKEY_LOCAL_MACHINE",
}  # fmt: skip
# Misprints of the archive and the names they stand for.
_MISPRINTS = (
    (re.compile(r"\\(?:CCS|Curr?e?[cn]t?ControlSet|Current ?Control ?Set|CurrentContolSet|CurrentControl|ControlSet00[x1])(?=\\|$)", re.I), r"\\CurrentControlSet"),
    (re.compile(r"\\WindowsNT(?=\\|$)", re.I), r"\\Windows NT"),
    (re.compile(r"\\Sysem(?=\\|$)", re.I), r"\\SYSTEM"),
)
_HIVE = r"(?:H?KEY_LOCAL_MACHINE|HKEY_?[A-Z]+(?:_[A-Z]+)*(?: MACHINE)?|HKLM|HKCU|HKCR|HKU)"
_ROOT = rf"(?<![\w%:])(?i:{_HIVE}(?=[\s\\/]|$)|\\?(?:SYSTEM|SOFTWARE)(?=[\\/])|\\?Curr?e[nc]tControlSet(?=\\)|\\?Services\\(?=\w+\\Parameters))"
# A path that has a line, or several, to itself.
_PATH_LINE = re.compile(rf"^[ \t>]*\\*(?:[-*o] |\d{{1,2}}\. |[a-z]\. )?(?:(?:Sub-?)?Key(?: ?Name)?|Location|Path|Hive|Subtree|Registry(?: Key| Path| Location)?)?[ \t]*[:=]?[ \t]*[\[\\]*(?P<path>{_ROOT}[^\n]*?)\]?$", re.I)
_PATH_INLINE = re.compile(rf"(?P<path>{_ROOT}(?:[\\/](?:[^\\/\n,;:\"()<>]{{1,60}}?(?=[\\/])|<[^<>\n]{{1,60}}>|[^\\/\s,;:\"()]+))+)", re.I)
_TYPES = r"REG[_ ]?(?:DWORD|SZ|EXPAND_SZ|MULTI_SZ|BINARY|D_WORD|Dword)"
_LABEL = re.compile(
    r"^[ \t]*(?:\d{1,2}[.)][ \t]+|[-*o] |[a-z][.)] )?(?P<label>(?:registry )?(?:value|entry|parameter|keyword|data|setting)? ?name|value|entry|parameter|add value|variable|(?:data|value) ?type|type|class|data(?: value)?|value(?: |-)?data|string(?: value)?|value|set(?:ting)?(?: to)?|default(?: value| setting)?|range|valid range|radix|base|units?|key(?: ?name)?|editor|dword(?: value)?|binary(?: data)?|hex|decimal|recommended(?: value| setting)?)"
    r"[ \t]*(?:\((?:in )?(?:hex(?:adecimal)?|decimal)\)[ \t]*)?[:=][ \t]*(?P<rest>[^\n]*)$",
    re.I,
)
_BARE_TYPE = re.compile(rf"^[ \t]*(?P<name>[A-Za-z][\w ./%-]{{1,50}}?)[ \t]*(?:[:=]|[ \t]|\()[ \t]*[:=]?[ \t]*(?P<type>{_TYPES})\)?[ \t]*[:=]?[ \t]*(?P<data>\S.*)?$")
_INSTRUCTION = re.compile(
    r"\b(?:add(?:ed|ing)?|change|set(?:ting)?|modify|edit|create|enter|type|increase|decrease|reduce|raise|lower|configure|insert|specify|assign|adjust|double-click|replace|use the following|value of)\b",
    re.I,
)
# What introduces a description instead of an instruction.
_DESCRIBED = re.compile(
    r"\b(?:the following (?:registry )?(?:parameters|entries|values|keys|list|table)[^.:]{0,60}(?:are|is|can be|describes?|lists?|may be|contains?) (?:available|used|found|described|valid|stored|added|created|supported|defined|optional)|for example|by default|stored (?:in|under)|is located in|determines whether|are stored|listed below are|was added to|are created|installed under)\b",
    re.I,
)
_UNSET = re.compile(r"^(?:<|\[|(?:the |your |a |an )?(?:name|number|path|list|string|account|server|value|user|domain|size|desired|appropriate|whatever|any|see|user-defined|specified|varies|depends|in (?:seconds|minutes|hours|days|bytes|milliseconds|kb)|seconds|minutes|bytes|milliseconds|number of|text|full|valid|location|xx+|x\b|n\b|nnn?)\b|\.\.\.|\?|(?:\d+|0x[\da-f]+) ?(?:-|to|through|\.\.) ?(?:\d+|0x[\da-f]+)|.*\b(?:where|whichever|depending|desired|you want|any number|or higher|or greater|between)\b)", re.I)
_DATA = r"(?P<data>\"[^\"]{1,60}\"|'[^']{1,40}'|0x[\da-f]+\b|-?\d[\d,]*(?:\.\d+)?\b(?! ?(?:or|and) later)|(?:TRUE|FALSE|YES|NO|ON|OFF|zero|one|blank)\b)"
_ITS = r"(?:the |a |an |its |this |that |registry |data |value |setting |string |entry |parameter |key |dword |reg_\w+ |decimal |hex(?:adecimal)? |be |read |of |to |equal |type |number )*"
# "change ... to 5": what stands between holds the value's name, or "it".
_CHANGE = re.compile(
    rf"\b(?P<verb>change|set|modify|edit|increase|decrease|reduce|raise|lower|adjust|reset|configure|replace)\b(?P<between>[^.;:]{{0,140}}?)(?:\b(?:to|at|as|of|with)\b|=|equals?) ?{_ITS}{_DATA}",
    re.I,
)
_ADD_SET = re.compile(
    rf"\b(?P<verb>add|create|enter|insert|use)\b(?P<between>[^.;]{{0,140}}?)(?:\b(?:set (?:it|to)|value of|data of|setting of|equal to|set its|with|and set)\b|=) ?{_ITS}{_DATA}",
    re.I,
)
_MUST_BE = re.compile(
    rf"(?P<between>[^.;:,]{{2,80}}?) (?P<verb>should|must|needs? to|has to) be (?:set|changed|increased|reduced|configured|modified|added)\b[^.;]{{0,20}}? ?(?:to|equal to|at|with|=) ?{_ITS}{_DATA}",
    re.I,
)
_TYPED = re.compile(
    rf"\b(?P<verb>change|set|type|enter|modify|replace|increase|reset)\b(?P<between>(?: (?:the|this|that|its|it|data|value|string|setting|number|entry|current|existing|in|box|with|to|be|read|equal|as|from|of|a|decimal|hex|hexadecimal|registry|for|and|then|click|dword|editor|field|new|a value of)\b| 0x[\da-f]+ to| \d+ to|:| =)*) ?{_DATA}",
    re.I,
)
# Sentences that name a value to work on, without saying to what it is set.
_NAMED = (
    re.compile(r"\b(?:add|create)\b(?P<between>[^.;]{0,100}?\b(?:value|entry|parameter|key|keyword)s?\b[^.;]{0,80})", re.I),
    re.compile(r"\b(?:click|point to|choose|select)\b[^.;]{0,60}?\b(?:type|name it|enter|call it)\b(?P<between>[^.;]{1,80})", re.I),
    re.compile(r"\b(?:locate|double-click|select|highlight|click|find|modify|edit|go to|open|change)\b(?P<between>[^.;:]{1,80}?\b(?:value|entry|parameter|item|setting|variable)\b)", re.I),
    re.compile(r"\b(?:double-click|edit|select|highlight)\b(?P<between>[^.;:,]{1,60})", re.I),
    re.compile(r"\bfollowing (?:registry )?(?:entry|value|parameter|key)s?:(?P<between>.{2,60})$", re.I),
    re.compile(r"\b(?:value|entry) for\b(?P<between>[^.;:,]{1,40})", re.I),
)
_GOOD = re.compile(rf"\b(?:good|recommended|suggested|reasonable|appropriate|best|optimal)(?: starting| initial)? (?:value|setting|number)s?(?: for \w+)? (?:is|would be|of|to use is|:) ?{_DATA}", re.I)
_ELSEWHERE = re.compile(r"\b(?:same as|stored|is located|listed|installed|created|exists?|found|appears?|written)\b[^.]{0,60}$", re.I)
_LIST = re.compile(r"\b(?:set|change|add|modify|increase|adjust|edit|tune)\b[^.]{0,40}\bfollowing\b[^.]{0,40}\b(?:parameter|value|entr|propert|setting)\w*:?$", re.I)
_FROM_TO = re.compile(rf"\b(?:from (?:an? )?\S+(?: \([^)]*\))? )?to (?:an? |be )?{_DATA}", re.I)
_PENDING = re.compile(rf"\b(?:set|change) the following (?:registry )?(?:value|entry|key)s? to {_DATA}:?$", re.I)
_BY_CHANGING = re.compile(rf"\b(?:changing|change|setting)\b[^.;]{{0,60}}?\bfrom \S+ to (?:an? )?{_DATA}|\bSetting (?:this|it)(?: \w+){{0,2}} to {_DATA.replace('data', 'other')}", re.I)
_AWAITED = re.compile(r"\b(?:add|type|enter|create|change|modify)\b[^.]{0,50}?\b(?:value|type|entry|name|parameter)s?:$", re.I)
_REG_LINE = re.compile(r"^[ \t]*\"(?P<name>[^\"]{2,60})\"[ \t]*=[ \t]*(?:dword:[ \t]*(?P<dword>[0-9a-f]{8})|\"(?P<data>[^\"]*)\")", re.I)
_VALUE_IN = re.compile(r"\b(?i:locate|find|select|click|double-click|modify|edit|set|change|open|add)\b(?: and (?:then )?click)?(?: on)?(?: the| a)?(?: new)? (?P<name>[A-Z][^.;:,\"]{2,58}?)(?: registry)? (?:value|entry)\b(?: (?:in|under|to|at|for|of) )", re.M)
_OF_TO = re.compile(rf"\bvalue of {_DATA} to (?:the )?(?P<name>[A-Z]\w{{3,40}})\b")
_ITEM = re.compile(r"^[ \t]*(?:[-*o] |\d\. )?[ \t]*(?P<name>[A-Za-z][\w ]{2,50}?)(?:[ \t]+(?:<set to |= ?)(?P<data>[^\s>(]+)[^\n]*)?$")
_WORD = re.compile(r"\"(?P<quoted>[^\"]{2,60})\"|'(?P<single>[^']{2,40})'|(?P<word>[A-Za-z][\w/]*(?:[.-]\w+)*)")
_NO_NAMES = frozenset(
    w.lower()
    for w in (
        "The This Value Values Registry Editor Edit Add Data Type Key Enter OK Windows NT Microsoft String DWORD Name Start Menu Binary Decimal Hex Parameters Server Exchange Service Control "
        "Panel Click Select New Multi Regedt32 Regedit Regedt32.exe Regedit.exe Default It That Hexadecimal Services Network Properties REG_DWORD REG_SZ REG_MULTI_SZ REG_BINARY REG_EXPAND_SZ "
        "Local HKEY HKEY_LOCAL_MACHINE You To If In Use For User Manager Domain Internet Pack Program System Software On Of And Zero One Note Computer Radix Parameter Security Save Permissions Delete Rename Modify And Then"
    ).split()
)


def settings(article: Structure) -> list[Setting]:
    """The values that an article tells an administrator to set, in order, each key and value once."""
    text = article.text
    if not article.holds("hkey", "hklm", "hkcu", "hkcr", "controlset", "system\\ccs", ".ini", "metabase"):
        return []
    found: dict[tuple[str, str], Setting] = {}
    for start, end in _instructions(article):
        for s in (*_Reader(text, start, end).read(), *_ini(text, start, end), *_metabase(text, start, end)):
            key = (s.key.lower(), s.value.lower())
            if key not in found or (found[key].recommended is None and s.recommended is not None):
                found[key] = s
    return list(found.values())


_SKIPPED = ("SYMPTOMS", "CAUSE", "REFERENCES", "REFERENCE", "STEPS TO REPRODUCE")


def _instructions(article: Structure) -> Iterator[tuple[int, int]]:
    """The sections that may tell somebody to do something."""
    main, start, end = "", -1, -1
    for s in article.sections:
        if s.level == 1:
            if start >= 0:
                yield start, end
            main, start = s.name, (-1 if s.name.startswith(_SKIPPED) else s.start)
        elif s.name.startswith(_SKIPPED):
            continue
        end = s.end
    if start >= 0:
        yield start, end


class _Reader:
    """Reads one section: keeps the last key seen, the value being named, and what is said of it."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.hive = "HKEY_LOCAL_MACHINE"
        self.key = ""
        self.name = ""
        self.type: str | None = None
        self.data: str | None = None
        self.at = start
        self.asked = self.wanted = self.from_path = False
        self.pending: str | None = None
        self.value_is_last = False
        self.listing = self.metabase = self.awaited = self.strong = False
        self.awaited_type: str | None = None
        self.found: list[Setting] = []

    def read(self) -> list[Setting]:
        if not _INSTRUCTION.search(self.text, self.start, self.end):
            return []
        lines = [(m.start(), m[0]) for m in re.finditer(r"[^\n]*", self.text[self.start : self.end]) if m[0]]
        i = 0
        buffer: list[tuple[int, str]] = []
        while i < len(lines):
            offset, line = lines[i]
            path = _PATH_LINE.match(line) if "\\" in line or "HK" in line else None
            if path and _is_path(path["path"]):
                self._sentences(buffer)
                parts = [path["path"].rstrip()]
                while i + 1 < len(lines) and _continues(parts[-1], lines[i + 1][1], line):
                    i += 1
                    parts.append(lines[i][1].strip())
                self._path(" ".join(parts), offset)
                buffer = []
            elif (":" in line or "=" in line) and (label := _LABEL.match(line)) and (self.key or buffer):
                self._sentences(buffer)
                buffer = []
                self._label(label["label"].lower(), label["rest"].strip(), offset)
            elif "REG" in line and (typed := _BARE_TYPE.match(line)) and self.key and not typed["name"].lower().startswith(("the ", "data", "value", "type")):
                self._sentences(buffer)
                buffer = []
                self._flush()
                self._begin(typed["name"], offset)
                self.type, self.strong = _type(typed["type"]), True
                self._give(typed["data"] or "")
            elif (entry := _REG_LINE.match(line)) and self.key:
                self._sentences(buffer)
                buffer = []
                self._flush()
                self._begin(entry["name"], offset)
                self.type = "REG_DWORD" if entry["dword"] else "REG_SZ"
                self._give(str(int(entry["dword"], 16)) if entry["dword"] else entry["data"])
                self.asked = True
                self._flush()
            elif self.awaited and self.key and _is_name(_clean(line)) and not line.rstrip().endswith((".", ":")) and line[:1] in " \t":
                self.awaited = False
                self._flush()
                self._begin(line, offset)
                self.type = self.awaited_type
                self.strong = True
            elif self.listing and (self.key or self.metabase) and (item := _ITEM.match(line)) and (item["data"] or _written(item["name"])):
                self._flush()
                self._begin(item["name"], offset)
                self._give(item["data"] or "")
                self.strong = True
                self._flush()
            else:
                buffer.append((offset, line))
                if not lines[i + 1 : i + 2] or self.text[self.start + offset + len(line) : self.start + offset + len(line) + 2] == "\n\n":
                    self._sentences(buffer)
                    buffer = []
            i += 1
        self._sentences(buffer)
        self._flush()
        return self.found

    def _path(self, path: str, offset: int) -> None:
        whole = re.match(rf"(?P<path>[^:=]+?)\s*[:=]\s*(?P<type>{_TYPES})(?:\s*[:=]\s*(?P<data>\S[^:]*))?$", path, re.I)
        if whole:
            self._flush()
            self.key, _, name = normal_key(whole["path"], self.hive).rpartition("\\")
            self._begin(name, self.start + offset)
            self.type, self.asked = _type(whole["type"]), True
            self._give(whole["data"] or "")
            return
        key = normal_key(path, self.hive)
        if key in _HIVES.values() or re.fullmatch(r"HKEY_[A-Z_]+", key):
            self.hive, self.key = key, key
            return
        self._flush_if_done()
        head, _, last = key.rpartition("\\")
        if self.value_is_last and head.count("\\") > 1:
            self.key = head
            self._begin(last, self.start + offset)
            self.strong = self.from_path = True
            self._give(self.pending or "")
        else:
            self.key = key
        self.value_is_last = False
        self.pending = None

    def _begin(self, name: str, offset: int) -> None:
        self.name, self.type, self.data, self.at = _clean(name), None, None, offset
        self.wanted, self.from_path = self.asked, False

    def _label(self, label: str, rest: str, offset: int) -> None:
        place = self.start + offset
        if label == "value" and (pair := re.match(r"([A-Za-z][\w ]{2,40}?) ?= ?(\S[^=]*)$", rest)) and self.key:
            kept = self.type
            self._flush()
            self._begin(pair[1], place)
            self.type, self.strong = kept, True
            self._give(pair[2])
            return
        value = re.sub(r"\s+\((?:in )?(?:hex|dec)\w*\)$", "", rest)
        if label.endswith("name") and "key" not in label or label in ("add value", "variable", "keyword"):
            if not self.from_path:
                self._flush()
            if self.from_path and self.data is None:
                self.key, self.name = f"{self.key}\\{self.name}", ""  # a key after all: the value's name comes now
            rest = re.sub(r"\s*(?:<[^>]*>|\([^)]*\))$", "", rest)
            if rest and _is_name(_clean(rest)):
                self._begin(rest, place)
                self.strong = True
        elif label in ("entry", "parameter", "value") and (not self.name or self.data is not None or (self.type is None and label != "value")) and _is_name(value):
            self._flush()
            self._begin(value, place)
            self.strong = True
        elif label in ("string value", "dword value", "dword", "binary value", "string") and not self.name and _is_name(value) and not re.match(r"-?\d", value):
            self._begin(value, place)
            self.type, self.strong = _type(label), True
        elif "type" in label or label == "class":
            self.type = _type(rest) or self.type
        elif label in ("default", "default value", "default setting", "range", "valid range", "radix", "base", "unit", "units", "editor"):
            pass
        elif label.startswith("key"):
            if self.key and rest and not rest.startswith("<"):
                self.key = self.key.rstrip("\\") + "\\" + _clean(rest)
        elif self.name:
            if m := re.match(_TYPES, rest, re.I):
                self.type = _type(m[0])
                rest = rest[m.end() :].strip(" :-")
            self._give(rest)

    def _give(self, data: str) -> None:
        data = data.strip()
        if data and self.data is None and not _UNSET.match(data):
            self.data = _datum(data) or None

    def _sentences(self, buffer: list[tuple[int, str]]) -> None:
        if not buffer:
            return
        low, high = self.start + buffer[0][0], self.start + buffer[-1][0] + len(buffer[-1][1])
        buffer.clear()
        for s in sentences(self.text, low, high):
            self._sentence(s.text, s.start)

    def _sentence(self, text: str, start: int) -> None:
        if _DESCRIBED.search(text):
            self.asked = False
        elif _INSTRUCTION.search(text):
            self.asked = True
        if m := _GOOD.search(text):
            self._good(m)
        inline = _PATH_INLINE.search(text) if "\\" in text or "HK" in text else None
        if inline and _is_path(inline["path"]) and not _ELSEWHERE.search(text[: inline.start()]):
            key = normal_key(inline["path"].rstrip("."), self.hive)
            if key.count("\\") >= 2:
                self.value_is_last = bool(re.search(r"\b(?:value|entry|parameter)\b[^.]{0,25}$", text[: inline.start()], re.I)) and not re.search(r"\bkey\b[^.]{0,25}$", text[: inline.start()], re.I)
                self._flush_if_done()
                head, _, last = key.rpartition("\\")
                if self.value_is_last and head.count("\\") > 1:
                    self.key = head
                    self._begin(last, start)
                    self.value_is_last, self.strong, self.wanted = False, True, self.asked
                    if m := _FROM_TO.search(text, inline.end()):
                        self._give(_clean(m["data"]))
                        return
                else:
                    self.key, self.value_is_last = key, False
        elif hive := re.search(rf"\b{_HIVE}\b", text):
            self.hive = _HIVES.get(hive[0].upper(), hive[0].upper())
        self.value_is_last = bool(re.search(r"\b(?:value|entry|parameter|setting)s?(?: (?:in|of|from) the (?:\w+ )?registry)?:$", text, re.I)) and not re.search(r"\bunder\b|\bto the following|in the following|\bkey\b", text, re.I)
        if m := _PENDING.search(text):
            self.pending = _clean(m["data"])
        self.awaited = bool(_AWAITED.search(text))
        if self.awaited:
            t = re.search(rf"{_TYPES}|\b(?:DWORD|string)\b", text, re.I)
            self.awaited_type = _type(t[0]) if t else None
        self.listing = bool(_LIST.search(text)) or (self.listing and not text.endswith("."))
        if re.search(r"\bmetabase\b", text, re.I):
            self.metabase = True
        if not self.key:
            return
        if m := _VALUE_IN.search(text) or _OF_TO.search(text):
            name = _clean(m["name"])
            if _is_name(name):
                if name.lower() != self.name.lower():
                    self._name(name, text, start)
                self.strong = True
                if m.re is _OF_TO:
                    self._give(_clean(m["data"]))
                    return
        for pattern in (_CHANGE, _ADD_SET, _MUST_BE):
            if (m := pattern.search(text)) and (name := _name_in(m["between"])):
                if name.lower() != self.name.lower():
                    self._name(name, text, start)
                self._give(_clean(m["data"]))
                return
        for n, pattern in enumerate(_NAMED):
            if (m := pattern.search(text)) and (name := _name_in(m["between"])):
                if name.lower() != self.name.lower() and not self.strong:
                    self._name(name, text, start)
                    self.strong = n < 2 or n == 4 or (n == 2 and _written(name) and bool(re.search(r"\b(?:value|entry)\b", m["between"], re.I)))
                break
        if self.name and self.data is None and (m := _TYPED.search(text) or _BY_CHANGING.search(text)):
            self._give(_clean(m["data"] or m.groupdict().get("other") or ""))
        if self.name and self.type is None and (t := re.search(_TYPES, text)):
            self.type = _type(t[0])

    def _good(self, m: re.Match[str]) -> None:
        """"A good starting value would be 5": of the value at hand, or of the one just read."""
        data = _datum(_clean(m["data"]))
        if self.name and self.data is None:
            self.data = data
        elif not self.name and self.found and self.found[-1].recommended is None:
            self.found[-1] = self.found[-1]._replace(recommended=data)

    def _name(self, name: str, text: str, start: int) -> None:
        self._flush()
        self._begin(name, start)
        t = re.search(_TYPES, text, re.I)
        self.type = _type(t[0]) if t else None

    def _flush_if_done(self) -> None:
        if self.name and (self.data is not None or self.type):
            self._flush()

    def _flush(self) -> None:
        head, _, last = self.key.rpartition("\\")
        if self.name and last.lower() == self.name.lower() and head.count("\\") > 1 and (self.data is not None or self.type):
            self.key = head
        if self.name and self.data is None and self.type is None and not self.strong:
            self.name = ""
        if self.name and (self.asked or self.wanted) and self.key.count("\\") >= 1:
            self.found.append(Setting(self.key, self.name, self.type, self.data, "", self.at))
        elif self.name and self.metabase and not self.key and (self.asked or self.wanted):
            self.found.append(Setting("metabase", self.name, None, self.data, "", self.at))
        self.name, self.type, self.data, self.strong, self.from_path = "", None, None, False, False


def _written(word: str) -> bool:
    """Is a word written as names of values are, and English words are not?"""
    return bool(re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]|_|[a-z]\d|^[A-Z]{4,}$", word))


def _name_in(text: str) -> str:
    """The name of a value among words: quoted, or written as no English word is, or in capital letters."""
    found: list[tuple[str, int, int]] = []
    for m in _WORD.finditer(text):
        quoted = m["quoted"] or m["single"]
        if quoted and _is_name(_clean(quoted)):
            return _clean(quoted)
        if m["word"]:
            found.append((m["word"], m.start(), m.end()))
    for word, _, _ in found:
        if _is_name(word) and _written(word):
            return word
    run: list[str] = []
    last = -1
    for word, start, end in found:
        if word[0].isupper() and (word.lower() not in _NO_NAMES or run):
            if run and start != last + 1:
                break
            run.append(word)
            last = end
        elif run:
            break
    while run and run[-1].lower() in _NO_NAMES:
        run.pop()
    name = " ".join(run)
    return name if _is_name(name) else ""


def _is_path(path: str) -> bool:
    return bool(re.match(_ROOT, path, re.I)) and not re.search(r"\.(?:exe|dll|sys|ini|inf|hlp|txt)\b", path, re.I) and not re.match(r"(?:system|software)\b(?![\\/])", path, re.I)


def _continues(last: str, line: str, first: str) -> bool:
    """Does the next line go on with a path that was wrapped?"""
    stripped = line.strip()
    if not stripped or _LABEL.match(line) or stripped.upper().startswith(("NOTE", "IMPORTANT", "WARNING")):
        return False
    if stripped.startswith("\\") or (stripped.startswith("/") and "/" in last):
        return True
    if last.rstrip().endswith("\\") and not re.match(r"\d+\.", stripped):
        return True
    return len(first) > 58 and "\\" in stripped and not re.match(rf"(?:{_HIVE}|[a-z\d]+[.)] |[-*] )|.*[.:;]$", stripped, re.I)


def normal_key(path: str, hive: str = "HKEY_LOCAL_MACHINE") -> str:
    r"""A key as its path is meant: whole hive name, one backslash between, the archive's misprints mended."""
    path = fold(path).rstrip(" .,:;\"")
    if re.match(rf"{_HIVE}/", path, re.I):
        path = path.replace("/", "\\")
    path = re.sub(r" *\\+ *", r"\\", path).strip("\\")
    path = re.sub(r"^HKEY_LOCAL MACHINE", "HKEY_LOCAL_MACHINE", path)
    path = re.sub(r"^(HKEY_\w+)(?: (?:subtree|hive))?:?\\", r"\1\\", path, flags=re.I)
    head, _, rest = path.partition("\\")
    top = _HIVES.get(head.upper(), head.upper() if head.upper().startswith("HKEY_") else "")
    if not top:
        rest = path if not re.match(r"Curr?e[nc]tControlSet", path, re.I) else f"SYSTEM\\{path}"
        rest = f"SYSTEM\\CurrentControlSet\\{rest}" if rest.lower().startswith("services\\") else rest
        top = hive
    key = f"{top}\\{rest}".rstrip("\\")
    for wrong, right in _MISPRINTS:
        key = wrong.sub(right, key)
    return key


def _type(text: str) -> str | None:
    m = re.search(_TYPES, text, re.I)
    if m:
        return m[0].upper().replace("REG DWORD", "REG_DWORD").replace("D_WORD", "DWORD").replace("REGDWORD", "REG_DWORD").replace("REG SZ", "REG_SZ")
    plain = text.strip().lower()
    return {"dword": "REG_DWORD", "string": "REG_SZ", "multi string": "REG_MULTI_SZ", "binary": "REG_BINARY", "dword value": "REG_DWORD", "string value": "REG_SZ"}.get(plain)


def _clean(text: str) -> str:
    return fold(text).strip(" .,:;\"'").removesuffix(" value").strip()


def _datum(text: str) -> str:
    """The value itself, without remarks behind it."""
    text = fold(text)
    if re.match(r"\w+(?: ?,| or) (?:or )?\w+(?:,? or \w+)?$", text) and not re.match(r"\d{1,3},\d{3}$", text):
        return ""
    if m := re.match(r"(0x[\da-f]+|\d+)(?: ?==?| \(|\.? [A-Z]| [a-z]+ (?!or\b))(?!.*\b(?:through|or)\b)", text, re.I):
        return m[1]
    if m := re.match(r"\"([^\"]*)\"", text):
        return m[1]
    if "|" in text or re.search(r"\b(?:registry value|if this|the correct|number of|should be|Add the|STOP|NET)\b", text):
        return ""
    text = re.sub(r"\s*(?:\((?!0x).*|<-.*|- .*|,? (?:where|which|for|to (?:enable|disable|turn)|without|if|and click|and then|in|seconds|minutes)\b.*)$", "", text, flags=re.I)
    return text.strip(" .;,\"")


def _is_name(name: str) -> bool:
    """Can this be the name of a value? Names have no markup, are short, and are not one of the words of the procedure."""
    words = name.split()
    return (
        1 < len(name) <= 60
        and len(words) <= 7
        and not _NO_NAME.search(name)
        and not all(w.lower().strip(":,") in _NO_NAMES for w in words)
        and not re.match(_TYPES, name, re.I)
    )


_NO_NAME = re.compile(r"[<>|=\\]|^[\d.]|^0x|\b(?:the|and make|if|you|should|this|that|is|are|add the|to the|click|menu|dialog|button|value data|data type|const|existing|zero|one)\b", re.I)


_INI = re.compile(r"\b(?P<file>[\w$]{2,8}\.ini)\b", re.I)
_INI_ADD = re.compile(r"\b(?:add|change|set|modify|edit|include|insert|place|remark|replace|increase|specify|make sure|verify)\b", re.I)
_INI_LINE = re.compile(r"^[ \t]*\"?(?P<name>[A-Za-z][\w ./()-]{1,40}?) ?= ?(?P<data>[^\n=]{0,80})$", re.M)
_INI_PROSE = re.compile(r"\b(?:add|include|set|change|use|place|specify)\b[^.;]{0,50}?[\"' ](?P<name>[A-Za-z][\w]{2,30}) ?= ?(?P<data>[\w<>.:\\/*-]{1,40})", re.I)
_SWITCH = re.compile(r"\b(?:add|use|using|include|append|specify|adding|set|place)\b[^.;]{0,50}?[\"' ](?P<name>/[A-Za-z0-9]{2,20})(?:=(?P<data>[\w]+))?", re.I)


_ADSUTIL = re.compile(r"\badsutil(?:\.vbs)?[ \t]+set[ \t]+(?P<path>[\w/<> .-]*?/)?(?P<name>[A-Za-z]\w+)[ \t]+(?P<data>[^\n(]+)", re.I)


def _metabase(text: str, start: int, end: int) -> Iterator[Setting]:
    """Properties that a section tells to set by adsutil."""
    for m in _ADSUTIL.finditer(text, start, end):
        data = m["data"].strip().strip("\"'")
        yield Setting("metabase", m["name"], None, None if _UNSET.match(data) or "<" in data else data, fold(m[0]), m.start())


def _ini(text: str, start: int, end: int) -> Iterator[Setting]:
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
            data = None if _UNSET.match(m["data"]) else m["data"].strip(".\"'")
            yield Setting(last, m["name"], None, data, s.text, s.start)
        elif file and s.text.endswith(":"):
            below = text.find("\n", s.start + len(s.text) - 1)
            for m in _INI_LINE.finditer(text, s.start, min(end, s.start + 600)):
                if text.count("\n\n", s.start, m.start()) > 2:
                    break
                data = m["data"].strip()
                yield Setting(last, m["name"].strip(), None, None if not data or _UNSET.match(data) else _datum(data), s.text, m.start())
            _ = below
