"""Every folder in tests/recordings is a test: its host's answers are read and judged again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.collectors.linux import LINUX
from auditor.foundation.deadline import Stop
from auditor.inventory.inventory import Inventory
from auditor.inventory.selection import select
from auditor.rulebook.rulebook import Rulebook
from tests.lab.recordings import HOST_NAMED
from tests.places import RECORDINGS

FOLDERS = sorted(p.parent for p in RECORDINGS.glob("*/recording.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_recording(folder: Path, rulebook: Rulebook) -> None:
    audit = AuditContext(rulebook=rulebook, clock=lambda: datetime(2026, 11, 30, 12, tzinfo=UTC), marker=lambda: "another")
    result = scan(select([f"replay:{folder}"], Inventory())[0], audit, Stop())
    assert result.facts
    assert result.outcome in ("assessed", "partial")
    expected = folder / "expected.json"
    if expected.exists():
        facts = result.facts
        stdout = (folder / "stdout").read_bytes()
        asked = {c.name for c in LINUX if f"<{c.sections[0]}\n".encode() in stdout}  # younger collectors were not asked then
        whole = all(o.outcome in ("ok", "skipped") for o in facts.outcomes if o.name in asked)
        assert json.loads(expected.read_text()) == {
            "outcome": "assessed" if whole else "partial",
            "product": facts.platform.product,
            "packages": None if facts.packages is None else len(facts.packages),
            "listeners": [x.endpoint for x in facts.listeners or ()],
            "verdicts": {f.rule: f.verdict for f in result.findings},
        }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_a_recording_names_no_other_host(folder: Path) -> None:
    text = (folder / "stdout").read_text("utf-8", "surrogateescape")
    assert [found[0] for found in HOST_NAMED.finditer(text)] == []


def test_live_patches_are_those_that_the_kernel_has_enabled(rulebook: Rulebook) -> None:
    audit = AuditContext(rulebook=rulebook, clock=lambda: datetime(2026, 11, 30, 12, tzinfo=UTC), marker=lambda: "another")
    found = {}
    for name in ("debian-12-lacking", "debian-12-root"):
        facts = scan(select([f"replay:{RECORDINGS / name}"], Inventory())[0], audit, Stop()).facts
        found[name] = facts.kernels.livepatches if facts and facts.kernels else None
    assert found == {"debian-12-lacking": ("livepatch_1",), "debian-12-root": ()}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.97, 0.999])
def test_a_recording_cut_off_anywhere_never_gets_better(share: float, rulebook: Rulebook, tmp_path: Path) -> None:
    """The end marker is missing, so what was not sent is unknown; what was sent whole counts."""
    whole = next(f for f in FOLDERS if f.name == "debian-12-root")
    for name in ("recording.json", "stderr", "stdout"):
        content = (whole / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(len(content) * share)] if name == "stdout" else content)
    audit = AuditContext(rulebook=rulebook, clock=lambda: datetime(2026, 11, 30, 12, tzinfo=UTC), marker=lambda: "another")
    before = scan(select([f"replay:{whole}"], Inventory())[0], audit, Stop())
    after = scan(select([f"replay:{tmp_path}"], Inventory())[0], audit, Stop())
    verdicts = {f.rule: f.verdict for f in before.findings}
    if after.outcome == "failed":
        assert after.error
        assert not after.findings
    else:
        assert after.outcome == "partial"
        assert all(f.verdict in ("unknown", verdicts[f.rule]) for f in after.findings)
        assert replace(after, seconds=0.0) != replace(before, seconds=0.0)


def test_what_is_no_recording(tmp_path: Path, rulebook: Rulebook) -> None:
    audit = AuditContext(rulebook=rulebook, clock=lambda: datetime(2026, 11, 30, tzinfo=UTC), marker=lambda: "x")
    for text in (None, "{}", "not json", '{"schema": "auditor.recording/9"}'):
        if text is not None:
            (tmp_path / "recording.json").write_text(text)
        result = scan(select([f"replay:{tmp_path}"], Inventory())[0], audit, Stop())
        assert result.error
        assert (result.outcome, result.error.kind) == ("unreachable", "protocol")
        assert "is no recording" in result.error.message
