"""The files of a fix, where an article lists them for the Intel platform: their versions, and by what a build is known."""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import MONTHS, Structure

_FILE = re.compile(r"\b([A-Za-z][\w-]{0,30}\.(?:dll|exe|sys|ocx|drv|cpl))\b", re.I)
_VERSION = re.compile(r"(?<![\d./:,-])(\d{1,2}\.\d{1,2}\.\d{1,5}\.\d{1,5})(?![\d.])")
_ATTRIBUTES = re.compile(r"file\s+attributes|following\s+files|following\s+file|file information|component\W+file name", re.I)
_ALPHA = re.compile(r"\balpha\b", re.I)
_COLUMNS = 9  # words of a table's row, bars among them; with more it is a sentence about some version
_ROW = re.compile(
    r"^\s+(?:(\d{1,2})/(\d{1,2})/(?:\d\d)?(\d\d)|(\d{1,2})-([A-Za-z]{3})-(?:\d\d)?(\d\d))\s+\d{1,2}:\d\d\s?(?:[ap]m?)?\s"
    r"[\s\d.]*?\s(\d{1,3}(?:,\d{3})+|\d{4,9})\s+([\w$-]{1,40}\.\w{2,3})\b",
    re.I,
)  # 10/11/00  01:55pm  4.0.1381.298     166,160  Gdi32.dll
_INTEL = re.compile(r"\b(?:intel|x86|i386)\b", re.I)


def builds(article: Structure) -> frozenset[str]:
    """What the files' builds are known by: name, size in bytes and day, as `gdi32.dll 166160 2000-10-11`, else name and version. A table
    under the name of another platform is left out."""
    found, other = set[str](), False
    for line in article.text[article.begin : article.end].split("\n") if article.holds("file name", "filename") else ():
        if row := _ROW.match(line[:200]):
            if not other and not _ALPHA.search(line):
                found.add(_build(row))
        elif _INTEL.search(line):
            other = False
        elif _ALPHA.search(line):
            other = True
    return frozenset(found) or frozenset(map(" ".join, file_versions(article).items()))


def _build(row: re.Match[str]) -> str:
    month, day, year = (row[1], row[2], row[3]) if row[1] else (MONTHS.get(row[5].upper(), 0), row[4], row[6])
    century = 1900 if int(year) >= 80 else 2000
    return f"{row[8].lower()} {row[7].replace(',', '')} {century + int(year)}-{int(month):02}-{int(day):02}"


def file_versions(article: Structure) -> dict[str, str]:
    """File name in lower case to version, from lines that hold one of each; a file with several versions is left out."""
    text = article.text
    if not article.holds("attributes", "following file", "file information", "file name"):
        return {}
    if not _ATTRIBUTES.search(text, article.begin, article.end):
        return {}
    found: dict[str, set[str]] = {}
    for line in text[article.begin : article.end].split("\n"):
        if (
            "." in line
            and len(line.split()) <= _COLUMNS
            and (version := _VERSION.search(line))
            and (file := _FILE.search(line))
            and not _ALPHA.search(line)
        ):
            found.setdefault(file[1].lower(), set()).add(version[1])
    return {name: versions.pop() for name, versions in found.items() if len(versions) == 1}
