"""Many hosts at once: the product beside what is used today, and what ten dead hosts in a hundred cost."""

from statistics import median

from bench import ansible, contestants, fleet, netns
from bench.measure import Contestant, rounds
from bench.scene import NO_PRODUCT, NO_SCRIPT, PORT, Scene
from bench.table import Row, ratio

WARM_UP_HOSTS = 4


def throughput(scene: Scene) -> list[Row]:
    """One interleaved run for each fleet size, after an uncounted round with a few that fills caches."""
    rows: list[Row] = []
    with netns.namespace("fleet") as space, fleet.sshd(scene.folder / "sshd", scene.keys, space, PORT):
        warm = fleet.write(scene.folder / "warm-up", scene.keys, fleet.hosts(WARM_UP_HOSTS, PORT))
        rounds(_field(scene, warm, space), 1, scene.folder / "runs", scene.limit)
        for count in scene.hosts:
            crowd = fleet.write(scene.folder / f"fleet-{count}", scene.keys, fleet.hosts(count, PORT))
            runners = _field(scene, crowd, space)
            taken = rounds(runners, scene.rounds, scene.folder / "runs", scene.limit)
            rows += _compared([Row(runner.name, count, taken[runner.name]) for runner in runners])
            rows += [Row(name, count, remark=why) for name, why in _left_out(scene).items()]
    return rows


def dead(scene: Scene, count: int = 100, gone: int = 10) -> list[Row]:
    """The same number of hosts, all alive and with some that drop every packet, in turns."""
    if not scene.product.exists:
        return [Row(f"auditor audit, {gone} hosts dead", count, remark=NO_PRODUCT)]
    with netns.namespace("dead") as space, fleet.sshd(scene.folder / "sshd-dead", scene.keys, space, PORT):
        if not netns.drops_silently(space):
            return [Row(f"auditor audit, {gone} hosts dead", count, remark="refused instead of dropped here")]
        names = {f"auditor audit, {gone if lost else 'no'} hosts dead": lost for lost in (0, gone)}
        runners = [
            contestants.audit(
                scene.product,
                fleet.write(scene.folder / f"dead-{lost}", scene.keys, fleet.hosts(count, PORT, lost)),
                space,
                name,
            )
            for name, lost in names.items()
        ]
        taken = rounds(runners, scene.rounds, scene.folder / "runs", scene.limit)
    healthy, hurt = (Row(name, count, taken[name]) for name in names)
    beyond = median(s.wall for s in hurt.samples) - median(s.wall for s in healthy.samples)
    remark = f"{beyond:.2f} s over the healthy run, connect time-out {fleet.CONNECT_SECONDS} s"
    return [healthy, Row(hurt.command, count, hurt.samples, remark)]


def _field(scene: Scene, crowd: fleet.Fleet, space: str) -> list[Contestant]:
    runners = [
        contestants.audit(scene.product, crowd, space),
        contestants.xargs(scene.product, crowd, space, tuned=True),
        contestants.xargs(scene.product, crowd, space, tuned=False),
    ]
    if scene.ansible:
        runners.append(ansible.setup(scene.product, crowd, space, scene.ansible))
    left_out = _left_out(scene)
    return [runner for runner in runners if runner.name in scene.names and runner.name not in left_out]


def _left_out(scene: Scene) -> dict[str, str]:
    """Who does not take part, and why."""
    reasons = {
        contestants.AUDIT: "" if scene.product.exists else NO_PRODUCT,
        contestants.TUNED: "" if scene.product.script else NO_SCRIPT,
        contestants.UNTUNED: "" if scene.product.script else NO_SCRIPT,
        ansible.NAME: "" if scene.ansible else scene.without_ansible,
    }
    return {name: why for name, why in reasons.items() if why and name in scene.names}


def _compared(rows: list[Row]) -> list[Row]:
    """The product's row says how it compares with each of the others."""
    ours = next((row for row in rows if row.command == contestants.AUDIT), None)
    if ours is None:
        return rows
    others = [row for row in rows if row is not ours]
    return [
        Row(ours.command, ours.hosts, ours.samples, "; ".join(ratio(ours, row) for row in others)),
        *others,
    ]
