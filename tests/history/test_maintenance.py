"""Caring for a history: what is damaged is said, what is pruned keeps the ages, a backup comes back."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.errors import HistoryError
from auditor.history import fleet, maintenance, queries
from auditor.history.store import Store
from tests.given import WHEN
from tests.history.test_queries import after, changes


def faults(path: Path) -> list[str]:
    with Store(path, create=False) as s:
        return list(maintenance.faults(s.db))


def spoil(path: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update contents set body = x'00' where kind = 'finding'", "cannot be unpacked"),
        ("update contents set body = (select body from contents where kind='target') where kind = 'facts'", "digest does not fit"),
        ("delete from contents where kind = 'packages'", "a section of facts, is missing"),
        ("update findings set until = since where until is null", "findings end before they begin"),
        ("update findings set until = null", "findings stand twice"),
        ("update findings set body = 99999", "refers to something of contents that is not there"),
        ("update findings set since = (select min(n) from results r where r.target <> findings.target) where until is null", "refer to another host's results"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, statement: str, said: str) -> None:
    path = tmp_path / "a.db"
    after(path, {"h": "mc", "k": "c"}, {"h": "cc", "k": "c"}).close()
    assert faults(path) == []
    spoil(path, statement)
    assert any(said in f for f in faults(path)), faults(path)


def test_a_damaged_page_is_said_and_a_backup_comes_back(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    after(path, *[{f"h{n}": "mcmcmc" for n in range(40)}] * 3).close()
    with Store(path, create=False) as s:
        s.db.execute("pragma wal_checkpoint(truncate)")
        maintenance.backup(s.db, copy)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(4096))
    found = faults(path)
    assert found
    assert maintenance.restore(path, copy, WHEN) == tmp_path / "a.db.damaged-20261123T120000"
    assert faults(path) == []
    assert (tmp_path / "a.db.damaged-20261123T120000").stat().st_size
    with pytest.raises(HistoryError, match="no sound backup"):
        maintenance.restore(path, tmp_path / "a.db.damaged-20261123T120000", WHEN)


def test_pruning_keeps_what_stands_and_since_when(tmp_path: Path) -> None:
    """Sixty nights; on one of them something came up that still stands. Old nights go, its age does not."""
    path = tmp_path / "a.db"
    days = [{"h": "cm" if n >= 5 else "cc", "k": "c"} for n in range(60)]
    with after(path, *days) as s:
        for n in range(60):
            s.db.execute("insert into reports values (?, '', x'00')", (n + 1,))
        high = fleet.high_of_run(s.db, 60)
        before = [(r.host, r.rule, r.since) for r in queries.standing(s.db, high, fleet.members(s.db, high))]
        now = WHEN + timedelta(days=60)
        pruned = maintenance.prune(s.db, path, timedelta(days=10), timedelta(days=365), now)
        left = [r["id"] for r in s.runs() if not r["thinned"]]
        assert left == [*[f"day{n}" for n in range(59, 49, -1)], "day39", "day8", "day0"]  # nights, and the first of each month
        assert pruned.reports == pruned.runs == 60 - len(left)
        assert [(r.host, r.rule, r.since) for r in queries.standing(s.db, high, fleet.members(s.db, high))] == before
        assert len(s.run("day50").results) == 2
        with pytest.raises(HistoryError, match="was thinned"):
            s.run("day5")
        assert changes(s, 55, 59) == []
    assert faults(path) == []


def test_pruning_drops_what_ended_long_ago(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with after(path, *[{"h": "m" if n < 3 else "c"} for n in range(10)]) as s:
        maintenance.prune(s.db, path, timedelta(days=1), timedelta(days=2), WHEN + timedelta(days=10))
        assert [(r.verdict, r.until) for r in queries.of_host(s.db, "h")] == []
        assert [r["id"] for r in s.runs() if not r["thinned"]] == ["day9", "day8"]
        (kinds,) = zip(*s.db.execute("select distinct kind from contents order by 1").fetchall(), strict=True)
        assert "packages" not in kinds or s.run("day9").results[0].facts
    assert faults(path) == []
