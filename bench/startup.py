"""What somebody at a terminal waits for: the help text, and an audit of the machine they sit at."""

from bench.measure import Contestant, rounds
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row

ROUNDS = 10


def startup(scene: Scene) -> list[Row]:
    """Ten rounds of each, after one that leaves compiled modules behind and is not counted."""
    auditor = str(scene.product.auditor)
    commands = {
        "auditor --help": [auditor, "--help"],
        "auditor scan local": [auditor, "scan", "local", "--no-history", "--no-report", "--format", "json"],
    }
    if not scene.product.exists:
        return [Row(name, 0, remark=NO_PRODUCT) for name in commands]
    runners = [Contestant(name, 0, command) for name, command in commands.items()]
    folder = scene.folder / "runs"
    rounds(runners, 1, folder, scene.limit)
    taken = rounds(runners, ROUNDS, folder, scene.limit)
    return [Row(name, 0, taken[name], local=True) for name in commands]
