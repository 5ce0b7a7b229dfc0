"""Documents into the database: what is new, changed or gone; what is refused; and nothing by halves."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.advisories.database import importing
from auditor.advisories.database.importing import Imported, import_documents
from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.feeds import document
from auditor.advisories.feeds.authority import Form
from auditor.errors import UsageFault
from auditor.model.advisory import Advisory
from tests.advisories import given
from tests.places import ROOT

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


class Feed:
    """A folder of documents, and a database to import it into."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.db = folder / "feed", folder / "advisories.db"
        self.folder.mkdir()
        self.now = MONDAY

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(time.time_ns(), time.time_ns()))

    def run(self, *paths: Path, partial: bool = False, force: bool = False, as_of: date | None = None) -> Imported:
        self.now += timedelta(days=1)
        return import_documents(
            self.db, [str(p) for p in paths or (self.folder,)], now=self.now, as_of=as_of, partial=partial, force=force
        )

    def fixes(self, release: str, name: str, as_of: datetime | None = None) -> dict[str, str]:
        index = AdvisoryIndex(self.db, as_of.isoformat(timespec="seconds") if as_of else None)
        known = index.fixes(release, [name]).get(name)
        return {f.advisory: f.version for f in known.fixes} if known else {}


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


def alma(number: int, version: str = "1-2.el9", name: str = "x", **more: Any) -> bytes:
    return given.osv(f"ALSA-2026:{number}", ("AlmaLinux:9", name, version), **more)


def fill(feed: Feed, count: int = 4) -> None:
    for n in range(count):
        feed.put(f"{n}.json", alma(n, f"1-{n + 2}.el9"))


def test_new_changed_gone_and_as_it_was_then(feed: Feed) -> None:
    fill(feed)
    assert feed.run().added == {"almalinux-osv": 4}
    before = feed.now
    feed.put("0.json", alma(0, "1-99.el9"))
    (feed.folder / "3.json").unlink()
    feed.put("9.json", alma(9, "1-9.el9"))
    done = feed.run()
    assert (done.added, done.changed, done.closed) == ({"almalinux-osv": 1}, {"almalinux-osv": 1}, {"almalinux-osv": 1})
    assert feed.fixes("almalinux-9", "x") == {
        "ALSA-2026:0": "1-99.el9",
        "ALSA-2026:1": "1-3.el9",
        "ALSA-2026:2": "1-4.el9",
        "ALSA-2026:9": "1-9.el9",
    }
    assert feed.fixes("almalinux-9", "x", before) == {f"ALSA-2026:{n}": f"1-{n + 2}.el9" for n in range(4)}
    with pytest.raises(UsageFault, match="holds nothing of 2026-11-23"):
        AdvisoryIndex(feed.db, MONDAY.isoformat())


