"""Updates of real rpm databases as the real dnf names them and as the project does, from one updateinfo.xml.

dnf means by `updateinfo list --available`: of each name and architecture, is the newest installed package (and one of the kernel
that runs) older than a package of the advisory, by the advisories alone, whatever the repository holds. `--updates` means: of
the installed packages for which the repository has a newer one, the advisories with a package that is newer than what is
installed. The project asks the first question; where the repository holds every package that its advisories name, as a
vendor's does, the second has the same answer.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from auditor.advisories.database.importing import import_documents
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import HostFacts, Kernels
from tests.advisories.given import update, updateinfo
from tests.collectors.linux.test_package_managers import facts_in, why
from tests.conftest import NOW, SHARED
from tests.lab.linux_roots import System, build_rpm, dnf_updateinfo, repository, rpm_root

SAMPLES = SHARED / "advisories" / "feeds" / "updateinfo_and_other-dev.tar.xz"
FIXTURES = "updateinfo_and_other/vuls-fixtures"
TOOLS = ("dnf", "rpmbuild", "createrepo_c", "modifyrepo_c")
ORACLE = System("ol", "9.4", "Oracle Linux Server")
CONTEXT = "abcdef12"
OLD, NEW = "9040020240101", "9050020240701"  # builds of modules

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="package databases of other distributions are made and entered as root"
)

Named = set[tuple[str, str]]  # advisory and package


@pytest.fixture(autouse=True, scope="module")
def _tools() -> None:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    assert not missing, f"the tests need {', '.join(missing)} (tests/packages.sh)"


def dnf(root: Path, repo: Path, which: Literal["available", "updates"]) -> dict[tuple[str, str], set[str]]:
    """By advisory and package the versions that dnf names."""
    named: dict[tuple[str, str], set[str]] = {}
    for ident, package in dnf_updateinfo(root, repo, which=which):
        name, version, release = package.rpartition(".")[0].rsplit("-", 2)
        named.setdefault((ident, name), set()).add(f"{version}-{release}")
    return named


@dataclass
class Ours:
    """What the project finds: by advisory and package the version that fixes it. `open`: those of which it cannot tell."""

    noncompliant: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    open: Named = field(default_factory=set)


def project(root: Path, file: Path, runs: str = "") -> Ours:
    """`runs`: the kernel that runs, of which this machine's would be no example."""
    facts: HostFacts = replace(facts_in(root), kernels=Kernels(runs) if runs else None)
    assert facts.packages is not None, why(facts)
    with tempfile.TemporaryDirectory(prefix="auditor-dnf-") as folder:
        database = Path(folder) / "advisories.db"
        assert not import_documents(database, [str(file)], now=NOW, as_of=NOW.date()).refusals
        knowledge = AdvisoryDatabase(database).about(facts)
    ours = Ours()
    for finding in evaluate(facts, (), today=NOW.date(), knowledge=knowledge):
        assert finding.packages, finding
        for package in finding.packages:
            if finding.verdict == "noncompliant":
                ours.noncompliant.setdefault((finding.rule, package.name), set()).add(package.fixed)
            else:
                ours.open.add((finding.rule, package.name))
    return ours


def label(module: str, stream: str, build: str = OLD) -> str:
    return f"{module}:{stream}:{build}:{CONTEXT}"


def of_module(module: str, stream: str) -> str:
    """An update's collection is of a module."""
    return f'<module name="{module}" stream="{stream}" version="{NEW}" context="{CONTEXT}" arch="x86_64"/>'


def modules_yaml(streams: Iterable[tuple[str, str, str]], artifacts: Mapping[str, str]) -> str:
    """Metadata of streams (module, stream, build); `artifacts`: by label the package that it has."""
    return "".join(
        f'---\ndocument: modulemd\nversion: 2\ndata:\n  name: {name}\n  stream: "{stream}"\n  version: {build}\n  context: {CONTEXT}\n'
        "  arch: x86_64\n  summary: A module of the tests\n  description: A module of the tests\n  license: {module: [MIT]}\n"
        f"  artifacts: {{rpms: [{artifacts.get(label(name, stream, build), 'none-0:1-1.x86_64')}]}}\n...\n"
        for name, stream, build in streams
    )


