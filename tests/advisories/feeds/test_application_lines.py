"""SQL Server and Exchange Server in the monthly documents: builds of the right branch, whatever the row is called."""

from __future__ import annotations

from datetime import date

import pytest

from auditor.advisories.feeds.application_lines import application_lines, of_products, product_of
from auditor.checks.product_update import standing
from auditor.model.application_line import ApplicationLine
from auditor.model.monthly_release import MonthlyFix, MonthlyFlaw, MonthlyRelease


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Microsoft SQL Server 2022 for x64-based Systems (GDR)", ("sql-server-2022", "")),
        ("Microsoft SQL Server 2022 for x64-based Systems (CU 22)", ("sql-server-2022", "")),
        ("Microsoft SQL Server 2025 for x64-based Systems (CU2)", ("sql-server-2025", "")),
        ("Microsoft SQL Server 2016 for x64-based Systems Service Pack 3 Azure Connect Feature Pack", ("sql-server-2016", "")),
        ("Microsoft SQL Server 2008 R2 for x64-based Systems Service Pack 3 (QFE)", None),
        ("Microsoft Exchange Server 2019 Cumulative Update 15", ("exchange-2019", "15")),
        ("Microsoft Exchange Server Subscription Edition RTM", ("exchange-se", "")),
        ("SQL Server Management Studio 18.1", None),
        ("Microsoft OLE DB Driver 19 for SQL Server", None),
        ("Windows Server 2022", None),
    ],
)  # fmt: skip
def test_names(name: str, expected: tuple[str, str] | None) -> None:
    assert product_of(name) == expected


def release(when: str, *rows: tuple[str, str, int]) -> MonthlyRelease:
    first = date.fromisoformat(f"{when}-01")
    found = MonthlyRelease(
        document=when, month=first, released=first, revised=first,
        products={str(n): (name,) for n, (name, _, _) in enumerate(rows)},
        fixes=tuple(MonthlyFix(kb, (str(n),), build, (), "Security Update", (f"CVE-{when}",)) for n, (_, build, kb) in enumerate(rows)),
        flaws={f"CVE-{when}": MonthlyFlaw("important", False)},
    )  # fmt: skip
    part = of_products(found)
    assert part
    return part


def states(line: ApplicationLine, version: str | None) -> str:
    return "".join(standing(line.product, version, month)[0][0].upper() for month in line.months)


GDR, CU = "Microsoft SQL Server 2022 for x64-based Systems (GDR)", "Microsoft SQL Server 2022 for x64-based Systems (CU 19)"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("16.0.1150.1", "FFF"),
        ("16.0.1140.6", "FFM"),
        ("16.0.1135.2", "FMM"),
        ("16.0.4200.1", "FFM"),  # the swapped row of July 2025 names GDR beside this build
        ("16.0.4150.1", "FMM"),
        ("16.0.4212.1", "FFF"),
        ("16.0.2000.1", "UUU"),  # of no branch
        ("15.0.4212.1", "UUU"),  # of another version
        ("16.0.x.4212.1", "UUU"),
        ("16.0.4212.1.5", "UUU"),
        ("9" * 5000, "UUU"),
        (None, "UUU"),
    ],
)
def test_swapped_rows_of_sql_server(version: str | None, expected: str) -> None:
    (line,) = application_lines(
        [
            release("2025-04", (GDR, "16.0.1135.2", 5046861), (CU, "16.0.4150.1", 5048038)),
            release("2025-07", (GDR, "16.0.4200.1", 5058721), (CU, "16.0.1140.6", 5058712)),
            release("2025-09", (GDR, "16.0.1150.1", 5065221), (CU, "16.0.4212.1", 5065220)),
        ]
    )
    assert states(line, version) == expected


CU13, CU14 = (f"Microsoft Exchange Server 2019 Cumulative Update {n}" for n in (13, 14))


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("15.2.1544.9", "FFF"),
        ("15.2.1544.4", "FFM"),
        ("15.2.1258.32", "FUF"),  # the row of its cumulative update has another one's build
        ("15.2.1258.28", "FUM"),
        ("15.2.1118.40", "MUM"),  # a cumulative update that gets nothing any more
        ("15.2.1748.10", "FUF"),  # a later one
        ("15.1.2507.35", "UUU"),
    ],
)
def test_exchange_by_the_cumulative_update_s_own_number(version: str, expected: str) -> None:
    (line,) = application_lines(
        [
            release("2023-11", (CU13, "15.02.1258.028", 5032146), (CU14, "15.02.1544.001", 5032147)),
            release("2024-02", (CU13, "15.2.1544.004", 5035606), (CU14, "15.2.1544.004", 5035606)),
            release("2024-03", (CU13, "15.02.1258.032", 5036402), (CU14, "15.02.1544.009", 5036401)),
        ]
    )
    assert states(line, version) == expected


EDGE = "Microsoft Edge (Chromium-based)"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("146.0.3856.84", "FF"),
        ("147.0.1.1", "FF"),
        ("146.0.3856.72", "FM"),  # the highest of the month counts
        ("145.0.3800.97", "FM"),
        ("144.0.3719.104", "FU"),  # may be Extended Stable
        ("143.0.3600.1", "MM"),
        (None, "UU"),
        ("146", "UU"),
    ],
)
def test_edge_by_the_highest_build_of_a_month(version: str | None, expected: str) -> None:
    (line,) = application_lines(
        [
            release("2026-02", (EDGE, "144.0.3719.82", 0), (EDGE, "144.0.3719.92", 0)),
            release("2026-03", (EDGE, "145.0.3800.97", 0), (EDGE, "146.0.3856.59", 0), (EDGE, "146.0.3856.84", 0)),
        ]
    )
    assert states(line, version) == expected


def test_what_has_no_build_is_left_out() -> None:
    with_link = MonthlyRelease(
        document="x", month=date(2024, 1, 1), released=None, revised=None, products={"1": (GDR,)},
        fixes=(MonthlyFix(5, ("1",), "https://example.org", (), "", ("CVE-1",)),), flaws={},
    )  # fmt: skip
    assert of_products(with_link) is None
