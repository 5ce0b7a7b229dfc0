"""The documents' names of Windows, each with the product that it means; what is none of ours is nobody's."""

from __future__ import annotations

import pytest

from auditor.advisories.feeds.windows_names import WindowsName, named
from auditor.versions.windows_products import PRODUCTS

NAMES = {
    "Windows 10 for x64-based Systems": WindowsName("windows-10-1507", "x64", False),
    "Windows 10 Version 1511 for 32-bit Systems": WindowsName("windows-10-1511", "x86", False),
    "Windows 10 Version 2004 for ARM64-based Systems": WindowsName("windows-10-2004", "arm64", False),
    "Windows 10 Version 22H2 for x64-based Systems": WindowsName("windows-10-22h2", "x64", False),
    "Windows 11 for x64-based Systems": WindowsName("windows-11-21h2", "x64", False),  # and no other, though 11 has many
    "Windows 11 version 21H2 for ARM64-based Systems": WindowsName("windows-11-21h2", "arm64", False),
    "Windows 11 version 26H1 for x64-based Systems": WindowsName("windows-11-26h1", "x64", False),
    "Windows 7 for 32-bit Systems Service Pack 1": WindowsName("windows-7", "x86", False),
    "Windows 8.1 for x64-based systems": WindowsName("windows-8.1", "x64", False),
    "Windows Vista x64 Edition Service Pack 2": WindowsName("windows-vista", "x64", False),
    "Windows Server 2008 for Itanium-Based Systems Service Pack 2": WindowsName("windows-server-2008", "ia64", False),
    "Windows Server 2008 for 32-bit Systems (Server Core installation)": WindowsName("windows-server-2008", "x86", True),
    "Windows Server 2008 R2 for x64-based Systems Service Pack 1 (Server Core installation)": WindowsName("windows-server-2008-r2", "x64", True),
    "Windows Server 2012 R2": WindowsName("windows-server-2012-r2", "", False),
    "Windows Server 2019  (Server Core installation)": WindowsName("windows-server-2019", "", True),
    "Windows Server 2022, 23H2 Edition (Server Core installation)": WindowsName("windows-server-23h2", "", True),
    "Windows Server 2022 Azure Edition Core Hotpatch": WindowsName("windows-server-2022", "", False),
    "Windows Server, version 20H2 (Server Core Installation)": WindowsName("windows-server-20h2", "", True),
    "Windows Server 2025": WindowsName("windows-server-2025", "", False),
}  # fmt: skip
NONE = [
    "Windows 10 Version 1809 for HoloLens", "Windows RT 8.1", "Windows Admin Center", "Windows Update Assistant",
    "Windows Azure Pack Rollup 13.1", "Microsoft Windows Hyperlink Object Library on Windows Vista Service Pack 2",
    "Internet Explorer 11 on Windows Server 2019", "Microsoft .NET Framework 4.8 on Windows 10 Version 1607 for x64-based Systems",
    "Windows 10 Version 23H2 for x64-based Systems",  # there is none
    "Windows Server 2022x", "Windows", "",
]  # fmt: skip


@pytest.mark.parametrize(("name", "windows"), NAMES.items(), ids=NAMES)
def test_names(name: str, windows: WindowsName) -> None:
    assert named(name) == windows


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_windows_of_ours(name: str) -> None:
    assert named(name) is None


def test_every_windows_with_monthly_updates_has_a_name() -> None:
    """Since April 2016, when the documents begin; the names of Windows 10 and 11 and the servers follow from their ids."""
    clients = {p.id: f"Windows {p.id.split('-')[1]} Version {p.id.split('-')[2]}" for p in PRODUCTS if p.id.startswith(("windows-10-", "windows-11-"))}  # fmt: skip
    servers = {p.id: f"Windows Server {p.id.split('-', 2)[2].replace('-r2', ' R2')}" for p in PRODUCTS if p.id.startswith("windows-server-20") and "20h2" not in p.id and p.id not in ("windows-server-2004", "windows-server-2003", "windows-server-2003-r2")}  # fmt: skip
    found = {ident: named(name) for ident, name in (clients | servers).items()}
    assert {ident: w.product if w else None for ident, w in found.items()} == {ident: ident for ident in found}
