"""Microsoft's monthly documents: reading and ordering all of them, and Windows hosts judged by them; no network, no host.

The yardstick of an import is `ElementTree.parse` of the same files in the same rounds. The archive lies beside that of the articles (`--archive`).
"""

import json
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Contestant, Sample, rounds
from bench.scene import NO_PRODUCT, Scene
from bench.table import Row

ARCHIVE = Path("feeds/msrc-cvrf-full.tar.xz")  # beside the archive of articles
PARSE = "ElementTree.parse of 107 monthly documents"
_PARSE = (
    "import sys,glob\nfrom xml.etree import ElementTree\nfor f in sorted(glob.glob(sys.argv[1]+'/*.xml')): ElementTree.parse(f)"
)


def months(scene: Scene) -> list[Row]:
    """An import, the same again, and one host judged at three patch levels."""
    archive = scene.archive.parent.parent / ARCHIVE
    if not scene.product.exists or not archive.is_file():
        return [Row("months", 0, remark=NO_PRODUCT if not scene.product.exists else f"{archive} is not there")]
    folder = scene.folder / "documents"
    with tarfile.open(archive) as documents:
        for member in documents:
            content = documents.extractfile(member) if member.name.endswith(".xml") else None
            if content:
                folder.mkdir(exist_ok=True)
                (folder / Path(member.name).name).write_bytes(content.read())
    database = scene.folder / "months.db"
    auditor = [str(scene.product.auditor), "advisories", "import", "--quiet", "--advisories", str(database), str(folder)]
    runners = [
        Contestant(PARSE, 0, [sys.executable, "-c", _PARSE, str(folder)]),
        Contestant("import of the same", 0, auditor, prepare=lambda: database.unlink(missing_ok=True)),
    ]
    taken = rounds(runners, scene.rounds, scene.folder / "runs", scene.limit)
    again = rounds([Contestant("import again, unchanged", 0, auditor)], scene.rounds, scene.folder / "runs", scene.limit)
    times = _median(taken["import of the same"]) / _median(taken[PARSE])
    remark = f"{times:.2f} times {PARSE}; the database has {database.stat().st_size / 1e6:.1f} MB"
    rows = [Row(name, 0, samples, remark if name != PARSE else "", local=True) for name, samples in taken.items()]
    rows += [Row(name, 0, samples, local=True) for name, samples in again.items()]
    return [*rows, *(_judged(scene, database, *level) for level in LEVELS)]


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(s.wall for s in samples)


LEVELS = (
    ("windows-server-2022", "20348.4893", "up to date"),
    ("windows-server-2022", "20348.2340", "two years behind"),
    ("windows-server-2019", "17763.1", "seven years behind"),
)
_JUDGE = """
import json, sys, time
from datetime import UTC, date, datetime
from pathlib import Path
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import HostFacts, Platform, Reboot
from auditor.rulebook.loader import load
database, product, build = sys.argv[1:]
rules = load().of("windows")
facts = HostFacts(target="x", collected_at=datetime.now(UTC), platform=Platform(family="windows", product=product, version="10.0",
    service_pack="0", build=build, edition="ServerStandard", installation="Server"), hotfixes=(), reboot=Reboot(False))
known = AdvisoryDatabase(Path(database))
spent = []
for turn in range(21):
    start = time.perf_counter(); evaluate(facts, rules, today=date(2026, 11, 30)); bare = time.perf_counter() - start
    start = time.perf_counter(); knowledge = known.about(facts); found = evaluate(facts, rules, today=date(2026, 11, 30), knowledge=knowledge)
    spent.append(time.perf_counter() - start - bare)
print(json.dumps([sorted(spent)[10], len(knowledge.rules)]))
"""


def _judged(scene: Scene, database: Path, product: str, build: str, level: str) -> Row:
    """What the months add to judging one host, beside the rules of the book; in one process."""
    python = scene.product.auditor.with_name("python3")
    samples, count = [], 0
    for _ in range(scene.rounds):
        start = time.perf_counter()
        done = subprocess.run(
            [str(python), "-c", _JUDGE, str(database), product, build], capture_output=True, text=True, timeout=scene.limit
        )
        if done.returncode:
            return Row(f"{product}, {level}", 1, remark=done.stderr.strip()[-200:])
        median, count = json.loads(done.stdout)
        samples.append(Sample(median, time.perf_counter() - start))
    remark = f"{count} open months"
    return Row(
        f"{product}, {level}: {statistics.median(s.wall for s in samples) * 1e3:.2f} ms for the months",
        1,
        samples,
        remark,
        local=True,
    )
