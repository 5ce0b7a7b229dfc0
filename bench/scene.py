"""What every part of one benchmark shares: a folder, the keys, and what the command line asked for."""

from dataclasses import dataclass
from pathlib import Path

from bench.contestants import Product

PORT, HELD_PORT = 2222, 2223
NO_PRODUCT = "auditor is not there"
NO_SCRIPT = "no collection script: give --script FILE, or a product that has --script-from"


@dataclass(frozen=True)
class Scene:
    """`folder` is new and temporary; `limit` bounds every single run, in seconds."""

    folder: Path
    keys: Path
    product: Product
    rounds: int
    limit: float
    hosts: tuple[int, ...]
    names: frozenset[str]
    slowlink: Path
    rtt: float
    archive: Path
    made: tuple[int, ...]
    nights: int
    zone_hosts: int
    ansible: Path | None
    without_ansible: str
