"""Microsoft's monthly documents in the database: revisions, months that shrink, what was known on a day; and posed hosts held against them."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from auditor.advisories.database.importing import Imported, import_documents
from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.advisories.database.monthly_summary import ranges, summary
from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.errors import UsageFault
from auditor.foundation.deadline import Stop
from auditor.model.facts import HostFacts, InstalledProduct, Platform
from auditor.model.finding import Finding
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.rulebook.loader import load
from tests.advisories.feeds.test_msrc_cvrf import document, fix, flaw
from tests.collectors.windows.reading import environment
from tests.collectors.windows.test_products import with_servers
from tests.lab.windows import months
from tests.lab.windows.host import NoCase, RegValue, WindowsHost, load_host
from tests.lab.windows.wsman import WsmanServer

NOW = datetime(2026, 3, 20, tzinfo=UTC)
TODAY = NOW.date()


def put(folder: Path, **documents: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in documents.items():
        (folder / f"{name}.xml").write_bytes(content)
    return folder


def imported(db: Path, *paths: Path, force: bool = False, day: int = 1) -> Imported:
    return import_documents(db, [str(p) for p in paths], now=NOW + timedelta(days=day), force=force)


def month(flaws: int = 4, revised: str = "2022-03-31", ident: str = "2022-Mar") -> bytes:
    made = document(*(flaw(f"CVE-2022-{n:04}", fix()) for n in range(flaws)), ident=ident)
    return made.replace(b"2022-03-31T07", revised.encode() + b"T07")


def flaws(db: Path, as_of: datetime | None = None) -> list[int]:
    line = AdvisoryIndex(db, as_of.isoformat(timespec="seconds") if as_of else None).line("windows-server-2022")
    return [sum(len(f.cves) for m in (*line.months, *line.beside) for f in m.fixes)] if line else []


def test_the_later_revision_stands_whichever_comes_first(tmp_path: Path) -> None:
    old, new = month(4, "2022-03-10"), month(6, "2022-03-31")
    for order in ((old, new), (new, old)):
        db = tmp_path / f"{order[0] == old}.db"
        for n, content in enumerate(order):
            imported(db, put(tmp_path / "d", month=content), day=n)
        assert flaws(db) == [6]
    both = tmp_path / "both.db"
    found = imported(both, put(tmp_path / "both", a=old, b=new))
    assert flaws(both) == [6]
    assert found.refusals == 0


def test_a_month_that_shrinks_is_kept_out(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    whole = document(*(flaw(f"CVE-2022-{n:04}", fix(str(5011000 + n))) for n in range(8)))
    less = whole.replace(b"2022-03-31T07", b"2022-04-02T07")
    less = document(*(flaw(f"CVE-2022-{n:04}", fix(str(5011000 + n))) for n in range(3))).replace(
        b"2022-03-31T07", b"2022-04-02T07"
    )
    imported(db, put(tmp_path / "a", m=whole))
    found = imported(db, put(tmp_path / "b", m=less), day=2)
    assert "would shrink from 8 to 3 fixes" in found.refused[0].reason
    assert flaws(db) == [8]
    imported(db, put(tmp_path / "c", m=less), day=3, force=True)
    assert flaws(db) == [3]


def test_a_second_document_of_a_month_adds_to_it(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    band = document(flaw("CVE-2022-9999", fix("5012000", "10.0.20348.600")), ident="Mar-OOB")
    imported(db, put(tmp_path / "d", main=month(), band=band))
    assert flaws(db) == [5]
    assert [a.id for a in AdvisoryIndex(db).advisories(["MSRC-2022-Mar"]).values()] == ["MSRC-2022-Mar"]


def test_what_was_known_on_a_day(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    imported(db, put(tmp_path / "d", m=month(4, "2022-03-10")), day=1)
    imported(db, put(tmp_path / "d", m=month(6, "2022-03-31")), day=3)
    assert flaws(db, NOW + timedelta(days=2)) == [4]
    assert flaws(db) == [6]


def test_a_folder_that_lacks_months_takes_none_back(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    imported(db, put(tmp_path / "a", m=month(), n=month(ident="2022-Apr").replace(b"5011497", b"5012604")))
    imported(db, put(tmp_path / "b", n=month(5, "2022-04-02", ident="2022-Apr").replace(b"5011497", b"5012604")), day=2)
    told = summary(AdvisoryIndex(db))
    assert told
    assert (told.documents, told.first, told.newest) == (2, date(2022, 3, 1), date(2022, 4, 1))


@pytest.mark.parametrize(
    "content",
    [
        month()[:-20],
        month().replace(b"<cvrf:cvrfdoc", b'<!DOCTYPE x [<!ENTITY a "b">]><cvrf:cvrfdoc'),
        month(ident="whenever").replace(b"2022-03-08T08:00:00", b"yesterday"),
        b"<cvrfdoc/>",
    ],
)
def test_what_is_no_document_costs_only_itself(content: bytes, tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    found = imported(db, put(tmp_path / "d", bad=content, good=month()))
    assert [r.name.endswith("bad.xml") for r in found.refused] == [True]
    assert flaws(db) == [4]


def catalog(*cves: str) -> bytes:
    flaws = ", ".join(f'{{"cveID": "{c}", "dateAdded": "2022-04-01", "product": "Windows"}}' for c in cves)
    return (
        f'{{"title": "Catalog", "catalogVersion": "2022.04.01", "count": {len(cves)}, "vulnerabilities": [{flaws}]}}'.encode()
    )


def test_cisa_s_catalog_tells_what_is_exploited(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    folder = put(tmp_path / "d", m=document(*(flaw(f"CVE-2022-{n:04}", fix()) for n in range(12))))
    (folder / "known.json").write_bytes(catalog("CVE-2022-0003", "CVE-2019-0001"))
    found = imported(db, folder)
    assert (found.added["cisa-kev"], found.refusals) == (2, 0)
    facts = HostFacts(
        target="x",
        collected_at=NOW,
        platform=Platform(family="windows", product="windows-server-2022", version="10.0", build="20348.500"),
        hotfixes=(),
    )
    (rule,) = AdvisoryDatabase(db).about(facts).rules
    assert (rule.id, rule.exploited) == ("MSRC-2022-Mar", ("CVE-2022-0003",))


@pytest.mark.parametrize(
    "content", [b'{"catalogVersion": "1"}', b'{"catalogVersion": "1", "vulnerabilities": 5}', catalog("CVE-2022-0003")[:-9]]
)
def test_a_catalog_that_is_none(content: bytes, tmp_path: Path) -> None:
    folder = put(tmp_path / "d", m=month())
    (folder / "known.json").write_bytes(content)
    assert "is no catalog" in imported(tmp_path / "a.db", folder).refused[0].reason


def test_status_tells_gaps_and_what_is_not_believed(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    wrong = document(
        *(flaw(f"CVE-2022-{n:04}", fix("5021255", "10.0.22621.993")) for n in range(12)),
        ident="2022-Dec", products='<prod:FullProductName ProductID="1">Windows 11 Version 22H2 for x64-based Systems</prod:FullProductName><prod:FullProductName ProductID="2">Windows 3000</prod:FullProductName>',
    )  # fmt: skip
    imported(db, put(tmp_path / "d", a=month(), b=wrong))
    told = summary(AdvisoryIndex(db))
    assert told
    assert told.distrusted == {"KB5021255": "build 22621.993 in the documents, 22621.963 by release information"}
    assert told.unread == ("Windows 3000",)
    assert ranges(told.missing) == "2022-04 to 2022-11"


# ------------------------------------------------------------------------------------------------------- posed hosts
@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> AdvisoryDatabase:
    folder = tmp_path_factory.mktemp("documents")
    for name, content in months.documents(TODAY).items():
        (folder / name).write_bytes(content)
    db = folder.with_suffix(".db")
    import_documents(db, [str(folder)], now=NOW)
    return AdvisoryDatabase(db)


def scanned(host: WindowsHost, database: AdvisoryDatabase, now: datetime = NOW) -> tuple[TargetResult, list[str]]:
    """What a scan of a posed host gives, and what the host was asked."""
    context = AuditContext(rulebook=load(), clock=lambda: now, marker=lambda: "0123456789abcdef01234567", advisories=database)
    with WsmanServer(host) as server, environment("LAB_PASSWORD", "Secret-1"):
        target = Target(name=host.name, connection="winrm", address="127.0.0.1", port=server.port, scheme="http", user="auditor",
                        password="env:LAB_PASSWORD")  # fmt: skip
        result = scan(target, context, Stop())
        assert result.error is None, result.error
        return result, list(server.log)


def findings(host: WindowsHost, database: AdvisoryDatabase, now: datetime = NOW) -> dict[str, Finding]:
    return {f.rule: f for f in scanned(host, database, now)[0].findings}


def posed(name: str, ubr: int | None, *listed: int, restart: bool = False, edition: str = "") -> WindowsHost:
    host = load_host(name)
    host.denied_keys.clear()
    host.denied_classes.clear()
    if edition:
        host.registry[r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"]["EditionID"] = RegValue(
            "REG_SZ", edition
        )
    host.wmi.setdefault("Win32_QuickFixEngineering", [{}])
    return months.at(host, ubr, *listed, restart=restart)


def licensed(host: WindowsHost) -> WindowsHost:
    host.wmi["SoftwareLicensingProduct"] = [
        {"Name": "Windows(R), Professional edition", "LicenseStatus": 1},
        {"Name": "Windows(R), Client-ESU-Year1 add-on for Enterprise,EnterpriseN,Professional", "LicenseStatus": 1},
        {"Name": "Windows(R), Client-ESU-Year2 add-on for Enterprise,EnterpriseN,Professional", "LicenseStatus": 0},
    ]
    return host


def hotpatched(host: WindowsHost) -> WindowsHost:
    base = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\DeviceGuard"
    host.registry.setdefault(base, NoCase())["EnableVirtualizationBasedSecurity"] = RegValue("REG_DWORD", 1)
    enrolled = (
        r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Update\TargetingInfo\DynamicInstalled\Hotpatch.amd64"
    )
    host.registry.setdefault(enrolled, NoCase())["Name"] = RegValue("REG_SZ", "Hotpatch Enrollment Package")
    return host


S19, S22, CORE, S25, R2, TEN, ELEVEN = (
    "windows-server-2019", "windows-server-2022", "windows-server-2022-core", "windows-server-2025", "windows-server-2012-r2",
    "windows-10-22h2", "windows-11-24h2",
)  # fmt: skip
MISSING, PENDING, UNKNOWN = "noncompliant", "pending", "unknown"
# Builds and numbers of the real documents; what is open, month by month, and the standing of the patch level.
STATES: list[tuple[WindowsHost, dict[str, str], str]] = [
    (posed(S19, 8511, 5078752), {}, "compliant"),
    (posed(S19, 8276, 5073723), {"2026-Feb": MISSING, "2026-Mar": MISSING}, "not_applicable"),
    (posed(S19, 8389, 5078752, restart=True), {"2026-Mar": PENDING}, "not_applicable"),
    (posed(S22, 4893, 5078766), {}, "compliant"),
    (posed(S22, 4648, 5073457), {"2026-Feb": MISSING, "2026-Mar": MISSING}, "not_applicable"),
    (posed(S22, 4773, 5078766, restart=True), {"2026-Mar": PENDING}, "not_applicable"),
    (posed(S22, 4773, 5078766), {"2026-Mar": UNKNOWN}, "not_applicable"),
    (posed(CORE, 4893, 5078766), {}, "compliant"),
    (posed(CORE, 4773, 5075906), {"2026-Mar": MISSING}, "not_applicable"),
    (posed(CORE, None, 5075906), {"2026-Mar": MISSING}, "not_applicable"),
    (hotpatched(posed(S25, 32463, 5078736)), {}, "compliant"),  # March's hotpatch, lower than March's cumulative update
    (hotpatched(posed(S25, 32313, 5075942)), {"2026-Mar": MISSING}, "not_applicable"),
    (hotpatched(posed(S25, 32400, 5075942)), {"2026-Mar": UNKNOWN}, "not_applicable"),  # a hotpatch that nobody knows
    (posed(S25, 32400, 5075899), {"2026-Mar": MISSING}, "not_applicable"),
    (
        posed(R2, None, 5029312, 5030287, 5031407, 5029243, 5030209, 5031355),
        {},
        "compliant",
    ),  # security only, to the end of free support
    (posed(R2, None, 5029312, 5030287, 5029243, 5030209), {"2023-Oct": MISSING}, "not_applicable"),
    (posed(R2, 23022, 5075970), {"2026-Mar": MISSING}, "not_applicable"),  # takes extended updates
    (posed(TEN, 6456, 5066791), {}, "compliant"),  # everything that came while it was free
    (posed(TEN, 6332, 5065429), {}, "unknown"),  # October's document is missing
    (posed(TEN, 6809, 5073724), {"2026-Feb": MISSING, "2026-Mar": MISSING}, "not_applicable"),  # takes extended updates
    (
        licensed(posed(TEN, 6456, 5066791)),
        {f"{m}": MISSING for m in ("2025-Nov", "2025-Dec", "2026-Jan", "2026-Feb", "2026-Mar")},
        "not_applicable",
    ),
    (posed(ELEVEN, 8037, 5079473), {}, "compliant"),
    (posed(ELEVEN, 7840, 5077181), {"2026-Mar": MISSING}, "not_applicable"),
    (posed(ELEVEN, 32522, 5079473), {"2026-Mar": UNKNOWN, "2025-Jun": UNKNOWN}, "not_applicable"),
]


@pytest.mark.parametrize(("host", "expected", "level"), STATES, ids=[f"{n}-{h.name}" for n, (h, _, _) in enumerate(STATES)])
def test_patch_states(host: WindowsHost, expected: dict[str, str], level: str, database: AdvisoryDatabase) -> None:
    found = findings(host, database)
    open_ = {name: f.verdict for name, f in found.items() if name.startswith("MSRC-20")}
    assert {k: open_.get(f"MSRC-{k}") for k in expected} == expected
    if UNKNOWN not in expected.values() or len(expected) == 1:
        assert set(open_) == {f"MSRC-{k}" for k in expected}
    assert found["windows-patch-level"].verdict == level, found["windows-patch-level"].why


SQL_STATES = [
    # the default instance (2019), the other one (2022), Exchange 2019 -> the months that are open
    (("15.0.4460.4", "16.0.1170.5", "15.02.1748.043"), ""),
    (("15.0.4455.2", "16.0.1170.5", "15.02.1748.043"), "2026-Mar"),
    (("15.0.4460.4", "16.0.4230.2", "15.02.1748.042"), "2026-Feb 2026-Mar"),
    (("15.0.2145.1", "16.0.1160.1", "15.02.1544.036"), "2025-Nov 2025-Dec 2026-Jan 2026-Feb 2026-Mar"),
]


@pytest.mark.parametrize(("versions", "expected"), SQL_STATES)
def test_other_products_of_a_host_that_has_every_update_of_windows(
    versions: tuple[str, str, str], expected: str, database: AdvisoryDatabase
) -> None:
    host = months.at(with_servers(*versions), 4893, 5078766)
    found = findings(host, database)
    assert sorted(name for name in found if name.startswith("MSRC-20")) == sorted(f"MSRC-{m}" for m in expected.split())
    assert {f.verdict for name, f in found.items() if name.startswith("MSRC-20")} <= {MISSING}


def test_a_month_has_what_people_need(database: AdvisoryDatabase) -> None:
    f = findings(posed(S22, 4648, 5073457), database)["MSRC-2026-Mar"]
    assert f.remedy
    assert (f.remedy.kind, f.remedy.line, f.remedy.level, f.remedy.of) == (
        "update",
        "windows-server-2022",
        "KB5078766",
        "20348.4893",
    )
    assert (f.severity, f.obligation, len(f.cves)) == ("critical", "required", 40)
    assert f.why == "UBR 4648 is lower than 4893, which KB5078766 brings"
    assert "KB5078766 (build 20348.4893)" in f.required
    assert "UBR 4648 (registry)" in f.evidence


def test_core_has_fewer_flaws(database: AdvisoryDatabase) -> None:
    full, core = (findings(posed(name, 4773, 5075906), database)["MSRC-2026-Mar"] for name in (S22, CORE))
    assert (len(full.cves), len(core.cves)) == (40, 32)


@pytest.mark.parametrize(
    ("now", "verdict", "word"),
    [
        (datetime(2026, 4, 14, tzinfo=UTC), "compliant", "held against"),  # April's come this day
        (datetime(2026, 4, 15, tzinfo=UTC), "unknown", "the newest document is MSRC-2026-Mar"),
        (datetime(2026, 2, 20, tzinfo=UTC), "unknown", "clock"),
    ],
)
def test_documents_and_clock(now: datetime, verdict: str, word: str, database: AdvisoryDatabase) -> None:
    level = findings(posed(S22, 4893, 5078766), database, now)["windows-patch-level"]
    assert (level.verdict, word in level.why) == (verdict, True), level.why


def test_a_host_is_asked_no_more_than_it_has_to_be(database: AdvisoryDatabase) -> None:
    """Three questions about hotpatches; the products are known by their services."""
    log = scanned(posed(CORE, 4893, 5078766), database)[1]
    asked = [line for line in log if any(word in line for word in ("DeviceGuard", "Hotpatch", "AllowReboot", "SQL"))]
    assert len(asked) == 3, asked


def test_a_windows_of_single_updates_is_not_called_up_to_date(tmp_path: Path) -> None:
    single = document(
        *(flaw(f"CVE-2016-{n:04}", fix(str(3150000 + n), "")) for n in range(4)), ident="2016-Apr",
        products='<prod:FullProductName ProductID="1">Windows Vista Service Pack 2</prod:FullProductName>',
    )  # fmt: skip
    imported(tmp_path / "a.db", put(tmp_path / "d", m=single))
    facts = HostFacts(
        target="x",
        collected_at=NOW,
        platform=Platform(family="windows", product="windows-vista", version="6.0", build="6002"),
        hotfixes=(),
    )
    knowledge = AdvisoryDatabase(tmp_path / "a.db").about(facts)
    assert (knowledge.rules, knowledge.coverage.releases) == ((), ())
    assert "single updates" in knowledge.coverage.lacking


def test_a_document_that_has_no_update_of_windows_covers_no_month(tmp_path: Path) -> None:
    """Neither Edge's rows, which come before the second Tuesday, nor a single CSAF document."""
    whole = document(*(flaw(f"CVE-2022-{n:04}", fix()) for n in range(12)))
    early = document(
        flaw("CVE-2022-7777", fix("5019999")),
        ident="2022-May",
        products='<prod:FullProductName ProductID="1">Microsoft Office 2019</prod:FullProductName>',
    )
    imported(tmp_path / "a.db", put(tmp_path / "d", a=whole, b=early))
    line = AdvisoryIndex(tmp_path / "a.db").line("windows-server-2022")
    assert line
    assert line.documents == (date(2022, 3, 1),)


