"""What an article calls a value, its type and its data, made plain: the words that can be names, and those that cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.advisories.sources.kb.structure import fold

TYPES = r"REG[_ ]?(?:DWORD|SZ|EXPAND_SZ|MULTI_SZ|BINARY|D_WORD|Dword)"
UNSET = re.compile(
    r"^(?:<|\[|(?:the |your |a |an )?(?:name|number|path|list|string|account|server|value|user|domain|size|desired|appropriate|whatever|any|see|user-defined|specified|varies|depends|in (?:seconds|minutes|hours|days|bytes|milliseconds|kb)|seconds|minutes|bytes|milliseconds|number of|text|full|valid|location|xx+|x\b|n\b|nnn?)\b|\.\.\.|\?|(?:\d+|0x[\da-f]+) ?(?:-|to|through|\.\.) ?(?:\d+|0x[\da-f]+)|.*\b(?:where|whichever|depending|desired|you want|any number|or higher|or greater|between)\b)",
    re.I,
)
_WORD = re.compile(r"\"(?P<quoted>[^\"]{2,60})\"|'(?P<single>[^']{2,40})'|(?P<word>(?<![\w{-])[A-Za-z][\w/]*(?:[.-]\w+)*)")


_NO_NAMES = frozenset(
    w.lower()
    for w in [
        "The",
        "This",
        "Value",
        "Values",
        "Registry",
        "Editor",
        "Edit",
        "Add",
        "Data",
        "Type",
        "Key",
        "Enter",
        "OK",
        "Windows",
        "NT",
        "Microsoft",
        "String",
        "DWORD",
        "Name",
        "Start",
        "Menu",
        "Binary",
        "Decimal",
        "Hex",
        "Parameters",
        "Server",
        "Exchange",
        "Service",
        "Control",
        "Panel",
        "Click",
        "Select",
        "New",
        "Multi",
        "Regedt32",
        "Regedit",
        "Regedt32.exe",
        "Regedit.exe",
        "Default",
        "It",
        "That",
        "Hexadecimal",
        "Services",
        "Network",
        "Properties",
        "REG_DWORD",
        "REG_SZ",
        "REG_MULTI_SZ",
        "REG_BINARY",
        "REG_EXPAND_SZ",
        "Local",
        "HKEY",
        "HKEY_LOCAL_MACHINE",
        "You",
        "To",
        "If",
        "In",
        "Use",
        "For",
        "User",
        "Manager",
        "Domain",
        "Internet",
        "Pack",
        "Program",
        "System",
        "Software",
        "On",
        "Of",
        "And",
        "Zero",
        "One",
        "Note",
        "Computer",
        "Radix",
        "Parameter",
        "Security",
        "Save",
        "Permissions",
        "Delete",
        "Rename",
        "Modify",
        "And",
        "Then",
        "Set",
        "Apply",
        "Access",
        "Next",
        "Finish",
        "Browse",
        "IP",
        "AddValue",
        "CurrentVersion",
        "CurrentControlSet",
        "Replication",
        "Yes",
        "No",
        "True",
        "False",
    ]
)


def written(word: str) -> bool:
    """Is a word written as names of values are, and English words are not?"""
    return bool(re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]|_|[a-z]\d", word)) and not re.fullmatch(r"[A-Z]+s", word)


_CALLED = r"(?:registry |string |dword |binary |new |multi-?string |(?:\(?REG_\w+\)? )?)*(?:values?|entry|entries|parameters?|variables?|keywords?|settings?|property)\b"
_CALLED_BEHIND = re.compile(rf"[\"']?,? {_CALLED}", re.I)
_CALLED_BEFORE = re.compile(rf"{_CALLED} (?:(?:called|named|of|for|name|is)[ ,]*)?(?:the )?[\"']?$", re.I)


def value_named(text: str, name: str) -> bool:
    """Do the words say that this is a value, an entry or a parameter?"""
    lower, wanted = text.lower(), name.lower()
    at = lower.find(wanted)
    while at >= 0:
        if _CALLED_BEHIND.match(text, at + len(name)) or _CALLED_BEFORE.search(text[max(0, at - 60) : at]):
            return True
        at = lower.find(wanted, at + 1)
    return False


# Names that are words of every procedure as well.
_COMMON = re.compile(
    r"\bthe \"?(Start|Type|Name|Default|System|Domain|User|Shell|Parameter|Enabled|timeout|Hidden|File)\"? (?:(?:REG_\w+|string|dword) )?(?:value|entry|string)\b|\b(?:value|entry) (?:named )?\"?(Start|Type|Enabled)\b"
)


def name_in(text: str, called: bool = False) -> str:
    """The name of a value among words: quoted, or written as no English word is, or in capitals and called a value;
    `called`: the sentence calls it so, whatever it is."""
    if m := _COMMON.search(text):
        return m[1] or m[2]
    if "\\" in text:
        text = re.sub(r"\S*\\\S*", " ", text)
    found: list[tuple[str, int, int]] = []
    for m in _WORD.finditer(text):
        quoted = m["quoted"] or m["single"]
        if quoted and is_name(clean(quoted)) and not re.fullmatch(r"[\d.,]+|yes|no|true|false", clean(quoted), re.I):
            return clean(quoted)
        if m["word"]:
            found.append((m["word"], m.start(), m.end()))
    for word, _, _ in found:
        if is_name(word) and written(word):
            return word
    for name in _runs(found):
        if is_name(name) and (called or value_named(text, name)):
            return name
    return ""


def _runs(words: list[tuple[str, int, int]]) -> Iterator[str]:
    """The runs of capitalized words; the words of the procedure are no part of one, unless within it."""
    run: list[str] = []
    last = -1
    for n, (word, start, end) in enumerate([*words, ("", -1, -1)]):
        capital = word[:1].isupper()
        if run and (not capital or start != last + 1):
            while run and run[-1].lower() in _NO_NAMES:
                run.pop()
            if run:
                yield " ".join(run)
            run = []
        default = word == "Default" and n + 1 < len(words) and words[n + 1][0][0].isupper()
        if capital and (run or default or word.lower() not in _NO_NAMES):
            run.append(word)
            last = end


def type_of(text: str) -> str | None:
    """The registry type that a text names (REG_DWORD …); None where it names none."""
    m = re.search(TYPES, text, re.I)
    if m:
        return (
            m[0]
            .upper()
            .replace("REG DWORD", "REG_DWORD")
            .replace("D_WORD", "DWORD")
            .replace("REGDWORD", "REG_DWORD")
            .replace("REG SZ", "REG_SZ")
        )
    plain = text.strip().lower()
    return {
        "dword": "REG_DWORD",
        "string": "REG_SZ",
        "multi string": "REG_MULTI_SZ",
        "binary": "REG_BINARY",
        "dword value": "REG_DWORD",
        "string value": "REG_SZ",
    }.get(plain)


def clean(text: str) -> str:
    """A name without quotes and punctuation around it."""
    return fold(text).strip(" .,:;\"'").removesuffix(" value").strip()


def datum(text: str) -> str:
    """The value itself, without remarks behind it."""
    text = fold(text)
    if text.lower() in ("zero", "one"):
        return str(int(text.lower() == "one"))
    if re.match(r"(?:0x)?0\b ?(?:=|is|-|:|to|\w+s?\b).*\b(?:0x)?1\b", text):
        return ""
    if re.match(r"\w+(?: ?,| or) (?:or )?\w+(?:,? or \w+)?$", text) and not re.match(r"\d{1,3},\d{3}$", text):
        return ""
    if m := re.match(r"(0x[\da-f]+|\d+)(?: ?==?| \(|\.? [A-Z]| [a-z]+ (?!or\b))(?!.*\b(?:through|or)\b)", text, re.I):
        return m[1]
    if m := re.match(r"\"([^\"]*)\"", text):
        return m[1]
    if "|" in text or re.search(r"\b(?:registry value|if this|the correct|number of|should be|Add the|STOP|NET)\b", text):
        return ""
    text = re.sub(
        r"\s*(?:\((?!0x).*|<-.*|- .*|,? (?:where|which|for|to (?:enable|disable|turn)|without|if|and click|and then|in|seconds|minutes)\b.*)$",
        "",
        text,
        flags=re.I,
    )
    return text.strip(' .;,"')


def is_name(name: str) -> bool:
    """Can this be the name of a value? Names have no markup, are short, and are not one of the words of the procedure."""
    words = name.split()
    return (
        1 < len(name) <= 60
        and len(words) <= 7
        and not _NO_NAME.search(name)
        and not _UNFINISHED.search(name)
        and not all(w.lower().strip(":,") in _NO_NAMES for w in words)
        and not re.match(TYPES, name, re.I)
    )


def likely(name: str) -> bool:
    """Is a name that the forms gave no remnant of a sentence?"""
    return not _REMNANT.search(name)


_REMNANT = re.compile(
    r"^[a-z]+ |^[a-z]\. |^click$|-$|\(|^Default\b(?=.*\d|$)|\b(?:Data|Entry) type\b|^Valid settings|:$| (?:DWORD|from|REG_\w+)\b"
)
_UNFINISHED = re.compile(r" (?:of|for|in|to|on|at|with|and|or)$")  # cut out of a sentence
_NO_NAME = re.compile(
    r"[<>|=\\]|^[\d.]|^0x|\b(?:the|and make|if|you|should|this|that|is|are|add the|to the|click|menu|dialog|button|value data|data type|const|existing)\b|^(?:zero|one|parameters?|[\da-f]{8}-.*)$",
    re.I,
)