# A host and updates of every kind


class Rpm(NamedTuple):
    """An rpm to be built."""

    name: str
    version: str
    release: str
    arch: str = "x86_64"
    epoch: int = 0
    module: str | None = None

    def build(self, folder: Path) -> Path:
        return build_rpm(
            folder, self.name, self.version, self.release, epoch=self.epoch or None, arch=self.arch, modularity=self.module
        )


def built(folder: Path, rpms: Iterable[Rpm]) -> list[Path]:
    """Two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rpm: rpm.build(folder), rpms))


WHOLE = (Rpm("rpm", "4.16.1.3", "29.el9"), Rpm("glibc", "2.34", "100.el9"))  # what the list of every such host has
_RPMS = (  # installed
    *WHOLE,
    Rpm("glibc", "2.34", "100.el9", arch="i686"),
    Rpm("openssl", "3.0.7", "27.el9", epoch=1),
    Rpm("trap", "9.0", "1.el9"),
    Rpm("nodejs", "18.1.0", "1.module+el9.4.0+1+aaaaaaaa", epoch=1, module=label("nodejs", "18")),
    Rpm("kernel-core", "5.14.0", "427.13.1.el9_4"),
    Rpm("kernel-core", "5.14.0", "503.11.1.el9_5"),
    Rpm("tzdata", "2024a", "1.el9", arch="noarch"),
    Rpm("tilde", "1.0~rc1", "1.el9"),
    Rpm("caret", "1.0^git1", "1.el9"),
    Rpm("builds", "1.0", "1.el9"),
    Rpm("between", "1.0", "2.el9"),
    Rpm("small", "1.2", "1.el9", arch="i686"),
    Rpm("moved", "1", "1.el9", arch="noarch"),
    Rpm("switched", "1.0", "1.module+el9.4.0+1+aaaaaaaa", module=label("switched", "1")),
)
_NEWER = (  # of the repository
    Rpm("glibc", "2.34", "110.el9"),
    Rpm("glibc", "2.34", "110.el9", arch="i686"),
    Rpm("openssl", "3.0.7", "28.el9", epoch=1),
    Rpm("trap", "1.0", "1.el9", epoch=1),
    Rpm("nodejs", "18.9.0", "1.module+el9.5.0+1+bbbbbbbb", epoch=1, module=label("nodejs", "18", NEW)),
    Rpm("kernel-core", "5.14.0", "570.1.1.el9_6"),
    Rpm("tzdata", "2025b", "1.el9", arch="noarch"),
    Rpm("tilde", "1.0", "1.el9"),
    Rpm("builds", "1.0", "3.el9"),
    Rpm("absent", "2", "1.el9"),
)
_UPDATES = (
    update("ELSA-2026-1", "glibc 0 2.34 110.el9 x86_64;glibc 0 2.34 110.el9 i686"),
    update("ELBA-2026-2", "openssl 1 3.0.7 28.el9 x86_64;openssl 1 3.0.7 28.el9 aarch64", kind="bugfix"),
    update("ELEA-2026-3", "tzdata 0 2025b 1.el9 noarch", kind="enhancement"),
    update("ELSA-2026-4", "absent 0 2 1.el9 x86_64"),  # nothing installed
    update("ELSA-2026-5", "glibc 0 2.34 99.el9 x86_64;openssl 1 3.0.7 27.el9 x86_64"),  # fulfilled
    update("ELSA-2026-6", "nodejs 1 18.9.0 1.module+el9.5.0+1+bbbbbbbb x86_64", module=of_module("nodejs", "18")),
    update("ELSA-2026-7", "nodejs 1 20.9.0 1.module+el9.5.0+1+cccccccc x86_64", module=of_module("nodejs", "20")),
    update("ELSA-2026-8", "builds 0 1.0 2.el9 x86_64;builds 0 1.0 3.el9 x86_64"),  # two builds
    update("ELSA-2026-9", "openssl 0 3.9 1.el9 x86_64"),  # lower, by the epoch
    update("ELSA-2026-10", "trap 1 1.0 1.el9 x86_64"),  # higher, by the epoch
    update("ELSA-2026-11", "openssl 1 3.9 1.el9 aarch64"),  # for another architecture only
    update("ELSA-2026-12", "small 0 1.3 1.el9 x86_64"),  # the same, of an i686 package
    update("ELSA-2026-13", "tilde 0 1.0 1.el9 x86_64;caret 0 1.0 1.el9 x86_64"),
    update("ELSA-2026-14", "kernel-core 0 5.14.0 503.11.1.el9_5 x86_64"),  # by the newer of two kernels
    update("ELSA-2026-15", "kernel-core 0 5.14.0 570.1.1.el9_6 x86_64"),
    update("ELSA-2026-16", "glibc 0 2.34 105.el9 i686;trap 1 0.9 1.el9 x86_64", severity=""),  # older than ELSA-2026-1
)
_NAMED = {
    ("ELSA-2026-1", "glibc"), ("ELBA-2026-2", "openssl"), ("ELEA-2026-3", "tzdata"), ("ELSA-2026-6", "nodejs"), ("ELSA-2026-8", "builds"),
    ("ELSA-2026-10", "trap"), ("ELSA-2026-13", "tilde"), ("ELSA-2026-15", "kernel-core"), ("ELSA-2026-16", "glibc"), ("ELSA-2026-16", "trap"),
}  # fmt: skip
# What the two see differently, and why each does.
_ODD = (
    update("ELSA-2026-20", "between 0 1.0 1.el9 x86_64;between 0 1.0 3.el9 x86_64"),
    update("ELSA-2026-21", "openssl 1 3.9 1.el9 x86_64", status="retracted"),
    update("ELSA-2026-22", "nodejs 1 21.9.0 1.el9 x86_64"),
    update("ELSA-2026-23", "nodejs 1 18.9.0 1.module+el9.5.0+1+bbbbbbbb x86_64"),
    update("ELSA-2026-24", "moved 0 2 1.el9 x86_64"),
    update("ELSA-2026-25", "switched 0 1.1 1.module+el9.5.0+1+bbbbbbbb x86_64", module=of_module("switched", "1")),
    update("ELSA-2026-26", "switched 0 2.1 1.module+el9.5.0+1+bbbbbbbb x86_64", module=of_module("switched", "2")),
)
_ONLY_DNF = {
    ("ELSA-2026-20", "between"): "of several builds of one package dnf wants the highest, the project takes any (of another minor release, say)",
    ("ELSA-2026-21", "openssl"): "this dnf does not look at an update's status, the project drops what was retracted",
    ("ELSA-2026-22", "nodejs"): "dnf compares a modular package with a build of no module, which no upgrade installs while the stream is enabled",
    ("ELSA-2026-23", "nodejs"): "a modular build of an update that names no module: dnf takes it for the host's, the project says unknown",
    ("ELSA-2026-26", "switched"): "dnf goes by the enabled stream, the project by the label of what is installed",
}  # fmt: skip
_ONLY_PROJECT = {
    ("ELSA-2026-24", "moved"): "dnf compares only builds of the same architecture, though its upgrade goes from noarch to another one",
    ("ELSA-2026-25", "switched"): "the label is of this stream, which dnf leaves out while another one is enabled",
}  # fmt: skip


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A root, and the newer packages."""
    folder = tmp_path_factory.mktemp("oracle")
    root = rpm_root(folder / "root", built(folder / "old", _RPMS), ORACLE, streams={"nodejs": "18", "switched": "2"})
    return root, built(folder / "new", _NEWER)


