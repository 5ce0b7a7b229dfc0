"""Windows hosts by WinRM: one over loopback, a crowd of them, and one far away; beside plain pywinrm.

The hosts are the tests' lab (windows_lab.py), which answers in a fraction of a millisecond what a Windows takes
milliseconds for; so the seconds are the client's own, and requests and round trips are what carries over.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import contestants, fleet, netns
from bench.latency import FAR, slow_link
from bench.measure import Contestant, Sample, errors, once, rounds
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row, ratio
from bench.windows_lab import PASSWORD, USER, Lab, lab, write

PLAIN = "pywinrm, one run_cmd a question"
HOSTS = {"2022": "windows-server-2022", "2012-r2": "windows-server-2012-r2"}
CROWD, JOBS = 64, 16
TURNS, AT_MOST = 15, 3  # contacts of each kind over loopback; runs over the crowd and contacts far away


def windows(scene: Scene) -> list[Row]:
    """The three parts; a lab that does not start costs all of them."""
    if not scene.product.exists:
        return [Row("Windows hosts by WinRM", 1, remark=NO_PRODUCT)]
    try:
        return [*_one(scene), *_crowd(scene), *_far(scene)]
    except RuntimeError as error:
        return [Row("Windows hosts by WinRM", 1, remark=str(error))]


def _one(scene: Scene) -> list[Row]:
    """One host over loopback, in-process by turns; and with everything that a call from a terminal costs."""
    ways = ["auditor", "pywinrm"] if PLAIN in scene.names else ["auditor"]
    turns = {f"{method}={kind}-{method}": host for kind, host in HOSTS.items() for method in ways}
    posed = {word.partition("=")[2]: host for word, host in turns.items()} | {f"Windows-{k}": h for k, h in HOSTS.items()}
    with netns.namespace("windows") as space, lab(scene.product.python, scene.folder / "lab-one", space, posed) as near:
        hosts = write(scene.folder / "windows-one", near.hosts())
        _questions(
            scene, hosts, space, {name: f"Windows-{name.partition('-pywinrm')[0]}" for name in posed if "-pywinrm" in name}
        )
        taken, asked = _by_turns(scene, hosts, space, list(turns), TURNS, [near])
        scans = [contestants.scan(scene.product, hosts, space, f"Windows-{kind}") for kind in HOSTS]
        whole = rounds(scans, scene.rounds, scene.folder / "runs", scene.limit)
    rows = []
    for word in turns:
        method, _, name = word.partition("=")
        rows.append(
            Row(f"{_named(method)}, {name.removesuffix(f'-{method}')}, in process", 1, taken[word], asked[name], local=True)
        )
    return rows + [Row(scan.name, 1, whole[scan.name], local=True) for scan in scans]


def _crowd(scene: Scene) -> list[Row]:
    """Both kinds of host in equal numbers, by the command line, with as many threads for either contestant."""
    kinds = list(HOSTS.values())
    posed = {f"w{i + 1:03d}": kinds[i % len(kinds)] for i in range(CROWD)}
    with netns.namespace("crowd") as space, lab(scene.product.python, scene.folder / "lab-crowd", space, posed) as near:
        hosts = write(scene.folder / "windows-crowd", near.hosts())
        ours = contestants.audit(scene.product, hosts, space, f"auditor audit --jobs {JOBS}, Windows", JOBS)
        runners = [ours]
        if PLAIN in scene.names:
            runners.append(_plain(scene, hosts, space, posed))
        taken: dict[str, list[Sample]] = {runner.name: [] for runner in runners}
        asked = dict.fromkeys(taken, (0, 0))
        for _ in range(min(scene.rounds, AT_MOST)):
            for runner in runners:
                before = _sum(near)
                taken[runner.name] += rounds([runner], 1, scene.folder / "runs", scene.limit)[runner.name]
                asked[runner.name] = (
                    asked[runner.name][0] + _sum(near)[0] - before[0],
                    asked[runner.name][1] + _sum(near)[1] - before[1],
                )
    rows = {name: Row(name, CROWD, samples, _asked(*asked[name], len(samples) * CROWD)) for name, samples in taken.items()}
    if len(rows) == 1:
        return list(rows.values())
    first, other = rows.values()
    return [Row(first.command, CROWD, first.samples, f"{first.remark}; {ratio(first, other)}"), other]


def _far(scene: Scene) -> list[Row]:
    """One host over the slow link and over loopback: the difference is round trips."""
    if not scene.slowlink.is_file():
        return [Row("one Windows host, slow link", 1, remark=f"{scene.slowlink} is not there")]
    ways = ["auditor", "one connection", "three connections", *(["pywinrm"] if PLAIN in scene.names else [])]
    words = {method: (f"{method}=far-{number}", f"{method}=near-{number}") for number, method in enumerate(ways)}
    name, host = next(iter(HOSTS.items()))
    python, folder = scene.product.python, scene.folder
    posed = {where: {f"{where}-{n}": host for n in range(len(ways))} for where in ("far", "near")}
    with (
        slow_link(scene.slowlink, scene.rtt) as (far, near),
        lab(python, folder / "lab-far", far, posed["far"], FAR.address) as there,
        lab(python, folder / "lab-near", near, posed["near"]) as here,
    ):
        hosts = write(folder / "windows-far", [*there.hosts(), *here.hosts()])
        last = len(ways) - 1
        _questions(scene, hosts, near, {f"{where}-{last}": "near-0" for where in posed})
        flat = [word for pair in words.values() for word in pair]
        taken, asked = _by_turns(scene, hosts, near, flat, min(scene.rounds, AT_MOST), [there, here])
    rows = []
    for number, (method, (slow, quick)) in enumerate(words.items()):
        beyond = (median(s.wall for s in taken[slow]) - (close := median(s.wall for s in taken[quick]))) / scene.rtt
        remark = f"{beyond:.1f} round trips of {scene.rtt * 1000:.0f} ms; {close * 1000:.0f} ms over loopback"
        rows.append(
            Row(f"{_named(method)}, {name}, slow link", 1, taken[slow], f"{remark}; {asked[f'far-{number}']}", local=True)
        )
    return rows


def _named(method: str) -> str:
    return {"auditor": "auditor, WinRM", "pywinrm": PLAIN}.get(method, f"auditor, WinRM, {method}")


def _questions(scene: Scene, hosts: fleet.Fleet, space: str, alike: Mapping[str, str]) -> None:
    """Leaves beside the inventory what pywinrm is to ask each host: the product's questions for the one named."""
    said = _product(scene, space, [str(hosts.inventory), "questions", *dict.fromkeys(alike.values())])
    (hosts.folder / "questions.json").write_text(json.dumps({name: said[other] for name, other in alike.items()}))


