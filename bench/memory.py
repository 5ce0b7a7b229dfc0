"""Memory: the peak of a whole audit, and what each further open connection costs.

Every host holds its answer back until all connections stand (`hold`), and both runs have the same hosts, so
that they differ in nothing but how many connections are open at once. How many really were is counted in
the kernel's own table.
"""

import threading
from pathlib import Path

from bench import contestants, fleet, netns
from bench.measure import Contestant, Sample, rounds
from bench.scene import HELD_PORT, NO_PRODUCT, Scene
from bench.table import Row

HOSTS, FEW, MANY, HOLD_SECONDS = 300, 100, 300, 15.0


class Watch(threading.Thread):
    """Keeps the largest number of connections it saw open."""

    def __init__(self, server: int, port: int) -> None:
        super().__init__(daemon=True)
        self.server, self.port, self.most, self.over = server, port, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.25):
            # Both ends of a loopback connection are in the table; only the server's has our port as its own.
            self.most = max(self.most, netns.established(self.server, self.port))


def memory(scene: Scene) -> list[Row]:
    """The audit's peak with few and with many connections open, and the growth per connection."""
    if not scene.product.exists:
        return [Row("auditor audit, memory", HOSTS, remark=NO_PRODUCT)]
    rows: list[Row] = []
    peaks: dict[int, float] = {}
    opened: dict[int, int] = {}
    with (
        netns.namespace("memory") as space,
        fleet.sshd(scene.folder / "sshd-held", scene.keys, space, HELD_PORT, HOLD_SECONDS) as server,
    ):
        for jobs in (FEW, MANY):
            folder = scene.folder / f"memory-{jobs}"
            held = fleet.write(folder, scene.keys, fleet.hosts(HOSTS, HELD_PORT))
            runner = contestants.audit(scene.product, held, space, f"auditor audit --jobs {jobs}, held", jobs)
            samples, opened[jobs] = _watched(runner, server, scene.folder / "runs", scene.limit)
            peaks[jobs] = samples[0].peak_mb
            rows.append(Row(runner.name, HOSTS, samples, f"{opened[jobs]} connections open at once", local=True))
    # The server counts a closed connection a moment longer: no more are ours than there are jobs.
    more = min(opened[MANY], MANY) - min(opened[FEW], FEW)
    if more > 0:
        growth = (peaks[MANY] - peaks[FEW]) * 1024 / more
        last = rows.pop()
        remark = f"{last.remark}; {growth:.0f} KB for each further one"
        rows.append(Row(last.command, last.hosts, last.samples, remark, local=True))
    return rows


def _watched(runner: Contestant, server: int, folder: Path, limit: float) -> tuple[list[Sample], int]:
    watch = Watch(server, HELD_PORT)
    watch.start()
    try:
        return rounds([runner], 1, folder, limit)[runner.name], watch.most
    finally:
        watch.over.set()
        watch.join()
