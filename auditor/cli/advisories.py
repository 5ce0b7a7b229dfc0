"""`auditor advisories`: vendors' documents, read as they were published."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from auditor.advisories.article import Article
from auditor.advisories.corpus import CorpusReader
from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.printing import print_refused, print_rule
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import UsageFault
from auditor.foundation.files import write_file
from auditor.foundation.sanitize import one_line, printable
from auditor.foundation.yaml_file import did_you_mean
from auditor.inventory.inventory import Inventory
from auditor.rulebook.loader import load
from auditor.rulebook.rule import Rule


@click.group(cls=SuggestingGroup)
def advisories() -> None:
    """Vendors' advisories: read documents, search and show what the rules were taken from."""


@advisories.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@options.formats("text", "jsonl")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, help="Read with so many processes; default 1.")
@options.output
def read(paths: tuple[str, ...], form: str | None, jobs: int, output: Path | None) -> int:
    """Read articles of Microsoft's Knowledge Base as text: files, folders, zip and tar archives, - for standard input.

    One JSON object per article with --format jsonl. What cannot be read is listed at the end with its reason, and the
    exit code is then 3.
    """
    options.check_outputs(Inventory(), None, output)
    corpus = CorpusReader(paths, jobs)
    lines = (line + b"\n" for line in corpus.lines()) if form == "jsonl" else _texts(corpus.articles())
    if output:
        written = write_file(output, b"".join(lines))
    else:
        written = True
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.flush()
    said = print_refused(corpus)
    return exits.ALL_WELL if written and not said else exits.INCOMPLETE


def _texts(articles: Iterable[Article]) -> Iterator[bytes]:
    for a in articles:
        yield ("\n".join(printable(line) for line in _text(a)) + "\n\n").encode("utf-8", "replace")


def _text(a: Article) -> Iterator[str]:
    """One article in short, for people."""
    yield f"{a.id}  {a.revised or 'no date'}  {a.title}"
    for f in a.fixes:
        yield f"  fixed in   {f.product} service pack {f.service_pack}" + (" (by keyword)" if f.source == "keyword" else "")
    if a.hotfix_only:
        yield "  hotfix     a fix exists that no service pack is named for"
    if a.latest_sp:
        yield "  fixed in   the latest service pack, without a number"
    if a.vendor_fix:
        yield "  vendor     the fix comes from a third party"
    if a.no_fix:
        yield "  no fix     nothing to install: a workaround, settings, or information"
    if a.requires_component:
        yield f"  only with  {a.requires_component}"
    for s in a.settings:
        yield f"  set        {s.value} = {s.recommended if s.recommended is not None else 'as needed'}  ({s.key}{f', {s.type}' if s.type else ''})"
    for field, found in a.evidence.items():
        for e in found:
            yield f"  line {e.line:<5} {field}: {one_line(e.text, 160)}"
    for doubt in a.doubts:
        yield f"  unsure     {doubt}"


@advisories.command()
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@options.rules
@options.formats("text", "json")
def search(words: tuple[str, ...], rule_paths: tuple[str, ...], form: str | None) -> None:
    """Find loaded rules by words of their id, title, products and source; every word must be there."""
    wanted = [w.lower() for text in words for w in text.split()]
    found = [r for r in load(rule_paths).rules if all(w in _searched(r) for w in wanted)]
    if form == "json":
        fields = ("id", "title", "severity", "obligation", "published")
        show_json([{f: getattr(r, f) for f in fields} for r in found])
        return
    wide = max((len(r.id) for r in found), default=0)
    for r in found:
        click.echo(f"{r.id:{wide}}  {r.published or '':10}  {r.obligation:11}  {one_line(r.title, 120)}")
    if not found:
        click.echo(f"no loaded rule has {' and '.join(repr(w) for w in wanted)}", err=True)


def _searched(rule: Rule) -> str:
    products = " ".join(p for b in rule.branches for p in b.products)
    part = rule.component.name if rule.component else ""
    return f"{rule.id} {rule.title} {products} {part} {rule.provenance.source}".lower()


@advisories.command()
@click.argument("advisory", metavar="ID")
@options.rules
@options.formats("text", "json")
def show(advisory: str, rule_paths: tuple[str, ...], form: str | None) -> None:
    """What was taken from one advisory: the rule, what it requires of which product, and from which lines."""
    book = load(rule_paths)
    rule = next((r for r in book.rules if r.id.lower() == advisory.lower()), None)
    if rule is None:
        raise UsageFault(f"no loaded rule comes from {advisory!r}{did_you_mean(advisory, [r.id for r in book.rules])}")
    print_rule(rule, book.places[rule.id], form)
