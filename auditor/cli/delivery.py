"""Where the report of a run goes that a command made."""

from __future__ import annotations

from pathlib import Path

from auditor.audit.recorder import RunRecorder
from auditor.foundation.files import write_file, write_out
from auditor.model.run import Run
from auditor.report.formats import SUFFIXES, render
from auditor.rulebook.rulebook import Rulebook


def deliver(
    run: Run,
    rulebook: Rulebook,
    form: str | None,
    output: Path | None,
    *,
    quiet: bool = False,
    page: Path | None = None,
    recorder: RunRecorder | None = None,
) -> bool:
    """The document asked for, to standard output or a file; the HTML report to `page` and into the history. False where
    something could not be written; a message says what."""
    form = form or _by_suffix(output)
    past = recorder.past() if recorder and (page or form == "html") else None
    shown = render(run, form, rulebook.about(run), past)
    done = write_file(output, shown) if output else quiet or write_out(shown)
    if page is None or (form == "html" and output):
        if recorder and form == "html":
            recorder.add_report(run, shown)
        return done
    html = shown if form == "html" else render(run, "html", rulebook.about(run), past)
    if recorder:
        recorder.add_report(run, html)
    if not write_file(page, html):
        return False
    if not quiet and form == "text":
        done = write_out(f"Report: {page.absolute()}\n".encode()) and done
    return done


def _by_suffix(output: Path | None) -> str:
    """`--output report.html` needs no `--format html` beside it."""
    return SUFFIXES.get(output.suffix.lower() if output else "", "text")
