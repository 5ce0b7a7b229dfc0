"""What readers of every form do with a document's fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

from msgspec.structs import replace

from auditor.foundation.sanitize import one_line
from auditor.model.advisory import FixedPackage

CVE = re.compile(r"CVE-(?:19|20)\d\d-\d{4,12}")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
# A modular package's release has its build's mark: `module+el8.9.0+19193+435404ae`, `module_el8.6.0+2868+44838709`.
_MODULAR = re.compile(r"\.module[+_]")
_STREAMS = re.compile(r"(?<![\w:/.-])(?![A-Z]+-\d{4}:)(?=[\w+.-]*[A-Za-z])([A-Za-z0-9][\w+.-]*):([\w+.-]*\w)(?=/| |,|$)")


class OtherDocument(ValueError):
    """A document that is sound and of another kind than what is read here; `kind` says of which, for counting."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


UNKNOWN_STREAM = "?"
MAX_TITLE = 300  # characters


def cves(texts: Iterable[str]) -> tuple[str, ...]:
    """The CVE numbers in some texts, each once, in order."""
    return tuple(dict.fromkeys(found for text in texts for found in CVE.findall(text)))


def day(text: str | None) -> date | None:
    """The day of a time as feeds write it (ISO 8601, with or without a zone, or `2024-05-06 04:24:20`); None for no such time."""
    found = _DAY.match(text or "")
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def day_of_epoch(seconds: str) -> date | None:
    """The day of a time in seconds since 1970 (updateinfo of some makers)."""
    return datetime.fromtimestamp(int(seconds)).date() if re.fullmatch(r"\d{9,10}", seconds) else None


def title(text: str) -> str:
    """A title in one line."""
    return one_line(text, MAX_TITLE)


def modular(version: str) -> bool:
    """Was a package built for a module? Its release says so."""
    return _MODULAR.search(version) is not None


def streams_named(text: str) -> str:
    """The module streams that a title names (`nodejs:18` of "Important: nodejs:18 security update"), with blanks between, or "?"."""
    return " ".join(dict.fromkeys(f"{name}:{stream}" for name, stream in _STREAMS.findall(text[:MAX_TITLE]))) or UNKNOWN_STREAM


def across_architectures(fixes: Iterable[tuple[FixedPackage, str]]) -> tuple[FixedPackage, ...]:
    """Fixes that differ in nothing but the architecture as one, whose `arch` names them all."""
    found: dict[FixedPackage, dict[str, None]] = {}
    for fix, arch in fixes:
        found.setdefault(fix, {})[arch] = None
    return tuple(replace(fix, arch=" ".join(sorted(arches))) for fix, arches in found.items())
