"""One host far away: what a single contact costs when every answer takes 50 ms, and its round trips.

Round trips are told from the outside, the same way for every client: the contact over the slow link minus
the same contact over loopback, divided by the round-trip time. Neither CPU nor start-up counts in it, and
no tap disturbs the timing.
"""

import contextlib
import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from bench import contestants, fleet, netns
from bench.measure import Contestant, Sample, errors, once, rounds
from bench.scene import NO_PRODUCT, NO_SCRIPT, PORT, Scene
from bench.table import Row

FAR, NEAR = fleet.Host("far", "10.99.0.1", PORT), fleet.Host("near", "127.0.0.1", PORT)
# Run in the product's interpreter: modules are imported and one contact is made before anything is timed.
CONTACT = """
import importlib, json, sys, time
from pathlib import Path
module, _, function = sys.argv[1].partition(":")
contact = getattr(importlib.import_module(module), function)
inventory, taken = Path(sys.argv[2]), {"near": [], "far": []}
contact(inventory, "near")
for _ in range(int(sys.argv[3])):
    for name in taken:
        started = time.perf_counter()
        contact(inventory, name)
        taken[name].append(time.perf_counter() - started)
print(json.dumps(taken))
"""


def latency(scene: Scene) -> list[Row]:
    """ssh with the product's script, `auditor scan` as a whole, its contact alone; each far and near."""
    if not scene.slowlink.is_file():
        return [Row("one host, slow link", 1, remark=f"{scene.slowlink} is not there")]
    with (
        slow_link(scene.slowlink, scene.rtt) as (far, near),
        fleet.sshd(scene.folder / "sshd-far", scene.keys, far, PORT),
        fleet.sshd(scene.folder / "sshd-near", scene.keys, near, PORT),
    ):
        both = fleet.write(scene.folder / "link", scene.keys, [FAR, NEAR])
        runners = [*_ssh(scene, both, near), *_scans(scene, both, near)]
        taken = rounds(runners, scene.rounds, scene.folder / "runs", scene.limit)
        own = taken.pop("script", [])
        pairs = {r.name: (r.name.replace(FAR.name, NEAR.name)) for r in runners if FAR.name in r.name.split()}
        rows = [_row(name, taken[name], taken[other], own, scene.rtt) for name, other in pairs.items()]
        rows += [_in_process(scene, both, near, name, own) for name in scene.product.contacts]
    rows += [] if own else [Row("the script alone", 1, remark=NO_SCRIPT)]
    rows += [] if scene.product.exists else [Row("auditor scan far", 1, remark=NO_PRODUCT)]
    script = [Row("the script alone, no ssh", 1, own, local=True)] if own else []
    return script + rows


def _ssh(scene: Scene, both: fleet.Fleet, near: str) -> list[Contestant]:
    script = scene.product.script
    if not script:
        return []
    bare = {"HOME": str(scene.keys / "home")}
    alone = Contestant("script", 1, [*netns.inside(near), fleet.SHELL, "-c", script], bare)
    client = [*netns.inside(near), *contestants.ssh(both, tuned=True), "-p", str(PORT), "-l", fleet.USER]
    far, close = (Contestant(f"ssh {h.name} , tuned", 1, [*client, h.address, script]) for h in (FAR, NEAR))
    return [alone, far, close]


def _scans(scene: Scene, both: fleet.Fleet, near: str) -> list[Contestant]:
    if not scene.product.exists:
        return []
    return [contestants.scan(scene.product, both, near, host.name) for host in (FAR, NEAR)]


def _in_process(scene: Scene, both: fleet.Fleet, near: str, name: str, own: Sequence[Sample]) -> Row:
    """The product's own entry, called `function(inventory, host)`; it raises where the host was not read."""
    command = [*netns.inside(near), str(scene.product.python), "-c", CONTACT]
    command += [name, str(both.inventory), str(scene.rounds)]
    folder = scene.folder / "runs"
    from_here = {"PYTHONPATH": str(Path.cwd())}  # a callable may also stand in the project that runs the benchmark
    run = once(Contestant(name, 1, command, from_here), folder, scene.limit)
    if run.exit != 0:
        return Row(f"{name}, in process", 1, remark=f"exit {run.exit}: {' '.join(errors(folder)[-1:])}")
    taken = json.loads((folder / "stdout").read_text().splitlines()[-1])
    far, close = ([Sample(seconds) for seconds in taken[where]] for where in ("far", "near"))
    return _row(f"{name}, in process", far, close, own, scene.rtt)


def _row(name: str, far: Sequence[Sample], near: Sequence[Sample], own: Sequence[Sample], rtt: float) -> Row:
    wall, close = (median(s.wall for s in samples) for samples in (far, near))
    parts = [f"{(wall - close) / rtt:.1f} round trips of {rtt * 1000:.0f} ms"]
    parts.append(f"{close * 1000:.0f} ms over loopback")
    if own:
        beyond = wall - median(s.wall for s in own)
        parts.insert(0, f"{beyond * 1000:.0f} ms beyond the script's own time")
    return Row(name.replace(" ,", ","), 1, far, "; ".join(parts), local=True)


@contextlib.contextmanager
def slow_link(program: Path, rtt: float) -> Iterator[tuple[str, str]]:
    """The two namespaces that `program` joins, the server's first; it deletes them when it is ended."""
    far, near = netns.name("far"), netns.name("near")
    command = ["setpriv", "--pdeathsig", "TERM", sys.executable, str(program), "--rtt", str(rtt)]
    with subprocess.Popen([*command, "--server", far, "--client", near], stdout=subprocess.PIPE, text=True) as link:
        try:
            assert link.stdout is not None
            if not select.select([link.stdout], [], [], 10)[0] or link.stdout.readline().strip() != "ready":
                raise RuntimeError(f"{program} made no link")
            yield far, near
        finally:
            link.send_signal(signal.SIGTERM)
            try:
                link.wait(5)
            except subprocess.TimeoutExpired:
                link.kill()
            netns.end(far)
            netns.end(near)
