"""What the documentation takes from the program, so that it cannot go stale; called by cog."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
from msgspec import inspect as mi

from auditor.checks.registry import Check
from auditor.cli import cli as program
from auditor.errors import ErrorKind
from auditor.foundation import resources
from auditor.history.schema import TABLES
from auditor.model.finding import Obligation
from auditor.rulebook.loader import load


def cli() -> str:
    """Every command's --help, 100 columns wide."""
    return "\n" + "\n".join(f"## {path}\n```\n{text}\n```\n" for path, text in _commands(program, "auditor")) + "\n"


def _commands(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        info_name=path if parent is None else path.rsplit(" ", 1)[1],
        parent=parent,
        max_content_width=100,
        terminal_width=100,
        help_option_names=["-h", "--help"],
    )
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child
            yield from _commands(child, f"{path} {name}", context)


def checks() -> str:
    """The kinds of check with their fields."""
    rows = ["| kind | says | fields |", "|---|---|---|"]
    for kind in get_args(Check):
        info = mi.type_info(kind)
        assert isinstance(info, mi.StructType)
        fields = ", ".join(f"`{f.name}`" for f in info.fields) or "–"
        says = " ".join((kind.__doc__ or "").split())
        rows.append(f"| `{info.tag}` | {says} | {fields} |")
    return "\n".join(rows) + "\n"


def error_kinds() -> str:
    """The closed list of error kinds."""
    return ", ".join(f"`{kind}`" for kind in get_args(ErrorKind)) + ".\n"


def archive() -> str:
    """How many rules each file of the imported ones holds, by what they ask for."""
    rows = ["| file | rules | required | advised | situational |", "|---|--:|--:|--:|--:|"]
    for path in sorted((Path(resources.folder("rules")) / "kb").glob("*.jsonl")):
        asked = Counter(json.loads(line)["obligation"] for line in path.read_text(encoding="utf-8").splitlines())
        rows.append(f"| `{path.name}` | {asked.total()} | {' | '.join(str(asked[o]) for o in get_args(Obligation))} |")
    return "\n".join(rows) + "\n"


def rules() -> str:
    """The shipped rules that people wrote, with their sources."""
    out = []
    for r in load().rules:
        if r.generated:
            continue
        notes = "".join(f"- {note}\n" for note in r.provenance.notes)
        out.append(
            f"### {r.id}\n**{r.title}.** {r.severity}, {r.obligation}. {r.meaning}\n\nWhy: {r.matters}\n\nTo do: {r.remediation}\n\n"
            f"Source: {r.provenance.source}. {'; '.join(x.title for x in r.references)}.\n\n{notes}"
        )
    return "\n" + "\n".join(out) + "\n"


def tables() -> str:
    """The history's data dictionary."""
    rows = []
    for table, columns in TABLES.items():
        rows += [
            f"### {table}",
            "| column | what it is |",
            "|---|---|",
            *(f"| `{c}` | {text} |" for c, text in columns.items()),
            "",
        ]
    return "\n".join(rows)
