"""Recordings: what was kept of a host gives the same facts and verdicts as the host did."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.audit.scan import scan
from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.readers import shell
from auditor.foundation.deadline import Deadline, Stop
from auditor.inventory.selection import open_inventory, select
from auditor.model.target import Target
from auditor.model.windows import Subkeys, Table, Value, WindowsRawData
from auditor.transports import replay
from tests.collectors.windows.reading import AUDIT, NOW, RULEBOOK, environment, over_ssh, scanned, verdicts
from tests.conftest import Run
from tests.lab.anything import ANYTHING
from tests.lab.windows import cmd
from tests.lab.windows.host import load_host
from tests.lab.windows.wsman import WsmanServer


def judged(home: Path, word: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Facts and verdicts of one host; what differs from run to run left out."""
    inventory = home / "inventory.yaml"
    with environment("LAB_PASSWORD", "Secret-1"):
        (target,) = select([word], open_inventory(str(inventory) if inventory.exists() else None))
        result = scan(target, AUDIT, Stop())
    assert result.facts, result.error
    facts = msgspec.to_builtins(result.facts)
    for name in ("target", "collected_at", "way"):
        del facts[name]
    for outcome in facts["outcomes"]:
        del outcome["seconds"]
    return facts, {f.rule: f.verdict for f in result.findings}


def kept(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "kept" / "recording.json").read_text())
    return found


def recorded(auditor: Run, word: str) -> None:
    done = auditor("record", word, "-o", "kept", LAB_PASSWORD="Secret-1")
    assert done.returncode == 0, done.stderr


def test_a_posix_host(auditor: Run, home: Path) -> None:
    recorded(auditor, "local")
    assert kept(home)["kind"] == "posix"
    assert {p.stat().st_mode & 0o777 for p in (home / "kept").iterdir()} == {0o600}
    first = judged(home, "replay:kept")
    assert first[0]["platform"]["family"] == "linux"
    assert first == judged(home, "replay:kept")
    done = auditor("scan", "replay:kept", "--output", "run.json", "--no-history", "--no-report")
    (shown,) = json.loads((home / "run.json").read_text())["targets"]
    assert {f["rule"]: f["verdict"] for f in shown["findings"]} == first[1], done.stderr
    assert set(first[1].values()) != {"unknown"}


@pytest.mark.parametrize("name", ["nt40-enterprise-sp5-node", "nt40-server-sp6a-domino", "windows-server-2022-core"])
def test_a_windows_host_by_wmi(name: str, auditor: Run, home: Path) -> None:
    with WsmanServer(load_host(name)) as server:
        (home / "inventory.yaml").write_text(
            f"hosts:\n  {name}: {{connection: winrm, address: 127.0.0.1, port: {server.port}, scheme: http, user: auditor,"
            " password: env:LAB_PASSWORD}\n"
        )
        recorded(auditor, name)
        live = judged(home, name)
    assert kept(home)["kind"] == "windows-readings"
    assert sorted(p.name for p in (home / "kept").iterdir()) == ["readings.json", "recording.json"]
    assert b"Secret-1" not in (home / "kept" / "readings.json").read_bytes()
    assert judged(home, "replay:kept") == live
    assert live[1]


