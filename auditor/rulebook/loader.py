"""Rule files read into a Rulebook: hand-written YAML, generated JSON Lines, in one schema; every fault at once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

from auditor.checks.registry import Check, with_children
from auditor.errors import FileFaults
from auditor.foundation import resources
from auditor.foundation.yaml_file import MAX_BYTES, FaultList, bind, compose
from auditor.model import run, setting_key
from auditor.model.requirements import DataRequirements
from auditor.rulebook import overrides
from auditor.rulebook.rule import Rule

# The cap that the backlog checks explain requested values by is always read.
ALWAYS_READ = ("sysctl:net.core.somaxconn",)


class Rulebook(Struct, frozen=True):
    """The loaded rules, by id in the order read, and where each came from (`file:line`). `left`: by product, how many rules about
    particular problems were not loaded."""

    rules: tuple[Rule, ...]
    places: dict[str, str]
    digest: str
    left: dict[str, int] = {}

    def requirements(self, wanted: Callable[[Rule], bool] = lambda rule: True) -> DataRequirements:
        """What some rule among those `wanted` needs to know."""
        rules = [r for r in self.rules if wanted(r)]
        components = [c for r in rules for c in (r.application, r.component) if c and r.family == "windows"]
        keys, hotfixes = set(ALWAYS_READ), set[str]()
        for rule in rules:
            for check in checks(rule):
                needs = check.needs()
                keys.update(needs.settings)
                # The entries of generated rules' hotfixes are not looked at one by one: there are thousands, and the list has them.
                if not rule.generated:
                    hotfixes.update(needs.hotfixes)
        return DataRequirements(
            linux=tuple(sorted(k for k in keys if setting_key.family(k) == "linux")),
            windows=tuple(sorted(k for k in keys if setting_key.family(k) == "windows")),
            hotfixes=tuple(sorted(hotfixes)),
            programs=any(c.programs or c.hints for c in components),
            processes=any(c.processes for c in components),
            vendors=tuple(sorted({c.vendor for c in components if c.vendor})),
            services=tuple(sorted({s for c in components for s in c.services})),
        )

    def summary(self) -> run.RulebookSummary:
        """What a run says of the rules it was judged by."""
        newest = max((r.provenance.retrieved for r in self.rules), default=None)
        return run.RulebookSummary(self.digest, len(self.rules), newest.isoformat() if newest else "", self.left)


SITUATIONAL = "situational"  # the folder, below one of imported rules, of those about particular problems
COUNTS = "counts.json"  # there: how many of them each product has


def load(paths: Sequence[str] = (), *, situational: bool = False) -> Rulebook:
    """Read rule files and folders; `shipped` (also where none is given) stands for the rules that come with auditor. Imported rules about
    particular problems are left out of folders unless `situational`.

    Raises FileFaults with every fault of every file."""
    faults: list[str] = []
    rules: dict[str, Rule] = {}
    places: dict[str, str] = {}
    changes: list[tuple[overrides.Override, str]] = []
    left: Counter[str] = Counter()
    contents: dict[str, bytes] = {}  # what a rule is known by: its line, or how it would be written as one
    for path in _files(list(paths) or ["shipped"], faults):
        if path.name == COUNTS:
            if not situational:
                left.update(msgspec.json.decode(path.read_bytes(), type=dict[str, int]))
            continue
        if path.parent.name == SITUATIONAL and not situational and str(path) not in paths:
            continue
        if path.name == overrides.NAME:
            changes += overrides.read(path, faults)
            continue
        found = _lines(path, faults) if path.suffix == ".jsonl" else _yaml(path, faults)
        for rule, line, content in found:
            place = f"{path}:{line}"
            if rule.id in rules and rules[rule.id].generated is not rule.generated:
                if rules[rule.id].generated:  # what somebody wrote by hand stands for what an importer made of the advisory
                    rules[rule.id], places[rule.id], contents[rule.id] = rule, place, content
            elif rule.id in rules:
                faults.append(f"{place}: rule {rule.id} was read before, from {places[rule.id]}")
            else:
                rules[rule.id], places[rule.id], contents[rule.id] = rule, place, content
    for change, place in changes:
        if change.id not in rules:
            faults.append(f"{place}: there is no rule {change.id} among those loaded")
        elif change.drop:
            del rules[change.id], places[change.id]
        else:
            rules[change.id] = overrides.changed(rules[change.id], change)
            contents[change.id] = msgspec.json.encode(rules[change.id])
            places[change.id] += f", changed by {place}"
    if not rules and not faults:
        faults.append(f"{' '.join(paths) or 'shipped'}:1: holds no rule")
    if faults:
        raise FileFaults(faults)
    digest = hashlib.sha256(b"\n".join(contents[i] for i in sorted(rules)))
    return Rulebook(tuple(rules.values()), places, digest.hexdigest(), dict(left))


def _files(paths: list[str], faults: list[str]) -> Iterator[Path]:
    for given in paths:
        path = resources.folder("rules") if given == "shipped" else Path(given)
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".jsonl") or p.name == COUNTS)
            if not files:
                faults.append(f"{given}:1: there is no rule file in this folder (*.yaml, *.jsonl)")
            yield from files
        elif path.is_file():
            yield path
        else:
            faults.append(f"{given}:1: there is no such rule file or folder")


_Read = tuple[Rule, int, bytes]  # with its line, and what it is known by


def _yaml(path: Path, faults: list[str]) -> list[_Read]:
    """A file holds one rule, or a list of rules."""
    noted = FaultList(path)
    root = compose(path, noted)
    nodes = root.value if isinstance(root, yaml.SequenceNode) else [root] if root else []
    rules = []
    for node in nodes:
        rule = bind(node, Rule, noted)
        if rule:
            for problem in problems(rule):
                noted.add(node, f"{rule.id}: {problem}")
            rules.append((rule, node.start_mark.line + 1, msgspec.json.encode(rule)))
    if root is None and not noted:
        noted.add(1, "holds no rule")
    faults.extend(noted.texts())
    return rules


def _lines(path: Path, faults: list[str]) -> list[_Read]:
    rules = []
    decoder = msgspec.json.Decoder(Rule)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    if len(line) > MAX_BYTES:
                        raise ValueError(f"the line is longer than {MAX_BYTES} bytes")
                    rule = decoder.decode(line)
                except (msgspec.MsgspecError, ValueError, RecursionError) as e:
                    faults.append(f"{path}:{number}: {e}")
                    continue
                faults.extend(f"{path}:{number}: {rule.id}: {problem}" for problem in problems(rule))
                rules.append((rule, number, line.strip()))
    return rules


def checks(rule: Rule) -> Iterator[Check]:
    """Every check of a rule, the nested ones too."""
    for branch in rule.branches:
        yield from with_children(branch.check)


def attestable(rule: Rule) -> bool:
    """Does it ask, anywhere, what a person may attest?"""
    return any(check.attestable for check in checks(rule))


_VENDOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,60}")


def problems(rule: Rule) -> Iterator[str]:
    """What the types cannot say: a rule that could not be judged as it is written."""
    if not rule.branches:
        yield "has no branch, so it could never apply"
    if not rule.generated and not (rule.meaning and rule.matters and rule.references):
        yield "must say what it asks (meaning), why (matters), and from where (references)"
    if rule.component and rule.component.vendor and not _VENDOR.fullmatch(rule.component.vendor):
        yield f"{rule.component.vendor!r} is no vendor's key under HKLM\\SOFTWARE"
    for check in checks(rule):
        yield from check.faults()
