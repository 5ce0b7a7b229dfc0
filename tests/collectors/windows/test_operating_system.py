"""Which Windows it is: every trap between what a host says of itself and what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.collectors.windows.host_facts import windows_facts
from auditor.collectors.windows.operating_system import COLLECTOR, SP6A, parse, when
from auditor.collectors.windows.queries import CONTROL, NT, OS, UNINSTALL
from auditor.errors import FactUnavailable
from auditor.model.facts import Platform
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Subkeys, Table, Value, WindowsRawData
from tests.collectors.windows.reading import NOW, RULEBOOK, Data, data

TYPE, SUITE = rf"{CONTROL}\ProductOptions#ProductType", rf"{CONTROL}\ProductOptions#ProductSuite"
GUID = r"HKLM\SOFTWARE\Microsoft\Cryptography#MachineGuid"
CLOSED = Value("unreadable", reason="access denied")
NT4: dict[str, Any] = {
    f"{NT}#CurrentVersion": "4.0",
    f"{NT}#CurrentBuildNumber": "1381",
    f"{NT}#CurrentBuild": "1.511.1 () (Obsolete data - do not use)",
    f"{NT}#CSDVersion": "Service Pack 5",
    TYPE: "ServerNT",
    SUITE: None,
    SP6A: None,
}


def told(values: dict[str, Any], os: dict[str, Any] | None = None, **texts: str) -> Platform:
    found: Platform = parse(data(values, {}, {OS: [os]} if os is not None else {}, **texts), DataRequirements()).facts[
        "platform"
    ]
    return found


def why(values: dict[str, Any]) -> str:
    return parse(data(values), DataRequirements()).partial


# --------------------------------------------------------------------------------------------------------- service packs
PACKS = [
    # CSDVersion, Installed of HotFix\Q246009 -> service pack
    (None, None, "0"),
    ("", None, "0"),
    ("Service Pack 3", None, "3"),
    ("Service Pack 5", 1, "5"),  # an entry that stayed behind
    ("Service Pack 6", None, "6"),
    ("Service Pack 6", 0, "6"),
    ("Service Pack 6", 1, "6a"),
    ("Service Pack 6a", None, "6a"),
    ("Service Pack 4 RC 1.2", None, "4"),  # Q222507
    ("Service Pack 3 RC 1.32", None, "3"),
    ("Service Pack 6, RC 1.3", None, "6"),  # Q293322
    ("Service Pack 6, RC 1.3", 1, "6a"),
    ("Service Pack 6, RC1.6", None, "6"),  # Q266433
    ("something else", 1, "something else"),
]


@pytest.mark.parametrize(("csd", "installed", "pack"), PACKS)
def test_the_service_pack_of_windows_nt_40(csd: str | None, installed: int | None, pack: str) -> None:
    found = told(NT4 | {f"{NT}#CSDVersion": csd, SP6A: installed})
    assert found.service_pack == pack
    assert found.csd_version == csd


def test_terminal_server_edition_has_no_6a() -> None:
    """Its own Service Pack 6; the entry proves nothing there."""
    found = told(NT4 | {SUITE: ("Terminal Server",), f"{NT}#CSDVersion": "Service Pack 6, RC1.6", SP6A: 1})
    assert (found.product, found.service_pack) == ("windows-nt-4.0-terminal-server", "6")


@pytest.mark.parametrize("mark", ["missing", CLOSED, Value("present", "REG_SZ", "1")])
def test_6_or_6a_is_not_known_where_the_mark_is_not(mark: Any) -> None:
    values = NT4 | {f"{NT}#CSDVersion": "Service Pack 6", SP6A: mark}
    if mark == "missing":
        del values[SP6A]
    assert told(values).service_pack is None
    assert "Q246009" in why(values)
    assert told(values | {f"{NT}#CSDVersion": "Service Pack 5"}).service_pack == "5"


def test_the_pack_is_not_known_where_csdversion_may_not_be_read() -> None:
    assert told(NT4 | {f"{NT}#CSDVersion": CLOSED}).service_pack is None
    assert "CSDVersion" in why(NT4 | {f"{NT}#CSDVersion": CLOSED})
    without = {k: v for k, v in NT4.items() if k != f"{NT}#CSDVersion"}
    assert told(without).service_pack is None


def test_the_number_that_wmi_tells_is_not_used() -> None:
    """With the stamp of Q246467 ServicePackMajorVersion is 1."""
    os = {"Version": "4.0.1381", "BuildNumber": "1381", "CSDVersion": "Service Pack 6, RC 1.3", "ServicePackMajorVersion": 1}
    assert told({TYPE: "ServerNT", SUITE: (), f"{NT}#CSDVersion": "Service Pack 6, RC 1.3", SP6A: 1}, os).service_pack == "6a"


def test_windows_nt_31_has_a_number() -> None:
    values = {f"{NT}#CurrentVersion": "3.1", f"{NT}#CSDVersion": 0x300, TYPE: "LanmanNT", SUITE: None}
    found = told(values)
    assert (found.product, found.edition, found.service_pack, found.build) == ("windows-nt-3.1", "server", "CSD003", None)
    assert told(values | {f"{NT}#CSDVersion": 0}).service_pack in ("0", "CSD000")


def test_windows_10_and_later_have_no_service_packs() -> None:
    values = {
        f"{NT}#CurrentBuildNumber": "17763",
        f"{NT}#CurrentVersion": "6.3",
        TYPE: "ServerNT",
        f"{NT}#EditionID": "ServerStandard",
    }
    assert told(values).service_pack == "0"


# ---------------------------------------------------------------------------------------------------- product and edition
def test_currentbuild_of_old_versions_is_not_the_build() -> None:
    assert told(NT4).build == "1381"
    without = {k: v for k, v in NT4.items() if not k.endswith("#CurrentBuildNumber")}
    assert told(without).build is None


@pytest.mark.parametrize(
    ("kind", "suites", "product", "edition"),
    [
        ("WinNT", None, "windows-nt-4.0-workstation", "workstation"),
        ("winnt", None, "windows-nt-4.0-workstation", "workstation"),
        ("ServerNT", None, "windows-nt-4.0-server", "server"),
        ("LanmanNT", None, "windows-nt-4.0-server", "server"),  # a domain controller
        ("LANMANNT", ("Enterprise",), "windows-nt-4.0-enterprise", "enterprise"),
        ("ServerNT", ("",), "windows-nt-4.0-server", "server"),
        ("ServerNT", (), "windows-nt-4.0-server", "server"),
        ("ServerNT", "Enterprise", "windows-nt-4.0-enterprise", "enterprise"),
        ("ServerNT", ("Small Business", "Small Business(Restricted)"), "windows-nt-4.0-server", "server"),
        ("ServerNT", ("Terminal Server",), "windows-nt-4.0-terminal-server", "terminal-server"),
        ("ServerNT", CLOSED, "windows-nt-4.0", None),
        ("ServerNT", ("A scanner",), "windows-nt-4.0", None),
        ("Else", None, "windows-nt-4.0", None),
        (None, None, "windows-nt-4.0", None),
        (CLOSED, None, "windows-nt-4.0", None),
    ],
)
def test_type_and_suite(kind: Any, suites: Any, product: str, edition: str | None) -> None:
    values = NT4 | {TYPE: kind, SUITE: suites}
    found = told(values)
    assert (found.product, found.edition) == (product, edition)
    assert bool(why(values)) is (product == "windows-nt-4.0")


def test_absent_suites_are_none_and_unread_ones_unknown() -> None:
    assert told(NT4).suites == ()
    assert told(NT4 | {SUITE: ("Enterprise", "")}).suites == ("Enterprise",)
    assert told(NT4 | {SUITE: CLOSED}).suites is None


def modern(build: str, **more: Any) -> dict[str, Any]:
    return {
        f"{NT}#CurrentVersion": "6.3",
        f"{NT}#CurrentBuildNumber": build,
        f"{NT}#UBR": 3235,
        f"{NT}#ProductName": "Windows 10 Enterprise",
        f"{NT}#EditionID": "Enterprise",
        f"{NT}#InstallationType": "Client",
        TYPE: "WinNT",
        **{f"{NT}#{k}": v for k, v in more.items()},
    }


def test_windows_11_calls_itself_windows_10_and_63() -> None:
    found = told(modern("22631"))
    assert (found.product, found.version, found.build) == ("windows-11-23h2", "10.0", "22631.3235")
    assert (found.edition, found.installation) == ("Enterprise", "Client")
    assert (found.name or "").startswith("Windows 11")
    assert (told(modern("19045")).name or "").startswith("Windows 10")


def test_the_revision_is_part_of_the_build_only_where_it_is_known() -> None:
    assert told(modern("19045", UBR=None)).build == "19045"
    assert told(modern("19045", UBR=CLOSED)).build == "19045"
    assert "UBR" in why(modern("19045", UBR=CLOSED))
    assert told(modern("19045", UBR=Value("present", "REG_SZ", "4170"))).build == "19045"


def test_63_without_a_build_may_be_any_windows_since_81() -> None:
    values = {k: v for k, v in modern("22631").items() if not k.endswith("Number")}
    found = told(values)
    assert found.product is None
    assert why(values)


def test_server_core() -> None:
    found = told(modern("14393", InstallationType="Server Core", EditionID="ServerDatacenter") | {TYPE: "ServerNT"})
    assert (found.product, found.installation) == ("windows-server-2016", "Server Core")


def test_multi_session_is_a_workstation_that_says_server() -> None:
    assert told(modern("19045", EditionID="ServerRdsh") | {TYPE: "ServerNT"}).product == "windows-10-22h2"


@pytest.mark.parametrize(
    ("os", "name", "product"),
    [
        ({"OtherTypeDescription": "R2"}, None, "windows-server-2003-r2"),
        ({"OtherTypeDescription": None}, None, "windows-server-2003"),
        (None, "Microsoft Windows Server 2003 R2", "windows-server-2003-r2"),
        (None, "Microsoft Windows Server 2003", "windows-server-2003"),
    ],
)
def test_server_2003_r2(os: dict[str, Any] | None, name: str | None, product: str) -> None:
    values = {f"{NT}#CurrentVersion": "5.2", f"{NT}#CurrentBuildNumber": "3790", f"{NT}#CSDVersion": "Service Pack 2", TYPE: "ServerNT", SUITE: ("Terminal Server",)}  # fmt: skip
    system = None if os is None else os | {"BuildNumber": "3790", "Version": "5.2.3790"}
    assert told(values | ({f"{NT}#ProductName": name} if name else {}), system).product == product


def test_server_2003_or_its_r2_is_open_where_neither_sign_was_read() -> None:
    values: dict[str, Data | Value] = {f"{NT}#CurrentVersion": "5.2", f"{NT}#CurrentBuildNumber": "3790", f"{NT}#CSDVersion": "Service Pack 2", TYPE: "ServerNT", SUITE: ("Terminal Server",), f"{NT}#ProductName": CLOSED}  # fmt: skip
    found = parse(data(values), DataRequirements())
    assert found.facts["platform"].product in (None, "windows-server-2003")
    assert found.partial


# ---------------------------------------------------------------------------------------------------------- less is known
@pytest.mark.parametrize(
    ("ver", "version", "build", "product"),
    [
        ("Windows NT Version 3.1", "3.1", None, "windows-nt-3.1"),
        ("Windows NT Version 3.10", "3.1", None, "windows-nt-3.1"),
        ("Windows NT Version 3.50", "3.5", None, "windows-nt-3.5"),
        ("Windows NT Version 3.51", "3.51", None, "windows-nt-3.51"),
        ("Windows NT Version 4.0", "4.0", None, "windows-nt-4.0"),
        ("Microsoft Windows 2000 [Version 5.00.2195]", "5.0", "2195", "windows-2000"),
        ("Microsoft Windows XP [Version 5.1.2600]", "5.1", "2600", "windows-xp"),
        ("Microsoft Windows [Версия 6.3.9600]", "6.3", "9600", None),
        ("Microsoft Windows [version 10.0.22631.3235]", "10.0", "22631", "windows-11-23h2"),  # no server ever had it
        ("Microsoft Windows [バージョン 10.0.17763.5329]", "10.0", "17763", None),
        ("Windows 95. [Version 4.00.950]", "4.0", "950", None),
    ],
)
def test_ver_alone(ver: str, version: str, build: str | None, product: str | None) -> None:
    found = told({}, ver=ver)
    assert (found.version, found.build, found.product) == (version, build, product)
    assert found.service_pack is None or version == "10.0"
    assert found.suites is None


@pytest.mark.parametrize("ver", ["", "bash: ver: command not found", "'ver' is not recognized", "Linux", "1", "x" * 10_000])
def test_without_any_version_nothing_is_claimed(ver: str) -> None:
    with pytest.raises(FactUnavailable):
        parse(data({}, ver=ver), DataRequirements())
    found = windows_facts(data({}, ver=ver), DataRequirements(), target="x", method="x", now=NOW)
    assert (found.platform, found.hotfixes, found.services) == (Platform(), None, None)


def test_wmi_alone() -> None:
    os = {"Version": "10.0.20348", "BuildNumber": "20348", "ProductType": 3, "Caption": "Сервер ", "CSDVersion": None}
    found = told({f"{NT}#EditionID": "ServerStandard", f"{NT}#UBR": 2340}, os)
    assert (found.product, found.build) == ("windows-server-2022", "20348.2340")
    assert told({f"{NT}#EditionID": "ServerStandard"}, os | {"ProductType": 2}).product == "windows-server-2022"
    assert told({f"{NT}#EditionID": "Enterprise"}, os | {"ProductType": 1, "BuildNumber": "22631"}).product == "windows-11-23h2"


def test_the_machine_is_known_by_a_digest() -> None:
    def ident(guid: Any) -> Any:
        return parse(data(NT4 | {GUID: guid}), DataRequirements()).facts["machine_id"]

    guid = "2f4c3b6a-0001-4abc-8def-0123456789ab"
    assert ident(guid) == ident(f"{{{guid.upper()}}}") != ident(guid[:-1] + "c")
    assert guid not in ident(guid)
    assert len(ident(guid)) == 32
    assert ident(None) is ident(CLOSED) is ident("x") is ident("") is ident(5) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20240312101500.120000+060", datetime(2024, 3, 12, 9, 15, 0, 120000, UTC)),
        ("20240312101500.000000-480", datetime(2024, 3, 12, 18, 15, tzinfo=UTC)),
        ("2024-03-12T10:15:00.12+01:00", datetime(2024, 3, 12, 9, 15, 0, 120000, UTC)),
        ("2024-03-12T10:15:00Z", datetime(2024, 3, 12, 10, 15, tzinfo=UTC)),
        ("2024-03-12T10:15:00", None),  # without a zone it is no time
        ("20241312101500.000000+000", None),
        ("20240312101500.000000+999", datetime(2024, 3, 11, 17, 36, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("00010101000000.000000+720", None),
    ],
)
def test_times(text: str, at: datetime | None) -> None:
    assert when(text) == at


def test_uptime() -> None:
    os = {"Version": "5.2.3790", "BuildNumber": "3790", "LocalDateTime": "20240312101500.000000+060", "LastBootUpTime": "20240312091400.000000+000"}  # fmt: skip
    volatile = parse(data({}, tables={OS: [os]}), DataRequirements()).facts["volatile"]
    assert volatile.uptime == 60
    assert volatile.clock == datetime(2024, 3, 12, 9, 15, tzinfo=UTC)
    assert parse(data({}, tables={OS: [os | {"LastBootUpTime": None}]}), DataRequirements()).facts["volatile"].uptime is None


# ------------------------------------------------------------------------------------------------------- nothing breaks it
WHATS = [a.what for c in (COLLECTOR,) for a in c.queries(DataRequirements()).values]
cells = st.none() | st.text(max_size=8) | st.integers() | st.booleans() | st.lists(st.text(max_size=4), max_size=2).map(tuple)
some_data = st.text(max_size=12) | st.integers() | st.sampled_from(["6.3", "4.0", "1381", "22631", "Service Pack 6", "ServerNT"]) | st.lists(st.text(max_size=5), max_size=2).map(tuple)  # fmt: skip
some_values = st.builds(
    Value,
    st.sampled_from(["present", "present", "absent", "unreadable"]),
    st.sampled_from(["REG_SZ", "REG_DWORD", "REG_MULTI_SZ", "REG_BINARY"]),
    some_data,
    st.text(max_size=5),
)
some_keys = st.builds(
    Subkeys, st.sampled_from(["present", "absent", "unreadable"]), st.lists(st.text(max_size=9), max_size=3).map(tuple)
)
OSES = [
    "Version",
    "BuildNumber",
    "ProductType",
    "CSDVersion",
    "Caption",
    "LocalDateTime",
    "LastBootUpTime",
    "OtherTypeDescription",
]
ROWS = [*OSES, "Name", "State", "StartMode", "HotFixID", "ServicePackInEffect", "DisplayName"]
some_tables = st.builds(
    Table, st.sampled_from(["present", "unreadable"]), st.lists(st.dictionaries(st.sampled_from(ROWS), cells, max_size=5), max_size=3).map(tuple)
)  # fmt: skip
REQUIREMENTS = RULEBOOK.requirements()


@given(
    st.dictionaries(st.sampled_from([*WHATS, SP6A, GUID, *(k.removeprefix("registry:") for k in REQUIREMENTS.windows)]), some_values),
    st.dictionaries(st.sampled_from([rf"{NT}\HotFix", r"HKLM\SOFTWARE\Microsoft\Updates", r"HKLM\SOFTWARE\Lotus", r"HKLM\SYSTEM\CurrentControlSet\Services"]), some_keys),
    st.dictionaries(st.sampled_from([OS, "Win32_QuickFixEngineering", "Win32_Service", *UNINSTALL]), some_tables),
    st.dictionaries(st.just("ver"), st.text(max_size=30)),
)  # fmt: skip
def test_no_readings_make_any_collector_raise(values: Any, keys: Any, tables: Any, texts: Any) -> None:
    found = windows_facts(
        WindowsRawData(method="x", values=values, keys=keys, tables=tables, texts=texts),
        REQUIREMENTS,
        target="x",
        method="x",
        now=NOW,
    )
    assert not [o for o in found.outcomes if "malformed" in o.reason]