def _by_turns(
    scene: Scene, hosts: fleet.Fleet, space: str, words: Sequence[str], count: int, labs: Sequence[Lab]
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Every contact's sample by WAY=HOST, and by host what one contact asked; the unmeasured one is like the others."""
    before = [one.counts() for one in labs]
    said = _product(scene, space, [str(hosts.inventory), str(count), *words])
    asked: dict[str, str] = {}
    for one, then in zip(labs, before, strict=True):
        for name, (requests, connections) in one.counts().items():
            asked[name] = _asked(requests - then[name][0], connections - then[name][1], count + 1)
    return {word: [Sample(wall, cpu) for wall, cpu in pairs] for word, pairs in said.items()}, asked


def _product(scene: Scene, space: str, arguments: Sequence[str]) -> dict[str, list[Any]]:
    """What windows_contact.py prints, run by the product's interpreter."""
    command = [*netns.inside(space), str(scene.product.python), "-m", "bench.windows_contact", *arguments]
    folder = scene.folder / "runs"
    folder.mkdir(exist_ok=True)
    run = once(Contestant("windows", 1, command, {"PYTHONPATH": str(Path.cwd())}), folder, scene.limit)
    if run.exit != 0:
        raise RuntimeError(f"one Windows host, in process: exit {run.exit}: {' '.join(errors(folder)[-1:])}")
    return dict(json.loads((folder / "stdout").read_text().splitlines()[-1]))


def _plain(scene: Scene, hosts: fleet.Fleet, space: str, posed: Mapping[str, str]) -> Contestant:
    """pywinrm over the whole crowd, as a script of its own."""
    first = {kind: name for name, kind in posed.items()}
    said = _product(scene, space, [str(hosts.inventory), "questions", *first.values()])
    plan = hosts.folder / "plan.json"
    told = {"jobs": JOBS, "user": USER, "password": PASSWORD, "questions": {kind: said[n] for kind, n in first.items()}}
    plan.write_text(json.dumps(told | {"hosts": [(f"http://{h.address}:{h.port}/wsman", posed[h.name]) for h in hosts.hosts]}))
    command = [*netns.inside(space), str(scene.product.python), str(Path(__file__).with_name("windows_pywinrm.py")), str(plan)]
    return Contestant(f"{PLAIN}, {JOBS} threads", CROWD, command, answered=lambda output: int(output.read_text() or 0))


def _sum(near: Lab) -> tuple[int, int]:
    counted = near.counts().values()
    return sum(r for r, _ in counted), sum(c for _, c in counted)


def _asked(requests: int, connections: int, contacts: int) -> str:
    return f"{requests / contacts:.3g} requests, {connections / contacts:.3g} connections a host"
