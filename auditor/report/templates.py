"""The templates of `reports/`, for the report and the mail alike: one environment, one sanitizer, one table of words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template

from auditor.foundation import resources
from auditor.foundation.sanitize import one_line, printable
from auditor.report import wording


@lru_cache(maxsize=8)
def template(name: str) -> Template:
    """A template by its file's name. Everything that it prints is escaped, and loses its control characters."""
    return _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(resources.folder("reports")),
        autoescape=True,
        finalize=_harmless,
        trim_blocks=True,
        auto_reload=False,
    )
    env.filters["one_line"] = one_line
    env.globals.update(
        tone=wording.VERDICT_TONE, said=wording.VERDICT_WORDS, change_tone=wording.CHANGE_TONE, colours=wording.COLOURS
    )
    return env


def _harmless(value: Any) -> Any:
    """Every string that a template prints; Markup is our own."""
    return printable(value) if type(value) is str else value
