"""What several commands print alike: a rule, and which documents were not read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from auditor.cli.json_output import show_json
from auditor.foundation.sanitize import printable
from auditor.rulebook.rule import Rule

if TYPE_CHECKING:
    from auditor.advisories.corpus import CorpusReader


def print_rule(rule: Rule, place: str, form: str | None) -> None:
    """Print one rule, as JSON or for people."""
    if form == "json":
        show_json(rule)
        return
    for line in described(rule, place):
        click.echo(printable(line))


def described(rule: Rule, place: str) -> Iterator[str]:
    """A rule for people, a line or a paragraph each."""
    yield f"{rule.id}: {rule.title}\n{rule.severity}, {rule.obligation}, {rule.family}; from {place}\n"
    for name, text in (("Asks", rule.meaning), ("Matters", rule.matters), ("To do", rule.remediation)):
        if text:
            yield click.wrap_text(f"{name}: {text}", 100, subsequent_indent="  ")
    yield "Products: " + "; ".join(", ".join((*b.products, *b.editions)) for b in rule.branches)
    for part in (rule.application, rule.component):
        if part:
            yield f"Only where {part.name} is present"
    for reference in rule.references:
        yield f"Reference: {reference.title}" + (f" <{reference.url}>" if reference.url else "")
    p = rule.provenance
    yield f"Source: {p.source}, read {p.retrieved}"
    if p.document:
        yield f"Document: SHA-256 {p.document}, read by {p.importer}" + (
            "" if p.reviewed else "; not reviewed: the importer was not sure"
        )
    for field, numbers in p.lines.items():
        yield f"  {field}: line {', '.join(map(str, numbers))}"
    for file, version in p.files.items():
        yield f"File of the fix: {file} {version}"
    for note in p.notes:
        yield click.wrap_text(f"Note: {note}", 100, subsequent_indent="  ")


def print_refused(corpus: CorpusReader) -> bool:
    """Say on standard error which documents did not count, and why; True where some could not be read."""
    for t in corpus.twice:
        print(printable(f"{t.id} came twice: {t.taken} counts, {t.left} does not"), file=sys.stderr)
    for r in corpus.refused:
        print(printable(f"{r.name}: {r.reason}"), file=sys.stderr)
    if corpus.refused:
        count = len(corpus.refused)
        print(f"auditor: {count} {'document was' if count == 1 else 'documents were'} not read", file=sys.stderr)
    return bool(corpus.refused)
