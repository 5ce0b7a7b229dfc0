"""The forms in which a run can be had, each a function of its own file: another form is a file and a line here.

All are made of the same findings; tests/report/test_formats.py counts them in those that programs read.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from auditor.model.past import Past
from auditor.model.run import Run
from auditor.rulebook.rule import Rule

# form: (module, function); the function takes a run, html's also the rules it was judged by and what came before.
FORMS = {
    "text": ("auditor.report.text", "to_text"),
    "json": ("auditor.report.document", "to_json"),
    "html": ("auditor.report.html_report", "html"),
    "jsonl": ("auditor.report.lines", "to_jsonl"),
    "csv": ("auditor.report.lines", "to_csv"),
    "markdown": ("auditor.report.markdown", "to_markdown"),
    "junit": ("auditor.report.junit", "to_junit"),
    "sarif": ("auditor.report.sarif", "to_sarif"),
    "xccdf": ("auditor.report.xccdf", "to_xccdf"),
    "prometheus": ("auditor.report.prometheus", "to_prometheus"),
}
# What a file's name says of the form wanted.
SUFFIXES = {".json": "json", ".html": "html", ".htm": "html", ".jsonl": "jsonl", ".csv": "csv", ".md": "markdown", ".sarif": "sarif",
            ".prom": "prometheus", ".txt": "text"}  # fmt: skip
_XML = ("junit", "xccdf")


def suffix(form: str) -> str:
    """How a file of a form is named."""
    return ".xml" if form in _XML else next((s for s, f in SUFFIXES.items() if f == form), f".{form}")


def render(run: Run, form: str, rules: Iterable[Rule] = (), past: Past | None = None) -> bytes:
    """A run in one of the forms. `rules` are those it was judged by, `past` what came before, both for the HTML."""
    module, name = FORMS[form]
    function = getattr(import_module(module), name)
    made: bytes = function(run, rules, past) if form == "html" else function(run)
    return made
