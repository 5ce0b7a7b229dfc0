"""`auditor rules`: the rules, their faults and their schema."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import click
import msgspec

from auditor.checks.product_pack import ProductPackCheck
from auditor.cli import exits, options
from auditor.cli.json_output import show_json
from auditor.cli.printing import print_refused, print_rule
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import FileFaults, UsageFault
from auditor.foundation.sanitize import counted
from auditor.foundation.yaml_file import did_you_mean
from auditor.rulebook.loader import load, problems
from auditor.rulebook.rule import Rule
from auditor.rulebook.rulebook import checks


@click.group(cls=SuggestingGroup)
def rules() -> None:
    """The rules: list, show, lint, import, schema."""


@rules.command("list")
@options.rules
@options.formats("text", "json")
def list_(rule_paths: tuple[str, ...], form: str | None) -> None:
    """Every loaded rule, a line each."""
    book = load(rule_paths, situational=True)
    if form == "json":
        fields = ("id", "title", "severity", "obligation", "family", "published")
        show_json([{f: getattr(r, f) for f in fields} for r in book.rules])
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
    book = load(rule_paths, situational=True)
    rule = next((r for r in book.rules if r.id == rule_id), None)
    if rule is None:
        raise UsageFault(f"there is no rule {rule_id!r}{did_you_mean(rule_id, [r.id for r in book.rules])}")
    print_rule(rule, book.places[rule.id], form)


@rules.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--output",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the rule files here, beside what is there.",
)
@click.option(
    "--product",
    "products",
    metavar="PATTERN",
    multiple=True,
    help="Only rules of these products, e.g. windows-nt-4.0 or 'exchange-*'; repeatable.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, help="Read with so many processes; default 1.")
@click.option(
    "--retrieved", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]), help="When the documents were fetched; default today."
)
def import_(paths: tuple[str, ...], folder: Path, products: tuple[str, ...], jobs: int, retrieved: datetime | None) -> int:
    """Write rules from Knowledge Base articles: files, folders, archives, - for standard input.

    What the importer wrote before is brought up to date; what people changed stays (overlay.yaml). Articles that give
    no rule are counted by reason; documents that cannot be read are listed, and the exit code is then 3.
    """
    from auditor.advisories.corpus import CorpusReader
    from auditor.advisories.rule_files import prepare, write
    from auditor.advisories.sources.kb.packages import Packages
    from auditor.advisories.sources.kb.rule import NoRule, rule

    corpus, known, made, none = CorpusReader(paths, jobs), Packages(), [], Counter[str]()
    when, today = (retrieved or datetime.now(UTC)).date(), datetime.now(UTC).date()
    if when > today:
        raise UsageFault(f"--retrieved: {when} is yet to come")
    prepare(folder)
    articles = []
    for article in corpus.articles():
        known.add(article)
        if article.no_fix and not article.offers:
            none["it has nothing to comply with"] += 1
        else:
            articles.append(article)
    for article in articles:  # once all are read: an article does not tell which later rollup contains its package
        try:
            made.append(rule(article, known, retrieved=when))
        except NoRule as e:
            none[str(e)] += 1
    wanted = [r for r in made if not products or any(_covers(r, p) for p in products)]
    done = write(folder, wanted)
    click.echo(f"{counted(len(wanted), 'rule')} in {folder}: {done.new} new, {done.changed} changed, {done.same} as before")
    if done.kept:
        click.echo(f"changes made by hand moved to overlay.yaml: {', '.join(done.kept)}")
    for reason, count in none.most_common():
        click.echo(f"{count} {'article gives' if count == 1 else 'articles give'} no rule: {reason}")
    return exits.INCOMPLETE if print_refused(corpus) else exits.ALL_WELL


def _covers(rule: Rule, pattern: str) -> bool:
    named = {p for b in rule.branches for p in b.products} | {
        c.product for c in checks(rule) if isinstance(c, ProductPackCheck)
    }
    return any(fnmatchcase(p, pattern) or p.startswith(f"{pattern}-") for p in named)


@rules.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def lint(paths: tuple[str, ...]) -> None:
    """Read rule files and report every fault as file:line: message."""
    book = load(paths, situational=True)
    faults = [
        f"{book.places[r.id]}: {r.id}: {problem}" for r in book.rules for problem in problems(r)
    ]  # of those read just now, too
    if faults:
        raise FileFaults(faults)
    click.echo(f"{counted(len(book.rules), 'rule')}, no fault; rulebook {book.digest[:16]}")


@rules.command()
def schema() -> None:
    """The JSON Schema of one rule."""
    show_json(msgspec.json.schema(Rule))
