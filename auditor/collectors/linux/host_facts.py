"""From one command's answer to one host's facts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec

from auditor.collectors.gather import gather
from auditor.collectors.linux import LINUX
from auditor.collectors.linux.parsed_before import parsed
from auditor.collectors.linux.script_output import ScriptOutput, parse_output
from auditor.collectors.linux.settings import argument
from auditor.model.facts import HostFacts, Platform, Volatile
from auditor.transports.command import CommandResult


def arguments(settings: Iterable[str]) -> list[str]:
    """The settings that rules ask for, as the script takes them."""
    return [argument(key) for key in settings]


def linux_facts(result: CommandResult, marker: str, *, target: str, method: str, now: datetime) -> HostFacts:
    """Parse every collector's part. A part that cannot be read leaves its facts None and says why in `outcomes`;
    nothing raises."""
    output = parse_output(result.stdout, marker, result.truncated.message if result.truncated else None, result.stderr)
    facts, outcomes = gather((c.name, partial(parsed, c, output), _seconds(output, c.sections)) for c in LINUX)
    volatile = Volatile(
        **{name: facts.pop(name) for name in ("counters", "queues", "pids") if name in facts},
        **{k: v for k, v in msgspec.structs.asdict(facts.pop("volatile", Volatile())).items() if k in ("uptime", "clock")},
    )
    return HostFacts(
        target=target,
        collected_at=now,
        platform=facts.pop("platform", Platform()),
        method=f"{method}, {_privilege(output)}",
        volatile=volatile,
        outcomes=tuple(outcomes),
        **facts,
    )


def _privilege(output: ScriptOutput) -> str:
    return "as root" if output.root else "asking sudo" if output.sudo else "without privilege"


def _seconds(output: ScriptOutput, sections: tuple[str, ...]) -> float | None:
    known = [s.seconds for name in sections if (s := output.sections.get(name)) and s.seconds is not None]
    return round(sum(known), 2) if known else None
