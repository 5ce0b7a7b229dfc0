"""A history that somebody else wrote: what it holds is bounded, and is not believed for being there."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import HistoryDamaged, HistoryError
from auditor.history import blobs, maintenance, store
from auditor.history.store import Store
from tests.conftest import Run
from tests.history.test_queries import after

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BOMB = zstd.compress(bytes(2_000_000_000), 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "a.db"
    with closing(after(found, {f"h{n}": "mcmc" for n in range(12)}, {f"h{n}": "ccmc" for n in range(12)})) as s:
        s.add_report(s.run(s.latest(), slim=True), b"<p>a report</p>")
    return found


def change(path: Path, *statements: Any) -> None:
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        db.commit()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_blob_that_inflates(path: Path) -> None:
    assert len(BOMB) < 300_000
    before = peak()
    change(path, ("update contents set body=?, base=null", (BOMB,)), ("update reports set html=?", (BOMB,)))
    with closing(Store(path, create=False)) as s:
        found = list(maintenance.faults(s.db))
        assert any("unpacks to more than 64 MB" in f for f in found), found
        with pytest.raises(HistoryDamaged, match="unpacks to more than 64 MB"):
            s.run(s.latest())
        run = s.db.execute("select id from reports join runs on n=run").fetchone()
        if run:
            with pytest.raises(HistoryDamaged, match="64 MB"):
                s.report(run[0])
    assert peak() - before < 400_000_000


@pytest.mark.parametrize("method", ["itself", "circle", "chain"])
def test_a_content_that_is_its_own_base(path: Path, method: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        numbers = [n for (n,) in db.execute("select n from contents order by n limit 200")]
    after = {"itself": numbers, "circle": [*numbers[1:], numbers[0]], "chain": [*numbers[1:], numbers[-1] + 5]}[method]
    change(path, *[("update contents set base=? where n=?", pair) for pair in zip(after, numbers, strict=True)])
    with closing(Store(path, create=False)) as s:
        assert list(maintenance.faults(s.db))
        for number in numbers[:20]:
            with pytest.raises(blobs.Damaged):
                blobs.get(s.db, number)


STRANGE = {
    "view": ["alter table findings rename to f2", "create view findings as select * from f2 where 0"],
    "trigger": ["create trigger t after insert on results begin delete from findings; end"],
    "trigger on a view": ["create view v as select 1 x", "create trigger t instead of insert on v begin delete from runs; end"],
    "table": ["alter table findings rename to f2", "create table findings (target, rule, since, until)"],
    "column": ["alter table results add column outcome2 text generated always as ('assessed')"],
    "gone": ["drop table mails"],
}


@pytest.mark.parametrize("what", STRANGE)
def test_another_schema(path: Path, auditor: Run, what: str) -> None:
    """It changes what is reported while every row is sound."""
    change(path, "pragma foreign_keys=off", *STRANGE[what])
    with pytest.raises(HistoryDamaged, match="no history as auditor makes it"):
        Store(path, create=False)
    with pytest.raises(HistoryDamaged):
        Store(path)
    for words in (["history", "check"], ["history", "runs"], ["report", "show"], ["judge", "--latest"]):
        done = auditor(*words, "--history", str(path))
        assert done.returncode not in (0, 1), done.stdout
        assert "no history as auditor makes it" in done.stderr


def test_views_and_indexes_of_the_users_own(path: Path) -> None:
    change(
        path, "create view mine as select * from findings", "create index my_index on findings (rule)", "create table notes (x)"
    )
    with closing(Store(path, create=False)) as s:
        assert list(maintenance.faults(s.db)) == []


def test_a_question_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.3)
    with closing(Store(path, create=False)) as s:
        began = time.monotonic()
        endless = "with recursive c(x) as (select 1 union all select x+1 from c) select max(x) from c"
        with pytest.raises(HistoryError, match="given up"), s.guard("read"):
            s.db.execute(endless).fetchone()
        assert time.monotonic() - began < 5
        with s.guard("read"):
            assert s.db.execute("select 1").fetchone() == (1,)


def test_functions_with_side_effects_are_not_called_by_the_schema(path: Path) -> None:
    with closing(Store(path, create=False)) as s:
        assert s.db.execute("pragma trusted_schema").fetchone() == (0,)


@pytest.mark.parametrize(("mode", "folder", "said"), [(0o666, 0o700, "may be written by others"), (0o620, 0o700, "0620"), (0o600, 0o777, "folder"), (0o600, 0o700, "")])  # fmt: skip
def test_a_history_that_others_may_write(path: Path, auditor: Run, mode: int, folder: int, said: str) -> None:
    path.chmod(mode)
    path.parent.chmod(folder)
    try:
        for words in (["history", "check", "--history", str(path)], ["scan", "local", "--history", str(path), "--no-report"]):
            done = auditor(*words)
            assert (said in done.stdout + done.stderr) if said else "written by others" not in done.stdout + done.stderr
    finally:
        path.parent.chmod(0o700)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_a_planted_link_is_not_opened(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("root's own")
    (folder / f"a.db{suffix}").symlink_to(secret)
    folder.chmod(0o777)
    with pytest.raises(HistoryError, match="symbolic link in a folder that others may write"):
        Store(folder / "a.db")
    assert secret.read_text() == "root's own"
    assert os.listdir(folder) == [f"a.db{suffix}"]
