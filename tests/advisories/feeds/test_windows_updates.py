"""Monthly documents put together: which updates hold all before them, in which order, and what only stands beside them."""

from __future__ import annotations

import tarfile
from datetime import date

import pytest

from auditor.advisories.feeds.msrc_cvrf import read
from auditor.advisories.feeds.windows_updates import UpdateKind, WindowsDocuments, WindowsUpdates, kind
from auditor.model.monthly_release import MonthlyFix, MonthlyRelease
from auditor.versions.windows_build import Build
from tests.advisories.feeds.test_msrc_cvrf import SAMPLES

SERVER = "windows-server-2022"


def of_product(releases: list[MonthlyRelease], product: str) -> WindowsUpdates:
    return WindowsDocuments(releases).updates(product)


def fix(kb: int, build: str = "", supersedes: int = 0, subtype: str = "Security Update", flaws: int = 30) -> MonthlyFix:
    return MonthlyFix(
        kb, ("1",), build, (supersedes,) if supersedes else (), subtype, tuple(f"CVE-{kb}-{n:04}" for n in range(flaws))
    )


def month(number: int, *fixes: MonthlyFix, name: str = "Windows Server 2022") -> MonthlyRelease:
    return MonthlyRelease(
        document=f"2023-{number}", month=date(2023, number, 1), released=None, revised=None, products={"1": (name,), "2": ("Windows RT 8.1",)}, fixes=fixes, flaws={}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("subtype", "line", "expected"),
    [
        ("Security Update", 20348, "cumulative"),
        ("Cumulative Update", 14393, "cumulative"),
        ("Alternate Cumulative", 14393, "cumulative"),
        ("Monthly Rollup", 9600, "cumulative"),
        ("VIA Processors Monthly Rollup", 9600, "cumulative"),
        ("Security Update", 9600, "separate"),  # before October 2016 each fault had its own
        ("Security Only", 9600, "security-only"),
        ("VIA Processors Security Only", 7601, "security-only"),
        ("IE Cumulative", 9600, "separate"),
        ("SecurityHotpatchUpdate", 20348, "hotpatch"),
        ("Security Hotpatch Update", 26100, "hotpatch"),
        ("Azure Hotpatch", 20348, "hotpatch"),
        ("AzureHotpatch", 20348, "hotpatch"),
        ("Servicing Stack Update", 17763, "separate"),
        ("ServicingStackUpdate", 17763, "separate"),
        ("Setup DU", 17763, "separate"),
        ("Standalone", 17763, "separate"),
        ("Preview Rollup", 9600, "separate"),
        ("CBL-Mariner", 20348, "separate"),
        ("", 20348, "separate"),
    ],
)
def test_kinds(subtype: str, line: int, expected: UpdateKind) -> None:
    assert kind(subtype, line) == expected


def test_what_stands_beside_the_cumulative_updates() -> None:
    found = of_product(
        [
            month(1, fix(5022291, "10.0.20348.1487"), fix(5012170, "10.0.20348.1300", flaws=3)),  # Secure Boot's list
            month(2, fix(5022842, "10.0.20348.1547", 5022291), fix(5022921, "10.0.20348.1540", subtype="AzureHotpatch")),
        ],
        SERVER,
    )
    assert [u.kb for u in found.order.updates] == [5022291, 5022842]
    assert found.beside == {5012170: "separate", 5022921: "hotpatch"}
    assert found.builds[5022921] == Build(20348, 1540)  # lower than the cumulative update's of its month
    assert len(found.flaws[5012170]) == 3


def test_a_small_update_out_of_band_is_in_the_chain() -> None:
    found = of_product([month(1, fix(9000001, flaws=20)), month(2, fix(9000002, "", 9000001, flaws=1))], SERVER)
    assert [u.kb for u in found.order.updates] == [9000001, 9000002]


@pytest.mark.parametrize(
    ("written", "build"),
    [
        ([("10.0.20348.10", 30)], Build(20348, 10)),
        ([("10.0.20348.10", 2), ("10.0.20348.20", 30)], Build(20348, 20)),  # as most rows have it
        ([("10.0.20348.10", 2), ("10.0.19041.20", 30)], Build(20348, 10)),  # a row of its own line goes before
        ([("https://aka.ms/x", 30), ("1.001", 30), ("10.0.20348", 30)], None),
    ],
)
def test_the_build_of_an_update(written: list[tuple[str, int]], build: Build | None) -> None:
    found = of_product([month(1, *(fix(1000001, b, flaws=n) for b, n in written))], SERVER)
    assert found.builds.get(1000001) == build


def test_other_products_say_nothing() -> None:
    assert of_product([month(1, fix(1000001), name="Windows Server 2019")], SERVER).order.updates == ()
    with pytest.raises(ValueError, match="no Windows"):
        of_product([], "windows-server-2031")


@pytest.mark.skipif(not SAMPLES.exists(), reason="needs the shared samples of Microsoft's documents; made ones are read above")
def test_twelve_real_months_have_gaps_and_still_an_order() -> None:
    with tarfile.open(SAMPLES) as samples:
        files = [samples.extractfile(m) for m in samples if "msrc-cvrf/" in m.name and m.isfile()]
        releases = [read(f.read()) for f in files if f]
    found = of_product(releases, SERVER)
    revisions = [u.build.revision for u in found.order.updates if u.build]
    assert revisions == sorted(revisions, key=lambda r: r or 0)
    assert {5016627, 5025230, 5034770, 5060526, 5073457} <= {u.kb for u in found.order.updates}
    assert found.beside[5060525] == "hotpatch"
    assert found.order.after(5016627) is None  # months are missing in between
    assert found.order.after(5073457) == ()
    assert not found.order.distrusted
