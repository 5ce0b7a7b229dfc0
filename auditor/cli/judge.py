"""`auditor judge`: facts against rules, without touching a host."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex
from typing import Literal

import click
import msgspec
from msgspec.structs import replace

from auditor import __version__
from auditor.cli import exits, options
from auditor.cli.scan import deliver, make_run
from auditor.errors import FileFaults, UsageFault
from auditor.inventory.native import Inventory
from auditor.inventory.select import open_inventory
from auditor.model.facts import HostFacts
from auditor.model.run import Rulebook as RulebookSummary
from auditor.model.run import Run, TargetResult
from auditor.model.target import Target
from auditor.rulebook import load
from auditor.scan import Audit, judge_facts, utc_now

MAX_BYTES = 64_000_000


@click.command()
@click.argument("paths", metavar="[FACTS.json|FOLDER]...", nargs=-1)
@click.option("--latest", is_flag=True, help="The facts of the newest finished run in the history.")
@click.option("--run", "run_id", metavar="ID", help="The facts of one run in the history.")
@options.inventory
@options.rules
@options.history
@options.formats("text", "json", "html")
@options.output
@click.option("--fail-on", metavar="SEVERITIES", help="Exit 1 only for these severities and above; default all.")
def judge(paths: tuple[str, ...], latest: bool, run_id: str | None, inventory: str | None, rule_paths: tuple[str, ...],
          history: str | None, form: str | None, output: Path | None, fail_on: str | None) -> int:  # fmt: skip
    """Hold facts against rules without touching a host: files, folders of *.json, or the history's.

    The verdicts are today's: support that ended and attestations that expired since the facts were read count.
    """
    failing = exits.severities(fail_on)
    opened = open_inventory(inventory, check_secrets=False)
    if bool(paths) + latest + bool(run_id) != 1:
        raise UsageFault("name either files or folders of facts, or --latest, or --run ID")
    audit = Audit(
        rulebook=load(rule_paths),
        clock=utc_now,
        marker=lambda: token_hex(12),
        attestations=opened.attestations,
        waivers=opened.waivers,
    )
    before = _from_files(paths, opened) if paths else _from_history(run_id, history, inventory)
    results = tuple(judge_facts(r.facts, r.target, audit, r.error).slim() if r.facts else r for r in before.results)
    ident = make_run(audit.rulebook, utc_now()).id
    run = replace(before, id=ident, auditor=__version__, rulebook=audit.rulebook.summary(), results=results)
    delivered = deliver(run, audit.rulebook, form, output)
    return exits.delivered(exits.code(run, failing), delivered)


def read_facts(paths: tuple[str, ...]) -> list[HostFacts]:
    """Facts from files and folders; FileFaults with every file that is none."""
    files = [f for p in map(Path, paths) for f in (sorted(p.glob("*.json")) if p.is_dir() else [p])]
    facts, faults = [], []
    for file in files:
        try:
            if file.stat().st_size > MAX_BYTES:
                raise ValueError(f"is larger than {MAX_BYTES // 1_000_000} MB")
            facts.append(decode_facts(file.read_bytes()))
        except OSError as e:
            faults.append(f"{file}:1: {e.strerror}")
        except (msgspec.MsgspecError, ValueError, RecursionError) as e:
            faults.append(f"{file}:1: no facts of the form auditor.facts/1: {e}")
    if faults:
        raise FileFaults(faults)
    if not facts:
        raise UsageFault("no facts were found there")
    return facts


def decode_facts(text: bytes) -> HostFacts:
    """One document of auditor.facts/1, in which null stands for a missing key; msgspec.MsgspecError where it is none."""
    plain = msgspec.json.decode(text)
    if isinstance(plain, dict):
        plain = {key: value for key, value in plain.items() if value is not None}
    facts = msgspec.convert(plain, HostFacts, strict=True)
    product = facts.platform.product
    if facts.platform.family is None and product:
        family: Literal["windows", "linux"] = "windows" if product.startswith("windows") else "linux"
        facts = replace(facts, platform=replace(facts.platform, family=family))
    return facts


def _from_files(paths: tuple[str, ...], opened: Inventory) -> Run:
    """A run of given facts; a target of the inventory where one has the name, for its groups and labels."""
    given = [(opened.targets.get(f.target) or Target(name=f.target, connection="replay"), f) for f in read_facts(paths)]
    results = tuple(TargetResult(target=t, outcome="assessed", facts=f) for t, f in given)
    now = utc_now()
    return Run(id="", started=now, finished=now, auditor=__version__, rulebook=RulebookSummary("", 0, ""), results=results)


def _from_history(run_id: str | None, history: str | None, inventory: str | None) -> Run:
    """A stored run: hosts that could not be assessed then stay what they were, and so does a run that was stopped."""
    from auditor.cli.report import open_store

    with open_store(history, inventory) as store:
        return store.run(run_id or store.latest())
