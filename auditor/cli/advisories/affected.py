"""`auditor advisories affected`: which hosts lack what an advisory or a CVE asks for, by what the history has found."""

from __future__ import annotations

import click

from auditor.advisories.database.writing import cve_number
from auditor.advisories.feeds.fields import CVE
from auditor.cli import options
from auditor.cli.advisories.search import open_index
from auditor.cli.json_output import show_json
from auditor.cli.stored_history import open_store
from auditor.errors import UsageFault
from auditor.foundation.sanitize import counted, one_line
from auditor.history.affected import AffectedHost, affected_hosts
from auditor.model.finding import VERDICTS

_WORDS = {
    "noncompliant": ("lack it", "lacks it"),
    "pending": ("have it pending", "has it pending"),
    "unknown": ("could not be told", "could not be told"),
    "compliant": ("have it, or do not need it", "has it, or does not need it"),
    "not_applicable": ("do not need it", "does not need it"),
}


@click.command()
@click.argument("what", metavar="CVE|ADVISORY")
@options.advisories
@options.inventory
@options.history
@options.formats("text", "json")
def affected(what: str, advisories: str | None, inventory: str | None, history: str | None, form: str | None) -> None:
    """Which hosts lack a fix, have it pending, have it, or could not be told: by their newest findings in the history.

    A host has a fix, or needs none, where it was held against the advisories of its release and none about it is open.
    """
    index = open_index(advisories, inventory, history)
    if index is None:
        raise UsageFault("there is no advisory database; make it with `auditor advisories fetch` or `import`")
    if CVE.fullmatch(what.upper()):
        idents = index.of_cve(cve_number(what.upper()))
    else:
        idents = [i for i in index.idents() if i.lower() == what.lower()]
    if not idents:
        raise UsageFault(
            f"no advisory in the database is, or is about, {what!r}; which releases are covered: `auditor advisories status`"
        )
    with open_store(history, inventory) as store:
        found = affected_hosts(store.db, idents)
    if form == "json":
        show_json({"advisories": idents, "hosts": found})
        return
    click.echo(f"{what}: {', '.join(idents[:12])}{f' and {len(idents) - 12} more' if len(idents) > 12 else ''}")
    for verdict in VERDICTS:
        hosts = [h for h in found if h.verdict == verdict]
        if hosts:
            click.echo(f"{counted(len(hosts), 'host')} {_WORDS[verdict][len(hosts) == 1]}")
            for host in hosts if verdict in ("noncompliant", "pending", "unknown") else ():
                click.echo(f"  {_line(host)}")


def _line(host: AffectedHost) -> str:
    return f"{one_line(host.host, 60)}: {one_line(host.why, 200)}" + (f" ({host.advisory})" if host.advisory else "")
