"""Rule files: what ships loads, and every fault of a bad one is reported with its place."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from auditor.errors import FileFaults
from auditor.rulebook.loader import load
from auditor.rulebook.rule import Rule
from auditor.rulebook.rulebook import Rulebook

GOOD = """
id: my-rule
title: A title
severity: low
obligation: advised
family: linux
branches: [{products: [linux], check: {kind: setting, key: "sysctl:net.core.somaxconn", at_least: 128}}]
meaning: m
matters: m
remediation: r
references: [{title: t}]
provenance: {source: s, retrieved: 2026-01-01}
"""


def faults(tmp_path: Path, text: str, name: str = "r.yaml") -> str:
    (tmp_path / name).write_text(text)
    with pytest.raises(FileFaults) as e:
        load([str(tmp_path)])
    return str(e.value)


def test_shipped_rules_say_what_they_mean_why_and_what_to_do(rulebook: Rulebook) -> None:
    assert {"Q238009", "Q181350", "linux-listen-backlog"} <= {r.id for r in rulebook.rules}
    for rule in (r for r in rulebook.rules if not r.generated):
        assert min(len(rule.meaning), len(rule.matters), len(rule.remediation)) > 40, rule.id
        assert rule.references, rule.id
        assert rule.provenance.source, rule.id


def test_the_digest_follows_the_content_not_the_order(tmp_path: Path, rulebook: Rulebook) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.jsonl").write_bytes(msgspec.json.encode(rulebook.rules[0]) + b"\n")
    one, two = (
        load([str(tmp_path / "a.yaml"), str(tmp_path / "b.jsonl")]),
        load([str(tmp_path / "b.jsonl"), str(tmp_path / "a.yaml")]),
    )
    assert one.digest == two.digest
    (tmp_path / "a.yaml").write_text(GOOD.replace("128", "129"))
    assert load([str(tmp_path)]).digest != one.digest


def test_shipped_and_mine(tmp_path: Path, rulebook: Rulebook) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    both = load(["shipped", str(tmp_path)])
    assert len(both.rules) == len(rulebook.rules) + 1
    assert "sysctl:net.core.somaxconn" in both.requirements().linux


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("severity: low", "severity: severe"), "r.yaml:4: 'severe' is not one of critical, important, low, moderate, unrated"),
        (("kind: setting", "kind: seting"), "r.yaml:7: 'seting' is none; one of all_of, any_of"),
        (("at_least: 128", "at_least: 128, at_most: 3"), "needs exactly one of at_least, at_most, one_of"),
        (("sysctl:net.core.somaxconn", "sysctl:net.core.somaxconn; rm -rf /"), "is no setting that can be read"),
        (("sysctl:net.core.somaxconn", "file:/etc/../root/x#k"), "is no setting that can be read"),
        (("sysctl:net.core.somaxconn", "file:/etc/x#$(id)"), "is no setting that can be read"),
        (("title: A title", "titel: A title"), "unknown key 'titel'; did you mean title?"),
        (("branches: [{products", "branches: [{product"), "unknown key 'product'"),
        (("retrieved: 2026-01-01", "retrieved: 1.1.2026"), "is no ISO date"),
        (("id: my-rule", "id: my rule"), "does not have the form"),
    ],
)
def test_faults(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in GOOD
    assert says in faults(tmp_path, GOOD.replace(*change))


def test_faults_of_all_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("low", "nix"))
    (tmp_path / "b.jsonl").write_text('{"id": "x"}\nnot json\n')
    said = faults(tmp_path, GOOD).splitlines()
    assert [s.split(": ")[0].rsplit("/", 1)[1] for s in said] == ["a.yaml:4", "b.jsonl:1", "b.jsonl:2"]


def test_one_id_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    assert "rule my-rule was read before, from" in faults(tmp_path, GOOD)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileFaults, match="there is no such rule file or folder"):
        load([str(tmp_path / "none")])


def test_the_schema_names_every_kind_of_check() -> None:
    schema = msgspec.json.schema(Rule)
    assert "listen_backlog" in str(schema)
    assert "any_of" in str(schema)


_SENTENCE = re.compile(
    r"\b(?:is|are|was|has|have|does|do|can|cannot|may|must|no|not|never|still|fails?|makes?|turns?|gets?|uses?|runs|listens)\b",
    re.I,
)


def test_titles_are_subjects_that_stand_beside_any_verdict() -> None:
    """ "MISSING: no restart is pending" and "ok: the server hangs" both say the opposite of what was found."""
    rules = load().rules
    stated = [r.id for r in rules if not r.generated and _SENTENCE.search(re.sub(r"“.*”", "", r.title))]
    assert stated == []
    assert {re.sub(r"^(MS\d\d-\d{3}(, |: ))*", "", r.title).split("“")[0] for r in rules if r.generated} == {"Fix for "}


def test_no_key_that_is_asked_for_is_a_sentence_of_an_article() -> None:
    """What `auditor commands` prints is looked at by the owners of the hosts."""
    words = re.compile(r"\b(?:the|following|these|this|which|you|your|are|is|appears?)\b| (?:of|for|in|to|with|and|or)$", re.I)
    parts = [p for key in load().requirements().windows for p in re.split(r"[\\\\#]", key.removeprefix("registry:"))]
    assert len(parts) > 50
    assert [p for p in parts if words.search(p)] == []
