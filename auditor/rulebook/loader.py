"""Rule files read into a Rulebook: hand-written YAML, generated JSON Lines, in one schema; every fault at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from auditor.errors import FileFaults
from auditor.foundation import resources
from auditor.foundation.yaml_file import MAX_BYTES, Faults, bind, compose
from auditor.model import run, setting_key
from auditor.model.requirements import Asked
from auditor.rulebook import overrides
from auditor.rulebook.rule import (
    AllOf,
    AnyOf,
    AttestedCheck,
    BuildCheck,
    Check,
    FileVersionCheck,
    HotfixCheck,
    ListenBacklogCheck,
    PatchLevelCheck,
    ProductPackCheck,
    Rule,
    ServicePackCheck,
    SettingCheck,
    SupportCheck,
)
from auditor.versions import file_version, server_products, service_pack, windows_build

# The cap that the backlog checks explain requested values by is always read.
ALWAYS_READ = ("sysctl:net.core.somaxconn",)


class Rulebook(Struct, frozen=True):
    """The loaded rules, by id in the order read, and where each came from (`file:line`)."""

    rules: tuple[Rule, ...]
    places: dict[str, str]
    digest: str

    def asked(self, wanted: Callable[[Rule], bool] = lambda rule: True) -> Asked:
        """What some rule among those `wanted` needs to know."""
        rules = [r for r in self.rules if wanted(r)]
        every = [c for rule in rules for c in checks(rule)]
        components = [c for r in rules for c in (r.application, r.component) if c and r.family == "windows"]
        keys = {c.key for c in every if isinstance(c, (SettingCheck, FileVersionCheck))}.union(ALWAYS_READ)
        keys |= {k for c in every if isinstance(c, ProductPackCheck) if (k := server_products.key(c.product))}
        # The entries of generated rules' hotfixes are not looked at one by one: there are thousands, and the list has them.
        hotfixes = {i for r in rules if not r.generated for c in checks(r) for i in _hotfixes(c)}
        return Asked(
            linux=tuple(sorted(k for k in keys if setting_key.family(k) == "linux")),
            windows=tuple(sorted(k for k in keys if setting_key.family(k) == "windows")),
            hotfixes=tuple(sorted(hotfixes)),
            programs=any(c.programs or c.hints for c in components),
            processes=any(c.processes for c in components),
            vendors=tuple(sorted({c.vendor for c in components if c.vendor})),
            services=tuple(sorted({s for c in components for s in c.services})),
        )

    def summary(self) -> run.Rulebook:
        newest = max((r.provenance.retrieved for r in self.rules), default=None)
        return run.Rulebook(self.digest, len(self.rules), newest.isoformat() if newest else "")


def load(paths: Sequence[str] = ()) -> Rulebook:
    """Read rule files and folders; `shipped` (also where none is given) stands for the rules that come with auditor.

    Raises FileFaults with every fault of every file."""
    faults: list[str] = []
    rules: dict[str, Rule] = {}
    places: dict[str, str] = {}
    changes: list[tuple[overrides.Change, str]] = []
    for path in _files(list(paths) or ["shipped"], faults):
        if path.name == overrides.NAME:
            changes += overrides.read(path, faults)
            continue
        found = _lines(path, faults) if path.suffix == ".jsonl" else _yaml(path, faults)
        for rule, line in found:
            place = f"{path}:{line}"
            if rule.id in rules and rules[rule.id].generated is not rule.generated:
                if rules[rule.id].generated:  # what somebody wrote by hand stands for what an importer made of the advisory
                    rules[rule.id], places[rule.id] = rule, place
            elif rule.id in rules:
                faults.append(f"{place}: rule {rule.id} was read before, from {places[rule.id]}")
            else:
                rules[rule.id], places[rule.id] = rule, place
    for change, place in changes:
        if change.id not in rules:
            faults.append(f"{place}: there is no rule {change.id} among those loaded")
        elif change.drop:
            del rules[change.id], places[change.id]
        else:
            rules[change.id] = overrides.changed(rules[change.id], change)
            places[change.id] += f", changed by {place}"
    if not rules and not faults:
        faults.append(f"{' '.join(paths) or 'shipped'}:1: holds no rule")
    if faults:
        raise FileFaults(faults)
    body = msgspec.json.encode([rules[i] for i in sorted(rules)])
    return Rulebook(tuple(rules.values()), places, hashlib.sha256(body).hexdigest())


def _files(paths: list[str], faults: list[str]) -> Iterator[Path]:
    for given in paths:
        path = resources.folder("rules") if given == "shipped" else Path(given)
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".jsonl"))
            if not files:
                faults.append(f"{given}:1: there is no rule file in this folder (*.yaml, *.jsonl)")
            yield from files
        elif path.is_file():
            yield path
        else:
            faults.append(f"{given}:1: there is no such rule file or folder")


def _yaml(path: Path, faults: list[str]) -> list[tuple[Rule, int]]:
    """A file holds one rule, or a list of rules."""
    noted = Faults(path)
    root = compose(path, noted)
    nodes = root.value if isinstance(root, yaml.SequenceNode) else [root] if root else []
    rules = []
    for node in nodes:
        rule = bind(node, Rule, noted)
        if rule:
            for problem in problems(rule):
                noted.add(node, f"{rule.id}: {problem}")
            rules.append((rule, node.start_mark.line + 1))
    if root is None and not noted:
        noted.add(1, "holds no rule")
    faults.extend(noted.texts())
    return rules


def _lines(path: Path, faults: list[str]) -> list[tuple[Rule, int]]:
    rules = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    if len(line) > MAX_BYTES:
                        raise ValueError(f"the line is longer than {MAX_BYTES} bytes")
                    rule = msgspec.json.decode(line, type=Rule)
                except (msgspec.MsgspecError, ValueError, RecursionError) as e:
                    faults.append(f"{path}:{number}: {e}")
                    continue
                faults.extend(f"{path}:{number}: {rule.id}: {problem}" for problem in problems(rule))
                rules.append((rule, number))
    return rules


def checks(rule: Rule) -> Iterator[Check]:
    """Every check of a rule, the nested ones too."""
    stack: list[Check] = [branch.check for branch in rule.branches]
    while stack:
        check = stack.pop()
        yield check
        if isinstance(check, (AllOf, AnyOf)):
            stack.extend(check.checks)


def attestable(rule: Rule) -> bool:
    """Does it ask, anywhere, what a person may attest?"""
    asked = (
        c.unobserved if isinstance(c, ListenBacklogCheck) else c.subscribed if isinstance(c, SupportCheck) else c
        for c in checks(rule)
    )
    return any(isinstance(check, (AttestedCheck, PatchLevelCheck)) for check in asked)


def problems(rule: Rule) -> Iterator[str]:
    """What the types cannot say: a rule that could not be judged as it is written."""
    if not rule.branches:
        yield "has no branch, so it could never apply"
    if not rule.generated and not (rule.meaning and rule.matters and rule.references):
        yield "must say what it asks (meaning), why (matters), and from where (references)"
    if rule.component and not re.fullmatch(r"|[A-Za-z0-9][A-Za-z0-9 ._-]{0,60}", rule.component.vendor):
        yield f"{rule.component.vendor!r} is no vendor's key under HKLM\\SOFTWARE"
    for check in checks(rule):
        if find := _PROBLEMS.get(type(check)):
            yield from find(check)


def _empty(check: AllOf | AnyOf) -> Iterator[str]:
    if not check.checks:
        yield "all_of and any_of need at least one check"


def _packs(check: ServicePackCheck) -> Iterator[str]:
    yield from _bad(service_pack.parse, [check.at_least, *([check.since] if check.since else [])])
    yield from _numbers(check)


def _numbers(check: ServicePackCheck | HotfixCheck) -> Iterator[str]:
    for ident in _hotfixes(check):
        if not re.fullmatch(r"(Q|KB)\d{5,7}", ident):
            yield f"{ident!r} is no hotfix's number: Q or KB and five to seven digits"


def _builds(check: BuildCheck) -> Iterator[str]:
    yield from _bad(windows_build.parse, check.at_least)
    if not check.at_least:
        yield "build needs at least one `at_least`"


def _file(check: FileVersionCheck) -> Iterator[str]:
    yield from _bad(file_version.parse, [check.at_least])
    yield from _key(check)


def _setting(check: SettingCheck) -> Iterator[str]:
    yield from _key(check)
    if _comparisons(check) != 1:
        yield f"setting {check.key} needs exactly one of at_least, at_most, one_of"


def _key(check: SettingCheck | FileVersionCheck) -> Iterator[str]:
    if wrong := setting_key.problem(check.key):
        yield wrong


def _backlog(check: ListenBacklogCheck) -> Iterator[str]:
    if check.above < 0:
        yield "a backlog cannot be below zero"


_PROBLEMS: dict[type, Callable[[Any], Iterator[str]]] = {
    AllOf: _empty,
    AnyOf: _empty,
    ServicePackCheck: _packs,
    ProductPackCheck: lambda check: _bad(service_pack.parse, [check.at_least]),
    HotfixCheck: _numbers,
    BuildCheck: _builds,
    FileVersionCheck: _file,
    SettingCheck: _setting,
    ListenBacklogCheck: _backlog,
}


def _hotfixes(check: Check) -> tuple[str, ...]:
    """The hotfixes whose entries a check looks at."""
    if isinstance(check, ServicePackCheck):
        return (*check.stamped_by, *check.marked_by)
    return check.ids if isinstance(check, HotfixCheck) else ()


def _comparisons(check: SettingCheck) -> int:
    return (check.at_least is not None) + (check.at_most is not None) + bool(check.one_of)


def _bad(parse: Callable[[str], object], texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        try:
            parse(text)
        except ValueError as e:
            yield str(e)
