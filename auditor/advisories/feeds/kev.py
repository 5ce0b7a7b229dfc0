"""CISA's catalog of flaws that are known to be exploited (known_exploited_vulnerabilities.json): which, and since when it has them."""

from __future__ import annotations

import re
from datetime import date

import msgspec
from msgspec import Struct, field

from auditor.advisories.feeds import fields

KEY = re.compile(rb'"catalogVersion"\s*:')
_MOST = 100_000  # there are some 1,500


class _Flaw(Struct):
    cve: str = field(name="cveID")
    added: str = field(name="dateAdded", default="")


class _Catalog(Struct):
    vulnerabilities: list[_Flaw]


def read(content: bytes) -> dict[str, date | None]:
    """The day on which each CVE was added. ValueError where it is no catalog."""
    try:
        found = msgspec.json.decode(content, type=_Catalog).vulnerabilities
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise ValueError(f"is no catalog of exploited flaws that can be read: {e}") from None
    if len(found) > _MOST:
        raise ValueError(f"has more than {_MOST:,} flaws, which no catalog has")
    return {f.cve: fields.day(f.added) for f in found if fields.CVE.fullmatch(f.cve)}
