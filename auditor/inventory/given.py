"""What people add to an audit: waivers.yaml and attestations.yaml, each a list of records."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml

from auditor.model.finding import Attestation, Waiver
from auditor.yamlfile import Faults, bind, compose

T = TypeVar("T")


def read_waivers(path: Path, faults: list[str]) -> tuple[Waiver, ...]:
    """Every waiver has an owner, a reason, and an end or `permanent: true`."""
    noted = Faults(path)
    out = []
    for node, waiver in _records(path, Waiver, noted):
        if waiver.expires is None and not waiver.permanent:
            noted.add(node, "a waiver needs `expires: YYYY-MM-DD`, or `permanent: true`")
        if waiver.expires is not None and waiver.permanent:
            noted.add(node, "a waiver has an end or is permanent, not both")
        if not waiver.rules or not waiver.targets:
            noted.add(node, "a waiver needs at least one of `rules` and of `targets`")
        if not waiver.reason.strip() or not waiver.owner.strip():
            noted.add(node, "a waiver needs an owner and a reason")
        out.append(waiver)
    faults.extend(noted.texts())
    return tuple(out)


def read_attestations(path: Path, faults: list[str]) -> tuple[Attestation, ...]:
    """Every attestation says who and when."""
    noted = Faults(path)
    out = []
    for node, a in _records(path, Attestation, noted):
        if not a.by.strip() or not a.targets:
            noted.add(node, "an attestation needs `by` and at least one of `targets`")
        if a.expires and a.expires < a.date:
            noted.add(node, f"it expires on {a.expires}, before its date {a.date}")
        out.append(a)
    faults.extend(noted.texts())
    return tuple(out)


def _records(path: Path, record: type[T], noted: Faults) -> list[tuple[yaml.Node, T]]:
    root = compose(path, noted)
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return []
    if not isinstance(root, yaml.SequenceNode):
        noted.add(root, "must be a list of records (- rule: …)")
        return []
    return [(node, found) for node in root.value if (found := bind(node, record, noted)) is not None]
