"""The imported rules against HFNetChk's data of 2001 for the bulletins of 1998 and 1999: in which service pack a fix is, and under
which number its package is listed. Both come from Microsoft, by other hands; where they differ, the reason stands here.

Needs the shared samples (derived-dev.tar.xz); the facts of one bulletin are held without them.
"""

from __future__ import annotations

import csv
import io
import re
import tarfile

import pytest

from auditor.checks.hotfix import HotfixCheck
from auditor.checks.registry import with_children
from auditor.checks.service_pack import ServicePackCheck
from auditor.rulebook.loader import load
from auditor.rulebook.rule import Branch, Rule
from tests.conftest import SHARED

FACTS = SHARED / "advisories" / "feeds" / "derived-dev.tar.xz"
LINES = {
    "Windows NT Server 4.0": "windows-nt-4.0",
    "Windows NT Workstation 4.0": "windows-nt-4.0",
    "Windows NT Server 4.0, Enterprise Edition": "windows-nt-4.0",
    "Internet Information Server 4.0": "windows-nt-4.0",
    "Windows NT Server 4.0, Terminal Server Edition": "windows-nt-4.0-terminal-server",
}
RULES = {r.id: r for r in load(situational=True).rules if r.generated}
# What differs, and why.
PACKS = {
    (
        "Q232449",
        "windows-nt-4.0",
    ): "HFNetChk says Service Pack 6a for MS99-013; Q319733 and Q297860 call it an action that no patch brings",
    ("Q234557", "windows-nt-4.0"): "HFNetChk names no pack for MS99-023; the article says Service Pack 5",
    ("Q234557", "windows-nt-4.0-terminal-server"): "the same",
    ("Q236359", "windows-nt-4.0"): "HFNetChk names no pack for MS99-024; the article says Service Pack 6",
    ("Q236359", "windows-nt-4.0-terminal-server"): "the same",
    ("Q231457", "windows-nt-4.0-terminal-server"): "HFNetChk names no pack for Terminal Server Edition; the article says its 6",
    ("Q237185", "windows-nt-4.0-terminal-server"): "the same",
    ("Q218473", "windows-nt-4.0-terminal-server"): "the same, with 4",
    ("Q238606", "windows-nt-4.0"): "HFNetChk names no pack for MS99-058; the article's text and keyword say Service Pack 6",
}
NUMBERS = {
    "Q233303": "HFNetChk looks for Q230681, the package for RAS of the same bulletin; Q233303 is the one for RRAS",
    "Q246401": "HFNetChk looks for Q246400, a slip or the number that the package really writes; no article says so",
    "Q241407": "HFNetChk takes Q241805, the combined patch; the article offers its own of a month before",
    "Q241562": "the same",
    "Q238349": "HFNetChk takes Q238606, the later package",
}


def rows() -> list[dict[str, str]]:
    with tarfile.open(FACTS) as archive:
        for member in archive:
            if member.name.endswith("hfnetchk/facts-ms98-ms99.tsv"):
                found = archive.extractfile(member)
                assert found
                return list(csv.DictReader(io.StringIO(found.read().decode()), delimiter="\t"))
    raise AssertionError("the facts are not in the archive")


def branch_of(rule: Rule, line: str) -> Branch | None:
    for b in rule.branches:
        if any(
            p == line or (line == "windows-nt-4.0" and re.fullmatch(r"windows-nt-4\.0-(server|enterprise|workstation)", p))
            for p in b.products
        ):
            return b
    return None


@pytest.mark.skipif(not FACTS.exists(), reason="the shared samples are not here")
def test_packs_and_numbers() -> None:
    compared = {"packs": 0, "numbers": 0}
    packs: dict[tuple[str, str], str] = {}
    numbers: dict[str, str] = {}
    for row in rows():
        line = LINES.get(row["product"])
        for ident in re.findall(r"Q\d+", row["qnumbers"]):
            rule = RULES.get(ident)
            branch = branch_of(rule, line) if rule and line else None
            if branch is None or line is None:
                continue
            checks = list(with_children(branch.check))
            ours = {c.at_least.rstrip("a") for c in checks if isinstance(c, ServicePackCheck)}
            theirs = set(re.findall(r"Service Pack (\d)", row["fixed_in_sp"]))
            compared["packs"] += 1
            if ours != theirs:
                packs[ident, line] = f"{row['bulletin']}: Service Pack {ours or 'none'}, HFNetChk {theirs or 'none'}"
            accepted = {i for c in checks if isinstance(c, HotfixCheck) for i in c.ids}
            listed = set(re.findall(r"Hotfix\\(Q\d+)", row["regs"]))
            if accepted and listed:
                compared["numbers"] += 1
                if not accepted & listed:
                    numbers[ident] = f"{row['bulletin']}: listed as {sorted(accepted)}, HFNetChk {sorted(listed)}"
    assert (packs.keys() ^ PACKS.keys(), numbers.keys() ^ NUMBERS.keys()) == (set(), set()), (packs, numbers)
    assert compared["packs"] > 60
    assert compared["numbers"] > 30


def test_one_bulletin() -> None:
    """MS99-055: no service pack, Q246045 (HFNetChk); and the rollup that holds it."""
    branch = branch_of(RULES["Q246045"], "windows-nt-4.0")
    assert branch
    assert isinstance(branch.check, HotfixCheck)
    assert set(branch.check.ids) == {"Q246045", "Q299444"}
