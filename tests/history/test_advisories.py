"""Findings of advisories in the history: kept while they are open, closed by nothing but an answer, and cheap."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.advisories.database.importing import import_documents
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.audit.assessment import evaluate_facts
from auditor.audit.context import AuditContext
from auditor.history.affected import affected_hosts
from auditor.history.store import Store
from auditor.model.facts import HostFacts
from auditor.model.run import Run, TargetResult
from auditor.model.target import Target
from auditor.rulebook.loader import load
from tests.advisories.database import test_months
from tests.advisories.database.test_knowledge import NOW, alma, database, host
from tests.checks.test_packages import rpm
from tests.lab.windows import months

BOOK = load(["rules/linux"])


class History:
    """A history, and nights that are stored in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.nights = folder, 0
        self.store = Store(folder / "a.db")

    def night(self, db: AdvisoryDatabase | None, *hosts: HostFacts | TargetResult) -> str:
        self.nights += 1
        now = NOW + timedelta(days=self.nights)
        context = AuditContext(rulebook=BOOK, clock=lambda: now, marker=lambda: "m4rk3r", advisories=db)
        summary = db.summary if db else None
        run = Run(id=f"r{self.nights}", started=now, auditor="x", rulebook=BOOK.summary(), advisories=summary)
        self.store.begin(run, BOOK.ids)
        for facts in hosts:
            if isinstance(facts, HostFacts):
                target = Target(name=facts.target, connection="replay")
                facts = evaluate_facts(replace(facts, collected_at=now), target, context, today=date(2026, 11, 24))
            self.store.add(run, [facts], listed=[facts.target.name])
        self.store.finish(replace(run, finished=now))
        return run.id

    def open(self) -> list[tuple[str, str, str]]:
        found = self.store.db.execute(
            "select host, rule, verdict from open_findings where rule like 'ALSA%' order by 1, 2"
        ).fetchall()
        return [tuple(row) for row in found]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


OLD, NEW = host(rpm("openssl", "1:3.0.7-27.el9")), host(rpm("openssl", "1:3.0.7-28.el9"))
DOCUMENT = alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9"))
LACKS = [("web1", "ALSA-2026:1", "noncompliant")]


def test_a_finding_is_closed_when_the_fix_is_there(history: History) -> None:
    db = database(history.folder, DOCUMENT)
    history.night(db, OLD)
    assert history.open() == LACKS
    history.night(db, NEW)
    assert history.open() == []


def test_a_feed_that_is_missing_closes_nothing(history: History) -> None:
    db = database(history.folder, DOCUMENT)
    history.night(db, OLD)
    history.night(None, NEW)
    assert history.open() == LACKS
    history.night(db, replace(NEW, packages=None))  # nor does a host that told no packages
    assert history.open() == LACKS
    history.night(db, TargetResult(target=Target(name="web1", connection="ssh"), outcome="unreachable"))
    assert history.open() == LACKS
    history.night(db, NEW)
    assert history.open() == []


def test_an_advisory_that_is_taken_back_is_closed(history: History) -> None:
    history.night(database(history.folder, DOCUMENT, alma("ALSA-2026:2", ("curl", "1-1"))), OLD)
    history.night(
        database(
            history.folder,
            alma("ALSA-2026:1", ("openssl", "1:3.0.7-28.el9"), title="x")[:-1] + b', "withdrawn": "2026-11-29T00:00:00Z"}',
        ),
        OLD,
    )
    assert history.open() == []


def test_months_of_windows_are_closed_when_the_update_is_there(history: History, tmp_path: Path) -> None:
    """They carry no packages; a run that is read back has them, and nothing but an answer closes them."""
    (tmp_path / "documents").mkdir()
    for name, content in months.documents(test_months.TODAY).items():
        (tmp_path / "documents" / name).write_bytes(content)
    import_documents(tmp_path / "months.db", [str(tmp_path / "documents")], now=test_months.NOW)
    db = AdvisoryDatabase(tmp_path / "months.db")

    def night(ubr: int | None, *listed: int) -> set[str]:
        host = test_months.posed(test_months.S22, ubr, *listed)
        if not listed:
            host.denied_classes.append("Win32_QuickFixEngineering")
        result = test_months.scanned(host, db)[0]
        run = history.store.run(history.night(db, result))
        read = {f.rule for r in run.results for f in r.findings}
        assert read >= {f.rule for f in result.findings}
        found = history.store.db.execute("select rule from open_findings where rule like 'MSRC-2%'").fetchall()
        return {rule for (rule,) in found}

    missing = {"MSRC-2026-Feb", "MSRC-2026-Mar"}
    assert night(4648, 5073457) == missing
    assert night(None) >= missing  # neither its build nor its updates were told
    assert night(4773, 5075906) == {"MSRC-2026-Mar"}
    assert night(4893, 5078766) == set()


def test_an_edit_of_the_title_or_the_day_opens_and_closes_nothing(history: History) -> None:
    history.night(database(history.folder, DOCUMENT), OLD)
    rows = history.store.db.execute("select count(*) from findings").fetchone()
    contents = history.store.db.execute("select count(*) from contents where kind='finding'").fetchone()
    edited = DOCUMENT.replace(b"Important: x security update", b"Important: another title").replace(
        b"2026-11-01", b"2026-11-02"
    )
    run = history.night(database(history.folder, edited), OLD)
    assert history.store.db.execute("select count(*) from findings").fetchone() == rows
    assert history.store.db.execute("select count(*) from contents where kind='finding'").fetchone() == contents
    (finding,) = [f for r in history.store.run(run).results for f in r.findings if f.rule == "ALSA-2026:1"]
    assert finding.title == "Important: another title"


def test_a_run_says_by_which_advisories_it_judged(history: History) -> None:
    db = database(history.folder, DOCUMENT)
    run = history.store.run(history.night(db, OLD))
    assert run.advisories
    assert (run.advisories.digest, run.advisories.feeds) == (db.summary.digest, ("almalinux-osv as of 2026-11-24",))
    assert history.store.run(history.night(None, OLD)).advisories is None


def test_who_is_affected(history: History) -> None:
    db = database(history.folder, DOCUMENT)
    other = replace(OLD, target="other", platform=replace(OLD.platform, product="rhel-9"))
    gone = TargetResult(target=Target(name="gone", connection="ssh"), outcome="unreachable")
    history.night(db, OLD, replace(NEW, target="good"), other, gone)
    assert [(h.host, h.verdict) for h in affected_hosts(history.store.db, ["ALSA-2026:1"])] == [
        ("web1", "noncompliant"), ("gone", "unknown"), ("other", "unknown"), ("good", "compliant"),
    ]  # fmt: skip


def test_an_unchanged_night_costs_little(history: History) -> None:
    """300 open findings a host: less than 100 bytes a host and night."""
    fixes = [alma(f"ALSA-2026:{n}", (f"p{n}", "2-1.el9")) for n in range(300)]
    db = database(history.folder, *fixes)
    hosts = [
        replace(host(*(rpm(f"p{n}", f"1-{1 + (n + at) % 7}.el9") for n in range(300))), target=f"h{at}") for at in range(20)
    ]
    for _ in range(2):
        history.night(db, *hosts)
    history.store.db.execute("vacuum")
    before = (history.folder / "a.db").stat().st_size
    for _ in range(10):
        history.night(db, *hosts)
    history.store.db.conn.commit()
    history.store.db.execute("vacuum")
    grown = (history.folder / "a.db").stat().st_size - before
    assert history.store.db.execute("select count(*) from open_findings where rule like 'ALSA%'").fetchone() == (6000,)
    assert grown / (10 * len(hosts)) < 100
