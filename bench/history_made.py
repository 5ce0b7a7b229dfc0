"""A made history of a fleet, the same every time; run by the product's interpreter.

`python -m bench.history_made make FILE HOSTS NIGHTS` stores that many nights and prints what it measured;
`... rules FILE` writes 1,500 rules of which a tenth are about the fleet.
"""

import json
import random
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from auditor.history.store import Store
from auditor.model.facts import CollectorOutcome, HostFacts, Kernels, Package, Platform, Volatile
from auditor.model.finding import Finding
from auditor.model.run import RulebookSummary, Run, TargetResult
from auditor.model.target import Target
from auditor.report.formats import render
from auditor.rulebook.loader import load

PACKAGES, OWN, FINDINGS, RULES, CHANGED = 700, 100, 20, 1500, 6
BEGIN = datetime(2025, 11, 25, 2, 0, tzinfo=UTC)
COLLECTORS = ("platform", "packages", "kernels", "settings", "listeners", "reboot")
chance = random.Random(1)
_WORDS = [
    "lib",
    "perl",
    "python3",
    "gnome",
    "linux",
    "openssl",
    "apt",
    "systemd",
    "php",
    "ruby",
    "node",
    "golang",
    "rust",
    "java",
    "qt",
    "gtk",
]
NAMES = sorted(
    {
        f"{chance.choice(_WORDS)}-{chance.choice(_WORDS)}{chance.randrange(900)}-{chance.choice(['dev', 'bin', 'common', 'doc'])}"
        for _ in range(3000)
    }
)
Host = dict[str, int]  # package: a number that stands for its version


def package(name: str, version: int) -> Package:
    upstream, release = f"{version // 40}.{version % 40}.{version % 7}", f"{version % 9}+deb12u{version % 5}"
    return Package(name, None, upstream, release, "amd64", name, f"{upstream}-{release}")


def fleet(hosts: int) -> list[Host]:
    common = {name: chance.randrange(400) for name in chance.sample(NAMES, PACKAGES)}
    return [common | {name: chance.randrange(400) for name in chance.sample(NAMES, OWN)} for _ in range(hosts)]


def facts(number: int, host: Host) -> HostFacts:
    return HostFacts(
        target=f"h{number:04}",
        collected_at=BEGIN,
        platform=Platform(family="linux", product="debian-12", version="12", kernel="6.1.0-28-amd64", arch="x86_64"),
        packages=tuple(package(name, version) for name, version in host.items()),
        kernels=Kernels("6.1.0-28-amd64", ("6.1.0-28-amd64",)),
        machine_id=f"{number:032x}",
        method="ssh",
    )


def findings(host: Host) -> tuple[Finding, ...]:
    """What stands for a host's findings: a rule on each of twenty of its packages; a fourth are not met."""
    names, made = sorted(host), {}
    for k in range(FINDINGS):
        name = names[k * 37 % len(names)]
        version = package(name, host[name]).full_version
        rule = f"rule-{(NAMES.index(name) + k) % RULES:04}"
        made[rule] = Finding(
            rule=rule,
            title=f"{name}: memory is freed twice",
            severity=("critical", "important", "moderate", "low")[k % 4],
            obligation="required",
            verdict="noncompliant" if host[name] % 4 == 0 else "compliant",
            observed=f"{name} {version}",
            required=f"{name} 9.{k}-1 or later",
            why=f"The installed version of {name} is older than the fixed one.",
            remediation=f"Update {name}.",
            evidence=("ssh", f"DSA-{5000 + k}-1, read 2026-11-01"),
        )
    return tuple(made[rule] for rule in sorted(made))


