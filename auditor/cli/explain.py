"""`auditor explain`: from the verdict back to what was read, and from what document the requirement is."""

from __future__ import annotations

from collections.abc import Iterator

import click

from auditor.cli import exits, options
from auditor.cli.stored_history import open_store
from auditor.collectors.linux.script import DIGEST
from auditor.errors import UsageFault
from auditor.foundation.sanitize import printable
from auditor.foundation.yaml_file import did_you_mean
from auditor.model.finding import Finding
from auditor.model.run import Run, TargetResult
from auditor.rulebook.loader import load
from auditor.rulebook.rule import Rule


@click.command()
@click.argument("host")
@click.argument("rule_id", metavar="RULE")
@options.history
@options.inventory
@options.rules
@click.option("--run", "run_id", metavar="ID", help="In this run; default the newest that has facts of the host.")
def explain(
    host: str, rule_id: str, history: str | None, inventory: str | None, rule_paths: tuple[str, ...], run_id: str | None
) -> int:
    """The whole chain behind one verdict: what was read, how, when, held against what, from which document."""
    with open_store(history, inventory) as store:
        run = store.run(run_id or store.latest_of(host))
    result = next((r for r in run.results if r.target.name == host), None)
    if result is None:
        raise UsageFault(f"run {run.id} has no {host!r}{did_you_mean(host, [r.target.name for r in run.results])}")
    if result.error:
        click.echo(
            printable(
                f"{host}: {result.outcome} in run {run.id}, so no rule was judged\n  {result.error.kind}: {result.error.message}"
            )
        )
        return exits.INCOMPLETE
    finding = next((f for f in result.findings if f.rule == rule_id), None)
    book = load(rule_paths, situational=True)
    rule = next((r for r in book.rules if r.id == rule_id), None)
    if finding is None and rule and any((b.obligation or rule.obligation) == "situational" for b in rule.branches):
        raise UsageFault(
            f"{rule_id} is about a particular problem, and nobody asked for these in run {run.id}: `auditor scan --situational {host}` judges them"
        )
    if finding is None:
        known = [f.rule for f in result.findings]
        raise UsageFault(f"run {run.id} has no finding of {rule_id!r} on {host}{did_you_mean(rule_id, known)}")
    for line in _chain(run, result, finding, rule, book.places.get(rule_id, "")):
        click.echo(printable(line))
    return exits.ALL_WELL


def _chain(run: Run, result: TargetResult, f: Finding, rule: Rule | None, place: str) -> Iterator[str]:
    facts = result.facts
    yield f"{result.target.name}: {f.rule} is {f.verdict.replace('_', ' ')}"
    yield f"  {f.title} ({f.severity}, {f.obligation})"
    yield f"  found:     {f.observed}"
    yield f"  required:  {f.required}"
    yield f"  why:       {f.why}"
    if f.cves:
        yield f"  CVEs:      {', '.join(f.cves)}"
    if f.waiver:
        yield f"  waived:    by {f.waiver.owner}, {f'until {f.waiver.expires}' if f.waiver.expires else 'permanently'}: {f.waiver.reason}"
    if f.resolved_by:
        yield f"  to settle: {f.resolved_by}"
    yield f"  evidence:  {'; '.join(f.evidence)}"
    if facts:
        yield f"Read {facts.collected_at:%Y-%m-%d %H:%M:%S} UTC over {facts.method} in run {run.id}, by the collection script (this release's SHA-256 {DIGEST[:16]})"
        for o in facts.outcomes:
            yield f"  {o.name}: {o.outcome}{f': {o.reason}' if o.reason else ''}"
    yield f"Rulebook of the run: {run.rulebook.digest[:16]}"
    if run.advisories:
        yield f"Advisories of the run: {run.advisories.digest[:16]}, {', '.join(run.advisories.feeds)}"
    if rule is None and (f.packages or f.generated or f.url):
        yield f"An advisory of a feed: `auditor advisories show {f.rule}` has what it fixes."
        return
    if rule is None:
        yield "The rule is not in the rulebook that is loaded now."
        return
    yield f"Rule, as loaded now from {place}:"
    if rule.meaning:
        yield f"  asks:      {rule.meaning}"
        yield f"  matters:   {rule.matters}"
    yield f"  to do:     {rule.remediation}"
    yield f"  source:    {rule.provenance.source}, read {rule.provenance.retrieved}"
    p = rule.provenance
    if p.document:
        yield f"  document:  SHA-256 {p.document}, read by {p.importer}" + (
            "" if p.reviewed else "; not reviewed: the importer was not sure"
        )
    for field, numbers in p.lines.items():
        yield f"  taken from line {', '.join(map(str, numbers))} of the document: {field.replace('_', ' ')}"
    for note in rule.provenance.notes:
        yield f"  note:      {note}"
    for reference in rule.references:
        yield f"  reference: {reference.title}{f' <{reference.url}>' if reference.url else ''}"