def given(folder: Path, updates: Iterable[str], new: list[Path]) -> tuple[Path, Path]:
    """An updateinfo.xml, and a repository with it."""
    file = folder / "updateinfo.xml"
    file.write_bytes(updateinfo(*updates))
    streams = [(m, s, NEW) for m, s in (("nodejs", "18"), ("nodejs", "20"), ("switched", "1"), ("switched", "2"))]
    artifacts = {label("nodejs", "18", NEW): "nodejs-1:18.9.0-1.module+el9.5.0+1+bbbbbbbb.x86_64"}
    return file, repository(folder / "repository", new, file.read_text(), modules_yaml(streams, artifacts))


def test_the_updates_of_a_host_are_those_that_dnf_names(host: tuple[Path, list[Path]], tmp_path: Path) -> None:
    root, new = host
    file, repo = given(tmp_path, _UPDATES, new)
    ours = project(root, file, runs="5.14.0-503.11.1.el9_5.x86_64")
    named = dnf(root, repo, "available")
    assert (set(ours.noncompliant), ours.open) == (set(named), set())
    assert set(named) == _NAMED
    assert set(dnf(root, repo, "updates")) == set(named)
    assert all(fixed <= named[key] for key, fixed in ours.noncompliant.items())


def test_each_difference_from_dnf_has_a_reason(host: tuple[Path, list[Path]], tmp_path: Path) -> None:
    root, new = host
    file, repo = given(tmp_path, _ODD, new)
    ours, named = project(root, file, runs="5.14.0-503.11.1.el9_5.x86_64"), set(dnf(root, repo, "available"))
    assert named - set(ours.noncompliant) == set(_ONLY_DNF)
    assert set(ours.noncompliant) - named == set(_ONLY_PROJECT)
    assert ours.open == {("ELSA-2026-23", "nodejs")}


