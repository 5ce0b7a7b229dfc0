"""The values that an article tells an administrator to set: registry values, entries of .ini files, boot.ini switches.

An article is read in its own order, as an administrator follows it: a key is located, a value is named under it, its
type and data are given. What is merely described (a reference list, a default, a range) is no instruction and is left
out; an example, a default or a range never becomes the recommended value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.advisories.kb_ini import Setting, ini_entries, metabase_properties
from auditor.advisories.kb_registry_path import HIVE, HIVES, PATH_INLINE, PATH_LINE, continues, is_path, normal_key
from auditor.advisories.kb_setting_grammar import (
    ADD_SET,
    AWAITED,
    BARE_TYPE,
    BY_CHANGING,
    CHANGE,
    DESCRIBED,
    ELSEWHERE,
    FROM_TO,
    GOOD,
    INSTRUCTION,
    ITEM,
    LABEL,
    LIST,
    MUST_BE,
    NAMED,
    OF_TO,
    PENDING,
    REFERENCE,
    REG_LINE,
    TYPED,
    UNSET,
    VALUE_IN,
)
from auditor.advisories.kb_setting_names import TYPES, clean, datum, is_name, likely, name_in, type_of, written
from auditor.advisories.kb_structure import Structure, sentences

# Words of which every section that tells to set something readable holds one.
_PLACES = ("hkey", "hklm", "hkcu", "hkcr", "controlset", "system\\", "software\\", ".ini", "metabase", "adsutil")


def settings(article: Structure) -> list[Setting]:
    """The values that an article tells an administrator to set, in order, each key and value once."""
    text = article.text
    if REFERENCE.search(article.title) or not article.holds(*_PLACES):
        return []
    found: dict[tuple[str, str], Setting] = {}
    for start, end in _instructions(article):
        if not any(w in article.lower[start:end] for w in _PLACES):
            continue
        for s in (*_Reader(text, start, end).read(), *ini_entries(text, start, end), *metabase_properties(text, start, end)):
            if not likely(s.value) or (s.type is None and s.recommended is None and f"\\{s.value.lower()}\n" in article.lower):
                continue
            key = (s.key.lower(), s.value.lower())
            if key not in found or (found[key].recommended is None and s.recommended is not None):
                found[key] = s
    return list(found.values())


_SKIPPED = ("SYMPTOMS", "CAUSE", "REFERENCES", "REFERENCE", "STEPS TO REPRODUCE")


def _instructions(article: Structure) -> Iterator[tuple[int, int]]:
    """The sections that may tell somebody to do something."""
    start = end = -1
    for s in article.sections:
        if s.level == 1:
            if start >= 0:
                yield start, end
            start = -1 if s.name.startswith(_SKIPPED) else s.start
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
        self.ahead = ("", "")
        self.found: list[Setting] = []

    def read(self) -> list[Setting]:
        if not INSTRUCTION.search(self.text, self.start, self.end):
            return []
        lines = [(m.start(), m[0]) for m in re.finditer(r"[^\n]*", self.text[self.start : self.end]) if m[0]]
        i = 0
        buffer: list[tuple[int, str]] = []
        while i < len(lines):
            offset, line = lines[i]
            path = PATH_LINE.match(line) if "\\" in line or "HK" in line else None
            if path and is_path(path["path"]) and not (buffer and path.start("path") == 0):
                self._sentences(buffer)
                parts = [path["path"].rstrip()]
                while i + 1 < len(lines) and continues(parts[-1], lines[i + 1][1], line):
                    i += 1
                    parts.append(lines[i][1].strip())
                self._path(" ".join(parts), offset)
                buffer = []
            elif (":" in line or "=" in line) and (label := LABEL.match(line)) and (self.key or buffer):
                self._sentences(buffer)
                buffer = []
                self._label(label["label"].lower(), label["rest"].strip(), offset)
            elif (
                "REG" in line
                and (typed := BARE_TYPE.match(line))
                and self.key
                and not typed["name"].lower().startswith(("the ", "data", "value", "type"))
            ):
                self._sentences(buffer)
                buffer = []
                self._next()
                self._begin(typed["name"], self.start + offset)
                self.type, self.strong = type_of(typed["type"]), True
                self._give(typed["data"] or "")
            elif (entry := REG_LINE.match(line)) and self.key:
                self._sentences(buffer)
                buffer = []
                self._next()
                self._begin(entry["name"], self.start + offset)
                self.type = "REG_DWORD" if entry["dword"] else "REG_SZ"
                self._give(str(int(entry["dword"], 16)) if entry["dword"] else entry["data"])
                self.asked = True
                self._flush()
            elif self.key and _heads(line, lines[i + 1 : i + 2]):
                self._sentences(buffer)
                buffer = []
                self._next()
                self._begin(line, self.start + offset)
                self.strong = True
            elif (
                self.awaited
                and self.key
                and is_name(clean(line))
                and not line.rstrip().endswith((".", ":"))
                and line[:1] in " \t"
            ):
                self.awaited = False
                self._next()
                self._begin(line, self.start + offset)
                self.type = self.awaited_type
                self.strong = True
            elif (
                self.listing
                and (self.key or self.metabase)
                and (item := ITEM.match(line))
                and (item["data"] or written(item["name"]))
            ):
                self._next()
                self._begin(item["name"], self.start + offset)
                self._give(item["data"] or "")
                self.strong = True
                self._flush()
            else:
                buffer.append((offset, line))
                if (
                    not lines[i + 1 : i + 2]
                    or self.text[self.start + offset + len(line) : self.start + offset + len(line) + 2] == "\n\n"
                ):
                    self._sentences(buffer)
                    buffer = []
            i += 1
        self._sentences(buffer)
        self._flush()
        return self.found

    def _path(self, path: str, offset: int) -> None:
        whole = re.match(rf"(?P<path>[^:=]+?)\s*[:=]\s*(?P<type>{TYPES})(?:\s*[:=]\s*(?P<data>\S[^:]*))?$", path, re.I)
        if whole:
            self._flush()
            self.key, _, name = normal_key(whole["path"], self.hive).rpartition("\\")
            self._begin(name, self.start + offset)
            self.type, self.asked = type_of(whole["type"]), True
            self._give(whole["data"] or "")
            return
        key = normal_key(path, self.hive)
        if key in HIVES.values() or re.fullmatch(r"HKEY_[A-Z_]+", key):
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
            if self.ahead[0]:
                self._name(self.ahead[0], self.ahead[1], self.start + offset)
                self.wanted = self.strong = True
        self.ahead = ("", "")
        self.value_is_last = False
        self.pending = None

    def _begin(self, name: str, offset: int) -> None:
        self.name, self.type, self.data, self.at = clean(name), None, None, offset
        self.wanted, self.from_path = self.asked, False

    def _label(self, label: str, rest: str, offset: int) -> None:
        place = self.start + offset
        if label == "value" and (pair := re.match(r"([A-Za-z][\w ]{2,40}?) ?= ?(\S[^=]*)$", rest)) and self.key:
            kept = self.type
            self._next()
            self._begin(pair[1], place)
            self.type, self.strong = kept, True
            self._give(pair[2])
            return
        value = re.sub(r"\s+\((?:in )?(?:hex|dec)\w*\)$", "", rest)
        if (label.endswith("name") and "key" not in label) or label in ("add value", "variable", "keyword"):
            self._next()
            rest = re.sub(r"\s*(?:<[^>]*>|\([^)]*\))$", "", rest)
            if rest and is_name(clean(rest)):
                self._begin(rest, place)
                self.strong = True
        elif (
            label in ("entry", "parameter", "value")
            and (not self.name or self.data is not None or (self.type is None and label != "value"))
            and is_name(value)
        ):
            self._next()
            self._begin(value, place)
            self.strong = True
        elif (
            label in ("string value", "dword value", "dword", "binary value", "string")
            and not self.name
            and is_name(value)
            and not re.match(r"-?\d", value)
        ):
            self._begin(value, place)
            self.type, self.strong = type_of(label), True
        elif "type" in label or label == "class":
            self.type = type_of(rest) or self.type
        elif label in (
            "default",
            "default value",
            "default setting",
            "range",
            "valid range",
            "radix",
            "base",
            "unit",
            "units",
            "editor",
        ):
            pass
        elif label.startswith("key"):
            if self.key and rest and not rest.startswith("<"):
                self.key = self.key.rstrip("\\") + "\\" + clean(rest)
        elif self.name:
            if m := re.match(TYPES, rest, re.I):
                self.type = type_of(m[0])
                rest = rest[m.end() :].strip(" :-")
            self._give(rest)

    def _give(self, data: str) -> None:
        data = data.strip()
        if data and self.data is None and not UNSET.match(data):
            self.data = datum(data) or None

    def _sentences(self, buffer: list[tuple[int, str]]) -> None:
        if not buffer:
            return
        low, high = self.start + buffer[0][0], self.start + buffer[-1][0] + len(buffer[-1][1])
        buffer.clear()
        for s in sentences(self.text, low, high):
            self._sentence(s.text, s.start)

    def _sentence(self, text: str, start: int) -> None:
        if DESCRIBED.search(text):
            self.asked = False
        elif INSTRUCTION.search(text):
            self.asked = True
        if m := GOOD.search(text):
            self._good(m)
        inline = PATH_INLINE.search(text) if "\\" in text or "HK" in text else None
        if inline and is_path(inline["path"]) and not ELSEWHERE.search(text[: inline.start()]):
            key = normal_key(inline["path"].rstrip("."), self.hive)
            if key.count("\\") >= 2:
                self.value_is_last = bool(
                    re.search(r"\b(?:value|entry|parameter)\b[^.]{0,25}$", text[: inline.start()], re.I)
                ) and not re.search(r"\bkey\b[^.]{0,25}$", text[: inline.start()], re.I)
                self._flush_if_done()
                head, _, last = key.rpartition("\\")
                if self.value_is_last and head.count("\\") > 1:
                    self.key = head
                    self._begin(last, start)
                    self.value_is_last, self.strong, self.wanted = False, True, self.asked
                    if m := FROM_TO.search(text, inline.end()):
                        self._give(clean(m["data"]))
                        return
                else:
                    self.key, self.value_is_last = key, False
        elif hive := re.search(rf"\b{HIVE}\b", text):
            self.hive = HIVES.get(hive[0].upper(), hive[0].upper())
        self.value_is_last = bool(
            re.search(r"\b(?:value|entry|parameter|setting)s?(?: (?:in|of|from) the (?:\w+ )?registry)?:$", text, re.I)
        ) and not re.search(r"\bunder\b|\bto the following|in the following|\bkey\b", text, re.I)
        if m := PENDING.search(text):
            self.pending = clean(m["data"])
        self.awaited = bool(AWAITED.search(text))
        if self.awaited:
            t = re.search(rf"{TYPES}|\b(?:DWORD|string)\b", text, re.I)
            self.awaited_type = type_of(t[0]) if t else None
        self.listing = bool(LIST.search(text)) or (self.listing and not text.endswith("."))
        if re.search(r"\bmetabase\b", text, re.I):
            self.metabase = True
        if m := VALUE_IN.search(text) or OF_TO.search(text):
            name = clean(m["name"])
            if is_name(name):
                if name.lower() != self.name.lower():
                    self._name(name, text, start)
                self.strong = True
                if m.re is OF_TO:
                    self._give(clean(m["data"]))
                    return
        if not self.key:
            # "Add the X value in the following key": the name comes before the place.
            self.ahead = self._ahead(text)
            return
        for pattern in (CHANGE, ADD_SET, MUST_BE):
            if (m := pattern.search(text)) and (name := name_in(m["between"])):
                if name.lower() != self.name.lower():
                    self._name(name, text, start)
                self._give(clean(m["data"]))
                return
        last = self.key.rpartition("\\")[2]
        for n, pattern in enumerate(NAMED):
            if (m := pattern.search(text)) and (name := name_in(m["between"]) or _last(last, m["between"])):
                if name.lower() != self.name.lower() and not self.strong:
                    self._name(name, text, start)
                    self.strong = (
                        n < 2
                        or n == 4
                        or (n == 2 and written(name) and bool(re.search(r"\b(?:value|entry)\b", m["between"], re.I)))
                    )
                break
        if self.name and self.data is None and (m := TYPED.search(text) or BY_CHANGING.search(text)):
            self._give(clean(m["data"] or m.groupdict().get("other") or ""))
        if self.name and self.type is None and (t := re.search(TYPES, text)):
            self.type = type_of(t[0])

    def _ahead(self, text: str) -> tuple[str, str]:
        """The value that a sentence names before any key is, if the key is to follow; with the sentence."""
        if re.search(r"\bfollowing\b[^.]{0,40}\b(?:key|subkey|location)s?\b|:$", text):
            for pattern in NAMED[:1]:
                if (m := pattern.search(text)) and (name := name_in(m["between"])) and written(name):
                    return name, text
        return "", ""

    def _good(self, m: re.Match[str]) -> None:
        """ "A good starting value would be 5": of the value at hand, or of the one just read."""
        data = datum(clean(m["data"]))
        if self.name and self.data is None:
            self.data = data
        elif not self.name and self.found and self.found[-1].recommended is None:
            self.found[-1] = self.found[-1]._replace(recommended=data)

    def _name(self, name: str, text: str, start: int) -> None:
        self._next()
        self._begin(name, start)
        t = re.search(TYPES, text, re.I)
        self.type = type_of(t[0]) if t else None

    def _next(self) -> None:
        """Another value is named: the one before is done, or was a key after all."""
        if self.from_path and self.name and self.data is None and self.type is None:
            self.key, self.name = f"{self.key}\\{self.name}", ""
        self._flush()

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


def _heads(line: str, after: list[tuple[int, str]]) -> bool:
    """A name that stands alone above the line with its type."""
    if not after or not (label := LABEL.match(after[0][1])) or "type" not in label["label"].lower():
        return False
    return line[:1] in " \t" and written(line.strip()) and is_name(line.strip()) and " " not in line.strip()


def _last(last: str, words: str) -> str:
    """The end of the path at hand, where the words call it a value: Start is a name there, and no verb."""
    return last if re.search(rf"\bvalue {re.escape(last)}$|\b{re.escape(last)} value\b", words.strip()) else ""
