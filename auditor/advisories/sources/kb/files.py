"""The files of a fix and their versions, where an article lists them with versions for the Intel platform."""

from __future__ import annotations

import re

from auditor.advisories.sources.kb.structure import Structure

_FILE = re.compile(r"\b([A-Za-z][\w-]{0,30}\.(?:dll|exe|sys|ocx|drv|cpl))\b", re.I)
_VERSION = re.compile(r"(?<![\d./:,-])(\d{1,2}\.\d{1,2}\.\d{1,5}\.\d{1,5})(?![\d.])")
_ATTRIBUTES = re.compile(r"file\s+attributes|following\s+files|following\s+file|file information|component\W+file name", re.I)
_ALPHA = re.compile(r"\balpha\b", re.I)


def file_versions(article: Structure) -> dict[str, str]:
    """File name in lower case to version, from lines that hold one of each; a file with several versions is left out."""
    text = article.text
    if not article.holds("attributes", "following file", "file information", "file name"):
        return {}
    if not _ATTRIBUTES.search(text, article.begin, article.end):
        return {}
    found: dict[str, set[str]] = {}
    for line in text[article.begin : article.end].split("\n"):
        if "." in line and (version := _VERSION.search(line)) and (file := _FILE.search(line)) and not _ALPHA.search(line):
            found.setdefault(file[1].lower(), set()).add(version[1])
    return {name: versions.pop() for name, versions in found.items() if len(versions) == 1}
