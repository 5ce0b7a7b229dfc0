"""`auditor history`: what was when, since when, what changed; and the care of the file. One file per question."""

from __future__ import annotations

import click

from auditor.cli.history import as_of, diff, file, host, rule, runs, trend
from auditor.cli.suggesting_group import SuggestingGroup


@click.group(cls=SuggestingGroup)
def history() -> None:
    """What the history knows: runs, hosts, rules, changes, trends; check, prune, back up."""


for command in (
    runs.runs,
    host.host,
    rule.rule,
    diff.diff,
    as_of.as_of,
    trend.trend,
    file.forget,
    file.check,
    file.prune,
    file.backup,
    file.restore,
):
    history.add_command(command)
