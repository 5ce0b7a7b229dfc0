"""Reading the archive of KB articles, and judging by the rules that came of it; no network, no host.

The yardstick is `unzip -p ARCHIVE | wc -w` in the same rounds: what it costs to inflate the text and look at each byte.
"""

import json
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import Contestant, Sample, errors, once, rounds
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row

UNZIP = "unzip -p | wc -w"
HOSTS, STATES = 1000, 50
STATES_MADE = "bench.advisories_states"


def advisories(scene: Scene) -> list[Row]:
    """The reader beside unzip, then one host and a thousand stored facts against the shipped rules."""
    if not scene.product.exists:
        return [Row("advisories", 0, remark=NO_PRODUCT)]
    return [*_reading(scene), *_judging(scene)]


def _reading(scene: Scene) -> list[Row]:
    if not scene.archive.is_file():
        return [Row("auditor advisories read", 0, remark=f"{scene.archive} is not there")]
    archive = str(scene.archive.absolute())
    read = [str(scene.product.auditor), "advisories", "read", archive, "--format", "jsonl"]
    runners = [
        Contestant(UNZIP, 0, ["sh", "-c", 'unzip -p "$0" | wc -w', archive]),
        *(Contestant(f"auditor advisories read --jobs {jobs}", 0, [*read, "--jobs", str(jobs)]) for jobs in (1, 2)),
    ]
    taken = rounds(runners, scene.rounds, scene.folder / "runs", scene.limit)
    rows = [Row(runner.name, 0, taken[runner.name], local=True) for runner in runners]
    return [rows[0], *(Row(row.command, 0, row.samples, _times_of(row, rows[0]), local=True) for row in rows[1:])]


def _times_of(row: Row, yardstick: Row) -> str:
    taken, least = (median(s.wall for s in r.samples) for r in (row, yardstick))
    return f"{taken / least:.1f} times {yardstick.command}"


def _judging(scene: Scene) -> list[Row]:
    """`judge` as a command, and load and verdicts alone, in process: the report of a thousand hosts is not judging."""
    facts, out = scene.folder / "states", scene.folder / "judged.json"
    try:
        first, *_ = product(scene, STATES_MADE, "facts", str(facts), str(HOSTS), str(STATES))
        judge = [str(scene.product.auditor), "judge", "--format", "json", "--output", str(out), str(facts / first)]
        one = rounds([Contestant("auditor judge, one NT host", 1, judge)], scene.rounds, scene.folder / "runs", scene.limit)
        inside = {name: _times(scene, facts, count) for name, count in (("one", 1), ("many", HOSTS))}
    except RuntimeError as error:
        return [Row("auditor judge", HOSTS, remark=str(error))]
    loaded = "rules loaded, facts read and judged"
    return [
        *(Row(name, 1, samples, "the whole command", local=True) for name, samples in one.items()),
        Row("one NT host, in process", 1, inside["one"], loaded, local=True),
        Row(f"NT hosts in {STATES} states, in process", HOSTS, inside["many"], loaded),
    ]


def _times(scene: Scene, facts: Path, count: int) -> list[Sample]:
    taken = [product(scene, STATES_MADE, "judge", str(facts), str(count)) for _ in range(scene.rounds)]
    return [Sample(wall, cpu) for wall, cpu in taken]


def product(scene: Scene, module: str, *arguments: str) -> Any:
    """What a module prints as JSON, run by the product's interpreter."""
    folder = scene.folder / "runs"
    folder.mkdir(exist_ok=True)
    command = [str(scene.product.python), "-m", module, *arguments]
    run = once(Contestant("advisories", 1, command, {"PYTHONPATH": str(Path.cwd())}), folder, scene.limit)
    if run.exit != 0:
        raise RuntimeError(f"stored facts: exit {run.exit}: {' '.join(errors(folder)[-1:])}")
    return json.loads((folder / "stdout").read_bytes())