@pytest.mark.parametrize(("name", "shell_name"), [("windows-server-2019-ja", "cmd"), ("windows-xp-sp3-de", "powershell")])
def test_a_windows_host_by_a_shell(name: str, shell_name: Any, auditor: Run, home: Path) -> None:
    with over_ssh(home / "lab", name, shell_name) as (server, target):
        (home / "inventory.yaml").write_text(
            f"hosts:\n  {name}: {{address: 127.0.0.1, port: {server.port}, user: {target.user}, key_file: {target.key_file},"
            f" known_hosts: {target.known_hosts[0]}}}\n"
        )
        recorded(auditor, name)
        live = judged(home, name)
    assert kept(home)["kind"] == "windows-shell"
    assert judged(home, "replay:kept") == live
    with zipfile.ZipFile(home / "kept.zip", "w") as archive:
        for path in (home / "kept").iterdir():
            archive.write(path, f"somewhere/{path.name}")
    assert judged(home, "replay:kept.zip") == live
    whole = (home / "kept" / "stdout").read_bytes()
    (home / "kept" / "stdout").write_bytes(whole[: len(whole) // 2])
    truncated = judged(home, "replay:kept")
    assert truncated[0] != live[0]
    assert all(v in ("unknown", live[1][rule]) for rule, v in truncated[1].items())


@pytest.mark.parametrize("name", ["windows-server-2003-r2-sp2", "windows-server-2012-r2-ru", "windows-xp-sp3-de"])
def test_the_answer_that_the_script_for_closed_networks_wrote(name: str, tmp_path: Path) -> None:
    """collect.cmd has the lines that go over a shell; cmd runs them from the file, so there is no banner."""
    host = load_host(name)
    script = [*shell.framed(all_queries(RULEBOOK.requirements()), replay.CARRIED_MARKER), "exit", ""]
    out = cmd.run(host, "cmd /q /d", "\r\n".join(script).encode())[0].removeprefix(
        cmd.banner(host).encode(f"cp{host.oem_codepage}")
    )
    (tmp_path / replay.ANSWER).write_bytes(out)
    result = scan(Target(name=name, connection="replay", path=str(tmp_path)), AUDIT, Stop())
    usual = scanned(name, "shell")
    assert result.facts
    assert usual.facts
    assert verdicts(result) == verdicts(usual)
    for what in ("platform", "services", "settings", "programs", "hotfixes", "reboot", "machine_id"):
        assert getattr(result.facts, what) == getattr(usual.facts, what), what


# ---------------------------------------------------------------------------------------------------------- damaged ones
RECORDING = {"schema": "auditor.recording/1", "target": "x", "recorded_at": "2026-11-23T12:00:00Z", "kind": "windows-readings", "marker": "0123456789abcdef", "script": "", "way": "winrm", "exit_status": None, "seconds": 0.0}  # fmt: skip


def replayed(folder: Path, data: bytes | None = None, **changes: Any) -> Any:
    (folder / "recording.json").write_text(json.dumps(RECORDING | changes))
    if data is not None:
        (folder / "readings.json").write_bytes(data)
    return scan(Target(name="x", connection="replay", path=str(folder)), AUDIT, Stop())


def test_readings_of_every_form_come_back(tmp_path: Path) -> None:
    told = WindowsRawData(
        method="WMI",
        values={
            "HKLM\\A#x": Value("present", "REG_MULTI_SZ", ("a", "b\0")),
            "HKLM\\A#n": Value("present", "REG_QWORD", 2**64 - 1),
        },
        keys={"HKLM\\A": Subkeys("present", ("ä", "日本語"))},
        tables={"T": Table("present", ({"a": None, "b": True, "c": 5, "d": ("x", "y"), "e": ""},))},
        texts={"ver": "x"},
        notes=("a note",),
    )
    assert msgspec.json.decode(msgspec.json.encode(told), type=WindowsRawData) == told
    replay.write(
        tmp_path / "kept",
        msgspec.convert(RECORDING | {"recorded_at": NOW}, replay.Recording),
        {"readings.json": msgspec.json.encode(told)},
    )
    target = Target(name="x", connection="replay", path=str(tmp_path / "kept"))
    session = replay.open_recording(target, Deadline(10, "reading", Stop()), ANYTHING)
    assert isinstance(session, replay.RecordedWindows)
    assert session.data() == told
    assert session.recorded_at == NOW


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{}",
        b"[]",
        b'{"way": 5}',
        b"\xff",
        b'{"way": "x", "values": {"HKLM\\\\A#x": {"state": "maybe"}}}',
        b'{"way": "x", "tables": {"T": {"state": "present", "rows": [5]}}}',
        b"[" * 100_000,
    ],
)
def test_readings_that_are_none(content: bytes | None, tmp_path: Path) -> None:
    result = replayed(tmp_path, content)
    assert (result.outcome, result.error.kind) == ("unreachable", "protocol")
    assert "is no recording" in result.error.message


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"kind": "windows-shell"},
        {"kind": "posix"},
        {"schema": "auditor.recording/2"},
        {"more": 1},
        {"recorded_at": "x"},
    ],
)
def test_recordings_that_are_none(changes: dict[str, Any], tmp_path: Path) -> None:
    result = replayed(tmp_path, b'{"way": "WMI"}', **changes)
    assert (result.outcome, result.error.kind) == ("unreachable", "protocol")


def test_readings_without_a_version_are_no_host(tmp_path: Path) -> None:
    result = replayed(tmp_path, b'{"way": "WMI"}')
    assert result.outcome == "failed"
    assert not result.findings


def test_a_recording_without_a_marker_is_refused(tmp_path: Path) -> None:
    """An empty word is found between any two bytes, and would be replaced there."""
    (tmp_path / "stdout").write_bytes(b"x" * 100_000)
    (tmp_path / "stderr").touch()
    result = replayed(tmp_path, kind="windows-shell", marker="")
    assert result.outcome in ("unreachable", "failed")
    assert result.error.kind == "protocol"
    assert len(result.error.message) < 1000


def test_the_recordings_own_time_counts(tmp_path: Path) -> None:
    result = replayed(tmp_path, msgspec.json.encode(WindowsRawData(method="WMI", texts={"ver": "Windows NT Version 4.0"})))
    assert result.facts.collected_at.isoformat() == "2026-11-23T12:00:00+00:00"
    home = tmp_path / "home"
    home.mkdir()
    (home / "ver.txt").write_bytes(b"Windows NT Version 4.0")
    os.utime(home / "ver.txt", (10**9, 10**9))
    carried = scan(Target(name="x", connection="replay", path=str(home)), AUDIT, Stop())
    assert carried.facts
    assert carried.facts.collected_at.timestamp() == 10**9
