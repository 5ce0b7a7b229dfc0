"""Stored facts of posed Windows NT hosts, and the time it takes to judge them; run by the product's interpreter.

`python -m bench.advisories_states facts FOLDER COUNT STATES` writes COUNT files of that many distinct patch states and prints
the first one's name; `... judge FOLDER COUNT` prints wall and CPU seconds of loading the shipped rules, reading that many
of the files and judging each.
"""

import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from auditor.audit.assessment import evaluate_facts
from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.audit.stored_facts import read_facts
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.model.facts import HostFacts, Hotfix
from auditor.model.target import Target
from auditor.rulebook.loader import load
from tests.lab.windows import offline
from tests.lab.windows.host import HOSTS, load_host

PACKS = ("0", "1", "3", "4", "5", "6", "6a")


def posed(name: str) -> HostFacts:
    """One host of the tests' lab, read from the files that a collector script carries home."""
    with tempfile.TemporaryDirectory() as folder:
        offline.carry_home(
            load_host(name), Path(folder), "unicode", {"software.reg": r"HKLM\SOFTWARE", "system.reg": r"HKLM\SYSTEM"}
        )
        found = scan(Target(name=name, connection="replay", path=folder), audit(), Stop()).facts
    assert found
    return found


def audit() -> AuditContext:
    return AuditContext(rulebook=load(), clock=lambda: datetime.now(UTC), marker=lambda: "0" * 24)


def write(folder: Path, count: int, states: int) -> str:
    """NT 4.0 hosts that differ in service pack and hotfixes; the same every time."""
    chance = random.Random(1)
    hosts = [posed(name) for name in HOSTS if name.startswith("nt40")]
    made = []
    for number in range(states):
        host = hosts[number % len(hosts)]
        ids = sorted(chance.sample([f"Q{i}" for i in range(190000, 260000, 7)], 12))
        platform = replace(host.platform, service_pack=chance.choice(PACKS))
        made.append(replace(host, platform=platform, hotfixes=tuple(Hotfix(i, "registry claim: HotFix") for i in ids)))
    folder.mkdir(parents=True)
    for number in range(count):
        host = replace(made[number % states], target=f"nt{number:04}")
        (folder / f"{host.target}.json").write_bytes(msgspec.json.encode(host))
    return "nt0000.json"


def judge(folder: Path, count: int) -> tuple[float, float]:
    """Wall and CPU seconds."""
    started, used = time.perf_counter(), time.process_time()
    held = AuditContext(rulebook=load(), clock=utc_now, marker=lambda: "0" * 24)
    paths = sorted(folder.glob("*.json"))[:count]
    results = [evaluate_facts(facts, Target(name=facts.target), held) for facts in read_facts(tuple(map(str, paths)))]
    taken = time.perf_counter() - started, time.process_time() - used
    assert len(results) == count
    assert all(result.findings for result in results)
    return taken


if __name__ == "__main__":
    what, place, *numbers = sys.argv[1:]
    done = [write(Path(place), *map(int, numbers))] if what == "facts" else judge(Path(place), int(numbers[0]))
    print(json.dumps(done))
