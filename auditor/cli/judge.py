"""`auditor judge`: facts against rules, without touching a host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Literal

import click
import msgspec
from msgspec.structs import replace

from auditor import __version__
from auditor.audit.context import Audit, judge_facts
from auditor.audit.recorder import make_run
from auditor.audit.scan import utc_now
from auditor.cli import exits, options
from auditor.cli.scan import deliver
from auditor.errors import FileFaults, UsageFault
from auditor.foundation.durations import FORM, span
from auditor.foundation.sanitize import counted
from auditor.inventory.native import Inventory
from auditor.inventory.selection import open_inventory
from auditor.model.facts import HostFacts
from auditor.model.run import Rulebook as RulebookSummary
from auditor.model.run import Run, TargetResult
from auditor.model.target import Target
from auditor.report.formats import FORMS
from auditor.rulebook.loader import load

MAX_BYTES = 16_000_000  # of one host's facts; those of a large server have two


@click.command()
@click.argument("paths", metavar="[FACTS.json|FOLDER]...", nargs=-1)
@click.option("--latest", is_flag=True, help="Every host's newest facts in the history.")
@click.option("--as-of", metavar="DATE", help="Every host's newest facts at the end of a day (2026-11-25, UTC).")
@click.option("--run", "run_id", metavar="ID", help="The facts of one run in the history.")
@click.option(
    "--max-age",
    default="30d",
    show_default=True,
    metavar="AGE",
    help="With --latest and --as-of: older facts leave everything unknown.",
)
@options.inventory
@options.rules
@options.history
@options.formats(*FORMS)
@options.output
@click.option("--fail-on", metavar="SEVERITIES", help="Exit 1 only for these severities and above, or `overdue`; default all.")
def judge(paths: tuple[str, ...], latest: bool, as_of: str | None, run_id: str | None, max_age: str, inventory: str | None, rule_paths: tuple[str, ...],
          history: str | None, form: str | None, output: Path | None, fail_on: str | None) -> int:  # fmt: skip
    """Hold facts against rules without touching a host: files, folders of *.json, or the history's.

    The verdicts are today's: support that ended and attestations that expired since the facts were read count.
    """
    failing = exits.severities(fail_on)
    opened = open_inventory(inventory)
    if bool(paths) + latest + bool(as_of) + bool(run_id) != 1:
        raise UsageFault("name either files or folders of facts, or --latest, or --as-of DATE, or --run ID")
    options.check_outputs(opened, options.history_path(history, opened), output)
    oldest = span(max_age)
    if oldest is None:
        raise UsageFault(f"--max-age: {max_age!r} is no span; {FORM}")
    audit = Audit(
        rulebook=load(rule_paths),
        clock=utc_now,
        marker=lambda: token_hex(12),
        attestations=opened.attestations,
        waivers=opened.waivers,
        policy=opened.policy,
    )
    if paths:
        before, given = _from_files(paths, opened)
    elif run_id:
        before, given = _from_run(run_id, history, inventory)
    else:
        before, given = _from_history(as_of, oldest, history, inventory)
    results = tuple(_judged(r, audit, stale) for r, stale in given)
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


# A result with its facts, and why they are too old to tell; "" where they are not.
_Given = Iterable[tuple[TargetResult, str]]


def _judged(r: TargetResult, audit: Audit, stale: str) -> TargetResult:
    if r.facts is None:
        return r
    judged = judge_facts(r.facts, r.target, audit, r.error).slim()
    if not stale:
        return judged
    open_ = (
        f if f.verdict == "not_applicable" else replace(f, verdict="unknown", why=f"{stale}; then: {f.why}")
        for f in judged.findings
    )
    return replace(judged, findings=tuple(open_))


def _from_files(paths: tuple[str, ...], opened: Inventory) -> tuple[Run, _Given]:
    """A run of given facts; a target of the inventory where one has the name, for its groups and labels."""
    given = [(opened.targets.get(f.target) or Target(name=f.target, connection="replay"), f) for f in read_facts(paths)]
    return _run(utc_now()), ((TargetResult(target=t, outcome="assessed", facts=f), "") for t, f in given)


def _run(when: datetime) -> Run:
    return Run(id="", started=when, finished=when, auditor=__version__, rulebook=RulebookSummary("", 0, ""))


def _from_run(run_id: str, history: str | None, inventory: str | None) -> tuple[Run, _Given]:
    """A stored run: hosts that could not be assessed then stay what they were, and so does a run that was stopped."""
    from auditor.cli.stored_history import open_store

    with open_store(history, inventory) as store:
        run = store.run(run_id)
    return run, ((r, "") for r in run.results)


def _from_history(day: str | None, oldest: timedelta, history: str | None, inventory: str | None) -> tuple[Run, _Given]:
    """The fleet now, or at the end of a day: each host by its newest facts, too old ones with the reason."""
    from auditor.cli.history import end_of_day
    from auditor.cli.stored_history import open_store
    from auditor.history import fleet

    when = min(end_of_day(day), utc_now()) if day else utc_now()

    def given() -> Iterator[tuple[TargetResult, str]]:
        with open_store(history, inventory) as store:
            with store.guard("read"):
                high = fleet.high_of_day(store.db, when)
            for r in store.newest(high):
                age = when - r.facts.collected_at if r.facts else timedelta()
                yield r, f"its facts are {counted(age.days, 'day')} old" if age > oldest else ""

    return _run(when), given()
