"""Windows' months against other hands: two published tables of builds, and recorded hosts with what Windows Update proposed to them that day.

The tables and the hosts are the shared ones; without them nothing here runs, and the posed hosts (tests/advisories/database/test_months.py) are all.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest
from msgspec.structs import replace

from auditor.advisories.feeds.msrc_cvrf import read
from auditor.advisories.feeds.update_lines import update_lines
from auditor.checks.windows_standing import UpdateEvidence, standing
from auditor.checks.windows_update import state
from auditor.model.facts import Reboot
from auditor.model.monthly_release import MonthlyRelease
from auditor.model.update_line import UpdateLine
from auditor.versions.windows_product import identify
from auditor.versions.windows_revisions import all_numbers
from tests.conftest import SHARED

FEEDS = SHARED / "advisories" / "feeds"
HOSTS = SHARED / "hosts" / "windows" / "wesng" / "validation"
pytestmark = pytest.mark.skipif(
    not (FEEDS / "msrc-cvrf-full.tar.xz").exists(), reason="needs the shared documents of Microsoft's"
)
_WORST = ("missing", "unknown", "pending", "fixed")


@pytest.fixture(scope="module")
def documents() -> list[MonthlyRelease]:
    with tarfile.open(FEEDS / "msrc-cvrf-full.tar.xz") as archive:
        return [read(f.read()) for m in archive if m.name.endswith(".xml") and (f := archive.extractfile(m))]


@pytest.fixture(scope="module")
def lines(documents: list[MonthlyRelease]) -> dict[str, UpdateLine]:
    return known(documents)


def known(documents: list[MonthlyRelease]) -> dict[str, UpdateLine]:
    numbers = frozenset(all_numbers()) | {f.kb for r in documents for f in r.fixes}
    return {x.product: replace(x, known=numbers.difference(x.unplaced)) for x in update_lines(documents)}


def verdicts(line: UpdateLine, ubr: int | None, *listed: int) -> dict[date, str]:
    evidence = UpdateEvidence(ubr, frozenset(listed), Reboot(False))
    at = standing(line, evidence)
    return {m.released or m.month: min((state(f, line, at, evidence) for f in m.fixes), key=_WORST.index) for m in line.months}


_ROW = re.compile(r"(?:\S+|LTSC . General Availability Channel) \d{4}-\d\d (\S+) (\d{4}-\d\d-\d\d) \d+\.(\d+) KB(\d+)")
TABLES = {"windows-server-2019": "Windows Server 2019 17763.txt", "windows-11-24h2": "Windows 11 24H2 26100.txt"}


def table(name: str) -> Iterator[tuple[date, int, int]]:
    """Day, UBR and number of each update of a published list."""
    with tarfile.open(FEEDS / "microsoft-dev.tar.xz") as archive:
        opened = archive.extractfile(f"microsoft/windows-updatelist/{name}")
        assert opened
        for row in opened.read().decode("utf-8-sig").splitlines():
            if m := _ROW.match(row):
                yield date.fromisoformat(m[2]), int(m[3]), int(m[4])


@pytest.mark.parametrize("product", TABLES)
@pytest.mark.parametrize("told", ["both", "UBR", "list"])
def test_a_published_table_of_builds(product: str, told: str, lines: dict[str, UpdateLine]) -> None:
    """A host at each build has the months to that day and lacks those after it, by either kind of evidence alone."""
    found: Counter[tuple[str, str]] = Counter()
    for day, ubr, kb in table(TABLES[product]):
        for released, verdict in verdicts(
            lines[product], None if told == "list" else ubr, *([] if told == "UBR" else [kb])
        ).items():
            found["fixed" if released <= day else "missing", verdict] += 1
    total = found.total()
    agreed = found["fixed", "fixed"] + found["missing", "missing"]
    # 17763.107 came on 2018-11-13 again, the day of 17763.134: its day is that of the month that it lacks.
    assert (found["missing", "fixed"], found["fixed", "missing"]) == (0, 1 if "2019" in product else 0)
    assert total > 190
    assert agreed / total > 0.985, found


def recorded(name: str) -> tuple[str, frozenset[int]]:
    """The product and the listed updates of a recorded host."""
    numbers, build = set[int](), 0
    for kind in ("systeminfo", "qfe"):
        path = HOSTS / f"{name}_{kind}.txt"
        if path.exists():
            raw = path.read_bytes()
            text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
            numbers |= {int(n) for n in re.findall(r"KB(\d{6,7})", text)}
            build = build or int(next(iter(re.findall(r"\d+\.\d+\.(\d{4,5})", text)), 0))
    version, server = "6.1" if build == 7601 else "10.0", name.startswith("srv")
    edition = "ServerStandard" if server else "Education"
    identity = identify(version, build, "server" if server else "workstation", (), edition=edition)
    return identity.product or "", frozenset(numbers)


def proposed(name: str) -> set[int]:
    """The cumulative updates and rollups of Windows itself that Windows Update proposed to it."""
    path = next(p for p in (HOSTS / f"{name}_updates.txt", HOSTS / f"{name}_updates_optional.txt") if p.exists())
    raw = path.read_bytes()
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    rows = [
        r
        for r in text.splitlines()
        if re.search(r"Cumulative Update for Windows|Monthly Quality Rollup", r) and "Preview" not in r
    ]
    return {int(n) for r in rows for n in re.findall(r"KB(\d{6,7})", r)}


VIEWS = {
    "10_1803_x64_proforworkstations_en-us_A_20190305": date(2019, 3, 5),
    "10_1809_x64_education_en-us_20190306": date(2019, 3, 6),
    "7_sp1_x64_enterprise_en-us_20190305": date(2019, 3, 5),
}


@pytest.mark.skipif(not HOSTS.exists(), reason="needs the shared recordings of hosts")
@pytest.mark.parametrize("name", VIEWS)
def test_what_windows_update_proposed_that_day(name: str, documents: list[MonthlyRelease]) -> None:
    """By the documents of that day: months are missing where Windows Update proposes a cumulative update of Windows, and none else."""
    day = VIEWS[name]
    product, listed = recorded(name)
    line = known([r for r in documents if (r.released or r.month) <= day])[product]
    found = verdicts(line, None, *listed)
    assert ("missing" in found.values()) == bool(proposed(name)), (found, proposed(name))
    assert "unknown" not in found.values()


@pytest.mark.skipif(not HOSTS.exists(), reason="needs the shared recordings of hosts")
def test_every_recorded_host_is_decided_or_says_why(lines: dict[str, UpdateLine]) -> None:
    names = sorted(p.name.removesuffix("_systeminfo.txt") for p in HOSTS.glob("*_systeminfo.txt"))
    decided = 0
    for name in names:
        product, listed = recorded(name)
        line = lines.get(product)
        if line is None or not line.months:
            continue  # no monthly document is about it
        at = standing(line, UpdateEvidence(None, listed, None))
        found = set(verdicts(line, None, *listed).values())
        decided += "unknown" not in found
        assert "unknown" not in found or at.doubt, name
    assert decided >= 12
