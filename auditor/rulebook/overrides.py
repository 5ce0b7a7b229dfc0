"""What people change in rules that an importer owns: `overlay.yaml` beside them, applied when they are loaded.

- id: Q123456
  by: Jo Doe
  reason: we run no such printers
  obligation: advised        # or severity, title, remediation, meaning, matters, reviewed; drop: true leaves the rule out

An import never writes over this file; a change made by hand in a generated line is moved here by the next import.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct
from msgspec.structs import asdict, replace

from auditor.foundation.yaml_file import FaultList, bind, compose
from auditor.model.finding import Obligation, Severity
from auditor.rulebook.rule import Rule, RuleId

NAME = "overlay.yaml"
FIELDS = ("title", "severity", "obligation", "meaning", "matters", "remediation")


class Override(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One rule's changes: the fields that are given replace the rule's."""

    id: RuleId
    by: str
    reason: str
    title: str | None = None
    severity: Severity | None = None
    obligation: Obligation | None = None
    meaning: str | None = None
    matters: str | None = None
    remediation: str | None = None
    reviewed: bool | None = None
    drop: bool = False


def read(path: Path, faults: list[str]) -> list[tuple[Override, str]]:
    """The changes of a file, each with its place; faults are added as `file:line: message`."""
    noted = FaultList(path)
    root = compose(path, noted)
    nodes = root.value if isinstance(root, yaml.SequenceNode) else [root] if root else []
    found = []
    for node in nodes:
        change = bind(node, Override, noted)
        if change:
            found.append((change, f"{path}:{node.start_mark.line + 1}"))
    faults.extend(noted.texts())
    return found


def changed(rule: Rule, change: Override) -> Rule:
    """A rule with the changes of people; the overlay is named in its notes."""
    given: dict[str, Any] = {f: v for f in FIELDS if (v := getattr(change, f)) is not None}
    note = f"Changed by {change.by}: {change.reason}"
    provenance = replace(rule.provenance, notes=(*rule.provenance.notes, note))
    if change.reviewed is not None:
        provenance = replace(provenance, reviewed=change.reviewed)
    return replace(rule, provenance=provenance, **given)


def write(path: Path, changes: Iterable[Override]) -> None:
    """Write the changes as YAML, in the order of their ids."""
    plain = [{k: v for k, v in asdict(c).items() if v not in (None, False)} for c in sorted(changes, key=lambda c: c.id)]
    body = yaml.safe_dump(msgspec.to_builtins(plain), sort_keys=False, allow_unicode=True, width=120)
    path.write_text(
        f"# What people changed in the generated rules beside this file; an import does not touch it.\n{body}", encoding="utf-8"
    )
