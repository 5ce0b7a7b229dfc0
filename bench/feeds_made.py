"""Feeds and hosts of the size of a large fleet's, and the time it takes to import and judge them; run by the product's interpreter.

`python -m bench.feeds_made feed FILE.zip` writes 50,010 advisories of 15 releases as OSV documents. `... loads FILE.zip` reads every
document with json.loads alone, `... import FILE.zip DB` imports it, `... judge DB COUNT` judges that many different hosts of 1,500
packages each and prints what it took: wall and CPU seconds, and how many pairs of a host and an advisory were open.
"""

import gc
import json
import random
import resource
import sys
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from auditor.advisories.database.importing import import_documents
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.evaluation.evaluate import evaluate
from auditor.foundation import resources
from auditor.model.facts import HostFacts, Kernels, Package, Platform
from auditor.rulebook.loader import load

RELEASES = (
    *((f"AlmaLinux:{n}", f"almalinux-{n}", "ALSA-2026:{}") for n in (8, 9, 10)),
    *((f"Rocky Linux:{n}", f"rocky-{n}", "RLSA-2026:{}") for n in (8, 9, 10)),
    *((f"Debian:{n}", f"debian-{n}", "DSA-{}-1") for n in (10, 11, 12, 13)),
    *((f"Ubuntu:{n}:LTS", f"ubuntu-{n}", "USN-{}-1") for n in ("18.04", "20.04", "22.04", "24.04")),
    ("Alpine:v3.20", "alpine-3.20", "ALPINE-CVE-2026-{}"),
)
EACH, PACKAGES, NAMES = 3334, 1500, 3000
_NAMES = [f"package-{n}" for n in range(NAMES)]
_RULES = load([str(resources.folder("rules") / "linux")]).rules


def version(number: int, release: str) -> str:
    return f"1.{number}-" + (
        "r1" if release.startswith("alpine") else "1.el9" if release.startswith(("alma", "rocky")) else "1"
    )


def feed(path: Path) -> None:
    """Titles, CVEs and texts as long as real ones; the same every time."""
    chance, number = random.Random(3), 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for ecosystem, release, ident in RELEASES:
            for _ in range(EACH):
                number += 1
                base, count = chance.randrange(NAMES - 10), chance.randrange(1, 9)
                affected = [
                    {"package": {"ecosystem": ecosystem, "name": name},
                     "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": version(chance.randrange(1, 100), release)}]}]}
                    for name in _NAMES[base : base + count]
                ]  # fmt: skip
                document = {"id": ident.format(number), "summary": "Important: some security update", "published": "2026-05-01T00:00:00Z",
                            "modified": "2026-11-20T00:00:00Z", "details": "x" * 600, "related": [f"CVE-2026-{number + 10000}"],
                            "references": [{"type": "ADVISORY", "url": "https://errata.example/x"}], "affected": affected}  # fmt: skip
                archive.writestr(f"{release}/{number}.json", json.dumps(document))


def host(number: int) -> HostFacts:
    """The packages of a host that is behind by a few of its release's updates; no two are alike."""
    _, release, _ = RELEASES[number % len(RELEASES)]
    manager = "apk" if release.startswith("alpine") else "rpm" if release.startswith(("alma", "rocky")) else "dpkg"
    chance, made = random.Random(number), []
    for name in chance.sample(_NAMES, PACKAGES):
        whole = version(chance.randrange(90, 100), release)
        upstream, _, built = whole.partition("-")
        source = name if manager != "rpm" else f"{name}-{whole}.src.rpm"
        made.append(Package(name, None, upstream, built, "x86_64", source, None if manager == "rpm" else whole, None, manager))  # type: ignore[arg-type]
    platform = Platform(family="linux", product=release, version=release.partition("-")[2])
    return HostFacts(
        target=f"h{number}",
        collected_at=datetime.now(UTC),
        platform=platform,
        packages=tuple(made),
        kernels=Kernels(outside=True),
    )


def judge(path: Path, count: int) -> dict[str, float]:
    """In one process, one host after the other; making the hosts is not counted."""
    database, today, pairs, took, first = AdvisoryDatabase(path), datetime.now(UTC).date(), 0, [0.0, 0.0], 0.0
    for number in range(count):
        facts = host(number)
        began = time.perf_counter(), time.process_time()
        findings = evaluate(facts, _RULES, today=today, knowledge=database.about(facts))
        wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        took = [took[0] + wall, took[1] + cpu]
        first = first or wall
        pairs += sum(1 for f in findings if f.packages)
    return {
        "wall": took[0],
        "cpu": took[1],
        "pairs": pairs,
        "first": first,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    gc.set_threshold(50_000, 20, 50)  # as the command does
    what, path, *more = sys.argv[1:]
    began = time.perf_counter(), time.process_time()
    found: dict[str, float] = {}
    if what == "feed":
        feed(Path(path))
    elif what == "loads":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                json.loads(archive.read(name))
    elif what == "import":
        import_documents(Path(more[0]), [path], now=datetime.now(UTC), as_of=datetime.now(UTC).date())
    else:
        found = judge(Path(path), int(more[0]))
    taken = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1],
             "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}  # fmt: skip
    print(json.dumps(taken | found))


if __name__ == "__main__":
    main()
