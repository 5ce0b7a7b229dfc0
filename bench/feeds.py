"""Importing feeds of Linux advisories, and judging hosts by them; no network, no host.

The yardstick of an import is `json.loads` of every document of the same archive in the same rounds.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.advisories import product
from bench.measure import Sample
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row

HOSTS = (1, 100, 1000)
LOADS, IMPORT, AGAIN = "json.loads of 50,010 OSV documents", "import of 50,010 advisories", "import again, unchanged"


def feeds(scene: Scene) -> list[Row]:
    """An import, the same again, and hosts judged by it."""
    if not scene.product.exists:
        return [Row("feeds", 0, remark=NO_PRODUCT)]
    archive = scene.folder / "feed.zip"
    try:
        _made(scene, "feed", archive)
        taken: dict[str, list[Sample]] = {LOADS: [], IMPORT: [], AGAIN: []}
        for number in range(scene.rounds):
            database = scene.folder / f"advisories-{number}.db"
            steps: tuple[tuple[str, Callable[[], dict[str, float]]], ...] = (
                (LOADS, lambda: _made(scene, "loads", archive)),
                (IMPORT, lambda d=database: _made(scene, "import", archive, d)),  # type: ignore[misc]
                (AGAIN, lambda d=database: _made(scene, "import", archive, d)),  # type: ignore[misc]
            )
            for name, step in steps:
                found = step()
                taken[name].append(Sample(found["wall"], found["cpu"], found["mb"]))
        rows = [Row(name, 0, samples, _times_of(samples, taken[LOADS], name), local=True) for name, samples in taken.items()]
        size = database.stat().st_size / 50_010
        return [*rows, *(_judged(scene, database, count, size) for count in HOSTS)]
    except RuntimeError as error:
        return [Row("feeds", 0, remark=str(error))]


def _times_of(samples: list[Sample], yardstick: list[Sample], name: str) -> str:
    return "" if name == LOADS else f"{median(s.wall for s in samples) / median(s.wall for s in yardstick):.2f} times {LOADS}"


def _judged(scene: Scene, database: Path, count: int, size: float) -> Row:
    found = [_made(scene, "judge", database, str(count)) for _ in range(scene.rounds)]
    each = median(f["wall"] / f["pairs"] for f in found) * 1e6
    remark = f"{found[0]['pairs']:,.0f} open pairs, {each:.0f} µs each; the database has {size:.0f} bytes an advisory, texts among them"
    return Row(
        "different hosts judged by 50,010 advisories", count, [Sample(f["wall"], f["cpu"], f["mb"]) for f in found], remark
    )


def _made(scene: Scene, *arguments: object) -> dict[str, float]:
    found: dict[str, float] = json.loads(json.dumps(product(scene, "bench.feeds_made", *map(str, arguments))))
    return found
