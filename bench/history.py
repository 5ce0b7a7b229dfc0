"""The history of a fleet over a year of nights: its size, saving a run, what it answers, judging its facts anew.

The fleet is made (bench/history_made.py): hosts of 800 packages and 20 findings, 1 % of which change each night. Making a
year of 1,000 hosts takes some twenty minutes, since each night is stored as a run stores it, with its report; `--nights`
makes it shorter.
"""

import json
from pathlib import Path
from typing import Any

from bench.measure import Contestant, Sample, errors, once, rounds
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row


def history(scene: Scene) -> list[Row]:
    if not scene.product.exists:
        return [Row("history", 0, remark=NO_PRODUCT)]
    rows = []
    for hosts in scene.made:
        try:
            rows += _fleet(scene, hosts)
        except RuntimeError as error:
            rows.append(Row("history", hosts, remark=str(error)))
    return rows


def _fleet(scene: Scene, hosts: int) -> list[Row]:
    path = scene.folder / f"history-{hosts}.db"
    made = _made(scene, "make", str(path), str(hosts), str(scene.nights))
    rules = scene.folder / "rules.jsonl"
    _made(scene, "rules", str(rules))
    auditor, given = str(scene.product.auditor), ["--history", str(path)]
    asked = {
        "history diff": [],
        "history host h0007": [],
        f"history rule {made['rule']}": [],
        f"history as-of {made['middle']}": [],
        "history trend": [],
        "judge --latest": ["--max-age", "9y", "--rules", str(rules), "--output", str(scene.folder / "judged.txt")],
    }
    runners = [Contestant(f"auditor {name}", hosts, [auditor, *name.split(), *more, *given]) for name, more in asked.items()]
    taken = rounds(runners, scene.rounds, scene.folder / "runs", scene.limit)
    size = f"{made['megabytes']:.1f} MB for {scene.nights} nights and {made['reports']} reports; a night without change adds {made['quiet']:.0f} bytes per host"
    saved = [Sample(wall) for wall in made["saved"]]
    return [
        Row("saving a run", hosts, saved, f"the last {len(saved)} nights, in process; {size}", local=True),
        Row("reading it back and rendering its HTML", hosts, [Sample(made["rendered"])], f"{made['page']:.2f} MB of HTML, {made['open']} open findings, {made['peak']:.0f} MB of memory at most", local=True),
        *(Row(r.name, hosts, taken[r.name], "150 of 1,500 rules apply" if "judge" in r.name else "", local=True) for r in runners),
    ]  # fmt: skip


def _made(scene: Scene, *arguments: str) -> Any:
    """What history_made.py prints, run by the product's interpreter."""
    folder = scene.folder / "runs"
    folder.mkdir(exist_ok=True)
    command = [str(scene.product.python), "-m", "bench.history_made", *arguments]
    run = once(Contestant("history", 1, command, {"PYTHONPATH": str(Path.cwd())}), folder, max(scene.limit, 7200))
    if run.exit != 0:
        raise RuntimeError(f"the made history: exit {run.exit}: {' '.join(errors(folder)[-1:])}")
    return json.loads((folder / "stdout").read_bytes())