def test_what_has_not_changed_is_not_read_again(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(feed)
    feed.run()
    assert feed.run().unchanged
    feed.put("0.json", alma(0, "1-99.el9"))
    read = list[str]()

    def noting(form: Form, content: bytes) -> Iterator[Advisory]:
        read.append(form)
        return document.read(form, content)

    monkeypatch.setattr(importing, "read", noting)
    done = feed.run()
    assert (len(read), done.documents, done.changed) == (1, 4, {"almalinux-osv": 1})
    assert len(feed.fixes("almalinux-9", "x")) == 4


def test_the_same_documents_from_elsewhere_change_nothing(feed: Feed, tmp_path: Path) -> None:
    fill(feed)
    feed.run()
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in feed.folder.iterdir():
            opened.write(path, f"other/{path.name}")
    done = feed.run(archive)
    assert not done.added
    assert not done.changed
    assert not any(done.closed.values())


def test_an_advisory_in_two_documents_has_the_fixes_of_both(feed: Feed) -> None:
    feed.put("8/a.json", given.osv("ALSA-2026:1", ("AlmaLinux:8", "x", "1-1.el8")))
    feed.put("9/a.json", given.osv("ALSA-2026:1", ("AlmaLinux:9", "x", "1-1.el9")))
    feed.run()
    assert feed.fixes("almalinux-8", "x") == {"ALSA-2026:1": "1-1.el8"}
    assert feed.fixes("almalinux-9", "x") == {"ALSA-2026:1": "1-1.el9"}


def test_a_newer_document_of_an_advisory_stands_for_the_older_one(feed: Feed, tmp_path: Path) -> None:
    feed.put("old.json", alma(1, "1-2.el9"))
    feed.run()
    single = tmp_path / "new.json"
    single.write_bytes(alma(1, "1-3.el9"))
    feed.run(single)
    assert feed.fixes("almalinux-9", "x") == {"ALSA-2026:1": "1-3.el9"}


def test_withdrawn(feed: Feed) -> None:
    fill(feed, 3)
    feed.run()
    feed.put("1.json", alma(1, withdrawn="2026-11-29T00:00:00Z"))
    feed.run()
    assert sorted(feed.fixes("almalinux-9", "x")) == ["ALSA-2026:0", "ALSA-2026:2"]


def test_a_feed_that_shrinks_by_half_is_kept_out(feed: Feed) -> None:
    fill(feed, 9)
    feed.run()
    for n in range(5):
        (feed.folder / f"{n}.json").unlink()
    with pytest.raises(UsageFault, match=r"almalinux-osv would shrink from 9 to 4 advisories.*--force"):
        feed.run()
    assert len(feed.fixes("almalinux-9", "x")) == 9
    assert feed.run(partial=True).closed == {}
    assert len(feed.fixes("almalinux-9", "x")) == 9
    assert feed.run(force=True).closed == {"almalinux-osv": 5}
    assert len(feed.fixes("almalinux-9", "x")) == 4


def test_one_bad_document_stops_nothing(feed: Feed) -> None:
    fill(feed, 2)
    bad = {"a.json": b"{", "b.json": b"[]", "c.json": b'{"id": 7}', "d.json": b"\xff\xfe", "e.xml": b"<updates><update>", "f.json": b'{"id": ' + b"[" * 200_000,
           "g.json": b" " * 70_000_000, "h.zip": b"PK\x03\x04", "i.json.gz": b"\x1f\x8b\x08\x00broken"}  # fmt: skip
    for name, content in bad.items():
        feed.put(name, content)
    done = feed.run()
    assert done.added == {"almalinux-osv": 2}
    assert {Path(r.name).name.partition(":")[0] for r in done.refused} == set(bad)
    assert all(r.reason for r in done.refused)


def test_what_stands_beside_documents_is_no_fault(feed: Feed) -> None:
    fill(feed, 1)
    for name in ("README.md", "LICENSE", "index.txt", "0.json.sha256", "0.json.asc", "changes.csv", "deploy.yml"):
        feed.put(name, b"not an advisory")
    assert feed.run().refused == []
    with pytest.raises(AssertionError):
        assert feed.run(feed.folder / "README.md").refused == []  # named by itself, it is a fault


def test_others_documents_are_counted_by_their_reason(feed: Feed) -> None:
    feed.put("cve.json", given.osv("UBUNTU-CVE-2026-1", ("Ubuntu:22.04:LTS", "x", "1")))
    feed.put("alma-of-rocky.json", given.osv("ALSA-2026:1", ("Rocky Linux:9", "x", "1-1.el9"), ("AlmaLinux:9", "x", "1-2.el9")))
    done = feed.run()
    assert sum(done.aside.values()) == 1
    assert feed.fixes("rocky-9", "x") == {}  # AlmaLinux is no authority for Rocky
    assert feed.fixes("almalinux-9", "x") == {"ALSA-2026:1": "1-2.el9"}


def test_coverage(feed: Feed, tmp_path: Path) -> None:
    single = tmp_path / "one.json"
    single.write_bytes(alma(1))
    feed.run(single)
    (covered,) = AdvisoryIndex(feed.db).coverage()
    assert (covered.release, covered.whole, covered.since, covered.as_of) == (
        "almalinux-9",
        False,
        date(2026, 11, 1),
        date(2026, 11, 20),
    )
    fill(feed)
    feed.run(as_of=date(2026, 11, 28))
    (covered,) = AdvisoryIndex(feed.db).coverage()
    assert (covered.advisories, covered.whole, covered.as_of) == (4, True, date(2026, 11, 28))
    feed.run(single, force=True)  # a document by itself makes a whole feed no younger
    (covered,) = AdvisoryIndex(feed.db).coverage()
    assert (covered.whole, covered.as_of) == (True, date(2026, 11, 28))


def test_a_list_of_debians(feed: Feed, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(given.DSA)
    feed.run(path)
    assert feed.fixes("debian-12", "openssl") == {"DSA-9001-1": "3.0.17-1~deb12u3"}
    assert all(c.whole for c in AdvisoryIndex(feed.db).coverage())


def test_a_version_that_is_none_has_no_key(feed: Feed) -> None:
    feed.put("a.json", alma(1, "1!-2"))
    feed.run()
    (fix,) = AdvisoryIndex(feed.db).fixes("almalinux-9", ["x"])["x"].fixes
    assert fix.key is None


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("pragma user_version=99", "made by a newer auditor"),
        ("pragma user_version=0", "older form.*--force"),
        ("pragma application_id=7", "no advisory database"),
    ],
)
def test_a_database_of_another_form_is_refused(feed: Feed, statement: str, message: str) -> None:
    fill(feed)
    feed.run()
    db = sqlite3.connect(feed.db)
    db.execute(statement)
    db.commit()
    db.close()
    with pytest.raises(UsageFault, match=message):
        feed.run()
    with pytest.raises(UsageFault, match=message):
        AdvisoryIndex(feed.db)
    if "user_version=0" in statement:
        assert feed.run(force=True).added == {"almalinux-osv": 4}


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database(feed: Feed, content: bytes) -> None:
    feed.db.write_bytes(content)
    fill(feed, 1)
    with pytest.raises(UsageFault, match=r"cannot be opened|no advisory database"):
        feed.run()
    assert feed.db.read_bytes() == content


