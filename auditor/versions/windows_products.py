"""Which Windows there are: what a host says of itself, and the product id it stands for. Data only.

One row is one product on one set of builds and one product type. Where several rows have the same build and type, what
stands in `suites`, `editions` or `r2` decides, and the row without any of them is what is left when none of the others fits.
The build decides before the version: the registry of Windows 10 and later keeps CurrentVersion at 6.3, `ver` writes 3.10
and 3.50 where the registry has 3.1 and 3.5, and Windows 11 calls itself Windows 10. NT 4.0's first candidates had build
1381 as well (Q157491); no value in the registry tells them apart.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Product(NamedTuple):
    """`type`: WinNT (Win32 ProductType 1) is a workstation, ServerNT (3) and LanmanNT (2, a domain controller) a server.
    `suites`: any one of these in ProductSuite. `editions`: any one of these as EditionID. `r2`: Win32_OperatingSystem says
    "R2" in OtherTypeDescription. `edition`: what the row tells of the edition where the id does not. `service_pack`: the
    last one of this line, "" where it never had any; `service_pack_source` who says so."""

    id: str
    version: str
    builds: tuple[int, ...]
    type: Literal["workstation", "server"]
    name: str
    source: str
    suites: tuple[str, ...] = ()
    edition: str = ""
    editions: tuple[str, ...] = ()
    r2: bool = False
    service_pack: str = ""
    service_pack_source: str = ""


# These count as workstations although they say ServerNT: Enterprise multi-session reports ProductType 3 by design.
# learn.microsoft.com/azure/virtual-desktop/windows-10-multisession-faq
SESSION_HOSTS = ("ServerRdsh",)
# What ProductSuite may say beside a suite that decides, without changing the product. Terminal Server is in every server's
# list from Windows 2000 on. Strings the kernel does not know it ignores (geoffchappell.com, "The Product Suite"), and a
# program may add its own (Q192821: a virus scanner), so a string that is not listed here leaves the edition open.
HARMLESS_SUITES = (
    "Small Business", "Small Business(Restricted)", "BackOffice", "CommunicationServer", "EmbeddedNT", "Embedded(Restricted)",
    "Security Appliance", "Storage Server", "Compute Server", "WH Server", "Personal", "Blade",
)  # fmt: skip

_Q152078 = "Q152078: ProductType and ProductSuite of Windows NT"
_SUITES = "winnt.h and geoffchappell.com, The Product Suite: the strings of ProductSuite"
_VERSIONS = "learn.microsoft.com: OSVERSIONINFOEX, remarks"
_CLIENT = "learn.microsoft.com/windows/release-health/release-information; endoflife.date, windows, 2026-08-22"
_CLIENT_11 = "learn.microsoft.com/windows/release-health/windows11-release-information; endoflife.date, windows, 2026-08-22"
_SERVER = "learn.microsoft.com/windows/release-health/windows-server-release-info; endoflife.date, windows-server, 2026-08-22"
_ANNUAL = ("ServerStandardACor", "ServerDatacenterACor")  # of the semi-annual and annual channels (Win32 SKU 146 and 145)
_HCI = ("ServerAzureStackHCICor",)
_SP_31 = "Q139737: Windows NT 3.1 Service Pack 3; that it was the last: betawiki.net, Windows NT 3.1"
_SP_35 = "Q121693: the Windows NT 3.5 service pack to be had, as of 2002-07-10"
_SP_351 = "Q128465: the Windows NT 3.51 service pack to be had, as of 2002-02-02"
_SP_4 = "Q152734: the latest service pack of Windows NT 4.0, as of 2001-08-09; none came after it"
_SP_2000 = "Windows Update's detection of Windows 2000 Service Pack 4; support of Windows 2000 ended with it (endoflife.date)"
_SP_XP = "endoflife.date: windows 5-sp3"
_SP_XP64 = "recorded host, 5.2.3790 Service Pack 2; lifecycle of Windows XP Professional x64 Edition"
_SP_2003 = "endoflife.date: windows-server 2003-sp2"
_SP_VISTA = "endoflife.date: windows 6-sp2"
_SP_2008 = "endoflife.date: windows-server 2008-sp2"
_SP_7 = "endoflife.date: windows 7-sp1"
_SP_2008R2 = "endoflife.date: windows-server 2008-r2-sp1"

PRODUCTS: tuple[Product, ...] = (
    # Windows NT. The ids of 3.x name no edition, so the row tells it.
    Product("windows-nt-3.1", "3.1", (511, 528), "workstation", "Windows NT 3.1", "Q124431 (builds), " + _Q152078,
            edition="workstation", service_pack="3", service_pack_source=_SP_31),
    Product("windows-nt-3.1", "3.1", (511, 528), "server", "Windows NT 3.1 Advanced Server", "Q124431 (builds), " + _Q152078,
            edition="server", service_pack="3", service_pack_source=_SP_31),
    Product("windows-nt-3.5", "3.5", (807,), "workstation", "Windows NT Workstation 3.5", "Q134957 (build), " + _Q152078,
            edition="workstation", service_pack="3", service_pack_source=_SP_35),
    Product("windows-nt-3.5", "3.5", (807,), "server", "Windows NT Server 3.5", "Q134957 (build), " + _Q152078,
            edition="server", service_pack="3", service_pack_source=_SP_35),
    Product("windows-nt-3.51", "3.51", (1057,), "workstation", "Windows NT Workstation 3.51", "Q138713 (build), " + _Q152078,
            edition="workstation", service_pack="5", service_pack_source=_SP_351),
    Product("windows-nt-3.51", "3.51", (1057,), "server", "Windows NT Server 3.51", "Q138713 (build), " + _Q152078,
            edition="server", service_pack="5", service_pack_source=_SP_351),
    Product("windows-nt-4.0-workstation", "4.0", (1381,), "workstation", "Windows NT Workstation 4.0",
            "Q246009 (build), " + _Q152078, edition="workstation", service_pack="6a", service_pack_source=_SP_4),
    Product("windows-nt-4.0-terminal-server", "4.0", (1381,), "server", "Windows NT Server 4.0, Terminal Server Edition",
            _Q152078, suites=("Terminal Server",), edition="terminal-server", service_pack="6", service_pack_source=_SP_4),
    Product("windows-nt-4.0-enterprise", "4.0", (1381,), "server", "Windows NT Server 4.0, Enterprise Edition", _Q152078,
            suites=("Enterprise",), edition="enterprise", service_pack="6a", service_pack_source=_SP_4),
    Product("windows-nt-4.0-server", "4.0", (1381,), "server", "Windows NT Server 4.0",
            "Q246009 (build), " + _Q152078, edition="server", service_pack="6a", service_pack_source=_SP_4),
    # Windows 2000
    Product("windows-2000-professional", "5.0", (2195,), "workstation", "Windows 2000 Professional",
            "Q318232 (build), " + _VERSIONS, edition="professional", service_pack="4", service_pack_source=_SP_2000),
    Product("windows-2000-datacenter", "5.0", (2195,), "server", "Windows 2000 Datacenter Server", _SUITES,
            suites=("DataCenter",), edition="datacenter", service_pack="4", service_pack_source=_SP_2000),
    Product("windows-2000-advanced-server", "5.0", (2195,), "server", "Windows 2000 Advanced Server", _SUITES,
            suites=("Enterprise",), edition="advanced-server", service_pack="4", service_pack_source=_SP_2000),
    Product("windows-2000-server", "5.0", (2195,), "server", "Windows 2000 Server",
            "Q318232 (build), " + _VERSIONS, edition="server", service_pack="4", service_pack_source=_SP_2000),
    # Windows XP and Server 2003
    Product("windows-xp", "5.1", (2600,), "workstation", "Windows XP Home Edition", _SUITES,
            suites=("Personal",), edition="home", service_pack="3", service_pack_source=_SP_XP),
    Product("windows-xp", "5.1", (2600,), "workstation", "Windows XP Professional", "recorded hosts, 5.1.2600; " + _VERSIONS,
            edition="professional", service_pack="3", service_pack_source=_SP_XP),
    Product("windows-xp-x64", "5.2", (3790,), "workstation", "Windows XP Professional x64 Edition",
            "recorded host, 5.2.3790; " + _VERSIONS, edition="professional", service_pack="2", service_pack_source=_SP_XP64),
    Product("windows-server-2003-r2", "5.2", (3790,), "server", "Windows Server 2003 R2", _VERSIONS + " (SM_SERVERR2)",
            r2=True, service_pack="2", service_pack_source=_SP_2003),
    Product("windows-server-2003", "5.2", (3790,), "server", "Windows Server 2003", "recorded hosts, 5.2.3790; " + _VERSIONS,
            service_pack="2", service_pack_source=_SP_2003),
    # Vista and Server 2008, which share their builds: 6001 is Service Pack 1, 6002 and 6003 Service Pack 2.
    Product("windows-vista", "6.0", (6000, 6001, 6002, 6003), "workstation", "Windows Vista",
            "recorded hosts, 6.0.6000 to 6002; " + _VERSIONS, service_pack="2", service_pack_source=_SP_VISTA),
    Product("windows-server-2008", "6.0", (6001, 6002, 6003), "server", "Windows Server 2008",
            "recorded hosts, 6.0.6001; endoflife.date, windows-server 2008-sp2: 6.0.6003; " + _VERSIONS,
            service_pack="2", service_pack_source=_SP_2008),
    Product("windows-7", "6.1", (7600, 7601), "workstation", "Windows 7", "recorded hosts, 6.1.7601; " + _VERSIONS,
            service_pack="1", service_pack_source=_SP_7),
    Product("windows-server-2008-r2", "6.1", (7600, 7601), "server", "Windows Server 2008 R2",
            "recorded hosts, 6.1.7601; " + _VERSIONS, service_pack="1", service_pack_source=_SP_2008R2),
    # From here on there are no service packs any more.
    Product("windows-8", "6.2", (9200,), "workstation", "Windows 8", "endoflife.date, windows 8; " + _VERSIONS),
    Product("windows-server-2012", "6.2", (9200,), "server", "Windows Server 2012", "recorded hosts, 6.2.9200; " + _VERSIONS),
    Product("windows-8.1", "6.3", (9600,), "workstation", "Windows 8.1", "recorded host, 6.3.9600; " + _VERSIONS),
    Product("windows-server-2012-r2", "6.3", (9600,), "server", "Windows Server 2012 R2",
            "recorded hosts, 6.3.9600; " + _VERSIONS),
    # Windows 10
    Product("windows-10-1507", "10.0", (10240,), "workstation", "Windows 10, version 1507", _CLIENT),
    Product("windows-10-1511", "10.0", (10586,), "workstation", "Windows 10, version 1511", _CLIENT),
    Product("windows-10-1607", "10.0", (14393,), "workstation", "Windows 10, version 1607", _CLIENT),
    Product("windows-10-1703", "10.0", (15063,), "workstation", "Windows 10, version 1703", _CLIENT),
    Product("windows-10-1709", "10.0", (16299,), "workstation", "Windows 10, version 1709", _CLIENT),
    Product("windows-10-1803", "10.0", (17134,), "workstation", "Windows 10, version 1803", _CLIENT),
    Product("windows-10-1809", "10.0", (17763,), "workstation", "Windows 10, version 1809", _CLIENT),
    Product("windows-10-1903", "10.0", (18362,), "workstation", "Windows 10, version 1903", _CLIENT),
    Product("windows-10-1909", "10.0", (18363,), "workstation", "Windows 10, version 1909", _CLIENT),
    Product("windows-10-2004", "10.0", (19041,), "workstation", "Windows 10, version 2004", _CLIENT),
    Product("windows-10-20h2", "10.0", (19042,), "workstation", "Windows 10, version 20H2", _CLIENT),
    Product("windows-10-21h1", "10.0", (19043,), "workstation", "Windows 10, version 21H1", _CLIENT),
    Product("windows-10-21h2", "10.0", (19044,), "workstation", "Windows 10, version 21H2", _CLIENT),
    Product("windows-10-22h2", "10.0", (19045,), "workstation", "Windows 10, version 22H2", _CLIENT),
    # Windows 11
    Product("windows-11-21h2", "10.0", (22000,), "workstation", "Windows 11, version 21H2", _CLIENT_11),
    Product("windows-11-22h2", "10.0", (22621,), "workstation", "Windows 11, version 22H2", _CLIENT_11),
    Product("windows-11-23h2", "10.0", (22631,), "workstation", "Windows 11, version 23H2", _CLIENT_11),
    Product("windows-11-24h2", "10.0", (26100,), "workstation", "Windows 11, version 24H2", _CLIENT_11),
    Product("windows-11-25h2", "10.0", (26200,), "workstation", "Windows 11, version 25H2", _CLIENT_11),
    Product("windows-11-26h1", "10.0", (28000,), "workstation", "Windows 11, version 26H1", _CLIENT_11),
    # Windows Server: the same builds with another type. Azure Stack HCI and Azure Local are products of their own.
    Product("azure-stack-hci", "10.0", (17784, 20348, 20349, 25398, 26100), "server", "Azure Stack HCI",
            "builds 20349 and 25398 by the names of their images; 17784, 20348 and 26100 from memory", editions=_HCI),
    Product("windows-server-2016", "10.0", (14393,), "server", "Windows Server 2016", _SERVER),
    Product("windows-server-1709", "10.0", (16299,), "server", "Windows Server, version 1709", _SERVER),
    Product("windows-server-1803", "10.0", (17134,), "server", "Windows Server, version 1803", _SERVER),
    Product("windows-server-1809", "10.0", (17763,), "server", "Windows Server, version 1809",
            _SERVER + "; the build is Server 2019's, the edition tells", editions=_ANNUAL),
    Product("windows-server-2019", "10.0", (17763,), "server", "Windows Server 2019", _SERVER),
    Product("windows-server-1903", "10.0", (18362,), "server", "Windows Server, version 1903", _SERVER),
    Product("windows-server-1909", "10.0", (18363,), "server", "Windows Server, version 1909", _SERVER),
    Product("windows-server-2004", "10.0", (19041,), "server", "Windows Server, version 2004", _SERVER),
    Product("windows-server-20h2", "10.0", (19042,), "server", "Windows Server, version 20H2", _SERVER),
    Product("windows-server-2022", "10.0", (20348,), "server", "Windows Server 2022", _SERVER),
    Product("windows-server-23h2", "10.0", (25398,), "server", "Windows Server, version 23H2 (annual channel)", _SERVER),
    Product("windows-server-2025", "10.0", (26100,), "server", "Windows Server 2025", _SERVER),
)  # fmt: skip
