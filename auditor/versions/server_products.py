r"""Which service pack a server application has, from the registry value in which it says so.

| application | value | says |
|---|---|---|
| SNA Server | HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion | `4.0 Service Pack 3` (Q173284) |
| Systems Management Server | HKLM\SOFTWARE\Microsoft\SMS\Setup#Full Version | `2.00.1239.2000`: the first digit of the last group (Q213410) |
| SQL Server | HKLM\SOFTWARE\Microsoft\MSSQLServer\MSSQLServer\CurrentVersion#CurrentVersion | `7.00.1063`: the build, by the table of builds below |

| Exchange Server | HKLM\SOFTWARE\Microsoft\Exchange\Setup#NewestBuild | `2653`: the build, by the table of Q158530; the value, as a number, by Q158956 |

That Exchange Server's value holds the build of the service pack is Q158956's word for version 4.0 with Service Pack 2 (0x3E1, 993);
that it is so for the others has not been proved on a host. A build that the table does not have is unknown.
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


# Q158530, with 4.0's own 837 by Q158956. Exchange 2000 keeps its build elsewhere.
_EXCHANGE_BUILDS = {
    837: ("4.0", "0"), 838: ("4.0", "1"), 993: ("4.0", "2"), 994: ("4.0", "3"), 995: ("4.0", "4"), 996: ("4.0", "5"),
    1457: ("5.0", "0"), 1458: ("5.0", "1"), 1460: ("5.0", "2"),
    1960: ("5.5", "0"), 2232: ("5.5", "1"), 2448: ("5.5", "2"), 2650: ("5.5", "3"), 2653: ("5.5", "4"),
}  # fmt: skip


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


def _exchange(text: str) -> Installed:
    build = text.strip()
    if not re.fullmatch(r"\d{1,5}", build) or int(build) not in _EXCHANGE_BUILDS:
        raise ValueError(f"no build of Exchange Server that Q158530 lists: {text[:60]!r}")
    return Installed(*_EXCHANGE_BUILDS[int(build)])


# product base: (registry value, reader of its text)
READERS: dict[str, tuple[str, Callable[[str], Installed]]] = {
    "sna-server": (r"registry:HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion", _sna),
    "sms": (r"registry:HKLM\SOFTWARE\Microsoft\SMS\Setup#Full Version", _sms),
    "exchange": (r"registry:HKLM\SOFTWARE\Microsoft\Exchange\Setup#NewestBuild", _exchange),
    "sql-server": (r"registry:HKLM\SOFTWARE\Microsoft\MSSQLServer\MSSQLServer\CurrentVersion#CurrentVersion", _sql),
}


def split(product: str) -> tuple[str, str]:
    """`sna-server-4.0` as (`sna-server`, `4.0`)."""
    base, _, version = product.rpartition("-")
    return base, version


def known(product: str) -> bool:
    """Does a value tell the service pack of such a product?"""
    return split(product)[0] in READERS


def key(product: str) -> str:
    """The setting that tells a product's service pack; "" where none does."""
    return READERS.get(split(product)[0], ("", None))[0]


def read(product: str, text: str) -> Installed:
    """What that setting says. Raises ValueError where it is of no known form."""
    return READERS[split(product)[0]][1](text)
