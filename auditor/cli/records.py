"""The files of records that people keep beside the inventory: which file it is, and adding to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import yaml

from auditor.errors import FileFaults, UsageFault
from auditor.inventory.native import named_file
from auditor.inventory.select import find


def file_option(kind: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    return click.option(
        "--file",
        "given",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"The {kind} file; default the inventory's.",
    )


def file_of(kind: str, inventory: str | None, given: Path | None) -> Path:
    """The file of a kind ("waivers", "attestations") that a call or the inventory names."""
    path = find(inventory)
    found = given or (named_file(path, kind) if path else None)
    if found is None:
        raise UsageFault(f"no inventory names a file of {kind}; add `{kind}: {kind}.yaml` to it, or give --file")
    return found


def append(path: Path, record: dict[str, object], read: Callable[[Path, list[str]], object]) -> None:
    """Add a record to a file, which must be sound: a faulty file is mended by its owner, not added to."""
    faults: list[str] = []
    if path.exists():
        read(path, faults)
    if faults:
        raise FileFaults(faults)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text = before + ("" if before.endswith("\n") or not before else "\n")
    try:
        path.write_text(text + yaml.safe_dump([record], sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as e:
        raise UsageFault(f"{path} cannot be written: {e.strerror}") from None
