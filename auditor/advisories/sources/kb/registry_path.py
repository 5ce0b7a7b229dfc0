"""Registry paths as articles write them: wrapped over lines, with misprints, with and without their hive."""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import fold

HIVES = {
    "KEY_LOCAL_MACHINE": "HKEY_LOCAL_MACHINE", "HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS",
    "HKEY_LOCALMACHINE": "HKEY_LOCAL_MACHINE", "HKEY_LOCAL_MACHIN": "HKEY_LOCAL_MACHINE", "HKEY_LOCAL MACHINE": "HKEY_LOCAL_MACHINE",
}  # fmt: skip
# Misprints of the archive and the names they stand for.
_MISPRINTS = (
    (
        re.compile(
            r"\\(?:CCS|Curr?e?[cn]t?ControlSet|Current ?Control ?Set|CurrentContolSet|CurrentControl|ControlSet00[x1])(?=\\|$)",
            re.I,
        ),
        r"\\CurrentControlSet",
    ),
    (re.compile(r"\\WindowsNT(?=\\|$)", re.I), r"\\Windows NT"),
    (re.compile(r"\\Sysem(?=\\|$)", re.I), r"\\SYSTEM"),
)
HIVE = r"(?:H?KEY_LOCAL_MACHINE|HKEY_?[A-Z]+(?:_[A-Z]+)*(?: MACHINE)?|HKLM|HKCU|HKCR|HKU)"
ROOT = rf"(?<![\w%:])(?i:{HIVE}(?=[\s\\/]|$)|[\\/]?(?:SYSTEM|SOFTWARE)(?=[\\/])|\\?Curr?e[nc]tControlSet(?=\\)|\\?Services\\(?=\w+\\Parameters))"
# A path that has a line, or several, to itself.
PATH_LINE = re.compile(
    rf"^[ \t>]*\\*(?:[-*o] |\d{{1,2}}\. |[a-z]\. )?(?:(?:Sub-?)?Key(?: ?Name)?|Location|Path|Hive|Subtree|Registry(?: Key| Path| Location)?)?[ \t]*[:=]?[ \t]*[\[\\]*(?P<path>{ROOT}[^\n]*?)\]?$",
    re.I,
)
PATH_INLINE = re.compile(
    rf"(?P<path>{ROOT}(?:[\\/](?:[^\\/\n,;:\"()<>]{{1,60}}?(?=[\\/])|<[^<>\n]{{1,60}}>|[^\\/\s,;:\"()]+))+)", re.I
)


# The labels of what follows a path in a procedure; they are no part of it.
_LABELLED = re.compile(
    r"^[ \t]*(?:[-*o] )?(?:[\w-]+ ){0,2}(?:name|value|entry|parameter|type|data|class|default|range|string|dword|key|subkey|editor|set(?:ting)?)[ \t]*[:=]",
    re.I,
)


# Words of a sentence that no key's name has.
_PROSE = re.compile(r"\b(?:the|following|these|this|which|you|are|is)\b", re.I)


def is_path(path: str) -> bool:
    """Does a text look like a path of the registry?"""
    return (
        bool(re.match(ROOT, path, re.I))
        and not re.search(r"\.(?:exe|dll|sys|ini|inf|hlp|txt)\b", path, re.I)
        and not re.match(r"(?:system|software)\b(?![\\/])", path, re.I)
    )


def continues(last: str, line: str, first: str) -> bool:
    """Does the next line go on with a path that was wrapped?"""
    stripped = line.strip()
    if not stripped or _LABELLED.match(line) or stripped.upper().startswith(("NOTE", "IMPORTANT", "WARNING")):
        return False
    if stripped.startswith("\\") or (stripped.startswith("/") and "/" in last):
        return True
    if last.rstrip().endswith("\\") and not re.match(r"\d+\.", stripped):
        return not _PROSE.search(stripped)
    return len(first) > 58 and "\\" in stripped and not re.match(rf"(?:{HIVE}|[a-z\d]+[.)] |[-*] )|.*[.:;]$", stripped, re.I)


def normal_key(path: str, hive: str = "HKEY_LOCAL_MACHINE") -> str:
    r"""A key as its path is meant: whole hive name, one backslash between, the archive's misprints mended."""
    path = fold(path).rstrip(' .,:;"')
    if re.match(rf"/?(?:{HIVE}|SYSTEM|SOFTWARE)/", path, re.I):
        path = path.replace("/", "\\")
    path = re.sub(r" *\\+ *", r"\\", path).strip("\\")
    path = re.sub(r"^HKEY_LOCAL MACHINE", "HKEY_LOCAL_MACHINE", path)
    path = re.sub(r"^(HKEY_\w+)(?: (?:subtree|hive))?:?\\", r"\1\\", path, flags=re.I)
    head, _, rest = path.partition("\\")
    top = HIVES.get(head.upper(), head.upper() if head.upper().startswith("HKEY_") else "")
    if not top:
        rest = path if not re.match(r"Curr?e[nc]tControlSet", path, re.I) else f"SYSTEM\\{path}"
        rest = f"SYSTEM\\CurrentControlSet\\{rest}" if rest.lower().startswith("services\\") else rest
        top = hive
    key = f"{top}\\{rest}".partition("]")[0].rstrip("\\")
    for wrong, right in _MISPRINTS:
        key = wrong.sub(right, key)
    return key
