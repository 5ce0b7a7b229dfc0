"""`auditor history` and `auditor judge` over stored facts, as a person uses them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.history.test_queries import after

DAYS = {"web1": "mc", "web2": "cc"}, {"web1": "cc", "web2": "-"}, {"web1": "mc", "web2": "cm"}


@pytest.fixture
def history(home: Path) -> Path:
    after(home / "auditor.db", *DAYS).close()
    return home / "auditor.db"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("runs", "day1  2026-11-24 12:00 UTC  2 hosts, 1 not assessed, 0 required missing or pending  complete"),
        ("runs --limit 1", "day2"),
        ("host web1", "noncompliant   important since 2026-11-25                   rule-0  Title of rule-0"),
        ("host web2", "web2: assessed 2026-11-25 12:00 UTC: required: 1 missing or pending, 0 unknown, 1 met"),
        ("rule rule-1", "noncompliant   since 2026-11-25  web2"),
        ("diff", "came back       important web1  rule-0  Title of rule-0  compliant (c) → noncompliant (m)"),
        ("diff day0 day1", "fixed           important web1  rule-0"),
        ("diff day1 day0", "not assessed              web2  assessed → unreachable (timeout: no answer)"),
        (
            "as-of 2026-11-24",
            "web2: unreachable 2026-11-24 12:00 UTC; as last assessed 2026-11-23 12:00 UTC (stale): required: 0 missing",
        ),
        ("as-of 2026-11-23", "web1: noncompliant   important since 2026-11-23"),
        ("trend", "day2  2026-11-25 12:00 UTC  50.0%  open: 2 important; 0 unknown; 0 of 2 hosts not assessed"),
        ("check", "is sound"),
        ("prune --keep-nightly 5y --keep-monthly 6y", "0 runs thinned"),
    ],
)
def test_what_it_says(auditor: Run, history: Path, words: str, said: str) -> None:
    done = auditor("history", *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


@pytest.mark.parametrize("words", ["runs", "host web1", "rule rule-0", "diff", "as-of 2026-11-25", "trend"])
def test_the_same_as_json_and_csv(auditor: Run, history: Path, words: str) -> None:
    told = json.loads(auditor("history", *words.split(), "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(auditor("history", *words.split(), "--format", "csv").stdout)))
    told = told["findings"] if words.startswith("as-of") else told["points"] if words == "trend" else told
    assert len(rows) == len(told) > 0
    assert set(rows[0]) == set(told[0])


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ("host web9", "never seen a host 'web9'; did you mean web", 2),
        ("rule rule-x", "no finding of a rule 'rule-x'", 2),
        ("diff day7", "no run 'day7'", 2),
        ("as-of yesterday", "is no date", 2),
        ("as-of 2020-01-01", "no result from before", 2),
        ("as-of 2999-01-01", "is yet to come", 2),
        ("as-of 9999-12-31", "is no date", 2),
        ("forget web9", "never seen a host 'web9'; did you mean web", 2),
        ("prune --keep-nightly 3", "is no span; write a span as 90d", 2),
        ("prune --keep-nightly 3y --keep-monthly 1y", "shorter than --keep-nightly", 2),
        ("backup auditor.db", "is there already; a backup replaces nothing", 2),
        ("check --history none.db", "there is no history none.db", 2),
    ],
)
def test_typed_wrongly(auditor: Run, history: Path, words: str, said: str, code: int) -> None:
    done = auditor("history", *words.split())
    assert said in done.stderr
    assert (done.returncode, done.stdout) == (code, "")


def test_a_formula_is_no_formula_in_csv(auditor: Run, home: Path) -> None:
    after(home / "auditor.db", {"=cmd|' /C calc'!A0": "m", "evil\nname\u202e<b>": "m"}).close()
    told = auditor("history", "as-of", "2026-11-23", "--format", "csv").stdout
    hosts = [row["host"] for row in csv.DictReader(io.StringIO(told))]
    assert hosts == ["'=cmd|' /C calc'!A0", "evil name\\u202e<b>"]
    assert "\u202e" not in auditor("history", "as-of", "2026-11-23").stdout


def test_backup_and_restore(auditor: Run, history: Path) -> None:
    assert auditor("history", "backup", "copy.db").returncode == 0
    before = auditor("history", "runs").stdout
    history.write_bytes(b"SQLite format 3\0" + b"\0" * 5000)
    assert auditor("history", "check").returncode == 3
    done = auditor("history", "restore", "copy.db")
    assert "what was there is auditor.db.damaged-" in done.stdout
    assert auditor("history", "runs").stdout == before


def test_facts_of_any_day_are_judged_by_the_rules_of_today(auditor: Run, history: Path) -> None:
    def verdicts(*words: str) -> dict[str, int]:
        done = auditor("judge", *words, "--format", "json")
        assert done.returncode in (0, 1, 3), done.stderr
        return {k: v for k, v in json.loads(done.stdout)["summary"]["verdicts"].items() if v}

    newest = verdicts("--latest", "--max-age", "9y")
    assert newest.get("compliant", 0) > 0
    # The facts are the same each day; counters are kept of the newest reading only, so what rests on them is unknown.
    assert verdicts("--as-of", "2026-11-23", "--max-age", "1d") == {
        "compliant": newest["compliant"] - 2,
        "unknown": newest.get("unknown", 0) + 2,
    }
    assert set(verdicts("--as-of", "2026-11-24", "--max-age", "0d")) <= {"unknown", "not_applicable"}
    assert "is no span" in auditor("judge", "--latest", "--max-age", "x").stderr
    assert "name either files" in auditor("judge", "--latest", "--as-of", "2026-11-24").stderr
