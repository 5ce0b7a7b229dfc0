"""What people add to an audit: waivers.yaml and attestations.yaml, each a list of records.

A file that cannot be understood is a fault; a record that cannot is left out, and said: it waives or attests nothing.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from auditor.foundation.yaml_file import FaultList, bind, compose
from auditor.model.finding import Attestation, Waiver


def read_waivers(path: Path, faults: list[str], bad: list[str]) -> tuple[Waiver, ...]:
    """Every waiver has an owner, a reason, and an end or `permanent: true`; `bad` gets the faults of those left out."""
    out = []
    for node, noted in _records(path, faults):
        waiver = bind(node, Waiver, noted)
        if waiver is None:
            bad += noted.texts()
            continue
        if waiver.expires is None and not waiver.permanent:
            noted.add(node, "a waiver needs `expires: YYYY-MM-DD`, or `permanent: true`")
        if waiver.expires is not None and waiver.permanent:
            noted.add(node, "a waiver has an end or is permanent, not both")
        if not waiver.rules or not waiver.targets:
            noted.add(node, "a waiver needs at least one of `rules` and of `targets`")
        if not waiver.reason.strip() or not waiver.owner.strip():
            noted.add(node, "a waiver needs an owner and a reason")
        bad += noted.texts()
        if not noted:
            out.append(waiver)
    return tuple(out)


def read_attestations(path: Path, faults: list[str], bad: list[str]) -> tuple[Attestation, ...]:
    """Every attestation says who and when; `bad` gets the faults of those left out."""
    out = []
    for node, noted in _records(path, faults):
        a = bind(node, Attestation, noted)
        if a is None:
            bad += noted.texts()
            continue
        if not a.by.strip() or not a.targets:
            noted.add(node, "an attestation needs `by` and at least one of `targets`")
        if a.expires and a.expires < a.date:
            noted.add(node, f"it expires on {a.expires}, before its date {a.date}")
        bad += noted.texts()
        if not noted:
            out.append(a)
    return tuple(out)


def _records(path: Path, faults: list[str]) -> list[tuple[yaml.Node, FaultList]]:
    """Each record with a list of its own for what is wrong with it. A file that is not there yet has none."""
    noted = FaultList(path)
    root = compose(path, noted) if path.exists() else None
    if root is not None and not isinstance(root, yaml.SequenceNode) and (not isinstance(root, yaml.ScalarNode) or root.value):
        noted.add(root, "must be a list of records (- rule: …)")
    faults.extend(noted.texts())
    return [(node, FaultList(path)) for node in root.value] if isinstance(root, yaml.SequenceNode) else []
