"""`auditor worker`: asks the hosts of a zone what a centre orders."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.agent import log as agent_log
from auditor.agent.notify import notify
from auditor.cli import exits
from auditor.cli.signals import stopped_by_signals
from auditor.errors import UsageFault
from auditor.rulebook.loader import load
from auditor.zones import check_extra

_USUAL = (Path("worker.yaml"), Path("/etc/auditor/worker.yaml"))


@click.command()
@click.option("--zone", required=True, metavar="NAME", help="The zone whose orders it takes.")
@click.option(
    "--settings", metavar="FILE", type=click.Path(path_type=Path), help="The worker's file; else ./worker.yaml, /etc/auditor."
)
@click.option("--log", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of the log.")
def worker(zone: str, settings: Path | None, form: agent_log.Form) -> int:
    """Ask the hosts of a zone what a centre orders, until it is told to stop.

    Its own file says whom it may ask, with which secrets, and how far it trusts them; no order goes further. `auditor zones
    setup NAME` prints how it begins.
    """
    check_extra()
    from auditor.zones.worker import Worker
    from auditor.zones.worker_settings import read

    path = settings or next((p for p in _USUAL if p.is_file()), None)
    if path is None or not path.is_file():
        raise UsageFault(
            f"there is no worker's file {path or 'worker.yaml'}; `auditor zones setup {zone}` prints how it begins"
        )
    found = read(path)
    if found.zone != zone:
        raise UsageFault(f"{path} is for the zone {found.zone}, not for {zone}")
    log = agent_log.start(form)
    rules = load(("shipped", *(r for r in found.rules if r != "shipped")))
    with stopped_by_signals() as stop:
        log.info("started: zone %s, %d hosts at once", zone, found.jobs)
        notify("READY=1")
        Worker(found, rules, log.warning).run(stop)
        notify("STOPPING=1")
    log.info("ended")
    return exits.ALL_WELL
