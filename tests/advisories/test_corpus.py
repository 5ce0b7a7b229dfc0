"""Many documents in one call: what is read, what is refused, which revision counts, and the command around it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.advisories.corpus import CorpusReader
from tests.advisories.made import text
from tests.advisories.shared import ARCHIVE, SEEDS
from tests.conftest import Run
from tests.places import ROOT


def put(folder: Path, name: str, **given: object) -> None:
    (folder / name).write_bytes(text(**given).encode())  # type: ignore[arg-type]


def several(folder: Path) -> None:
    put(folder, "Q190001.TXT", STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.")
    put(folder, "Q190002.TXT", id="Q190002", SYMPTOMS="It is slow.")
    put(folder, "Q190003.TXT", id="Q190009", SYMPTOMS="Somebody else's header.")
    (folder / "binary.txt").write_bytes(b"\x00\x01" * 50)
    (folder / "empty.txt").write_bytes(b"")


def test_one_bad_document_stops_nothing(tmp_path: Path, auditor: Run) -> None:
    several(tmp_path)
    done = auditor("advisories", "read", tmp_path, "--format", "jsonl")
    assert done.returncode == 3
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["Q190001", "Q190002"]
    assert "Q190003.TXT: has the header of Q190009" in done.stderr
    assert "binary.txt: is a binary file" in done.stderr
    assert "empty.txt: is empty" in done.stderr
    assert "3 documents were not read" in done.stderr


def test_the_fields_of_a_line(tmp_path: Path, auditor: Run) -> None:
    put(tmp_path, "Q190001.TXT", STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.")
    done = auditor("advisories", "read", tmp_path / "Q190001.TXT", "--format", "jsonl")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["fixes"] == [{"product": "windows-nt-4.0", "service_pack": "4", "from": "prose"}]
    assert found["revised"] == "2001-01-02"
    assert found["evidence"]["fixes"][0].keys() == {"line", "text"}
    assert {
        "id",
        "title",
        "applies_to",
        "hotfix_only",
        "latest_sp",
        "vendor_fix",
        "no_fix",
        "requires_component",
        "severity",
    } <= found.keys()
    shown = auditor("advisories", "read", tmp_path / "Q190001.TXT").stdout
    assert "fixed in   windows-nt-4.0 service pack 4" in shown


def test_the_newest_revision_counts_and_that_is_said(tmp_path: Path, auditor: Run) -> None:
    put(tmp_path, "a.txt", date="02-JAN-1999", STATUS="Fixed in Windows NT 4.0 Service Pack 4.")
    put(tmp_path, "b.txt", date="02-JAN-2001", STATUS="Fixed in Windows NT 4.0 Service Pack 5.")
    put(tmp_path, "c.txt", date="02-JAN-2000", STATUS="Fixed in Windows NT 4.0 Service Pack 6.")
    done = auditor("advisories", "read", tmp_path, "--format", "jsonl")
    assert done.returncode == 0
    assert [json.loads(line)["fixes"][0]["service_pack"] for line in done.stdout.splitlines()] == ["5"]
    assert done.stderr.count("came twice") == 2
    assert "b.txt counts" in done.stderr


def test_several_processes_read_the_same(tmp_path: Path) -> None:
    for n in range(450):
        put(
            tmp_path,
            f"Q{200000 + n}.TXT",
            id=f"Q{200000 + n}",
            STATUS=f"This problem was first corrected in Windows NT 4.0 Service Pack {n % 6 + 1}.",
        )
    one, two = CorpusReader([str(tmp_path)]), CorpusReader([str(tmp_path)], jobs=2)
    assert list(one.lines()) == list(two.lines())


def test_standard_input(tmp_path: Path) -> None:
    body = text(STATUS="Fixed in Windows NT 4.0 Service Pack 4.") + text(id="Q190002", SYMPTOMS="It is slow.")
    command = [sys.executable, "-m", "auditor", "advisories", "read", "-", "--format", "jsonl"]
    done = subprocess.run(command, input=body.encode(), capture_output=True, timeout=60, cwd=ROOT, check=True)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["Q190001", "Q190002"]


def test_usage(auditor: Run) -> None:
    assert auditor("advisories", "read").returncode == 2
    missing = auditor("advisories", "read", "nothing-here.zip")
    assert missing.returncode == 3
    assert "there is no such file or folder" in missing.stderr
    assert auditor("advisories", "show", "Q0").returncode == 2
    assert "no loaded rule and no advisory has 'zeppelin'" in auditor("advisories", "search", "zeppelin").stderr


def test_search_and_show(auditor: Run) -> None:
    found = auditor("advisories", "search", "cluster", "node").stdout
    assert "Q238009" in found
    shown = auditor("advisories", "show", "q171940").stdout
    assert "fixes: line " in shown
    assert "Document: SHA-256 " in shown


@pytest.mark.skipif(SEEDS is None, reason="the seed articles are not here")
def test_the_seeds() -> None:
    found = {a.id: a for a in CorpusReader([str(SEEDS)]).articles()}
    assert {(f.product, f.service_pack) for f in found["Q238009"].fixes} == {
        ("windows-nt-4.0-server", "6"),
        ("windows-nt-4.0-terminal-server", "6"),
    }
    assert found["Q238009"].requires_component == "Microsoft Cluster Server"
    assert found["Q181350"].vendor_fix
    assert found["Q181350"].fixes == ()
    assert found["Q181350"].requires_component


@pytest.mark.skipif(ARCHIVE is None, reason="the archive of articles is not here")
def test_the_whole_archive_is_read() -> None:
    reading = CorpusReader([str(ARCHIVE)], jobs=2)
    ids = [line[7 : line.index(b'"', 7)] for line in reading.lines()]
    assert len(ids) == len(set(ids)) == 25_239
    assert reading.refused == []
    assert reading.twice == []
