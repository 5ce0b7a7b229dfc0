"""From what a Windows host says of itself to its product: every product can be found, and what is open stays open."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.versions.windows_product import WindowsKind, identify
from auditor.versions.windows_products import PRODUCTS, Product

WS: Final = "workstation"
SERVER: Final = "server"

# version, build, kind, suites, edition -> product, edition
KNOWN: list[tuple[str, int | None, WindowsKind, tuple[str, ...] | None, str | None, str, str | None]] = [
    ("3.1", None, SERVER, (), None, "windows-nt-3.1", "server"),  # it has no CurrentBuildNumber
    ("3.1", 511, WS, (), None, "windows-nt-3.1", "workstation"),
    ("3.10", 528, SERVER, (), None, "windows-nt-3.1", "server"),
    ("3.5", 807, SERVER, (), None, "windows-nt-3.5", "server"),
    ("3.51", 1057, WS, (), None, "windows-nt-3.51", "workstation"),
    ("4.0", 1381, SERVER, (), None, "windows-nt-4.0-server", "server"),
    ("4.0", 1381, SERVER, ("Small Business", "Small Business(Restricted)"), None, "windows-nt-4.0-server", "server"),
    ("4.0", 1381, SERVER, ("BackOffice",), None, "windows-nt-4.0-server", "server"),
    ("4.0", 1381, SERVER, ("Enterprise",), None, "windows-nt-4.0-enterprise", "enterprise"),
    ("4.0", 1381, SERVER, ("enterprise",), None, "windows-nt-4.0-enterprise", "enterprise"),
    ("4.0", 1381, SERVER, ("Terminal Server",), None, "windows-nt-4.0-terminal-server", "terminal-server"),
    ("4.0", 1381, SERVER, ("Enterprise", "Terminal Server"), None, "windows-nt-4.0-terminal-server", "terminal-server"),
    ("4.0", 1381, WS, (), None, "windows-nt-4.0-workstation", "workstation"),
    ("4.0", 1381, WS, None, None, "windows-nt-4.0-workstation", "workstation"),  # no suite would change it
    ("4.0", None, SERVER, ("Enterprise",), None, "windows-nt-4.0-enterprise", "enterprise"),
    ("5.0", 2195, WS, (), None, "windows-2000-professional", "professional"),
    ("5.0", 2195, SERVER, ("Terminal Server",), None, "windows-2000-server", "server"),  # remote administration
    ("5.0", 2195, SERVER, ("Enterprise", "Terminal Server"), None, "windows-2000-advanced-server", "advanced-server"),
    ("5.0", 2195, SERVER, ("Enterprise", "DataCenter"), None, "windows-2000-datacenter", "datacenter"),
    ("5.1", 2600, WS, ("Terminal Server",), None, "windows-xp", "professional"),
    ("5.1", 2600, WS, ("Personal",), None, "windows-xp", "home"),
    ("5.2", 3790, WS, ("Terminal Server",), None, "windows-xp-x64", "professional"),
    ("5.2", 3790, SERVER, ("Enterprise", "Terminal Server"), None, "windows-server-2003", None),
    ("5.2", 3790, SERVER, ("Small Business(Restricted)", "Terminal Server"), None, "windows-server-2003", None),
    ("6.0", 6000, WS, None, "Ultimate", "windows-vista", None),
    ("6.0", 6003, SERVER, None, "ServerStandard", "windows-server-2008", None),
    ("6.1", 7601, WS, None, None, "windows-7", None),
    ("6.1", 7600, SERVER, None, "ServerEnterprise", "windows-server-2008-r2", None),
    # Windows 10 and later keep 6.3 in their registry.
    ("6.3", 10240, WS, None, "Enterprise", "windows-10-1507", None),
    ("6.3", 9600, WS, None, "Enterprise", "windows-8.1", None),
    ("6.3", 22631, WS, None, "Enterprise", "windows-11-23h2", None),
    ("10.0", 26100, SERVER, None, "ServerStandardEval", "windows-server-2025", None),
    ("10.0", 26100, WS, None, "EnterpriseEval", "windows-11-24h2", None),
    ("10.0", 26100, SERVER, None, "ServerAzureStackHCICor", "azure-stack-hci", None),
    ("10.0", 17763, SERVER, None, "ServerStandardACor", "windows-server-1809", None),
    ("10.0", 17763, SERVER, None, "ServerStandard", "windows-server-2019", None),
    ("10.0", 19045, SERVER, None, "ServerRdsh", "windows-10-22h2", None),  # multi-session: a workstation that says server
    ("10.0", 26100, SERVER, None, "ServerRdsh", "windows-11-24h2", None),
]


@pytest.mark.parametrize(("version", "build", "kind", "suites", "named", "product", "edition"), KNOWN)
def test_known(
    version: str, build: int | None, kind: WindowsKind, suites: Any, named: str | None, product: str, edition: str | None
) -> None:
    found = identify(version, build, kind, suites, edition=named)
    assert (found.product, found.edition, found.doubt) == (product, edition, "")


def test_server_2003_r2_has_the_build_of_2003() -> None:
    assert identify("5.2", 3790, SERVER, ("Terminal Server",), r2=True).product == "windows-server-2003-r2"
    assert identify("5.2", 3790, WS, ("Terminal Server",), r2=True).product == "windows-xp-x64"


# version, build, kind, suites, edition -> the id that covers all it may be, None where there is none
OPEN: list[tuple[str, int | None, WindowsKind | None, tuple[str, ...] | None, str | None, str | None]] = [
    ("4.0", 1381, None, (), None, "windows-nt-4.0"),
    ("4.0", 1381, None, ("Enterprise",), None, "windows-nt-4.0"),
    ("4.0", 1381, SERVER, None, None, "windows-nt-4.0"),
    ("4.0", 1381, SERVER, ("Scanner",), None, "windows-nt-4.0"),  # a program of a third party added its own
    ("4.0", 1381, SERVER, ("Enterprise", "Scanner"), None, "windows-nt-4.0"),
    ("4.0", None, None, None, None, "windows-nt-4.0"),
    ("5.0", 2195, None, (), None, "windows-2000"),
    ("5.0", 2195, SERVER, None, None, "windows-2000"),
    ("3.1", None, None, None, None, "windows-nt-3.1"),
    ("3.51", 1057, None, (), None, "windows-nt-3.51"),
    ("5.1", 2600, WS, None, None, "windows-xp"),
    ("5.1", 2600, None, None, None, "windows-xp"),
    ("5.2", 3790, None, ("Terminal Server",), None, None),  # XP x64 or Server 2003
    ("6.0", 6002, None, None, "Enterprise", None),
    ("6.1", 7601, None, None, None, None),
    ("10.0", 26100, None, None, "Enterprise", None),
    ("10.0", 17763, SERVER, None, None, None),  # Server 2019 or version 1809
    ("10.0", 26100, SERVER, None, None, None),
    ("10.0", None, WS, None, "Enterprise", None),
    ("10.0", None, SERVER, None, "ServerStandard", None),
    ("6.3", None, SERVER, None, "ServerStandard", None),  # what Server 2016 to 2025 say too
    ("6.3", None, WS, None, "Enterprise", None),  # what Windows 10 and 11 say too
    # Not in the table.
    ("4.0", 950, WS, (), None, None),  # Windows 95
    ("4.10", 1998, WS, (), None, None),
    ("4.0", 1314, WS, (), None, None),
    ("10.0", 99999, WS, None, "Enterprise", None),
    ("10.0", 22631, SERVER, None, "ServerStandard", None),  # never was a server
    ("10.0", 20348, WS, None, "Enterprise", None),
    ("10.0", 17784, SERVER, None, "ServerStandard", None),  # only Azure Stack HCI has it
    ("", None, SERVER, (), None, None),
    ("nonsense", None, WS, (), None, None),
]


@pytest.mark.parametrize(("version", "build", "kind", "suites", "named", "product"), OPEN)
def test_what_is_open_stays_open_and_says_why(
    version: str, build: int | None, kind: WindowsKind | None, suites: Any, named: str | None, product: str | None
) -> None:
    found = identify(version, build, kind, suites, edition=named)
    assert found.product == product
    assert found.doubt


def signs(row: Product) -> dict[str, Any]:
    """What a host of this row says of itself."""
    return {
        "kind": row.type,
        "suites": row.suites[:1],
        "edition": row.editions[0] if row.editions else "Edition of its own",
        "r2": row.r2,
    }


@pytest.mark.parametrize("row", PRODUCTS, ids=lambda r: f"{r.id}-{r.type}-{r.edition}")
def test_every_row_can_be_reached(row: Product) -> None:
    for build in row.builds:
        found = identify(row.version, build, **signs(row))
        assert (found.product, found.edition, found.doubt) == (row.id, row.edition or None, "")


@pytest.mark.parametrize("row", PRODUCTS, ids=lambda r: f"{r.id}-{r.type}-{r.edition}")
@given(missing=st.sets(st.sampled_from(["build", "kind", "suites", "edition"]), min_size=1))
def test_to_know_less_never_gives_another_product(row: Product, missing: set[str]) -> None:
    """Whatever is left out: the same product, one that covers it, or none. R2 aside, which a host does not leave open."""
    said = signs(row) | {"build": row.builds[0]} | dict.fromkeys(missing)
    found = identify("6.3" if row.version == "10.0" else row.version, said.pop("build"), **said)
    assert found.product in (row.id, None) or (row.id.startswith(f"{found.product}-") and found.doubt)


kinds: st.SearchStrategy[WindowsKind | None] = st.sampled_from([None, "workstation", "server"])


@given(
    st.sampled_from(["3.1", "3.5", "3.51", "4.0", "5.0", "5.1", "5.2", "6.0", "6.1", "6.2", "6.3", "10.0", "", "7"]),
    st.none() | st.sampled_from([b for p in PRODUCTS for b in p.builds]) | st.integers(0, 99_999),
    kinds,
    st.none() | st.lists(st.sampled_from(["Enterprise", "Terminal Server", "DataCenter", "x"])).map(tuple),
    st.none() | st.sampled_from(["ServerStandard", "ServerRdsh", "ServerStandardACor", "x"]),
    st.booleans(),
)
def test_a_product_has_the_build_that_the_host_told(
    version: str, build: int | None, kind: WindowsKind | None, suites: Any, edition: str | None, r2: bool
) -> None:
    found = identify(version, build, kind, suites, edition=edition, r2=r2)
    if found.product in ("windows-nt-4.0", "windows-2000"):
        assert found.doubt
    elif found.product is not None:
        rows = [p for p in PRODUCTS if p.id == found.product]
        assert any(build in p.builds if build is not None else p.version == version for p in rows)
    else:
        assert found.doubt
