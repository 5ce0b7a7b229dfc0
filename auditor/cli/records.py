"""The files of records that people keep beside the inventory: which file it is, and adding to it."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import click
import yaml

from auditor.errors import FileFaults, UsageFault
from auditor.evaluation.evaluate import matches
from auditor.foundation import own_files
from auditor.foundation.yaml_file import did_you_mean
from auditor.inventory.inventory import Inventory
from auditor.inventory.native import named_file
from auditor.inventory.selection import find


def file_option(kind: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """The option --file of a command that works on the file of a kind."""
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


RecordReader = Callable[[Path, list[str], list[str]], object]


def append(path: Path, record: dict[str, object], read: RecordReader) -> None:
    """Add a record to a file, which must be sound: a faulty file is mended by its owner, not added to. What the file would be
    is read before it is written, so a record that cannot stand leaves it as it was. FileFaults or UsageFault."""
    _sound(path, read)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    except OSError as e:
        raise UsageFault(f"{path} cannot be read: {e.strerror}") from None
    before = _open_ended(path, before)
    added = yaml.safe_dump([record], sort_keys=False, allow_unicode=True)
    text = before + ("" if before.endswith("\n") or not before else "\n") + added
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        draft.write_text(text, encoding="utf-8")
        faults: list[str] = []
        read(draft, faults, faults)
    if faults:
        reasons = "; ".join(dict.fromkeys(f.partition(": ")[2] for f in faults))
        raise UsageFault(f"{reasons}; {path} was left as it was")
    if _same(record, yaml.safe_load(before) or []):
        raise UsageFault(f"{path} has this record already; it was left as it was")
    try:
        own_files.replace(path, text.encode(), mode)
    except OSError as e:
        raise UsageFault(f"{path} cannot be written: {e.strerror}") from None


def _open_ended(path: Path, text: str) -> str:
    """The text of a file, to which an entry can be added as a line of its own: `[]` says that there is none yet."""
    root = yaml.compose(text, Loader=yaml.CBaseLoader) if text.strip() else None
    if not isinstance(root, yaml.SequenceNode) or not root.flow_style:
        return text
    if root.value:
        line = root.start_mark.line + 1
        raise UsageFault(
            f"{path}:{line}: the entries stand in brackets; write each as a line that begins with `- `, so that one can be added"
        )
    return text[: root.start_mark.index] + text[root.end_mark.index :].lstrip("\n")


def _sound(path: Path, read: RecordReader) -> None:
    faults: list[str] = []
    read(path, faults, faults)
    if faults:
        raise FileFaults(faults)


def _same(record: dict[str, object], others: list[dict[str, object]]) -> bool:
    """Is there a record already that says the same, whoever said it and whenever?"""

    def said(r: dict[str, object]) -> dict[str, str]:
        return {k: str(v) for k, v in r.items() if k not in ("owner", "by", "reason", "reference", "date")}

    return any(said(record) == said(other) for other in others)


def meant(rules: Collection[str], rule: str, targets: Iterable[str], inventory: Inventory) -> None:
    """UsageFault where a rule, or a target of an inventory that has hosts, is none: a slip of the pen waives nothing."""
    if not any(fnmatchcase(known, rule) for known in rules):
        raise UsageFault(f"there is no rule {rule!r}{did_you_mean(rule, rules)}")
    hosts = inventory.targets
    for word in targets:
        if hosts and not any(matches([word], t.name, (*t.groups, "all")) for t in hosts.values()):
            names = [f"@{g}" for g in inventory.groups] if word.startswith("@") else list(hosts)
            raise UsageFault(f"the inventory {inventory.path} has no host {word!r}{did_you_mean(word, names)}")
