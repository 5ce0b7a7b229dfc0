"""What the database says of a host, and that the quick comparison leaves out nothing that is open."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.advisories.database.importing import import_documents
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.checks.judgement import Case
from auditor.checks.packages import PackageFix, PackagesCheck
from auditor.errors import UsageFault
from auditor.evaluation.applicability import Host
from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import HostFacts, Kernels, Platform, Repository
from auditor.model.finding import Finding, Waiver
from auditor.model.policy import Policy
from auditor.rulebook.loader import load
from tests.advisories import given
from tests.checks.test_packages import EL9, deb, rpm
from tests.given import LINUX

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RULES = load(["rules/linux"]).rules


def database(
    folder: Path, *documents: bytes, partial: bool = False, as_of: date | None = None, when: datetime = NOW
) -> AdvisoryDatabase:
    feed = folder / "feed"
    feed.mkdir(exist_ok=True)
    for n, document in enumerate(documents):
        (feed / f"{n}.json").write_bytes(document)
    import_documents(folder / "advisories.db", [str(feed)], now=when, as_of=as_of or NOW.date(), partial=partial, force=True)
    return AdvisoryDatabase(folder / "advisories.db")


def alma(ident: str, *fixes: tuple[str, str], title: str = "Important: x security update") -> bytes:
    return given.osv(
        ident, *(("AlmaLinux:9", name, version) for name, version in fixes), title=title, related=["CVE-2026-7777"]
    )


def host(*packages: object, **more: object) -> HostFacts:
    facts = replace(LINUX, platform=EL9, packages=tuple(packages), kernels=Kernels(outside=True), updates=None)
    return replace(facts, **more)


def judged(db: AdvisoryDatabase, facts: HostFacts, **more: object) -> dict[str, Finding]:
    return {f.rule: f for f in evaluate(facts, RULES, today=NOW.date(), knowledge=db.about(facts), **more)}  # type: ignore[arg-type]


def test_what_is_open_is_a_finding_and_what_is_fulfilled_is_counted(tmp_path: Path) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")), alma("ALSA-2026:2", ("curl", "7-1.el9")),
                  given.osv("ALBA-2026:3", ("AlmaLinux:9", "bash", "6-1.el9"), title="bash bug fix update"))  # fmt: skip
    found = judged(db, host(rpm("openssl", "1:3.0.7-27.el9"), rpm("curl", "7-1.el9"), rpm("bash", "5-1.el9")))
    ssl, bash, summary = found["ALSA-2026:1"], found["ALBA-2026:3"], found["linux-security-updates"]
    assert "ALSA-2026:2" not in found
    assert (ssl.verdict, ssl.obligation, ssl.severity, ssl.cves) == (
        "noncompliant",
        "required",
        "important",
        ("CVE-2026-7777",),
    )
    assert (bash.verdict, bash.obligation) == ("noncompliant", "advised")
    assert summary.verdict == "not_applicable"
    assert "3 advisories are about installed packages; 2 of them not fulfilled" in summary.observed
    clean = judged(db, host(rpm("openssl", "1:3.0.7-28.el9"), rpm("curl", "7-1.el9")))
    assert (clean["linux-security-updates"].verdict, [r for r in clean if r.startswith("AL")]) == ("compliant", [])


@pytest.mark.parametrize(
    ("as_of", "verdict", "why"),
    [
        (None, "compliant", "held against"),
        (date(2026, 11, 9), "unknown", "15 days ago"),
        (date(2026, 11, 10), "compliant", "held against"),
    ],
)
def test_an_old_feed_is_unknown(tmp_path: Path, as_of: date | None, verdict: str, why: str) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")), as_of=as_of)
    found = judged(db, host(rpm("openssl", "1:3.0.7-28.el9")))["linux-security-updates"]
    assert (found.verdict, why in found.why) == (verdict, True)


def test_the_inventorys_max_age_decides_how_old_a_feed_may_be(tmp_path: Path) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")), as_of=date(2026, 10, 1))
    facts = host(rpm("openssl", "1:3.0.7-28.el9"))
    for days, verdict in ((365, "compliant"), (30, "unknown")):
        assert judged(db, facts, policy=Policy(max_age=timedelta(days=days)))["linux-security-updates"].verdict == verdict


def test_an_old_feed_takes_back_nothing_that_is_missing(tmp_path: Path) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")), as_of=date(2020, 1, 1))
    found = judged(db, host(rpm("openssl", "1:3.0.7-27.el9")), policy=Policy(max_age=timedelta(days=7)))
    assert (found["ALSA-2026:1"].verdict, found["linux-security-updates"].verdict) == ("noncompliant", "unknown")


@pytest.mark.parametrize("product", ["rocky-9", "rhel-9", "centos-stream-9", "almalinux-8", None])
def test_no_feed_is_unknown_and_never_nothing(tmp_path: Path, product: str | None) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")))
    facts = host(rpm("openssl", "1:3.0.7-27.el9"), platform=Platform(family="linux", product=product))
    found = judged(db, facts)
    assert found["linux-security-updates"].verdict == "unknown"
    assert "ALSA-2026:1" not in found
    assert db.about(facts).coverage.releases == ()


def test_single_documents_cover_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")))
    import_documents(tmp_path / "a.db", [str(tmp_path / "one.json")], now=NOW, as_of=NOW.date())
    db = AdvisoryDatabase(tmp_path / "a.db")
    assert judged(db, host(rpm("openssl", "1:3.0.7-28.el9")))["linux-security-updates"].verdict == "unknown"
    assert judged(db, host(rpm("openssl", "1:3.0.7-27.el9")))["ALSA-2026:1"].verdict == "noncompliant"


def test_packages_that_could_not_be_read_leave_it_unknown(tmp_path: Path) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")))
    facts = host(packages=None)
    assert judged(db, facts)["linux-security-updates"].verdict == "unknown"


def test_a_pinned_host_is_not_held_against_another_stream(tmp_path: Path) -> None:
    x = "openssl-1:3.0.7-28.el9_5.x86_64"
    fixed = given.csaf(
        "RHSA-2026:1",
        [given.platform("B-9.5", "cpe:/o:redhat:enterprise_linux:9::baseos"), given.nevra_product(x)],
        [given.component(x, "B-9.5")],
        {"fixed": [f"B-9.5:{x}"]},
    )
    y = "openssl-1:3.0.7-27.el9_4.2.x86_64"
    eus = given.csaf(
        "RHSA-2026:2",
        [given.platform("B-9.4", "cpe:/o:redhat:rhel_eus:9.4::baseos"), given.nevra_product(y)],
        [given.component(y, "B-9.4")],
        {"fixed": [f"B-9.4:{y}"]},
    )
    db = database(tmp_path, fixed, eus)
    rolling = host(rpm("openssl", "1:3.0.7-27.el9_4"), platform=Platform(family="linux", product="rhel-9", version="9.4"))
    pinned = replace(rolling, repositories=(Repository("rpm", "rhel-9-for-x86_64-baseos-eus-rpms"),))
    assert {r for r in judged(db, rolling) if r.startswith("RHSA")} == {"RHSA-2026:1"}
    assert {r for r in judged(db, pinned) if r.startswith("RHSA")} == {"RHSA-2026:2"}


def test_what_only_subscribers_get_is_said_and_is_not_missing(tmp_path: Path) -> None:
    package = {"ecosystem": "Ubuntu:Pro:22.04:LTS", "name": "ffmpeg", "purl": "pkg:deb/ubuntu/ffmpeg?distro=esm-apps/jammy"}
    esm = given.osv(
        "USN-2-1",
        title="ffmpeg vulnerabilities",
        affected=[
            {
                "package": package,
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7:4.4.2-0ubuntu0.22.04.1+esm1"}]}],
            }
        ],
    )
    db = database(tmp_path, given.osv("USN-1-1", ("Ubuntu:22.04:LTS", "openssl", "3.0.2-0ubuntu1.20")), esm)
    facts = replace(
        LINUX,
        platform=Platform(family="linux", product="ubuntu-22.04"),
        packages=(deb("ffmpeg", "7:4.4.2-0ubuntu0.22.04.1"), deb("openssl", "3.0.2-0ubuntu1.20")),
        updates=None,
    )
    free = judged(db, facts)
    assert "USN-2-1" not in free
    assert free["linux-security-updates"].verdict == "compliant"
    assert "1 more advisory is fixed only by Ubuntu Pro (esm-apps)" in free["linux-security-updates"].observed
    pro = replace(facts, repositories=(Repository("dpkg", "jammy-apps-security", "https://esm.ubuntu.com/apps/ubuntu"),))
    assert judged(db, pro)["USN-2-1"].verdict == "noncompliant"


def test_a_backport_belongs_to_the_release_it_was_made_for(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(
        b"[29 Nov 2026] DSA-1-1 x - security update\n\t[bookworm] - x 1.0-1+deb12u1\n\t[bullseye] - x 2.0-5~deb11u1\n"
    )
    import_documents(tmp_path / "a.db", [str(tmp_path / "list")], now=NOW, as_of=NOW.date())
    db = AdvisoryDatabase(tmp_path / "a.db")
    for version, verdicts in (
        ("2.0-1~bpo12+1", []),
        ("2.0-1~bpo11+1", ["noncompliant"]),
        ("1.0-1", ["noncompliant"]),
        ("2.0-9~bpo11+1", []),
    ):
        found = judged(db, replace(LINUX, packages=(deb("x", version),), updates=None))
        assert [f.verdict for r, f in found.items() if r == "DSA-1-1"] == verdicts, version


def test_the_hosts_own_lists_judge_alone_only_where_no_feed_covers_it(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(given.DSA)
    import_documents(tmp_path / "a.db", [str(tmp_path / "list")], now=NOW, as_of=NOW.date())
    db = AdvisoryDatabase(tmp_path / "a.db")
    covered = judged(db, LINUX)["linux-security-updates"]
    assert covered.verdict == "not_applicable"
    assert "its own lists offer nothing newer" in covered.observed
    other = replace(LINUX, platform=replace(LINUX.platform, product="debian-14"))
    assert judged(db, other)["linux-security-updates"].verdict == "compliant"


def test_people_come_first(tmp_path: Path) -> None:
    db = database(
        tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")), alma("ALSA-2026:2", ("openssl", "1:3.0.7-29.el9"))
    )
    facts = host(rpm("openssl", "1:3.0.7-27.el9"))
    by_hand = replace(next(r for r in RULES if r.id == "linux-syncookies"), id="ALSA-2026:1")
    waiver = Waiver(rules=("ALSA-2026:2",), targets=("*",), owner="me", reason="because", permanent=True)
    found = {
        f.rule: f for f in evaluate(facts, (*RULES, by_hand), today=NOW.date(), knowledge=db.about(facts), waivers=[waiver])
    }
    assert (found["ALSA-2026:1"].verdict, found["ALSA-2026:1"].packages) == ("compliant", ())
    assert found["ALSA-2026:2"].waiver


def test_a_run_goes_by_the_import_it_began_with(tmp_path: Path) -> None:
    db = database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9")))
    database(tmp_path, alma("ALSA-2026:1", ("openssl", "1:3.0.7-99.el9")), when=NOW + timedelta(days=1))
    facts = host(rpm("openssl", "1:3.0.7-28.el9"))
    assert "ALSA-2026:1" not in judged(db, facts)
    assert judged(AdvisoryDatabase(tmp_path / "advisories.db"), facts)["ALSA-2026:1"].verdict == "noncompliant"
    assert "ALSA-2026:1" not in judged(AdvisoryDatabase(tmp_path / "advisories.db", NOW + timedelta(hours=1)), facts)
    with pytest.raises(UsageFault, match="holds nothing"):
        AdvisoryDatabase(tmp_path / "advisories.db", NOW - timedelta(days=1))


MOD = ".module_el9.1.0+1+abc"


def test_the_quick_comparison_leaves_out_nothing_that_is_open(tmp_path: Path) -> None:
    """Random hosts and advisories: judged one by one, without the database's own narrowing, the open ones are the same."""
    chance = random.Random(5)
    names = ["openssl", "kernel-core", "nodejs", "curl", "bash"]

    def version(name: str) -> str:
        whole = f"{chance.choice(('', '', '1:'))}{chance.randint(1, 4)}-{chance.randint(1, 4)}.el9"
        return "!" if chance.random() < 0.05 else whole + (MOD if name == "nodejs" and chance.random() < 0.8 else "")

    made = {
        f"ALSA-2026:{n}": ([(name, version(name)) for name in chance.choices(names, k=chance.randint(1, 4))], chance.choice(("Important: nodejs:18 update", "Low: update", "Low: nodejs:20 update")))
        for n in range(300)
    }  # fmt: skip
    db = database(tmp_path, *(alma(ident, *fixes, title=title) for ident, (fixes, title) in made.items()))
    opened = 0
    for _ in range(60):
        packages = [
            rpm(
                name,
                v,
                module=chance.choice((None, "nodejs:18:1:c", "nodejs:20:1:c")) if MOD in v else None,
                arch=chance.choice(("x86_64", "noarch")),
            )
            for name in chance.choices(names, k=6)
            if (v := version(name)) != "!"
        ]
        kernels = chance.choice((None, Kernels(outside=True), Kernels("2-2.el9.x86_64", ()), Kernels("1-1.el9.x86_64", ())))
        facts = host(*packages, kernels=kernels, module_streams=chance.choice((None, ("nodejs:18",))))
        found = {r: f.verdict for r, f in judged(db, facts).items() if r.startswith("ALSA")}
        of = Host(facts)
        expected = {}
        for ident, (fixes, title) in made.items():
            stream = title.split()[1] if "nodejs:" in title else "?"
            all_ = tuple(PackageFix(n, v, "", stream if MOD in v else "") for n, v in fixes)
            verdict = PackagesCheck("rpm", all_).judge(Case(facts, None, NOW.date(), of.packages, of.sources)).verdict
            if verdict in ("noncompliant", "pending", "unknown"):
                expected[ident] = verdict
        assert found == expected
        opened += len(found)
    assert opened > 2000
