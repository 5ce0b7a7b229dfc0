"""`auditor advisories status`: which releases are covered, by whom and up to which day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import click

from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.database.monthly_summary import MonthlySummary, ranges, summary
from auditor.advisories.feeds.authority import BY_NAME
from auditor.cli import options
from auditor.cli.json_output import show_json
from auditor.errors import UsageFault
from auditor.foundation.clock import utc_now
from auditor.foundation.sanitize import counted, printable
from auditor.inventory.selection import open_inventory
from auditor.model.update_line import last_release


@click.command()
@options.advisories
@options.inventory
@options.history
@options.formats("text", "json")
def status(advisories: str | None, inventory: str | None, history: str | None, form: str | None) -> None:
    """Which releases the advisory database covers: the feed, how many advisories since when, and up to which day it tells."""
    path = options.advisories_path(advisories, open_inventory(inventory), history)
    if not path.exists():
        raise UsageFault(f"there is no advisory database {path}; make it with `auditor advisories fetch` or `import`")
    index = AdvisoryIndex(path)
    covered = index.coverage()
    if form == "json":
        show_json({"database": str(path), "digest": index.digest, "coverage": covered, "monthly": summary(index)})
        return
    today = utc_now().date()
    wide = max((len(c.release) for c in covered), default=0)
    for c in covered:
        asked = c in index.covering(c.release)
        age = f"as of {c.as_of}, {counted((today - c.as_of).days, 'day')} old" if c.as_of else "as of a day that is not known"
        notes = [] if c.whole else ["single advisories only: it covers nothing"]
        notes += [] if asked else ["not asked: another feed is the authority"]
        click.echo(
            f"{c.release:{wide}}  {c.feed:20}  {c.advisories:>7,} advisories since {c.since or 'an unknown day'}, {age}"
            + (f" ({'; '.join(notes)})" if notes else "")
        )
    if monthly := summary(index):
        for line in _monthly(monthly, today):
            click.echo(printable(line))
    if not covered:
        click.echo(f"{path} covers no release; the feeds that are read: {', '.join(BY_NAME)}")


def _monthly(m: MonthlySummary, today: date) -> Iterator[str]:
    """What there is of Microsoft's monthly documents, and what of it is not believed."""
    yield f"Microsoft's monthly documents: {m.documents}, of {m.first:%Y-%m} to {m.newest:%Y-%m}"
    due = last_release(today)
    if m.newest < due:
        yield f"  too old: the last monthly updates came in {due:%Y-%m}, so no Windows is called up to date (`auditor advisories fetch microsoft`)"
    if m.newest > today:
        yield f"  newer than this machine's clock, which says {today}"
    if m.missing:
        yield f"  {counted(len(m.missing), 'month')} missing: {ranges(m.missing)}"
    for number, why in sorted(m.distrusted.items()):
        yield f"  {number}: {why}"
    if m.unread:
        yield f"  {counted(len(m.unread), 'name')} of products that nothing here judges (--format json has them)"
