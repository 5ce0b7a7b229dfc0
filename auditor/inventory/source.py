"""One native inventory file while it is read: where it lies, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import yaml

from auditor.foundation import secret_refs
from auditor.foundation.yaml_file import FaultList


class Source:
    """The file, its faults with their lines, and how its relative paths and secret references are meant."""

    def __init__(self, path: Path, strict: bool) -> None:
        self.path, self.strict = path, strict
        self.faults = FaultList(path)

    def absolute(self, text: str) -> Path:
        """A path; relative ones are relative to the file."""
        return self.path.parent.absolute() / Path(text).expanduser()

    def anchored(self, reference: str) -> str:
        """A secret reference; `file:` references are relative to the file too."""
        scheme, _, rest = reference.partition(":")
        return f"file:{self.absolute(rest)}" if scheme == "file" else reference

    def secret(self, reference: str, place: yaml.Node) -> None:
        """Note a fault where this is no reference, or, if strict, one to a secret that cannot be had."""
        if not secret_refs.is_reference(reference):  # said without repeating it: it may be the secret itself
            self.faults.add(
                place, "a secret is written out; put a reference: env:NAME, file:PATH, keyring:SERVICE/USER or command:WORDS"
            )
        elif (
            self.strict
            and not reference.startswith(secret_refs.ZONE)
            and (wrong := secret_refs.problem(self.anchored(reference)))
        ):
            self.faults.add(place, f"the secret {reference} cannot be had: {wrong}")


def field_of(node: yaml.Node, key: str) -> yaml.Node | None:
    """The value of a key in a mapping; None where it is not there."""
    return next((v for k, v in node.value if k.value == key), None) if isinstance(node, yaml.MappingNode) else None
