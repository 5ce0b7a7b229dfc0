"""The posed Windows NT hosts against the rules that were imported from the archive of articles.

The expected verdicts are worked out here from the rule files' own JSON and the hosts' descriptions, by other code than
the product's: which service pack a host has, whether its products are named, and whether it has the part.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from auditor.foundation import resources
from auditor.report.grouping import bundles
from tests.collectors.windows.reading import scanned
from tests.lab.windows.host import HOSTS, load_host

NT4 = [h for h in HOSTS if h.startswith("nt40")]
LINE = {"windows-nt-4.0": ("windows-nt-4.0-server", "windows-nt-4.0-workstation", "windows-nt-4.0-enterprise")}


def archive() -> list[dict[str, Any]]:
    folder = Path(resources.folder("rules")) / "kb"
    written = {p.stem for p in (Path(resources.folder("rules")) / "windows").glob("Q*.yaml")}
    found = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [r for r in found if r["id"] not in written]


ARCHIVE = archive()


posed = cache(load_host)


def level(pack: str) -> tuple[int, str]:
    number = pack.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(number), pack[len(number) :]


def expected(rule: dict[str, Any], name: str) -> str | None:
    """The verdict of a plain service-pack rule on a posed host; None where the rule is of another kind."""
    host = posed(name)
    product, pack = host.expected["product"], host.expected["service_pack"]
    branches = [b for b in rule["branches"] if any(p == product or product in LINE.get(p, ()) for p in b["products"])]
    if not branches or branches[0]["check"]["kind"] != "service_pack" or "application" in rule or pack is None:
        return None
    check = branches[0]["check"]
    if not pack.replace("a", "").isdigit() or check.get("stamped_by") or check.get("marked_by"):
        return None
    if check.get("since") and level(pack) < level(check["since"]):
        return None
    reached = "compliant" if level(pack) >= level(check["at_least"]) else "noncompliant"
    stamp = host.value(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "CSDVersion")
    stamped_by = any(
        host.key(rf"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\HotFix\{q}") for q in ("Q246467", "Q266433", "Q246009")
    )
    if stamp and "RC" in str(stamp.data) and level(pack)[0] == level(check["at_least"])[0] and not stamped_by:
        reached = "unknown"  # a candidate's name that nothing explains
    part = rule.get("component")
    if not part:
        return reached
    if not part.get("services") or part.get("programs"):
        return reached if reached == "compliant" and not part.get("programs") else None if part.get("programs") else "unknown"
    there = any(fnmatchcase(s.lower(), p.lower()) for s in host.services for p in part["services"])
    return reached if there else "not_applicable"


@pytest.mark.parametrize("name", NT4)
def test_every_plain_rule_is_judged_as_its_file_and_the_host_say(name: str) -> None:
    findings = {f.rule: f.verdict for f in scanned(name, "unicode").findings if f.generated}
    compared = 0
    for rule in ARCHIVE:
        wanted = expected(rule, name)
        if wanted is not None:
            assert findings[rule["id"]] == wanted, (rule["id"], wanted)
            compared += 1
    product, pack = load_host(name).expected["product"], load_host(name).expected["service_pack"]
    if pack is not None and pack.replace("a", "").isdigit():
        assert compared > (50 if product.endswith("terminal-server") else 300)


def test_what_an_nt_40_server_lacks_is_one_step_not_hundreds_of_complaints() -> None:
    result = scanned("nt40-enterprise-sp5-node", "unicode")
    merged, _ = bundles(f for f in result.findings if f.obligation == "required")
    first = merged[0]
    assert first.what == "Windows NT 4.0 Service Pack 6a"
    assert len(first.findings) > 100
    assert {"Q238009", "windows-latest-service-pack"} <= {f.rule for f in first.findings}
    missing = {
        r["id"] for r in ARCHIVE if expected(r, "nt40-enterprise-sp5-node") == "noncompliant" and r["obligation"] == "required"
    }
    assert missing <= {f.rule for f in first.findings}


def test_a_host_with_the_last_pack_lacks_no_pack() -> None:
    for name in ("nt40-workstation-sp6a", "nt40-server-sp6a-domino"):
        assert not [
            f.rule
            for f in scanned(name, "unicode").findings
            if f.verdict == "noncompliant" and f.remedy and f.remedy.kind == "service_pack"
        ]


def test_hosts_of_today_are_not_asked_about_the_archive() -> None:
    assert not [f for f in scanned("windows-server-2022", "wmi").findings if f.generated]


def test_sna_server_tells_its_service_pack() -> None:
    by_pack = {}
    for name, pack in (("nt40-server-sp6a-sna4-sp3", "3"), ("nt40-server-sp6a-sna4-sp4", "4")):
        found = [f for f in scanned(name, "unicode").findings if f.generated and f.required.startswith("sna-server-4.0")]
        by_pack[pack] = {f.rule for f in found if f.verdict == "noncompliant"}
        assert [f for f in found if f.verdict == "compliant"]
    assert len(by_pack["3"]) > 50
    assert by_pack["4"] == set()
