"""A file of rules that is as an importer wrote it: known by its digest, and read when somebody needs it.

There are thousands of them, all for Windows, and a fleet without Windows needs none. Their ids stand at the beginnings of
their lines, so that all others who name a rule can be told whether there is one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from auditor.errors import FileFaults
from auditor.rulebook.overrides import Override, changed
from auditor.rulebook.rule import Rule

SUMS = (
    "imported.sha256"  # lines of a digest and a file's name; and of a shorter digest and a rule's id (advisories/rule_files.py)
)
_IDENT = re.compile(rb'\{"id":"([A-Za-z0-9][A-Za-z0-9._:-]{1,80})",')
_READ = re.compile(rb'"retrieved":"(\d{4}-\d\d-\d\d)"')
_FAMILY = b'"family":"windows"'


class ImportedFile:
    """`left_out` are ids that another rule stands for or that somebody dropped, `changes` what people changed of the others."""

    def __init__(self, path: Path, content: bytes, idents: list[str]) -> None:
        self.path, self.content, self.idents = path, content, idents
        self.left_out: set[str] = set()
        self.changes: dict[str, Override] = {}

    @property
    def newest(self) -> str:
        """The last day on which one of its documents was read, as ISO has it."""
        return max((day.decode() for day in set(_READ.findall(self.content))), default="")

    def rules(self) -> Iterator[Rule]:
        """The rules, as changed. Raises FileFaults: a file whose digest is right and which holds something else."""
        decoder = msgspec.json.Decoder(Rule)
        for number, (ident, line) in enumerate(zip(self.idents, self.content.splitlines(), strict=True), 1):
            if ident not in self.left_out:
                try:
                    rule = decoder.decode(line)
                except msgspec.MsgspecError as e:
                    raise FileFaults([f"{self.path}:{number}: {e}"]) from None
                yield changed(rule, self.changes[ident]) if ident in self.changes else rule


def as_written(path: Path, content: bytes) -> ImportedFile | None:
    """The file, if it is just as the importer left it and holds nothing but rules for Windows; else None."""
    folder = next((p for p in path.parents[:2] if (p / SUMS).is_file()), None)
    if folder is None:
        return None
    wanted = f"{hashlib.sha256(content).hexdigest()} {path.relative_to(folder).as_posix()}\n"
    if wanted not in (folder / SUMS).read_text("ascii", "replace"):
        return None
    lines = content.splitlines()
    idents = [m[1].decode() for line in lines if (m := _IDENT.match(line))]
    whole = len(idents) == len(lines) == content.count(_FAMILY) == len(set(idents))
    return ImportedFile(path, content, idents) if whole else None
