"""The templates of `reports/`, for the report and the mail alike: one environment, one sanitizer, one table of words."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import BytecodeCache, Environment, FileSystemLoader, Template
from jinja2.bccache import Bucket

from auditor.foundation import cache_folder, resources
from auditor.foundation.sanitize import one_line, printable
from auditor.report import wording

_KIND = "template"


@lru_cache(maxsize=8)
def template(name: str) -> Template:
    """A template by its file's name. Everything that it prints is escaped, and loses its control characters."""
    return _environment().get_template(name)


class _Compiled(BytecodeCache):
    """Templates as they were compiled before: known by their source, by Jinja's release, and by what escapes their constants."""

    def __init__(self) -> None:
        self._made_by = hashlib.sha256(
            (jinja2.__version__ + cache_folder.stamp("report/templates", "foundation/sanitize")).encode()
        )

    def _made_of(self, bucket: Bucket) -> str:
        digest = self._made_by.copy()
        digest.update(f"{bucket.key} {bucket.checksum}".encode())
        return digest.hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Called by Jinja; what it gets is of its own making, which it checks again."""
        if kept := cache_folder.recall(_KIND, self._made_of(bucket)):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Called by Jinja for a template that it has just compiled."""
        cache_folder.keep(_KIND, self._made_of(bucket), bucket.bytecode_to_string())


@lru_cache(maxsize=1)
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(resources.folder("reports")),
        autoescape=True,
        finalize=_harmless,
        trim_blocks=True,
        auto_reload=False,
        bytecode_cache=_Compiled(),
    )
    env.filters["one_line"] = one_line
    env.globals.update(
        tone=wording.VERDICT_TONE, said=wording.VERDICT_WORDS, change_tone=wording.CHANGE_TONE, colours=wording.COLOURS
    )
    return env


def _harmless(value: Any) -> Any:
    """Every string that a template prints; Markup is our own."""
    return printable(value) if type(value) is str else value