@pytest.mark.parametrize("ident", ["2099-Dec", "2015-Dec", "0001-Jan"])
def test_months_that_none_can_be_of_are_refused(ident: str, tmp_path: Path) -> None:
    content = month(ident=ident)
    if ident == "0001-Jan":
        content = month(ident="Oct-OOB").replace(b"2022-03-08T08", b"0001-01-01T08")
    found = imported(tmp_path / "a.db", put(tmp_path / "d", a=content, b=month()))
    assert [r.name.endswith("a.xml") for r in found.refused] == [True]
    assert "this machine's clock says" in found.refused[0].reason


def test_more_updates_than_a_line_can_have_change_nothing(tmp_path: Path) -> None:
    many = document(
        *(flaw(f"CVE-2022-{n:05}", fix(str(9100000 + n), f"10.0.20348.{n}", str(9099999 + n))) for n in range(5_100))
    )
    with pytest.raises(UsageFault, match="more than 5,000; nothing was changed"):
        imported(tmp_path / "a.db", put(tmp_path / "d", a=many))


def test_a_long_chain_of_single_updates_takes_no_time(tmp_path: Path) -> None:
    chain = document(
        *(
            flaw(
                f"CVE-2022-{n:05}",
                fix(str(5100000 + n), "", str(5099999 + n)).replace("Security Update", "Servicing Stack Update"),
            )
            for n in range(1_500)
        )
    )
    before = time.process_time()
    imported(tmp_path / "a.db", put(tmp_path / "d", a=chain))
    assert time.process_time() - before < 20  # it was minutes


