"""SQL Server's instances and Exchange Server on a posed host over real WS-Man; what only tells that it is there; hotpatches."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.windows import hotpatch, products
from auditor.collectors.windows.queries import NT, SERVICES, SERVICES_KEY, QuerySet
from auditor.errors import FactUnavailable
from auditor.model.facts import HostFacts, InstalledProduct
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Table, Value
from tests.collectors.windows.reading import Way, audited, data
from tests.lab.windows.host import NoCase, RegValue, WindowsHost, load_host

SQL = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Microsoft SQL Server"
EXCHANGE = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\ExchangeServer\v15\Setup"
NEEDS = DataRequirements()


def posed(
    *services: str, registry: dict[str, dict[str, str]] | None = None, files: dict[str, str] | None = None
) -> WindowsHost:
    host = load_host("windows-server-2022-core")
    host.denied_keys.clear()
    for service in services:
        host.registry[rf"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\{service}"] = NoCase()
    for key, values in (registry or {}).items():
        there = host.registry.setdefault(key, NoCase())
        for name, text in values.items():
            there[name] = RegValue("REG_SZ", text)
    host.wmi["CIM_DataFile"] += [{"Name": n.lower(), "Version": v} for n, v in (files or {}).items()]
    return host


def with_servers(default: str, other: str, exchange: str) -> WindowsHost:
    """A host with SQL Server 2019 as the default instance, 2022 as another, and Exchange Server, at some builds."""
    return posed(
        "MSSQLSERVER", "MSSQL$ERP", "MSExchangeServiceHost",
        registry={
            rf"{SQL}\Instance Names\SQL": {"MSSQLSERVER": "MSSQL15.MSSQLSERVER", "ERP": "MSSQL16.ERP"},
            rf"{SQL}\MSSQL15.MSSQLSERVER\Setup": {"Version": "15.0.2000.5", "PatchLevel": default},
            rf"{SQL}\MSSQL16.ERP\Setup": {"Version": "16.0.1000.6", "PatchLevel": other},
            EXCHANGE: {"MsiInstallPath": "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\"},
        },
        files={r"C:\Program Files\Microsoft\Exchange Server\V15\Bin\ExSetup.exe": exchange},
    )  # fmt: skip


TWO_INSTANCES = with_servers("15.0.4360.2", "16.0.1165.1", "15.02.1544.009")


def facts(host: WindowsHost, way: Way = "wmi") -> HostFacts:
    result = audited(host, way)
    assert result.facts, result.error
    return result.facts


def servers(found: HostFacts) -> list[tuple[str, str, str | None]]:
    return [(p.product, p.instance, p.version) for p in found.products or () if p.product.startswith(("sql", "exchange"))]


def test_every_instance_and_exchange_by_wmi() -> None:
    assert servers(facts(TWO_INSTANCES)) == [
        ("sql-server-2022", "ERP", "16.0.1165.1"),
        ("sql-server-2019", "MSSQLSERVER", "15.0.4360.2"),
        ("exchange-2019", "", "15.2.1544.9"),
    ]


@pytest.mark.parametrize("node", ["WOW6432Node\\", ""])
def test_edge_by_its_updater(node: str) -> None:
    key = rf"HKEY_LOCAL_MACHINE\SOFTWARE\{node}Microsoft\EdgeUpdate\Clients\{{56EB18F8-B008-4CBD-B6D2-8C97FE7E9062}}"
    found = facts(posed("edgeupdate", registry={key: {"pv": "146.0.3856.59"}}))
    assert InstalledProduct("edge", "", "146.0.3856.59") in (found.products or ())


@pytest.mark.parametrize("way", ["shell", "unicode"])
def test_other_ways_tell_that_they_are_there(way: Way) -> None:
    assert servers(facts(TWO_INSTANCES, way)) == [
        ("sql-server", "ERP", None),
        ("sql-server", "MSSQLSERVER", None),
        ("exchange", "", None),
    ]


def test_nothing_more_is_asked_of_a_host_without_them() -> None:
    assert products.more(data(keys={SERVICES_KEY: ("Spooler",)}, tables={SERVICES: [{"Name": "Spooler"}]})) == QuerySet()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("15.0.4360.2", InstalledProduct("sql-server-2019", "X", "15.0.4360.2")),
        ("13.2.5698.0", InstalledProduct("sql-server-2016", "X", "13.0.5698.0")),  # the minor number counts service packs
        ("10.53.6000.34", InstalledProduct("sql-server-2008-r2", "X", "10.50.6000.34")),
        ("10.3.5500.0", InstalledProduct("sql-server-2008", "X", "10.0.5500.0")),
        ("99.0.1.1", InstalledProduct("sql-server", "X")),
        ("fifteen", InstalledProduct("sql-server", "X")),
        ("15.0", InstalledProduct("sql-server", "X")),
        ("15.0.4360.2; DROP", InstalledProduct("sql-server", "X")),
        (None, InstalledProduct("sql-server", "X")),
    ],
)
def test_patch_levels(level: str | None, expected: InstalledProduct) -> None:
    key = r"HKLM\SOFTWARE\Microsoft\Microsoft SQL Server"
    read: Any = {rf"{key}\Instance Names\SQL#X": "MSSQL15.X", rf"{key}\MSSQL15.X\Setup#PatchLevel": level}
    given = data(read, {SERVICES_KEY: ("MSSQL$X",)}, {SERVICES: []})
    assert products.parse(given, NEEDS).facts == {"products": (expected,)}


@pytest.mark.parametrize("ident", ["..\\..\\SAM", "MSSQL15.X\\..\\Y", "", "MSSQL" + "A" * 100, "MSSQL15.X#Y"])
def test_an_instance_leads_nowhere_else(ident: str) -> None:
    key = r"HKLM\SOFTWARE\Microsoft\Microsoft SQL Server"
    given = data({rf"{key}\Instance Names\SQL#X": ident}, {SERVICES_KEY: ("MSSQL$X",)}, {SERVICES: []})
    assert not products.more(given).values
    assert products.parse(given, NEEDS).facts == {"products": (InstalledProduct("sql-server", "X"),)}


@pytest.mark.parametrize(
    "folder", ["C:\\Program Files\\Exchange' OR Name LIKE '%", "\\\\other\\share", "C:", "relative", 'C:\\a"b']
)
def test_a_folder_leads_nowhere_else(folder: str) -> None:
    what = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup#MsiInstallPath"
    given = data({what: folder}, {SERVICES_KEY: ("MSExchangeIS",)}, {SERVICES: []})
    assert products.more(given) == QuerySet()


def test_services_that_were_not_read_leave_it_open() -> None:
    with pytest.raises(FactUnavailable):
        products.parse(data(tables={SERVICES: Table("unreadable", reason="access denied")}), NEEDS)
    assert products.more(data()) == QuerySet()


VBS, NAME, POLICY = hotpatch._VBS, hotpatch._ENROLLED, hotpatch._POLICY
ENROLLED = "Hotpatch Enrollment Package"


@pytest.mark.parametrize(
    ("build", "vbs", "name", "policy", "expected"),
    [
        ("20348", 1, ENROLLED, None, True),
        ("20348", 0, ENROLLED, None, False),
        ("20348", None, ENROLLED, None, False),
        ("20348", None, None, None, False),
        ("26100", 1, None, 1, True),
        ("26100", 1, None, 0, False),
        ("17763", Value("unreadable", reason="denied"), ENROLLED, 1, False),  # this one takes none
    ],
)
def test_hotpatches(build: str, vbs: Any, name: str | None, policy: int | None, expected: bool) -> None:
    given = data({rf"{NT}#CurrentBuildNumber": build, VBS: vbs, NAME: name, POLICY: policy})
    assert hotpatch.parse(given, NEEDS).facts == {"hotpatch": expected}


def test_hotpatches_that_cannot_be_told() -> None:
    with pytest.raises(FactUnavailable):
        hotpatch.parse(
            data(
                {
                    rf"{NT}#CurrentBuildNumber": "20348",
                    NAME: ENROLLED,
                    POLICY: None,
                    VBS: Value("unreadable", reason="no"),
                }
            ),
            NEEDS,
        )
