"""A fleet asked through a zone beside the same fleet asked from here: time, everybody's CPU, and the bytes on the line.

All hosts are replayed, so that nothing but auditor, the workers and RabbitMQ is measured; the broker is a real one with TLS, two
workers ask. One-process audit and batches take turns. A year's first night sends everything, each further one what has changed.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import Sample, say
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row
from tests.lab.rabbit import SERVER
from tests.lab.zones import ZoneLab
from tests.places import RECORDINGS

BATCHES = (1, 8, 32)
WORKERS, JOBS = 2, 32
RECORDING = RECORDINGS / "debian-12-root"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Night:
    """One audit: wall seconds, CPU seconds of centre, workers and broker, the centre's peak in MB, bytes out and home."""

    wall: float
    centre: float
    workers: float
    broker: float
    peak_mb: float
    exit: int
    sent: int = 0
    received: int = 0

    def sample(self) -> Sample:
        return Sample(self.wall, self.centre + self.workers + self.broker, self.peak_mb, self.exit)


def zones(scene: Scene) -> list[Row]:
    """Rows for one process, for each batch, and for the nights after the first."""
    hosts = scene.zone_hosts
    if not scene.product.exists or SERVER is None:
        return [Row("zones", hosts, remark=NO_PRODUCT if SERVER else "there is no RabbitMQ here")]
    with ExitStack() as stack:
        lab = stack.enter_context(ZoneLab(scene.folder / "zones"))
        (scene.folder / "zones" / "own").mkdir(exist_ok=True)
        settings = lab.settings("plant", f"[{{hosts: [10.0.0.0/8], recording: {RECORDING}}}]", f"jobs: {JOBS}\n")
        workers = [stack.enter_context(lab.worker("plant", settings)) for _ in range(WORKERS)]
        pids = [w.pid for w in workers]
        taken: dict[str, list[Night]] = {}
        names = {"one process": 0, **{f"zone, batches of {b}": b for b in BATCHES}}
        for number in range(scene.rounds + 1):
            for name, batch in names.items():
                inventory, history = _inventory(lab, hosts, batch), scene.folder / "zones" / f"{batch}.db"
                for night in ("first", "next"):
                    if night == "first":
                        for left in history.parent.glob(f"{history.name}*"):
                            left.unlink()
                    measured = _night(scene, inventory, history, pids, lab.broker.pid)
                    say(f"zones, round {number}: {name}, {night} night … {measured.wall:.2f} s, exit {measured.exit}\n")
                    if number:  # one round to warm up
                        taken.setdefault(f"{name}, {night} night", []).append(measured)
    return list(_rows(hosts, taken))


def _rows(hosts: int, taken: dict[str, list[Night]]) -> Iterator[Row]:
    for name, nights in taken.items():
        own = taken[f"one process, {name.rpartition(', ')[2]}"]
        wall = median(n.wall for n in own) / median(n.wall for n in nights)
        cpu = median(n.sample().cpu for n in nights) / median(n.sample().cpu for n in own)
        parts = [f"{wall:.2f} × one process", f"{cpu:.2f} × its CPU"]
        if nights[0].sent:
            share = median(n.broker / n.sample().cpu for n in nights)
            centre, asking = (median(getattr(n, what) * 1000 / hosts for n in nights) for what in ("centre", "workers"))
            parts.append(f"centre {centre:.1f} and workers {asking:.1f} ms per host")
            sent, received = (median(getattr(n, what) / hosts for n in nights) for what in ("sent", "received"))
            parts += [f"broker {share:.0%} of it", f"{sent:.0f} bytes out and {received:.0f} home per host"]
        yield Row(name, hosts, [n.sample() for n in nights], "; ".join(parts))


def _inventory(lab: ZoneLab, hosts: int, batch: int) -> Path:
    names = [f"  h{n}: {{address: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}}}\n" for n in range(1, hosts + 1)]
    path = lab.folder / f"inventory-{batch}.yaml"
    if batch:
        text = lab.inventory(
            f"defaults: {{zone: plant}}\nhosts:\n{''.join(names)}", f"{{plant: {{jobs: {WORKERS * JOBS}, batch: {batch}}}}}"
        )
        path.write_text(text.read_text())
    else:
        path.write_text(f"defaults: {{connection: replay, path: {RECORDING}}}\nhosts:\n{''.join(names)}")
    return path


def _night(scene: Scene, inventory: Path, history: Path, workers: list[int], broker: int) -> Night:
    command = [
        str(scene.product.auditor),
        "audit",
        "--inventory",
        str(inventory),
        "--history",
        str(history),
        "--jobs",
        str(JOBS),
        "--no-report",
    ]
    output = history.with_suffix(".json")
    before, broker_before = sum(map(_cpu, workers)), _cpu(broker)
    started = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen([*command, "--format", "json"], stdout=out, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    zones = json.loads(output.read_bytes())["run"]["zones"]
    return Night(
        wall,
        usage.ru_utime + usage.ru_stime,
        sum(map(_cpu, workers)) - before,
        _cpu(broker) - broker_before,
        usage.ru_maxrss / 1024,
        process.returncode,
        sum(z["sent"] for z in zones),
        sum(z["received"] for z in zones),
    )


def _cpu(pid: int) -> float:
    """Seconds of a process and of all below it, the dead that were waited for included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK + sum(_cpu(int(child)) for child in below)
