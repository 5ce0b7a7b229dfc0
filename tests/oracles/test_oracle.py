"""Linux packages judged by the project and by the oracle: librpm, libapt and a second reading of the documents, nothing shared."""

from __future__ import annotations

import json
import random
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED, Run

PYTHON = Path("/usr/bin/python3")
ORACLE = Path(__file__).with_name("advisory_oracle.py")
FEEDS = SHARED / "advisories" / "feeds"
SAMPLES = ("osv-dev.tar.xz", "csaf-dev.tar.xz")
PRODUCTS = ("almalinux-8", "almalinux-9", "rocky-8", "rocky-9")
STREAM = re.compile(r"(?<=\s)([a-z][\w.-]*:[\w.]+)(?=\s)")
INSTALLED_ONCE = re.compile(r"kernel-.*(tools|headers|doc|abi|macros)|(?!kernel)")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import rpm, apt_pkg"], capture_output=True).returncode != 0,
        reason="needs Debian's python3-rpm and python3-apt",
    ),
]

Answers = dict[tuple[str, str], tuple[str, frozenset[tuple[str, str, str]]]]  # (host, advisory): verdict, packages


@dataclass
class Sides:
    oracle: Answers
    project: Answers

    def differences(self) -> str:
        """Which (host, advisory) the two sides answer differently, and how; empty where they agree."""
        differing = sorted(key for key in self.oracle | self.project if self.oracle.get(key) != self.project.get(key))
        lines = [f"{len(differing)} of {len(self.oracle | self.project)} answers differ"]
        for key in differing[:20]:
            lines.append(f"{key}:\n  oracle  {self.oracle.get(key)}\n  project {self.project.get(key)}")
        return "\n".join(lines) if differing else ""


def test_hand_made_documents(auditor: Run, tmp_path: Path) -> None:
    osv = tmp_path / "osv"
    advisory(
        osv, "ALSA-2024:0001", "Important: tool security update", "9", [("tool", "1:2.0-3.el9"), ("tool-libs", "1:2.0-3.el9")]
    )
    advisory(osv, "ALSA-2024:0002", "Moderate: web:1.2 security update", "9", [("web", "1.2.3-4.module_el9.4.0+1+aaaaaaaa")])
    advisory(osv, "ALSA-2024:0003", "Important: kernel security update", "9", [("kernel-core", "5.14.0-427.13.1.el9_4")])
    old = [
        package("tool", "2.0-4.el9"),  # no epoch: older than 1:2.0-3
        package("tool-libs", "1:2.0-3.el9", arch="i686"),
        package("web", "1.2.3-3.module_el9.4.0+1+aaaaaaaa"),  # of a module that nobody names
        package("kernel-core", "5.14.0-427.9.1.el9"),
        package("kernel-core", "5.14.0-362.8.1.el9_3"),
    ]
    new = [
        package("tool", "1:2.0-3.el9"),
        package("web", "1.1-1.module_el9.4.0+1+aaaaaaaa", module="web:1.1:9040020240101:abcdef12"),  # another stream
        package("kernel-core", "5.14.0-427.13.1.el9_4"),
    ]
    facts = [host(tmp_path, "old", "almalinux-9", old), host(tmp_path, "new", "almalinux-9", new)]

    sides = judged(auditor, tmp_path, {"--osv": [osv]}, facts)

    assert not sides.differences(), sides.differences()
    assert {key: verdict for key, (verdict, _) in sides.project.items()} == {
        ("old", "ALSA-2024:0001"): "noncompliant",
        ("old", "ALSA-2024:0002"): "unknown",
        ("old", "ALSA-2024:0003"): "noncompliant",
    }


@pytest.mark.skipif(
    not all((FEEDS / name).is_file() for name in SAMPLES),
    reason="the samples of feeds lie outside the project (AUDITOR_SHARED)",
)
def test_samples_of_the_feeds(auditor: Run, tmp_path: Path) -> None:
    """Random hosts whose packages stand around the fixes of the samples: the same findings, package by package."""
    for name in SAMPLES:
        with tarfile.open(FEEDS / name) as archive:
            wanted = [m for m in archive if re.match(r"(\./)?(osv/almalinux|csaf/ctrliq/csaf)/advisories/", m.name)]
            archive.extractall(tmp_path, wanted, filter="data")
    osv, csaf = tmp_path / "osv" / "almalinux" / "advisories", tmp_path / "csaf" / "ctrliq" / "csaf" / "advisories"
    fixes = fixes_of(osv, csaf)
    chance = random.Random(20261130)
    facts = [
        host(tmp_path, f"{product}-{number}", product, random_packages(chance, fixes[product]))
        for product in PRODUCTS
        for number in range(25)
    ]

    sides = judged(auditor, tmp_path, {"--osv": [osv], "--csaf": [csaf]}, facts)

    assert not sides.differences(), sides.differences()
    assert {verdict for verdict, _ in sides.project.values()} == {"noncompliant", "unknown"}
    assert len(sides.project) > 2000


def judged(auditor: Run, folder: Path, feeds: dict[str, list[Path]], facts: list[Path]) -> Sides:
    options = [str(word) for option, paths in feeds.items() for word in (option, *paths)]
    said = subprocess.run([PYTHON, ORACLE, *options, "--facts", *facts], capture_output=True, text=True, check=True).stdout
    oracle: Answers = {}
    for line in map(json.loads, said.splitlines()):
        if line["verdict"] != "compliant":
            oracle[line["host"], line["advisory"]] = line["verdict"], frozenset(map(plain, line["packages"]))
    database = str(folder / "advisories.db")
    done = auditor("advisories", "import", *(str(p) for paths in feeds.values() for p in paths), "--advisories", database)
    assert done.returncode == 0, done.stdout + done.stderr
    done = auditor("judge", *map(str, facts), "--advisories", database, "--format", "json")
    assert done.returncode == 1, done.stdout + done.stderr
    project: Answers = {}
    for target in json.loads(done.stdout)["targets"]:
        for finding in (f for f in target["findings"] if f["packages"]):
            packages = frozenset(plain([p["name"], p["installed"], p["fixed"]]) for p in finding["packages"])
            project[target["name"], finding["rule"]] = finding["verdict"], packages
    return Sides(oracle, project)


