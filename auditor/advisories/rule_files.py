"""The files that `auditor rules import` writes: a rule a line, in a few files by what the rules are about.

The importer owns the lines that it wrote, and knows them by the digests in `imported.sha256`. A line that differs was
changed by hand: the change goes into `overlay.yaml`, where no import touches it, and the line is written anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from auditor.errors import FileFaults, UsageFault
from auditor.evaluation.applicability import covers
from auditor.foundation import own_files
from auditor.foundation.files import unwritable
from auditor.model.facts import Platform
from auditor.rulebook import overrides
from auditor.rulebook.imported import SUMS
from auditor.rulebook.loader import COUNTS, SITUATIONAL
from auditor.rulebook.rule import Rule
from auditor.versions.windows_products import PRODUCTS


class Written(NamedTuple):
    """What an import did: rules new, changed, and as before; ids whose changes by hand were kept."""

    new: int
    changed: int
    same: int
    kept: tuple[str, ...]


def prepare(folder: Path) -> None:
    """Look at a folder before articles are read for it, which takes its time. Raises FileFaults where its rules cannot be read,
    UsageFault where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageFault(f"no rules can be written to {folder}: {e.strerror}") from None
    if fault := unwritable(folder / SUMS):
        raise UsageFault(fault)
    _lines(folder)


def write(folder: Path, rules: Iterable[Rule]) -> Written:
    """Write rules into a folder, beside what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    before, edited = _lines(folder)
    after = dict(before)
    new = changed = same = 0
    for rule in rules:
        old = before.get(rule.id)
        if old and old.provenance.document == rule.provenance.document and old.provenance.importer == rule.provenance.importer:
            rule = replace(rule, provenance=replace(rule.provenance, retrieved=old.provenance.retrieved))
        new, changed, same = new + (old is None), changed + (old is not None and old != rule), same + (old == rule)
        after[rule.id] = rule
    kept = _keep(folder, edited, after)
    _write(folder, after.values())
    return Written(new, changed - len(kept), same, tuple(kept))


def _lines(folder: Path) -> tuple[dict[str, Rule], dict[str, Rule]]:
    """The generated rules of a folder, and those among them that were changed since an import wrote them."""
    sums = folder / SUMS
    known = (
        dict(line.split()[::-1] for line in sums.read_text(encoding="ascii").splitlines() if line.strip())
        if sums.exists()
        else {}
    )
    found, edited, faults = {}, {}, []
    for path in sorted(folder.rglob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                rule = msgspec.json.decode(line, type=Rule)
            except msgspec.MsgspecError as e:
                faults.append(f"{path}:{number}: {e}")
                continue
            found[rule.id] = rule
            if rule.id in known and known[rule.id] != _digest(line):
                edited[rule.id] = rule
    if faults:
        raise FileFaults(faults)
    return found, edited


def _keep(folder: Path, edited: dict[str, Rule], after: dict[str, Rule]) -> list[str]:
    """Move changes that were made in generated lines into the overlay."""
    path = folder / overrides.NAME
    faults: list[str] = []
    changes = {c.id: c for c, _ in overrides.read(path, faults)} if path.exists() else {}
    if faults:
        raise FileFaults(faults)
    kept = []
    for ident, rule in edited.items():
        mine = {f: getattr(rule, f) for f in overrides.FIELDS if getattr(rule, f) != getattr(after[ident], f)}
        if mine:
            before = changes.get(ident) or overrides.Override(
                id=ident, by="somebody, in the generated line", reason="found by an import"
            )
            changes[ident] = replace(before, **mine)
            kept.append(ident)
    if kept:
        overrides.write(path, changes.values())
    return kept


def _write(folder: Path, rules: Iterable[Rule]) -> None:
    files: dict[str, list[Rule]] = {}
    for rule in rules:
        files.setdefault(file_of(rule), []).append(rule)
    for path in folder.rglob("*.jsonl"):
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    if counts := _by_product([r for found in files.values() for r in found]):
        (folder / SITUATIONAL).mkdir(exist_ok=True)
        own_files.replace(folder / SITUATIONAL / COUNTS, msgspec.json.format(msgspec.json.encode(counts)), 0o644)
    sums = []
    for name, found in sorted(files.items()):
        lines = []
        for rule in sorted(found, key=lambda r: _number(r.id)):
            line = msgspec.json.encode(rule)
            lines.append(line + b"\n")
            sums.append(f"{_digest(line)} {rule.id}\n")
        (folder / name).parent.mkdir(exist_ok=True)
        body = b"".join(lines)
        sums.append(f"{hashlib.sha256(body).hexdigest()} {name}\n")
        own_files.replace(folder / name, body, 0o644)
    own_files.replace(folder / SUMS, "".join(sums).encode("ascii"), 0o644)


def _by_product(rules: Iterable[Rule]) -> dict[str, int]:
    """How many rules are about particular problems of each Windows; those about server applications count for none."""
    platforms = {p: Platform(family="windows", product=p) for p in sorted({p.id for p in PRODUCTS})}
    plain = [r for r in rules if r.application is None]
    counts = {product: sum(_situational(r, platform) for r in plain) for product, platform in platforms.items()}
    return {product: count for product, count in counts.items() if count}


def _situational(rule: Rule, platform: Platform) -> bool:
    """Is the rule's branch for a platform about a particular problem?"""
    own = next((b for b in rule.branches if any(covers(p, platform) for p in b.products)), None)
    return own is not None and (own.obligation or rule.obligation) == "situational"


def _digest(line: bytes) -> str:
    """Enough of a SHA-256 to see that a line was changed."""
    return hashlib.sha256(line).hexdigest()[:16]


def file_of(rule: Rule) -> str:
    """The file a rule belongs to: its application's or its oldest Windows', below `situational/` where it is for particular
    problems only, which nobody is judged by unless they ask."""
    return (f"{SITUATIONAL}/" if rule.obligation == "situational" else "") + _about(rule)


def _about(rule: Rule) -> str:
    if rule.application:
        return re.sub(r"[^a-z]+", "-", rule.application.name.lower().removeprefix("microsoft ")) + ".jsonl"
    products = [p for b in rule.branches for p in b.products]
    for beginning, name in (
        ("windows-nt-3", "windows-nt-3"),
        ("windows-nt-4.0", "windows-nt-4.0"),
        ("windows-2000", "windows-2000"),
    ):
        if any(p.startswith(beginning) for p in products):
            return f"{name}.jsonl"
    return "other.jsonl"


def _number(ident: str) -> tuple[int, str]:
    m = re.search(r"\d+", ident)
    return (int(m[0]) if m else 0, ident)
