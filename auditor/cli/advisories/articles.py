"""`auditor advisories read`: Microsoft's articles, as they were published."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from auditor.advisories.article import Article
from auditor.advisories.corpus import CorpusReader
from auditor.cli import exits, options
from auditor.cli.printing import print_refused
from auditor.foundation.files import write_file
from auditor.foundation.sanitize import one_line, printable
from auditor.inventory.inventory import Inventory


@click.command()
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
    for field, found in a.evidence.items():
        for e in found:
            yield f"  line {e.line:<5} {field}: {one_line(e.text, 160)}"
    for doubt in a.doubts:
        yield f"  unsure     {doubt}"
