"""The schedule of an inventory: what it says, and what is wrong with it, by file and line."""

from __future__ import annotations

from datetime import UTC, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from auditor.errors import FileFaults
from auditor.inventory.native import load
from auditor.model.plan import AgentSettings, Plan

WHOLE = """hosts: {a: {address: 192.0.2.1}}
schedule:
  nightly: {at: "02:00", timezone: Europe/Berlin, targets: "@all", window: 4h, rules: [shipped, mine], mail: [kim@example.com]}
  pulse: {every: 30min, days: [mon, fri], targets: [a, "b*"], catch_up: false, mail: false, deep: true}
  twice: {at: ["13:30", "01:05"]}
agent: {jobs: 64, per_jump: 8, report: out/report.html, metrics: /var/lib/node/auditor.prom, heartbeat: [curl, -fsS, "https://example.com/ping"]}
"""


def test_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(WHOLE)
    found = load(path)
    assert found.plans == (
        Plan(
            name="nightly", at=(time(2),), zone=ZoneInfo("Europe/Berlin"), targets=("@all",), window=timedelta(hours=4),
            rules=("shipped", str(tmp_path / "mine")), mail=("kim@example.com",),
        ),
        Plan(name="pulse", every=timedelta(minutes=30), days=frozenset({0, 4}), zone=UTC, targets=("a", "b*"), catch_up=False, mail=(), deep=True),
        Plan(name="twice", at=(time(1, 5), time(13, 30)), zone=UTC),
    )  # fmt: skip
    assert found.agent == AgentSettings(
        jobs=64, per_jump=8, report=str(tmp_path / "out/report.html"), metrics="/var/lib/node/auditor.prom",
        heartbeat=("curl", "-fsS", "https://example.com/ping"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('n: {at: "25:00"}', "'25:00' is no time of day"),
        ('n: {at: "2:00"}', "'2:00' is no time of day"),
        ('n: {at: "02:60"}', "'02:60' is no time of day"),
        ("n: {at: noon}", "'noon' is no time of day"),
        ("n: {at: {}}", "one word or a list of words is needed here"),
        ('n: {at: "02:00", timezone: Europe/Berlim}', "'Europe/Berlim' is no time zone; did you mean Europe/Berlin"),
        ('n: {at: "02:00", timezone: ../../etc/passwd}', "is no time zone"),
        ('n: {at: "02:00", every: 6h}', "give either `at` (02:00) or `every` (6h)"),
        ("n: {targets: a}", "give either `at` (02:00) or `every` (6h)"),
        ("n: {every: 7h}", "divide a day evenly"),
        ("n: {every: 5min}", "must be from 15min"),
        ("n: {every: 48h}", "to 24h"),
        ("n: {every: daily}", "`every` is no span; write it as 30min or 4h"),
        ('n: {at: "02:00", window: 0h}', "`window` is no span"),
        ('n: {at: "02:00", window: 4}', "`window` is no span"),
        ('n: {at: "02:00", days: [monday]}', "'monday' is no day"),
        ('n: {at: "02:00", days: []}', "would never run"),
        ('n: {at: "02:00", mail: nobody}', "'nobody' is no address"),
        ('n: {at: "02:00", catch_up: perhaps}', "`catch_up` is true or false"),
        ('n: {at: "02:00", catchup: true}', "unknown key 'catchup'; did you mean catch_up"),
        ('"a/../b": {at: "02:00"}', "is no name of an audit"),
        ("n: [02:00]", "must be a mapping"),
    ],
)
def test_what_is_wrong(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(f"hosts: {{a: {{address: 192.0.2.1}}}}\nschedule:\n  {line}\n")
    with pytest.raises(FileFaults) as caught:
        load(path)
    assert all(fault.startswith(f"{path}:3: ") for fault in caught.value.faults)
    assert any(said in fault for fault in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{jobs: 0}", "jobs must be from 1 to 1024"),
        ("{per_jump: 0}", "per_jump must be 1 or more"),
        ("{heartbeet: x}", "heartbeet"),
    ],
)
def test_settings_of_the_agent_that_are_wrong(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(f"hosts: {{a: {{address: 192.0.2.1}}}}\nagent: {line}\n")
    with pytest.raises(FileFaults) as caught:
        load(path)
    assert said in caught.value.faults[0]
