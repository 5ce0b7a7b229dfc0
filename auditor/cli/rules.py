"""`auditor rules`: the rules, their faults and their schema."""

from __future__ import annotations

import click
import msgspec

from auditor.cli import options
from auditor.errors import UsageFault
from auditor.model.rule import Rule
from auditor.rulebook import load
from auditor.yamlfile import did_you_mean


@click.group()
def rules() -> None:
    """The rules: list, show, lint, schema."""


@rules.command("list")
@options.rules
@options.formats("text", "json")
def list_(rule_paths: tuple[str, ...], form: str | None) -> None:
    """Every loaded rule, a line each."""
    book = load(rule_paths)
    if form == "json":
        fields = ("id", "title", "severity", "obligation", "family", "published")
        click.echo(msgspec.json.format(msgspec.json.encode([{f: getattr(r, f) for f in fields} for r in book.rules]), indent=1))
        return
    wide = max((len(r.id) for r in book.rules), default=0)
    for r in book.rules:
        click.echo(f"{r.id:{wide}}  {r.severity:9}  {r.obligation:11}  {r.title}")


@rules.command()
@click.argument("rule_id", metavar="ID")
@options.rules
@options.formats("text", "json")
def show(rule_id: str, rule_paths: tuple[str, ...], form: str | None) -> None:
    """One rule, whole."""
    book = load(rule_paths)
    rule = next((r for r in book.rules if r.id == rule_id), None)
    if rule is None:
        raise UsageFault(f"there is no rule {rule_id!r}{did_you_mean(rule_id, [r.id for r in book.rules])}")
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(rule), indent=1))
        return
    click.echo(f"{rule.id}: {rule.title}\n{rule.severity}, {rule.obligation}, {rule.family}; from {book.places[rule.id]}\n")
    for name, text in (("Asks", rule.meaning), ("Matters", rule.matters), ("To do", rule.remediation)):
        click.echo(click.wrap_text(f"{name}: {text}", 100, subsequent_indent="  "))
    click.echo("Products: " + "; ".join(", ".join((*b.products, *b.editions)) for b in rule.branches))
    if rule.component:
        click.echo(f"Only where {rule.component.name} is present")
    for reference in rule.references:
        click.echo(f"Reference: {reference.title}" + (f" <{reference.url}>" if reference.url else ""))
    click.echo(f"Source: {rule.provenance.source}, read {rule.provenance.retrieved}")
    for note in rule.provenance.notes:
        click.echo(click.wrap_text(f"Note: {note}", 100, subsequent_indent="  "))


@rules.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def lint(paths: tuple[str, ...]) -> None:
    """Read rule files and report every fault as file:line: message."""
    book = load(paths)
    click.echo(f"{len(book.rules)} rules, no fault; rulebook {book.digest[:16]}")


@rules.command()
def schema() -> None:
    """The JSON Schema of one rule."""
    click.echo(msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Rule)), indent=1))
