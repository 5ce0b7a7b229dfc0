"""`auditor advisories search` and `show`: over the loaded rules and the advisory database."""

from __future__ import annotations

from collections.abc import Iterator

import click

from auditor.advisories.database.index import AdvisoryIndex, Stored
from auditor.advisories.database.writing import cve_number
from auditor.advisories.feeds.fields import CVE
from auditor.cli import options
from auditor.cli.json_output import show_json
from auditor.cli.printing import print_rule
from auditor.errors import UsageFault
from auditor.foundation.sanitize import one_line, printable
from auditor.foundation.yaml_file import did_you_mean
from auditor.inventory.selection import open_inventory
from auditor.rulebook.loader import load
from auditor.rulebook.rule import Rule


@click.command()
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@options.rules
@options.advisories
@options.inventory
@options.history
@options.formats("text", "json")
def search(words: tuple[str, ...], rule_paths: tuple[str, ...], advisories: str | None, inventory: str | None, history: str | None,
           form: str | None) -> None:  # fmt: skip
    """Find advisories and loaded rules by words of their id, title, obligation, products and source; every word must be there. A CVE finds
    the advisories about it."""
    wanted = [w.lower() for text in words for w in text.split()]
    found: list[tuple[str, str, str, object, str]] = [
        (r.id, r.severity, r.obligation, r.published, r.title)
        for r in load(rule_paths, situational=True).rules
        if all(w in _searched(r) for w in wanted)
    ]
    index = open_index(advisories, inventory, history)
    if index:
        found += [(a.id, a.severity, a.kind, a.published, a.title) for a in _of_database(index, wanted)]
    if form == "json":
        show_json([dict(zip(("id", "severity", "kind", "published", "title"), f, strict=True)) for f in found])
        return
    wide = max((len(f[0]) for f in found), default=0)
    for ident, severity, kind, published, title in found:
        click.echo(f"{one_line(ident, 100):{wide}}  {published or '':10}  {severity:9}  {kind:11}  {one_line(title, 120)}")
    if not found:
        click.echo(f"no loaded rule and no advisory has {' and '.join(repr(w) for w in wanted)}", err=True)


def _of_database(index: AdvisoryIndex, wanted: list[str]) -> list[Stored]:
    if len(wanted) == 1 and CVE.fullmatch(wanted[0].upper()):
        return list(index.advisories(index.of_cve(cve_number(wanted[0].upper()))).values())
    return [
        a for a in index.advisories(index.idents()).values() if all(w in f"{a.id} {a.title} {a.feed}".lower() for w in wanted)
    ]


def _searched(rule: Rule) -> str:
    products = " ".join(p for b in rule.branches for p in b.products)
    part = rule.component.name if rule.component else ""
    return f"{rule.id} {rule.title} {rule.obligation} {products} {part} {rule.provenance.source} {' '.join(rule.cves)}".lower()


@click.command()
@click.argument("advisory", metavar="ID")
@options.rules
@options.advisories
@options.inventory
@options.history
@options.formats("text", "json")
def show(advisory: str, rule_paths: tuple[str, ...], advisories: str | None, inventory: str | None, history: str | None,
         form: str | None) -> None:  # fmt: skip
    """What was taken from one advisory: what it fixes in which release, or the rule and the lines that it comes from."""
    book = load(rule_paths, situational=True)
    rule = next((r for r in book.rules if r.id.lower() == advisory.lower()), None)
    if rule is not None:
        print_rule(rule, book.places[rule.id], form)
        return
    index = open_index(advisories, inventory, history)
    known = {i.lower(): i for i in index.idents()} if index else {}
    ident = known.get(advisory.lower())
    if index is None or ident is None:
        names = [r.id for r in book.rules] + [*known.values()]
        where = "the advisory database" if index else "(there is no advisory database)"
        raise UsageFault(f"no loaded rule and no advisory of {where} is {advisory!r}{did_you_mean(advisory, names)}")
    stored, fixes = index.advisories([ident])[ident], index.fixes_of(ident)
    if form == "json":
        keys = ("release", "package", "version", "architectures", "module")
        show_json({"advisory": stored, "fixes": [dict(zip(keys, f, strict=True)) for f in fixes]})
        return
    for line in _described(stored, fixes):
        click.echo(printable(line))


def _described(a: Stored, fixes: list[tuple[str, str, str, str, str]]) -> Iterator[str]:
    yield f"{a.id}: {a.title}"
    severity = a.severity + (f" (the vendor's word: {a.vendor_severity})" if a.vendor_severity else "")
    yield f"{a.kind}, {severity}, published {a.published or 'on an unknown day'}, changed {a.modified or 'on an unknown day'}; from {a.feed}"
    if a.cves:
        yield click.wrap_text(f"CVEs: {', '.join(a.cves)}", 100, subsequent_indent="  ")
    for url in a.references:
        yield f"Reference: <{url}>"
    for release, name, version, arch, module in fixes:
        more = "".join(f" ({x})" for x in (module and f"module {module}", arch) if x)
        yield f"  {release:16} {name} {version}{more}"


def open_index(advisories: str | None, inventory: str | None, history: str | None) -> AdvisoryIndex | None:
    """The advisory database of a call; None where none is named and none lies beside the history."""
    opened = open_inventory(inventory)
    if options.advisory_database(advisories, opened, history) is None:
        return None
    return AdvisoryIndex(options.advisories_path(advisories, opened, history))