@pytest.mark.parametrize("product", [None, "", "sql-server-2019", "windows-server-2099", "Windows-Server-2022"])
@pytest.mark.parametrize("other", ["", "windows-server-2022", "sql-server-2019", "x" * 5000])
def test_whatever_facts_name(product: str | None, other: str, database: AdvisoryDatabase) -> None:
    facts = HostFacts(
        target="x", collected_at=NOW, hotfixes=(), platform=Platform(family="windows", product=product, version="10.0", build="20348.4893"),
        products=(InstalledProduct(other, "", "1." * 5000), InstalledProduct("sql-server-2019", "ERP", "15.0.4360.2")),
    )  # fmt: skip
    known = database.about(facts)
    assert (
        any(r.id == "MSRC-2026-Mar" and "sql-server-2019" in r.branches[0].products for r in known.rules)
        or other == "sql-server-2019"
    )


@pytest.mark.parametrize("build", ["26100.32522", "17763.9000", "99999.1", "20348.999999999"])
def test_a_build_of_another_windows_says_nothing(build: str, database: AdvisoryDatabase) -> None:
    facts = HostFacts(
        target="x",
        collected_at=NOW,
        hotfixes=(),
        platform=Platform(family="windows", product="windows-server-2022", version="10.0", build=build),
    )
    months_ = [r for r in database.about(facts).rules if r.id.startswith("MSRC-20")]
    assert len(months_) == len({u.month for u in months.cumulative("windows-server-2022", TODAY)})