def plain(package: list[str]) -> tuple[str, str, str]:
    """Without the epoch 0, which may be written or not."""
    name, installed, fixed = package
    return name, installed.removeprefix("0:"), fixed.removeprefix("0:")


def advisory(folder: Path, ident: str, title: str, release: str, fixes: list[tuple[str, str]]) -> None:
    folder.mkdir(exist_ok=True)
    affected = [
        {
            "package": {"ecosystem": f"AlmaLinux:{release}", "name": name},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }
        for name, fixed in fixes
    ]
    dates = {"published": "2024-05-01T00:00:00Z", "modified": "2024-05-02T00:00:00Z"}
    document = {"id": ident, "summary": title, "details": "", "affected": affected, "related": [], "references": [], **dates}
    (folder / f"{ident}.json").write_text(json.dumps(document))


def package(name: str, version: str, *, arch: str = "x86_64", module: str | None = None) -> dict[str, Any]:
    epoch, _, rest = version.rpartition(":")
    number, _, release = rest.rpartition("-")
    return {
        "name": name, "epoch": int(epoch) if epoch else None, "version": number, "release": release, "arch": arch,
        "source": None, "source_version": None, "module": module, "manager": "rpm",
    }  # fmt: skip


def host(folder: Path, name: str, product: str, packages: list[dict[str, Any]]) -> Path:
    file = folder / f"{name}.json"
    platform = {"family": "linux", "product": product, "version": product.rpartition("-")[2] + ".4", "arch": "x86_64"}
    facts = {"schema": "auditor.facts/1", "target": name, "collected_at": "2026-11-30T00:00:00Z", "platform": platform}
    outcomes = [{"name": "packages", "outcome": "ok"}, {"name": "platform", "outcome": "ok"}]
    file.write_text(json.dumps(facts | {"packages": packages, "outcomes": outcomes}))
    return file


Fixes = dict[str, list[tuple[str, str]]]  # of a package's name: (version, stream or empty)


def fixes_of(osv: Path, csaf: Path) -> dict[str, Fixes]:
    """What to make hosts of, by product: a coarse reading, since a host may have any versions."""
    found: dict[str, Fixes] = {product: {} for product in PRODUCTS}
    for file in sorted(osv.rglob("*.json")):
        document = json.loads(file.read_bytes())
        stream = STREAM.search(f" {document['summary']} ")
        for affected in document["affected"]:
            product = affected["package"]["ecosystem"].lower().replace(":", "-")
            fixed = affected["ranges"][0]["events"][1]["fixed"]
            found[product].setdefault(affected["package"]["name"], []).append((fixed, stream[1] if stream else ""))
    for file in sorted(csaf.rglob("*.json")):
        document = json.loads(file.read_bytes())
        stream = STREAM.search(f" {document['document']['title']} ")
        for relation in document["product_tree"]["relationships"]:
            key = re.match(r"rlc-(8|9)\b", relation["relates_to_product_reference"])
            build = re.fullmatch(r"(.+)-(\d+:[^:-]+-[^:-]+)\.[^.]+", relation["product_reference"])
            if key and build:
                found[f"rocky-{key[1]}"].setdefault(build[1], []).append((build[2], stream[1] if stream else ""))
    return found


def random_packages(chance: random.Random, fixes: Fixes) -> list[dict[str, Any]]:
    """Sixty names; at, just above or below a fix of theirs; some twice, some of another arch, module or with a broken version."""
    names = sorted(fixes)
    kernels = [name for name in names if not INSTALLED_ONCE.match(name)]
    modular = [name for name in names if any(".module" in version for version, _ in fixes[name])]
    chosen = {*chance.sample(names, min(40, len(names))), *chance.sample(modular, min(20, len(modular)))}
    chosen.update(chance.sample(kernels, min(3, len(kernels))))
    packages = []
    for name in sorted(chosen):
        arches = chance.choice([["x86_64"], ["x86_64"], ["noarch"], ["x86_64", "i686"]])
        for arch in ["x86_64", "x86_64", "i686"] if name in kernels else arches:
            version, stream = chance.choice(fixes[name])
            version = changed(chance, version)
            label = chance.choice([stream, stream, "other:1", ""]) if ".module" in version else ""
            packages.append(package(name, version, arch=arch, module=f"{label}:8070020221212:abcdef12" if label else None))
    return packages


def changed(chance: random.Random, version: str) -> str:
    epoch, colon, rest = version.rpartition(":")
    number, _, release = rest.rpartition("-")
    match chance.randrange(8):
        case 0:
            return f"{chance.choice(['', '0:', '1:', '2:'])}{rest}"
        case 1:
            return f"{epoch}{colon}{number}{chance.choice(['.1', '~rc1', '^git1', 'a', '.0'])}-{release}"
        case 2:
            return f"{epoch}{colon}{number}-{release}{chance.choice(['.1', '~1', '_0', '.ciq'])}"
        case 3:
            digits = [place for place, letter in enumerate(number) if letter.isdigit()]
            place = chance.choice(digits)
            return f"{epoch}{colon}{number[:place]}{chance.randrange(10)}{number[place + 1 :]}-{release}"
    return version
