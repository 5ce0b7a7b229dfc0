"""Server applications and components of Windows that are products of their own: how a host shows them, and where they run.

The services' names are those of the archive's own registry paths and the vendor's documented names. IIS 4.0 is Windows NT
4.0 with the World Wide Web service, IIS 5.0 Windows 2000 with it, and so on.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from auditor.rulebook.rule import Component

PLATFORM_LINE = re.compile(r"windows-(?:nt-3\.\d+|nt-4\.0(?:-\w[\w-]*)?|2000|xp)")


class Application(NamedTuple):
    """The beginning of the product ids; what it is called; by which services it is recognised; the Windows it runs on, by version ("" any)."""

    base: str
    name: str
    services: tuple[str, ...]
    runs_on: dict[str, tuple[str, ...]]


_NT = ("windows-nt-3.51", "windows-nt-4.0", "windows-nt-4.0-terminal-server")
_NT_AND_2000 = (*_NT, "windows-2000")
_LATER = ("windows-2000", "windows-server-2003")
APPLICATIONS: dict[str, Application] = {
    a.base: a
    for a in (
        Application("exchange", "Microsoft Exchange Server", ("MSExchangeIS", "MSExchangeMTA", "MSExchangeSA", "MSExchangeDS"),
                    {"4.0": _NT, "5.0": _NT, "5.5": _NT_AND_2000, "2000": _LATER}),
        Application("sna-server", "Microsoft SNA Server", ("SnaBase", "SnaServr"), {"": _NT_AND_2000}),
        Application("host-integration-server", "Microsoft Host Integration Server", ("SnaBase", "SnaServr"), {"2000": ("windows-nt-4.0", *_LATER)}),
        Application("sms", "Microsoft Systems Management Server", ("SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER", "SMS_HIERARCHY_MANAGER"),
                    {"": _NT_AND_2000}),
        Application("sql-server", "Microsoft SQL Server", ("MSSQLServer", "MSSQL$*"), {"2000": ("windows-nt-4.0", *_LATER), "": _NT_AND_2000}),
        Application("iis", "Internet Information Server", ("W3SVC", "MSFTPSVC"),
                    {"4.0": ("windows-nt-4.0",), "5.0": ("windows-2000",), "5.1": ("windows-xp",)}),
        Application("index-server", "Index Server", ("cisvc",), {"2.0": ("windows-nt-4.0",)}),
        Application("proxy-server", "Microsoft Proxy Server", ("mspadmin", "WSPSRV"), {"": ("windows-nt-4.0", "windows-2000")}),
        Application("transaction-server", "Microsoft Transaction Server", ("MSDTC",), {"": ("windows-nt-4.0",)}),
        Application("message-queue-server", "Microsoft Message Queue Server", ("MSMQ",), {"": ("windows-nt-4.0",)}),
        Application("certificate-server", "Microsoft Certificate Server", ("CertSvc",), {"": ("windows-nt-4.0",)}),
    )
}  # fmt: skip


def split(line: str) -> tuple[str, str]:
    """A product line as (base, version): `iis-4.0` is (`iis`, `4.0`)."""
    base, _, version = line.rpartition("-")
    return (base, version) if base in APPLICATIONS else ("", "")


def runs_on(line: str) -> tuple[str, ...]:
    """The Windows that a line of an application runs on; none where it is none that is known."""
    base, version = split(line)
    if not base:
        return ()
    known = APPLICATIONS[base].runs_on
    return known.get(version, known.get("", ()))


def component(base: str) -> Component:
    """How a host shows it."""
    found = APPLICATIONS[base]
    return Component(name=found.name, services=found.services)
