"""Imported rules are read when a Windows host needs them, and only if they are as the importer left them."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditor.advisories.rule_files import write
from auditor.audit.context import AuditContext
from auditor.audit.executor import scan_all
from auditor.errors import FileFaults
from auditor.foundation.deadline import Stop
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.rulebook.imported import SUMS, ImportedFile, as_written
from auditor.rulebook.loader import load
from tests.advisories.sources.kb.test_rule import some
from tests.conftest import Run
from tests.given import WHEN
from tests.places import ROOT

NAME = "windows-nt-4.0.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "kb", some())
    return tmp_path / "kb"


def test_a_linux_fleet_reads_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: ImportedFile) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(ImportedFile, "rules", read)
    book = load()
    assert {r.family for r in book.of("linux")} == {"linux"}
    assert len(book.ids) > 3000
    assert book.summary().rules == len(book.ids)
    assert book.requirements(family="linux").linux
    with pytest.raises(AssertionError):
        book.of("windows")


def test_the_same_rules_whenever_they_are_read(folder: Path, tmp_path: Path) -> None:
    assert as_written(folder / NAME, (folder / NAME).read_bytes())
    eager = tmp_path / "eager"
    shutil.copytree(folder, eager)
    (eager / SUMS).unlink()
    late, early = load([str(folder)]), load([str(eager)])
    assert late.rules == early.rules
    assert late.ids == early.ids
    assert late.summary().newest == early.summary().newest == "2026-11-25"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"required"', b'"advised"', 1),
        lambda body: body.replace(b'"windows"', b'"linux"', 1),
        lambda body: body.rstrip(b"\n"),
    ],
)
def test_what_was_touched_is_read_at_once(folder: Path, change: object) -> None:
    path = folder / NAME
    before = load([str(folder)]).digest
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    assert as_written(path, path.read_bytes()) is None
    assert load([str(folder)]).digest != before


def test_a_line_that_stands_twice_is_a_fault(folder: Path) -> None:
    path = folder / NAME
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines()[0] + b"\n")
    with pytest.raises(FileFaults, match="was read before"):
        load([str(folder)])


def test_a_digest_of_something_else_is_told_when_it_is_read(folder: Path) -> None:
    body = b'{"id":"Q190001","family":"windows","nonsense":1}\n'
    (folder / NAME).write_bytes(body)
    (folder / SUMS).write_text(f"{hashlib.sha256(body).hexdigest()} {NAME}\n")
    book = load([str(folder)])
    with pytest.raises(FileFaults, match=rf"{NAME}:1: "):
        _ = book.rules


def test_by_hand_before_imported_in_any_order(folder: Path) -> None:
    write(folder, [r for r in some() if r.id == "Q190001"])
    hand = ROOT / "rules" / "windows" / "Q238009.yaml"
    mine = folder.parent / "mine.yaml"
    mine.write_text(hand.read_text().replace("id: Q238009", "id: Q190001"))
    for order in ([str(folder), str(mine)], [str(mine), str(folder)]):
        book = load(order)
        assert [r.generated for r in book.rules if r.id == "Q190001"] == [False]
        assert sorted(book.ids) == ["Q190001", "Q190002", "Q190003"]
        assert len(book.rules) == 3


def test_an_overlay_reaches_what_is_read_later(folder: Path) -> None:
    before = load([str(folder)]).digest
    (folder / "overlay.yaml").write_text(
        "- {id: Q190002, by: kim, reason: no such host, drop: true}\n- {id: Q190001, by: kim, reason: ours, obligation: advised}\n"
    )
    book = load([str(folder)])
    assert {r.id: r.obligation for r in book.rules} == {"Q190001": "advised", "Q190003": "required"}
    assert sorted(book.ids) == ["Q190001", "Q190003"]
    assert book.digest != before


def test_lint_judges_what_is_read_later(folder: Path, auditor: Run) -> None:
    path = folder / NAME
    line = json.loads(path.read_bytes().splitlines()[0])
    body = json.dumps({**line, "branches": []}, separators=(",", ":")).encode() + b"\n"
    path.write_bytes(body)
    (folder / SUMS).write_text(f"{hashlib.sha256(body).hexdigest()} {NAME}\n")
    done = auditor("rules", "lint", str(folder))
    assert done.returncode == 2
    assert f"{NAME}:1: {line['id']}: has no branch" in done.stderr


def test_rules_that_cannot_be_read_cost_the_hosts_they_are_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in the midst of a run: their file and line are told at each such host, and the others are audited."""
    body = b'{"id":"Q190001","family":"windows","nonsense":1}\n'
    (folder / NAME).write_bytes(body)
    (folder / SUMS).write_text(f"{hashlib.sha256(body).hexdigest()} {NAME}\n")
    book = load([str(ROOT / "rules" / "linux"), str(folder)])

    def scan(target: Target, context: AuditContext, *rest: object) -> TargetResult:
        assert context.rulebook.of("linux" if target.name == "web1" else "windows")
        return TargetResult(target=target, outcome="assessed")

    monkeypatch.setattr("auditor.audit.executor.scan", scan)
    targets = [Target(name=name, connection="local") for name in ("web1", "nt1")]
    context = AuditContext(rulebook=book, clock=lambda: WHEN, marker=lambda: "m4rk3r")
    with ThreadPoolExecutor(1) as pool:
        found = {r.target.name: r for batch in scan_all(targets, context, pool, Stop()) for r in batch}
    assert found["web1"].outcome == "assessed"
    error = found["nt1"].error
    assert error
    assert f"{NAME}:1: " in error.message
    assert "rules lint" in error.message
    assert "fault of auditor" not in error.message
