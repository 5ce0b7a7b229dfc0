"""`auditor waivers`, as a person uses it, and what a waiver does to a run."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from auditor.evaluation.evaluate import evaluate
from auditor.evaluation.waiver_review import lapsed, remarks
from auditor.model.finding import Waiver
from auditor.model.target import Target
from tests.conftest import Run
from tests.given import LINUX, RULES, WHEN
from tests.history.test_queries import result

TODAY = date(2026, 11, 25)
INVENTORY = "hosts:\n  web1: {address: 192.0.2.1, groups: [web]}\ngroups: {web: {}}\nwaivers: waivers.yaml\n"


def waiver(**more: object) -> Waiver:
    return Waiver(**({"rules": ("linux-*",), "targets": ("web1",), "owner": "kim", "reason": "r"} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"permanent": True}, None),
        ({"expires": TODAY + timedelta(days=60)}, None),
        ({"expires": TODAY + timedelta(days=14)}, "ends on 2026-12-09"),
        ({"expires": TODAY}, "ends on 2026-11-25"),
        ({"expires": TODAY - timedelta(days=1)}, "is over since 2026-11-24"),
        ({"permanent": True, "rules": ("linux-x*",)}, "matches no rule that is loaded"),
        ({"permanent": True, "targets": ("web2", "@db")}, "matches no host of the inventory"),
        ({"permanent": True, "targets": ("@web",)}, None),
    ],
)
def test_what_is_said_of_a_waiver(given: dict[str, object], said: str | None) -> None:
    found = remarks([waiver(**given)], ["linux-listen-backlog"], [Target(name="web1", groups=("web",))], TODAY)
    assert (said is None) == (not found)
    assert said is None or said in found[0]


def test_a_pinned_waiver_lapses_when_another_thing_is_observed() -> None:
    (plain,) = (f for f in evaluate(LINUX, RULES, today=WHEN.date()) if f.rule == "linux-somaxconn")
    for observed, holds in ((plain.observed, True), ("something else", False)):
        pinned = waiver(permanent=True, observed=observed)
        (found,) = (f for f in evaluate(LINUX, RULES, today=WHEN.date(), waivers=[pinned]) if f.rule == "linux-somaxconn")
        assert bool(found.waiver) is holds
        assert found.verdict == plain.verdict


def test_from_the_command_line(auditor: Run, home: Path) -> None:
    (home / "inventory.yaml").write_text(INVENTORY)
    end = (date.today() + timedelta(days=5)).isoformat()
    add = ("waivers", "add", "linux-somaxconn", "@web", "--reason", "as the database wants it", "--owner", "kim")
    assert "give one of them" in auditor(*add).stderr
    assert "give one of them" in auditor(*add, "--permanent", "--expires", end).stderr
    assert "is over" in auditor(*add, "--expires", "2020-01-01").stderr
    done = auditor(*add, "--expires", end)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"waived until {end}" in done.stdout
    assert json.loads(auditor("waivers", "list", "--format", "json").stdout)[0]["expires"] == end
    assert f"until {end}, in 5 days, kim: as the database wants it" in auditor("waivers", "list").stdout
    checked = auditor("waivers", "check")
    assert checked.returncode == 3
    assert f"ends on {end}" in checked.stdout
    (home / "waivers.yaml").write_text("- {rules: [a], targets: [b], owner: k, reason: r, expires: 2027-13-01}\n")
    assert "waivers.yaml:1" in auditor("waivers", "check").stderr
    assert auditor(*add, "--expires", end).returncode == 2  # a faulty file is not added to


def test_a_pin_that_lapsed_is_said_in_every_run() -> None:
    """It does not come back by itself, and its file still says "permanent"."""
    pinned = Waiver(rules=("rule-0",), targets=("h",), owner="kim", reason="x", permanent=True, observed="m")
    assert lapsed([pinned], [result("h", "m", WHEN), result("other", "p", WHEN)], WHEN.date()) == []
    (said,) = lapsed([pinned], [result("h", "p", WHEN)], WHEN.date())
    assert (
        said
        == "waiver of kim for rule-0 is pinned to what was found then, and holds no more on h: look at it again, and renew it or let it go"
    )
    assert lapsed([pinned], [result("h", "c", WHEN)], WHEN.date()) == []