def test_a_kill_at_any_moment_leaves_the_old_database(feed: Feed) -> None:
    fill(feed, 3)
    feed.run()
    for n in range(3000):
        feed.put(f"more/{n}.json", alma(1000 + n, f"1-{n}.el9", name=f"p{n}"))
    words = [sys.executable, "-m", "auditor", "advisories", "import", str(feed.folder), "--advisories", str(feed.db), "--quiet"]
    whole = 0
    for tenth in range(12):
        process = subprocess.Popen(words, cwd=feed.folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
        time.sleep(0.25 + tenth * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        index = AdvisoryIndex(feed.db)
        count = len(index.idents())
        assert count in (3, 3003)
        whole += count == 3003
        index.close()
        db = sqlite3.connect(feed.db)
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        db.close()
        if whole:
            break
    feed.run()
    assert len(AdvisoryIndex(feed.db).idents()) == 3003


def test_two_imports_at_once_come_one_after_the_other(feed: Feed, tmp_path: Path) -> None:
    fill(feed, 500)
    (tmp_path / "other").mkdir()
    other = Feed(tmp_path / "other")
    for n in range(500):
        other.put(f"{n}.json", given.osv(f"RLSA-2026:{n}", ("Rocky Linux:9", "x", f"1-{n}.el9")))
    processes = [
        subprocess.Popen([sys.executable, "-m", "auditor", "advisories", "import", str(folder), "--advisories", str(feed.db), "--quiet"],
                         cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
        for folder in (feed.folder, other.folder)
    ]  # fmt: skip
    assert [(p.communicate(timeout=60)[1], p.returncode) for p in processes] == [(b"", 0), (b"", 0)]
    assert len(AdvisoryIndex(feed.db).idents()) == 1000


def xml(ident: str, packages: str) -> bytes:
    return given.updateinfo(given.update(ident, packages))


def archive(path: Path, *documents: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for n, document in enumerate(documents):
            opened.writestr(f"{n}.json", document)
    return path


def test_what_could_not_be_read_takes_nothing_back(feed: Feed, tmp_path: Path) -> None:
    whole = [alma(n, f"1-{n}.el9") for n in range(1, 9)]
    feed.run(archive(tmp_path / "a.zip", *whole), as_of=date(2026, 11, 1))
    bad = archive(tmp_path / "b.zip", *whole[:-1], b'{"id": "ALSA')
    for _ in range(2):  # and it is said each time
        done = feed.run(bad, as_of=date(2026, 11, 28))
        assert (done.unchanged, done.refusals, sum(done.closed.values())) == (False, 1, 0)
    assert len(feed.fixes("almalinux-9", "x")) == 8
    (covered,) = AdvisoryIndex(feed.db).coverage()
    assert (covered.whole, covered.as_of) == (True, date(2026, 11, 1))


def test_a_feed_that_never_came_whole_covers_nothing(feed: Feed, tmp_path: Path) -> None:
    feed.run(archive(tmp_path / "b.zip", alma(1), b"{"))
    assert [c.whole for c in AdvisoryIndex(feed.db).coverage()] == [False]


@pytest.mark.parametrize("cut", [0.5, 0.7, 0.9])
def test_an_archive_that_is_cut_off_takes_nothing_back(feed: Feed, tmp_path: Path, cut: float) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as opened:
        for n in range(300):
            feed.put(f"{n}.json", alma(n, f"1-{n}.el9", details=os.urandom(300).hex()))
        opened.add(feed.folder)
    feed.run(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    assert feed.run(path, force=True).refusals
    assert len(feed.fixes("almalinux-9", "x")) == 300


def test_a_part_of_a_feed_takes_back_nothing_of_other_releases(feed: Feed, tmp_path: Path) -> None:
    eight = [given.osv(f"ALSA-2026:8{n}", ("AlmaLinux:8", "x", f"1-{n}.el8")) for n in range(3)]
    nine = [alma(n, f"1-{n}.el9") for n in range(4)]
    feed.run(archive(tmp_path / "a.zip", *eight, *nine))
    done = feed.run(archive(tmp_path / "9.zip", *nine[:3]))
    assert done.closed == {"almalinux-osv": 1}
    assert (len(feed.fixes("almalinux-8", "x")), len(feed.fixes("almalinux-9", "x"))) == (3, 3)


def test_a_releases_repositories_each_tell_of_their_own_packages(feed: Feed, tmp_path: Path) -> None:
    base, app, eight = tmp_path / "base.xml", tmp_path / "app.xml", tmp_path / "8.xml"
    base.write_bytes(xml("ELSA-2026-1", "foo 0 1 2.el9 x86_64"))
    app.write_bytes(xml("ELSA-2026-1", "bar 0 1 2.el9 x86_64"))
    eight.write_bytes(xml("ELSA-2026-8", "foo 0 1 2.el8 x86_64"))
    for path in (base, app, eight):
        feed.run(path)
    many = tmp_path / "many.xml"
    many.write_bytes(given.updateinfo(*(given.update(f"ELSA-2026-{n}", "baz 0 1 2.el9 x86_64") for n in range(100, 120))))
    feed.run(many)
    feed.run(app, force=True)  # one repository is no shrunken feed
    assert len(feed.fixes("oracle-9", "baz")) == 20
    assert feed.fixes("oracle-9", "foo") == feed.fixes("oracle-9", "bar") == {"ELSA-2026-1": "1-2.el9"}
    assert feed.fixes("oracle-8", "foo") == {"ELSA-2026-8": "1-2.el8"}
    base.write_bytes(xml("ELSA-2026-1", "foo 0 1 3.el9 x86_64"))  # a revision stands for what it revises
    feed.run(base)
    assert feed.fixes("oracle-9", "foo") == {"ELSA-2026-1": "1-3.el9"}
    assert feed.fixes("oracle-9", "bar") == {"ELSA-2026-1": "1-2.el9"}


def test_a_day_to_come_makes_no_feed_young(feed: Feed) -> None:
    feed.put("a.json", alma(1))
    feed.put("b.json", alma(2, modified="9999-12-31T00:00:00Z", published="2026-11-02T00:00:00Z"))
    feed.run()
    (covered,) = AdvisoryIndex(feed.db).coverage()
    assert covered.as_of == date(2026, 11, 20)


def test_what_was_imported_before_something_else_is_read_again(feed: Feed, tmp_path: Path) -> None:
    new = archive(tmp_path / "new.zip", alma(1, "1-3.el9"), alma(2, "1-3.el9"))
    old = archive(tmp_path / "old.zip", alma(1, "1-2.el9"), alma(2, "1-2.el9"))
    for path, version in ((new, "1-3.el9"), (old, "1-2.el9"), (new, "1-3.el9")):
        assert not feed.run(path).unchanged
        assert set(feed.fixes("almalinux-9", "x").values()) == {version}


def test_a_withdrawn_document_beside_a_standing_one(feed: Feed) -> None:
    feed.put("a.json", alma(1))
    feed.put("b.json", alma(1, "1-9.el9", withdrawn="2026-11-29T00:00:00Z"))
    feed.put("c.json", alma(2))
    for force in (False, True):
        feed.run(force=force)
        assert list(feed.fixes("almalinux-9", "x")) == ["ALSA-2026:2"]


LOST = [
    ("a.json", alma(1).replace(b"ALSA-2026:1", b"ALSA-2026:1\\u0000x"), "its id is none"), ("a.json", given.osv("ALSA-2026:1 x", ("AlmaLinux:9", "x", "1-1")), "its id is none"),
    ("a.json", given.osv("ALSA-" + "1" * 10_000, ("AlmaLinux:9", "x", "1-1")), "its id is none"), ("a.json", alma(1, name="x\x1b[31m"), "no package with a version"),
    ("a.json", alma(1, "1 2"), "no package with a version"), ("list", given.DSA.replace(b"[27 Nov 2026] DSA", b"[27 Nov 2026 DSA"), "1 of its lines cannot be read"),
    ("list", given.DSA.replace(b"[bookworm] - curl", b"[bookworm] _ curl"), "1 of its lines cannot be read"), ("a.xml", xml("", "x 0 1 1.amzn2 noarch"), "1 without an id"),
    ("a.xml", xml("ALAS2-1", "x 0 1 1.amzn2 noarch").replace(b"UTF-8", b"bogus"), "no whole XML"), ("a.xml", xml("ALAS2-1", "x 0 1 1.amzn2 noarch").decode().encode("utf-16"), "none of the forms"),
    ("a.json", b'{"id": "x", "affected": [' + b"{}," * 3_000_001 + b"{}]}", "more than 3,000,000 elements"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "reason"), LOST)
def test_nothing_is_lost_silently(feed: Feed, name: str, content: bytes, reason: str) -> None:
    feed.put(name, content)
    feed.put("good.json", alma(7))
    done = feed.run()
    assert [reason in r.reason for r in done.refused] == [True], done.refused
    assert feed.fixes("almalinux-9", "x") == {"ALSA-2026:7": "1-2.el9"}


def test_another_programs_database_is_not_touched(feed: Feed) -> None:
    db = sqlite3.connect(feed.db)
    db.execute("create table theirs (n)")
    db.commit()
    db.close()
    before = feed.db.read_bytes()
    fill(feed, 1)
    with pytest.raises(UsageFault, match="no advisory database"):
        feed.run(force=True)
    assert (feed.db.read_bytes(), sorted(p.name for p in feed.db.parent.iterdir())) == (before, ["advisories.db", "feed"])


def test_a_database_is_one_file_that_may_be_read_only(feed: Feed) -> None:
    fill(feed, 2)
    feed.run()
    assert sorted(p.name for p in feed.db.parent.iterdir()) == ["advisories.db", "feed"]
    feed.db.chmod(0o444)
    assert AdvisoryIndex(feed.db).idents() == ["ALSA-2026:0", "ALSA-2026:1"]


def test_links_that_lead_nowhere_cost_only_themselves(feed: Feed) -> None:
    fill(feed, 2)
    (feed.folder / "gone.json").symlink_to("nowhere")
    (feed.folder / "round.json").symlink_to("round.json")
    (feed.folder / "loop").symlink_to(feed.folder)
    done = feed.run()
    assert done.added == {"almalinux-osv": 2}
    assert {Path(r.name).name for r in done.refused} == {"gone.json", "round.json"}


def test_a_damaged_database_is_told_in_a_sentence(feed: Feed) -> None:
    fill(feed, 400)
    feed.run()
    content = bytearray(feed.db.read_bytes())
    for at in range(8192, len(content), 4096):
        content[at : at + 64] = b"\xff" * 64
    feed.db.write_bytes(content)
    with pytest.raises(UsageFault, match=r"is damaged|cannot be read"):
        AdvisoryIndex(feed.db).advisories(AdvisoryIndex(feed.db).idents())