def make(path: Path, hosts: int, nights: int) -> dict[str, object]:
    (one, *_) = load(("shipped",)).rules
    rules = [replace(one, id=f"rule-{n:04}") for n in range(RULES)]
    state = fleet(hosts)
    known = [(facts(n, host), findings(host)) for n, host in enumerate(state)]
    saved, quiet, reports = [], 0.0, 0
    for night in range(nights + 1):
        when = BEGIN + timedelta(days=night)
        still = night == nights  # a last night on which nothing changes
        for n in chance.sample(range(hosts), max(1, hosts // 100)) if night and not still else ():
            for name in chance.sample(sorted(state[n]), CHANGED):
                state[n][name] = chance.randrange(400)
            known[n] = facts(n, state[n]), findings(state[n])
        run = Run(
            id=f"{when:%Y%m%dT%H%M%S}-{night:06x}",
            started=when,
            auditor="0",
            rulebook=RulebookSummary(f"{night // 30:064}", RULES, "2026-01-01"),
        )
        results = [result(n, *known[n], when) for n in range(hosts)]
        before = used(path)
        started = time.perf_counter()
        with Store(path) as store:
            store.begin(run, [r.id for r in rules])
            for r in results:
                store.add(run, [r], listed=[r.target.name])
            run = replace(run, finished=when + timedelta(minutes=5), results=tuple(results))
            store.finish(run, [r.target.name for r in results])
            saved.append(time.perf_counter() - started)
            if still:
                quiet = (used(path) - before) / hosts
            else:
                store.add_report(run, render(run, "html", (), store.past(run)))
                reports += 1
    started = time.perf_counter()
    with Store(path, create=False) as store:
        run = store.run(store.latest(), slim=True)
        page = render(run, "html", (), store.past(run))
    rendered = time.perf_counter() - started
    open_ = sum(f.verdict != "compliant" for r in run.results for f in r.findings)
    return {
        "megabytes": path.stat().st_size / 1e6,
        "saved": saved[-10:],
        "quiet": quiet,
        "reports": reports,
        "rule": run.results[0].findings[0].rule,
        "middle": f"{BEGIN + timedelta(days=nights // 2):%Y-%m-%d}",
        "rendered": rendered,
        "page": len(page) / 1e6,
        "open": open_,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def result(n: int, known: HostFacts, found: tuple[Finding, ...], when: datetime) -> TargetResult:
    outcomes = tuple(CollectorOutcome(name, "ok", "", round(chance.random(), 3)) for name in COLLECTORS)
    volatile = Volatile(uptime=chance.random() * 1e6, counters={"ListenDrops": chance.randrange(9)})
    read = replace(known, collected_at=when + timedelta(seconds=n * 0.1), volatile=volatile, outcomes=outcomes)
    target = Target(name=known.target, address=f"10.0.{n // 250}.{n % 250}", groups=("web",) if n % 2 else ("db",))
    return TargetResult(target=target, outcome="assessed", facts=read, findings=found, seconds=round(chance.random() * 3, 3))


def used(path: Path) -> int:
    """Bytes of the file's pages that hold something."""
    if not path.exists():
        return 0
    with Store(path) as store:
        pages, free, size = (
            store.db.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def rules(path: Path) -> dict[str, object]:
    lines = []
    for n in range(RULES):
        check = {"kind": "package", "name": NAMES[n % len(NAMES)], "fixed": f"{n % 9}.{n % 40}-1"}
        product = "debian-12" if n % 10 == 0 else "rhel-9"
        rule = {"id": f"rule-{n:04}", "title": f"Rule {n}", "severity": "important", "obligation": "required", "family": "linux",
                "branches": [{"products": [product], "check": check}], "remediation": "Update it.", "meaning": "m", "matters": "m",
            "references": [{"title": "made"}],
                "provenance": {"source": "made", "retrieved": "2026-11-01"}}  # fmt: skip
        lines.append(json.dumps(rule))
    path.write_text("\n".join(lines) + "\n")
    return {"rules": len(lines)}


if __name__ == "__main__":
    what, place, *numbers = sys.argv[1:]
    print(json.dumps(make(Path(place), *map(int, numbers)) if what == "make" else rules(Path(place))))
