"""Rule files read into a Rulebook: hand-written YAML, generated JSON Lines, in one schema; every fault at once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import yaml

from auditor.errors import FileFaults
from auditor.foundation import resources
from auditor.foundation.yaml_file import MAX_BYTES, FaultList, bind, compose
from auditor.rulebook import overrides
from auditor.rulebook.compiled import CompiledRules, Placed
from auditor.rulebook.imported import ImportedFile, as_written
from auditor.rulebook.rule import Rule
from auditor.rulebook.rulebook import Rulebook, checks

SITUATIONAL = "situational"  # the folder, below one of imported rules, of those about particular problems
COUNTS = "counts.json"  # there: how many of them each product has


def load(paths: Sequence[str] = (), *, situational: bool = False) -> Rulebook:
    """Read rule files and folders; `shipped` (also where none is given) stands for the rules that come with auditor. Imported rules about
    particular problems are left out of folders unless `situational`.

    Raises FileFaults with every fault of every file."""
    loading = _Loading()
    left: Counter[str] = Counter()
    files = []
    for path in _files(list(paths) or ["shipped"], loading.faults):
        if path.name == COUNTS:
            if not situational:
                left.update(msgspec.json.decode(path.read_bytes(), type=dict[str, int]))
        elif path.parent.name != SITUATIONAL or situational or str(path) in paths:
            files.append(path)
    compiled = CompiledRules([f for f in files if f.suffix in (".yaml", ".yml") and f.name != overrides.NAME])
    for path in files:
        loading.take(path, compiled)
    loading.apply_changes()
    if not loading.places and not loading.faults:
        loading.faults.append(f"{' '.join(paths) or 'shipped'}:1: holds no rule")
    if loading.faults:
        raise FileFaults(loading.faults)
    compiled.keep()
    return Rulebook(tuple(loading.rules.values()), loading.places, loading.digest(), dict(left), loading.later)


class _Loading:
    """What was read so far. Of two rules with one id the one that somebody wrote by hand stands for the imported one; else it is a fault."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.rules: dict[str, Rule] = {}
        self.later: list[ImportedFile] = []
        self.places: dict[str, str] = {}
        self._in_file: dict[str, ImportedFile] = {}  # ids of rules that are not read yet
        self._contents: dict[str, bytes] = {}  # what a rule is known by: its line, or how it would be written as one
        self._changes: list[tuple[overrides.Override, str]] = []

    def take(self, path: Path, compiled: CompiledRules) -> None:
        if path.name == overrides.NAME:
            self._changes += overrides.read(path, self.faults)
        elif path.suffix != ".jsonl":
            rules = compiled.of(path)
            if rules is None:
                compiled.note(path, rules := _yaml(path, self.faults))
            for line, rule in rules:
                self._add(rule, f"{path}:{line}", msgspec.json.encode(rule))
        elif file := as_written(path, path.read_bytes()):
            self._keep(file)
        else:
            for rule, line, content in _lines(path, self.faults):
                self._add(rule, f"{path}:{line}", content)

    def _keep(self, file: ImportedFile) -> None:
        self.later.append(file)
        path = str(file.path)
        for number, ident in enumerate(file.idents, 1):
            place = f"{path}:{number}"
            if ident not in self.places:
                self.places[ident], self._in_file[ident] = place, file
            elif ident in self.rules and not self.rules[ident].generated:
                file.left_out.add(ident)
            else:
                self.faults.append(f"{place}: rule {ident} was read before, from {self.places[ident]}")

    def _add(self, rule: Rule, place: str, content: bytes) -> None:
        before = self.rules.get(rule.id)
        if rule.id in self._in_file and not rule.generated:
            self._in_file.pop(rule.id).left_out.add(rule.id)
        elif rule.id in self.places and before is not None and before.generated is not rule.generated:
            if not before.generated:
                return
        elif rule.id in self.places:
            self.faults.append(f"{place}: rule {rule.id} was read before, from {self.places[rule.id]}")
            return
        self.rules[rule.id], self.places[rule.id], self._contents[rule.id] = rule, place, content

    def apply_changes(self) -> None:
        """What people change in imported rules (overlay.yaml)."""
        for change, place in self._changes:
            file = self._in_file.get(change.id)
            self._contents[f"overlay {change.id}"] = msgspec.json.encode(change)
            if change.id not in self.places:
                self.faults.append(f"{place}: there is no rule {change.id} among those loaded")
                continue
            if change.drop:
                self.rules.pop(change.id, None)
                del self.places[change.id]
                if file:
                    file.left_out.add(change.id)
                continue
            if file:
                file.changes[change.id] = change
            else:
                self.rules[change.id] = overrides.changed(self.rules[change.id], change)
            self.places[change.id] += f", changed by {place}"

    def digest(self) -> str:
        """SHA-256 over all that the rules are."""
        digest = hashlib.sha256(b"\n".join(self._contents[i] for i in sorted(self._contents)))
        for file in sorted(self.later, key=lambda f: f.idents):
            digest.update(file.content)
        return digest.hexdigest()


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


def _yaml(path: Path, faults: list[str]) -> list[Placed]:
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
            rules.append((node.start_mark.line + 1, rule))
    if root is None and not noted:
        noted.add(1, "holds no rule")
    faults.extend(noted.texts())
    return rules


def _lines(path: Path, faults: list[str]) -> list[tuple[Rule, int, bytes]]:
    """The rules of a file of JSON Lines, each with its line and what it is known by."""
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
