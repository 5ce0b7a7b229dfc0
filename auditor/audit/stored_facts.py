"""Facts that were read before, from files or from the history: evaluating them anew, and storing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from auditor import __version__
from auditor.audit.assessment import evaluate_facts
from auditor.audit.context import AuditContext, new_context
from auditor.audit.service import new_run
from auditor.errors import FileFaults, UsageFault
from auditor.foundation.sanitize import counted, one_line, printable
from auditor.inventory.inventory import Inventory
from auditor.model.facts import HostFacts
from auditor.model.run import RulebookSummary, Run, TargetResult
from auditor.model.target import Target
from auditor.rulebook.rulebook import Rulebook

if TYPE_CHECKING:
    from auditor.advisories.database.knowledge import AdvisoryDatabase
    from auditor.history.store import Store

MAX_FACTS_BYTES = 16_000_000  # of one host's facts; those of a large server have two
_LONGEST_NAME = 253  # characters, as of a host name (RFC 1035)


class KnownFacts(NamedTuple):
    """A result with its facts, and why these are too old to tell; "" where they are not."""

    result: TargetResult
    stale: str = ""


def read_facts(paths: Sequence[str]) -> list[HostFacts]:
    """Facts from files and folders of *.json. FileFaults with every file that holds none."""
    files = [f for p in map(Path, paths) for f in (sorted(p.glob("*.json")) if p.is_dir() else [p])]
    facts, faults = [], []
    for file in files:
        try:
            if file.stat().st_size > MAX_FACTS_BYTES:
                raise ValueError(f"is larger than {MAX_FACTS_BYTES // 1_000_000} MB")
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
    """One document of auditor.facts/1, in which null stands for a missing key. msgspec.MsgspecError where it is none."""
    plain = msgspec.json.decode(text)
    if isinstance(plain, dict):
        plain = {key: value for key, value in plain.items() if value is not None}
    facts = msgspec.convert(plain, HostFacts, strict=True)
    product = facts.platform.product
    if facts.platform.family is None and product:
        family: Literal["windows", "linux"] = "windows" if product.startswith("windows") else "linux"
        facts = replace(facts, platform=replace(facts.platform, family=family))
    return facts


def from_files(paths: Sequence[str], inventory: Inventory, now: datetime) -> tuple[Run, Iterable[KnownFacts]]:
    """A run of given facts; a target of the inventory where one has the name, for its groups and labels."""
    facts = [(_target(f.target, inventory), f) for f in read_facts(paths)]
    return _bare_run(now), (KnownFacts(TargetResult(target=t, outcome="assessed", facts=f)) for t, f in facts)


def from_run(store: Store, ident: str) -> tuple[Run, Iterable[KnownFacts]]:
    """A stored run: hosts that could not be assessed then stay what they were, and so does a run that was stopped."""
    run = store.run(ident)
    return run, (KnownFacts(r) for r in run.results)


def newest(store: Store, when: datetime, oldest: timedelta) -> tuple[Run, Iterable[KnownFacts]]:
    """The fleet at a moment: each host by its newest facts until then, those older than `oldest` with the reason."""
    from auditor.history import fleet

    def known() -> Iterator[KnownFacts]:
        with store.guard("read"):
            high = fleet.high_of_day(store.db, when)
        for r in store.newest(high):
            age = when - r.facts.collected_at if r.facts else timedelta()
            yield KnownFacts(r, f"its facts are {counted(age.days, 'day')} old" if age > oldest else "")

    return _bare_run(when), known()


def evaluate_again(
    before: Run,
    known: Iterable[KnownFacts],
    rulebook: Rulebook,
    inventory: Inventory,
    now: datetime,
    advisories: AdvisoryDatabase | None = None,
) -> Run:
    """The run with its facts held against the rules of today."""
    context = new_context(rulebook, inventory, advisories=advisories)
    results = tuple(_evaluated(k, context) for k in known)
    fresh = new_run(rulebook, now, advisories)
    return replace(
        before, id=fresh.id, auditor=__version__, rulebook=fresh.rulebook, advisories=fresh.advisories, results=results
    )


def store_facts(
    facts: Sequence[HostFacts],
    store: Store,
    rulebook: Rulebook,
    inventory: Inventory,
    now: datetime,
    advisories: AdvisoryDatabase | None = None,
) -> Run:
    """Store facts made elsewhere as a run, evaluated by the rules of today. UsageFault where the history knows newer ones."""
    context = new_context(rulebook, inventory, advisories=advisories)
    run = new_run(rulebook, now, advisories)
    for f in facts:
        known = store.facts_of(f.target)
        if known and f.collected_at < known - timedelta(seconds=1):  # what is stored is rounded
            raise UsageFault(
                f"the facts of {f.target} are of {f.collected_at:%Y-%m-%d %H:%M} UTC, and the history knows newer ones, of {known:%Y-%m-%d %H:%M} UTC;"
                " `auditor judge FILE` judges them all the same"
            )
    store.begin(run, rulebook.ids, one_off=True)
    for f in facts:
        result = evaluate_facts(f, _target(f.target, inventory), context)
        store.add(run, [result], listed=inventory.targets)
    run = replace(run, finished=context.clock())
    store.finish(run)
    return run


def check_importable(facts: Sequence[HostFacts], now: datetime) -> None:
    """UsageFault where two of these facts are of one target, or one names no host or comes from the future."""
    names = [f.target for f in facts]
    if len(set(names)) != len(names):
        raise UsageFault("two of the files are of the same target; import them one after the other")
    for f in facts:
        if not f.target.strip() or printable(f.target) != f.target or "\n" in f.target or len(f.target) > _LONGEST_NAME:
            raise UsageFault(f"{one_line(f.target, 60)!r} is no name of a host; `target` of the facts has to be one")
        if f.collected_at > now + timedelta(days=1):
            raise UsageFault(f"the facts of {f.target} are dated {f.collected_at:%Y-%m-%d}, which is yet to come")


def _evaluated(known: KnownFacts, context: AuditContext) -> TargetResult:
    r = known.result
    if r.facts is None:
        return r
    evaluated = evaluate_facts(r.facts, r.target, context, r.error).slim()
    if not known.stale:
        return evaluated
    findings = (
        f if f.verdict == "not_applicable" else replace(f, verdict="unknown", why=f"{known.stale}; then: {f.why}")
        for f in evaluated.findings
    )
    return replace(evaluated, findings=tuple(findings))


def _target(name: str, inventory: Inventory) -> Target:
    return inventory.targets.get(name) or Target(name=name, connection="replay")


def _bare_run(when: datetime) -> Run:
    return Run(id="", started=when, finished=when, auditor=__version__, rulebook=RulebookSummary("", 0, ""))
