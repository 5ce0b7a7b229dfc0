r"""Which service pack a server application has, from the registry value in which it says so.

| application | value | says |
|---|---|---|
| SNA Server | HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion | `4.0 Service Pack 3` (Q173284) |
| Systems Management Server | HKLM\SOFTWARE\Microsoft\SMS\Setup#Full Version | `2.00.1239.2000`: the first digit of the last group (Q213410) |
| SQL Server | HKLM\SOFTWARE\Microsoft\MSSQLServer\MSSQLServer\CurrentVersion#CurrentVersion | `7.00.1063`: the build, by the table of builds below |

Exchange Server has no such value that a document at hand names; its service pack stays unknown until somebody attests.
The value's name for Systems Management Server and SQL Server, and SQL Server's builds, are our knowledge, not an article's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_SQL_BUILDS: dict[str, tuple[tuple[int, str], ...]] = {
    "6.5": ((201, "0"), (213, "1"), (240, "2"), (258, "3"), (281, "4"), (415, "5"), (416, "5a")),
    "7.0": ((623, "0"), (699, "1"), (842, "2"), (961, "3"), (1063, "4")),
    "2000": ((194, "0"), (384, "1"), (534, "2"), (760, "3"), (2039, "4")),
}


class Installed(NamedTuple):
    """A version (`4.0`) and its service pack (`3`, `0` for none)."""

    version: str
    service_pack: str


def _sna(text: str) -> Installed:
    m = re.fullmatch(r"\s*(\d\.\d+)(?:\s+Service Pack\s+(\d[a-z]?))?\s*", text, re.I)
    if not m:
        raise ValueError(f"no version of SNA Server: {text[:60]!r}")
    return Installed(m[1], m[2] or "0")


def _sms(text: str) -> Installed:
    m = re.fullmatch(r"\s*(\d)\.(\d)\d?\.\d{3,4}\.(\d)\d{3}\s*", text)
    if not m:
        raise ValueError(f"no version of Systems Management Server: {text[:60]!r}")
    return Installed(f"{m[1]}.{m[2]}", m[3])


def _sql(text: str) -> Installed:
    m = re.fullmatch(r"\s*(\d{1,2})\.(\d{2})\.(\d{3,4})(?:\.\d+)?\s*", text)
    version = {"6.50": "6.5", "7.00": "7.0", "8.00": "2000"}.get(f"{m[1]}.{m[2]}") if m else None
    if not m or not version:
        raise ValueError(f"no version of SQL Server: {text[:60]!r}")
    return Installed(
        version,
        [pack for build, pack in _SQL_BUILDS[version] if build <= int(m[3])][-1:][0]
        if int(m[3]) >= _SQL_BUILDS[version][0][0]
        else "0",
    )


# product base: (registry value, reader of its text)
READERS: dict[str, tuple[str, Callable[[str], Installed]]] = {
    "sna-server": (r"registry:HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion", _sna),
    "sms": (r"registry:HKLM\SOFTWARE\Microsoft\SMS\Setup#Full Version", _sms),
    "sql-server": (r"registry:HKLM\SOFTWARE\Microsoft\MSSQLServer\MSSQLServer\CurrentVersion#CurrentVersion", _sql),
}


def split(product: str) -> tuple[str, str]:
    """`sna-server-4.0` as (`sna-server`, `4.0`)."""
    base, _, version = product.rpartition("-")
    return base, version


def key(product: str) -> str:
    """The setting that tells a product's service pack; "" where none does."""
    return READERS.get(split(product)[0], ("", None))[0]


def read(product: str, text: str) -> Installed:
    """What that setting says. Raises ValueError where it is of no known form."""
    return READERS[split(product)[0]][1](text)
