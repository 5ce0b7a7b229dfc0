"""JSON on standard output, with nothing in it that a terminal would obey."""

from __future__ import annotations

import click
import msgspec

from auditor.foundation.sanitize import harmless_json


def encoded(value: object) -> bytes:
    """Indented JSON of a record or of plain data."""
    return harmless_json(msgspec.json.format(msgspec.json.encode(value), indent=1))


def show_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(encoded(value))
