"""A run as Markdown, for a ticket or a wiki: the figures, what to do, and what is not fulfilled on each host."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.foundation.sanitize import counted, one_line
from auditor.model.finding import VERDICTS, Finding
from auditor.model.run import Run, TargetResult
from auditor.report.figures import figures, knowledge, sentence
from auditor.report.grouping import by_obligation

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def to_markdown(run: Run) -> bytes:
    """The run as a page of Markdown."""
    return ("\n".join(_lines(run)) + "\n").encode("utf-8", "replace")


def plain(text: str) -> str:
    """Text that Markdown shows as it is, and HTML after it, in one line."""
    return _SPECIAL.sub(r"\\\1", one_line(text))


def _lines(run: Run) -> Iterator[str]:
    n = figures(run)
    yield f"# Compliance, {run.started:%Y-%m-%d %H:%M} UTC\n"
    yield f"{plain(sentence(run, n))}\n"
    yield f"Run {plain(run.id)}, {knowledge(run)}.\n"
    yield "| verdict | findings |\n|---|--:|"
    for verdict in VERDICTS:
        yield f"| {verdict.replace('_', ' ')} | {n.verdicts.get(verdict, 0)} |"
    if n.actions:
        yield "\n## What to do next\n"
        for a in n.actions[:10]:
            yield f"1. {plain(a.title)}: {counted(len(a.targets), 'host')}, {a.effect}. {plain(a.remediation)}"
    for r in run.results:
        yield from _host(r)


def _host(r: TargetResult) -> Iterator[str]:
    yield f"\n## {plain(r.target.name)}: {r.outcome}\n"
    if r.error:
        yield f"{plain(f'{r.error.kind}: {r.error.message}')}"
        return
    told = by_obligation(f for f in r.findings if f.verdict in ("noncompliant", "pending", "unknown"))
    several, others = [b for together, _ in told.values() for b in together], [f for _, alone in told.values() for f in alone]
    if not several and not others:
        yield "Nothing is missing, pending or unknown."
        return
    yield "| verdict | severity | rule | found | required |\n|---|---|---|---|---|"
    for b in several:
        yield _row(
            b.verdict,
            "",
            f"{b.what} ({b.settles}: {b.rules})",
            b.observed,
            b.what,
        )
    for f in others:
        yield _row(f.verdict, f.severity, f"{f.rule}: {f.title}{_waived(f)}", f.observed, f.required)


def _row(verdict: str, *cells: str) -> str:
    return f"| {verdict.replace('_', ' ')} | {' | '.join(plain(c) for c in cells)} |"


def _waived(f: Finding) -> str:
    return f" (waived by {f.waiver.owner}: {f.waiver.reason})" if f.waiver else ""