# Packages and updates by chance

_VERSIONS = (
    "1", "01", "1.0", "1.0.0", "1.00", "1.0~rc1", "1.0~rc1^git2", "1.0^git1", "1.0^git1~x", "1.0a", "1.0.a", "1.0.10", "1.0.9", "1.0_9",
    "1.0+9", "1.a", "a.1", "10", "9", "20240101",
)  # fmt: skip
_RELEASES = ("1.el9", "1.el9_4", "1.el9_4.1", "1.el9_10", "2.el9", "10.el9", "0.1~beta.el9", "1^post.el9", "01.el9", "1.a.el9")
_MODULAR = (
    "1.module+el9.4.0+1+aaaaaaaa",
    "1.module+el9.5.0+2+aaaaaaaa",
    "2.module+el9.4.0+1+aaaaaaaa",
    "10.module+el9.4.0+10+a",
)


def test_versions_architectures_and_streams_by_chance(tmp_path: Path) -> None:
    chance = random.Random(20261130)
    streams = {"apple": "1", "pear": "2"}

    def evr(releases: tuple[str, ...]) -> tuple[int, str, str]:
        return chance.choice((0, 0, 0, 1, 2)), chance.choice(_VERSIONS), chance.choice(releases)

    kinds: dict[str, tuple[tuple[str, ...], str]] = {}  # by name: architectures, module
    for number in range(14):
        kinds[f"plain{number}"] = chance.choice((("x86_64",), ("x86_64",), ("x86_64", "i686"), ("i686",), ("noarch",))), ""
    for number in range(6):
        kinds[f"modular{number}"] = ("x86_64",), chance.choice(list(streams))
    rpms = list(WHOLE)
    for name, (arches, module) in kinds.items():
        for arch in arches:
            epoch, version, release = evr(_MODULAR if module else _RELEASES)
            rpms.append(Rpm(name, version, release, arch, epoch, label(module, streams[module]) if module else None))
    updates = []
    for number in range(1000):
        module = chance.choice(("", "", "apple", "pear"))
        rows = []
        for name in chance.sample([n for n, (_, of) in kinds.items() if of == module], 3 if not module else 2):
            epoch, version, release = evr(_MODULAR if module else _RELEASES)
            for arch in (
                ("noarch",) if kinds[name][0] == ("noarch",) else chance.choice((("x86_64",), ("x86_64", "i686"), ("aarch64",)))
            ):
                rows.append(f"{name} {epoch} {version} {release} {arch}")
        kind = chance.choice(("security", "bugfix", "enhancement"))
        of = of_module(module, chance.choice("12")) if module else ""
        updates.append(update(f"EL{kind[0].upper()}A-2026-{number}", ";".join(rows), kind=kind, module=of))
    file = tmp_path / "updateinfo.xml"
    file.write_bytes(updateinfo(*updates))
    yaml = modules_yaml([(m, s, NEW) for m in streams for s in "12"], {})

    root = rpm_root(tmp_path / "root", built(tmp_path / "rpms", rpms), ORACLE, streams=streams)
    named = dnf(root, repository(tmp_path / "repository", (), file.read_text(), yaml), "available")
    ours = project(root, file)

    assert (set(ours.noncompliant), ours.open) == (set(named), set())
    assert all(fixed <= named[key] for key, fixed in ours.noncompliant.items())
    assert len(named) > 500


