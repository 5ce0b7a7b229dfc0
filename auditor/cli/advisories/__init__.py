"""`auditor advisories`: vendors' documents, and the database of the Linux distributions' feeds. One file per question."""

from __future__ import annotations

import click

from auditor.cli.advisories import affected, articles, fetch, import_files, search, status
from auditor.cli.suggesting_group import SuggestingGroup


@click.group(cls=SuggestingGroup)
def advisories() -> None:
    """Vendors' advisories: get and import feeds, see what they cover, search and show them, and who is affected."""


for command in (fetch.fetch, import_files.import_, status.status, search.search, search.show, affected.affected, articles.read):
    advisories.add_command(command)