# Real files


@dataclass(frozen=True)
class Real:
    """A vendor's file and the system that it is for. `open`: where the project says unknown."""

    file: str
    system: System
    open: Named = field(default_factory=set)


# Of which stream the modular build is, neither Rocky's update nor its title says.
_NO_MODULE = {("RLSA-2023:3820", "mariadb")}
REAL = (
    Real("rocky/updateinfo/happy/pub/rocky/9/BaseOS/x86_64/os/repodata/*updateinfo.xml.gz", System("rocky", "9.4")),
    Real("rocky/updateinfo/happy/pub/rocky/9/AppStream/x86_64/os/repodata/*updateinfo.xml.gz", System("rocky", "9.4"), _NO_MODULE),
    Real("alma/updateinfo/happy/almalinux/9/AppStream/x86_64/os/repodata/*updateinfo.xml.gz", System("almalinux", "9.4")),
    Real("amazon/updateinfo_2.xml.gz", System("amzn", "2")),
    Real("amazon/updateinfo_2022.xml.gz", System("amzn", "2022")),
    Real("amazon/updateinfo_2023_kernel-livepatch.xml.gz", System("amzn", "2023")),
    Real("amazon/updateinfo_2023_nvidia.xml.gz", System("amzn", "2023")),
)  # fmt: skip


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """The folder of the files, and what the list of every host has."""
    folder = tmp_path_factory.mktemp("real")
    with tarfile.open(SAMPLES) as archive:
        wanted = [m for m in archive if m.name.startswith(FIXTURES) and "updateinfo" in m.name and m.name.endswith(".gz")]
        archive.extractall(folder, wanted, filter="data")
    return folder / FIXTURES, built(folder, WHOLE)


@pytest.mark.skipif(not SAMPLES.is_file(), reason="the samples of feeds lie outside the project (AUDITOR_SHARED)")
@pytest.mark.parametrize("case", REAL, ids=lambda case: case.file.split("/repodata")[0])
def test_real_updateinfo(case: Real, real: tuple[Path, list[Path]], tmp_path: Path) -> None:
    """One host with each package of the file just below what fixes it, one with exactly that."""
    folder, whole = real
    (file,) = folder.glob(case.file)
    text = gzip.decompress(file.read_bytes()).decode()
    packages = packages_of(text)
    fixed = built(tmp_path / "fixed", (rpm for _, rpm in packages))
    below = built(tmp_path / "below", (rpm._replace(release=f"0.{rpm.release}") for _, rpm in packages))
    repo = repository(tmp_path / "repository", fixed, text)

    root = rpm_root(tmp_path / "old", [*whole, *below], case.system)
    named, ours = dnf(root, repo, "available"), project(root, file, runs="0-0.x86_64")
    assert set(named) == {(ident, rpm.name) for ident, rpm in packages}
    assert (set(ours.noncompliant), ours.open) == (set(named) - case.open, case.open)
    assert all(versions == named[key] for key, versions in ours.noncompliant.items())

    root = rpm_root(tmp_path / "new", [*whole, *fixed], case.system)
    assert not dnf(root, repo, "available")
    _, first = packages[0]
    assert not project(root, file, runs=f"{first.version}-{first.release}.x86_64").noncompliant


def packages_of(text: str) -> list[tuple[str, Rpm]]:
    """Each package of each update of a file."""
    return [
        (update.findtext("id", ""), Rpm(p.attrib["name"], p.attrib["version"], p.attrib["release"], p.attrib["arch"], int(p.attrib["epoch"])))
        for update in ElementTree.fromstring(text).iter("update")
        for p in update.iter("package")
    ]  # fmt: skip
