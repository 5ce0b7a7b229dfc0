"""Debian packages judged by debsecan, Debian's own scanner, and by the project: one dpkg status file, one list of advisories.

debsecan takes no list of advisories but what the security tracker makes for it, so the list is rewritten here in that form, by a
reader of its own. It knows flaws (CVE) by source, and names the binary packages; an advisory without a flaw it cannot know.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from auditor.advisories.database.importing import import_documents
from auditor.advisories.database.knowledge import AdvisoryDatabase
from auditor.evaluation.evaluate import evaluate
from tests.advisories.given import DSA
from tests.collectors.linux.test_package_managers import facts_in, why
from tests.conftest import NOW, SHARED
from tests.lab.linux_roots import System

SAMPLES = SHARED / "advisories" / "feeds" / "derived-dev.tar.xz"
BULLSEYE = System("debian", "11", "Debian GNU/Linux", {"VERSION_CODENAME": "bullseye"})
BUSTER = System("debian", "10", "Debian GNU/Linux", {"VERSION_CODENAME": "buster"})
BOOKWORM = System("debian", "12", "Debian GNU/Linux", {"VERSION_CODENAME": "bookworm"})

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a root with another package database is entered as root")

Flaws = set[tuple[str, str]]  # binary package and CVE


@pytest.fixture(autouse=True, scope="module")
def _tool() -> None:
    assert shutil.which("debsecan"), "the tests need debsecan (tests/packages.sh)"


# The list of advisories


class Fix(NamedTuple):
    """What one advisory fixes in one source of a release."""

    advisory: str
    source: str
    version: str
    cves: tuple[str, ...]


def fixes_of(text: str, codename: str) -> list[Fix]:
    """Read from a list of advisories, with nothing of the project's."""
    found, advisory, cves = [], "", tuple[str, ...]()
    for line in text.splitlines():
        words = line.split()
        if line.startswith("["):
            advisory, cves = next((w for w in words if w.startswith("DSA-")), ""), ()
        elif words and words[0].startswith("{"):
            cves = tuple(re.findall(r"CVE-\d+-\d+", line))
        elif words[:2] == [f"[{codename}]", "-"] and words[3][0].isdigit():
            found.append(Fix(advisory, words[2], words[3], cves))
    return found


def debsecan_data(fixes: Iterable[Fix]) -> bytes:
    """In the form that the tracker has for debsecan: names of flaws; then, by number, source, whether of a (S)ource, urgency,
    whether (R)emote, whether (F)ixed, and the version below which it is vulnerable; then the sources' binary packages (none
    told, so nothing counts as obsolete)."""
    rows = sorted({(cve, fix.source, fix.version) for fix in fixes for cve in fix.cves})
    number = {cve: n for n, cve in enumerate(sorted({cve for cve, _, _ in rows}))}
    names = "".join(f"{cve},,of a test\n" for cve in number)
    flaws = "".join(f"{source},{number[cve]},S  F,{version},\n" for cve, source, version in rows)
    return zlib.compress(f"VERSION 1\n{names}\n{flaws}\n\n".encode())


# A host


@dataclass(frozen=True)
class Deb:
    """An installed package, of a source of its own name and version if no other is given."""

    name: str
    version: str
    arch: str = "amd64"
    source: str = ""
    status: str = "install ok installed"

    def stanza(self) -> str:
        source = f"Source: {self.source}\n" if self.source else ""
        return (
            f"Package: {self.name}\nStatus: {self.status}\n{source}Version: {self.version}\nArchitecture: {self.arch}\n"
            "Maintainer: The tests <tests@example.org>\nDescription: A package of the tests\n\n"
        )


_WHOLE = ("dpkg", "base-files", "libc6")  # what every list of dpkg's has, else it is no whole one


def host(folder: Path, debs: Iterable[Deb], system: System) -> Path:
    """A root that is nothing but what dpkg says is installed."""
    packages = list(debs)
    have = {d.name for d in packages}
    packages += [Deb(name, "1:99") for name in _WHOLE if name not in have]
    for part in ("info", "updates", "triggers"):
        (folder / "var/lib/dpkg" / part).mkdir(parents=True)
    (folder / "var/lib/dpkg/status").write_text("".join(d.stanza() for d in packages))
    system.write(folder)
    return folder


@dataclass
class Sides:
    """What each of the two calls open. `advisories`: the project's of them, `without`: those that are about no flaw."""

    debsecan: Flaws
    project: Flaws
    advisories: set[str]
    without: set[str]


def judged(folder: Path, debs: Sequence[Deb], system: System, text: str) -> Sides:
    codename = system.extra["VERSION_CODENAME"]
    root = host(folder / "root", debs, system)
    (folder / codename).write_bytes(debsecan_data(fixes_of(text, codename)))
    files = [f"--config={folder}/no.conf", f"--whitelist={folder}/no.list", f"--status={root}/var/lib/dpkg/status"]
    asked = ["debsecan", f"--suite={codename}", f"--source=file://{folder}", *files, "--only-fixed", "--format=simple"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    assert not said.stderr
    theirs = {(package, cve) for cve, package in map(str.split, said.stdout.splitlines())}

    facts = facts_in(root)
    assert facts.packages is not None, why(facts)
    assert len(facts.packages) >= sum(d.status.endswith("installed") for d in debs)
    (folder / "DSA-list").write_text(text)
    import_documents(folder / "advisories.db", [str(folder / "DSA-list")], now=NOW, as_of=NOW.date())
    knowledge = AdvisoryDatabase(folder / "advisories.db").about(facts)
    found = [f for f in evaluate(facts, (), today=NOW.date(), knowledge=knowledge) if f.verdict == "noncompliant"]
    ours = {(package.name, cve) for finding in found for package in finding.packages for cve in finding.cves}
    return Sides(theirs, ours, {f.rule for f in found}, {f.rule for f in found if not f.cves})


# What the two see differently, and why each does.
_ONLY_PROJECT = {
    ("linux-image-6.1.0-1-amd64", "CVE-2026-3333"): "advisories name linux; to debsecan the source of a signed kernel is linux-signed-amd64",
    ("openssl-unpacked", "CVE-2026-1111"): "debsecan passes over what is not wholly installed; the project judges what lies on the disk",
    ("openssl-unpacked", "CVE-2026-1112"): "the same",
}  # fmt: skip


def test_packages_by_hand(tmp_path: Path) -> None:
    old, fixed = "3.0.17-1~deb12u2", "3.0.17-1~deb12u3"
    debs = [
        Deb("openssl", old),
        Deb("libssl3", f"{fixed}+b1", source=f"openssl ({fixed})"),
        Deb("libssl-dev", f"{fixed}+b1", source=f"openssl ({old})", status="hold ok installed"),  # the source's version counts
        Deb("libssl-doc", old, "all", "openssl", status="deinstall ok config-files"),
        Deb("curl", "7.88.1-10+deb12u1"),  # its advisory is about no flaw
        Deb("vlc", "3.0"),  # not affected
        Deb("linux-image-6.1.0-1-amd64", "6.1.139-1", source="linux-signed-amd64 (6.1.139+1)"),
        Deb("linux-libc-dev", "6.1.139-1", source="linux"),
        Deb("openssl-unpacked", old, source="openssl", status="install ok unpacked"),
    ]
    sides = judged(tmp_path, debs, BOOKWORM, DSA.decode())
    agreed = {
        *(("openssl", cve) for cve in ("CVE-2026-1111", "CVE-2026-1112")),
        *(("libssl-dev", cve) for cve in ("CVE-2026-1111", "CVE-2026-1112")),
        ("linux-libc-dev", "CVE-2026-3333"),
    }
    assert sides.debsecan == agreed
    assert sides.project == agreed | set(_ONLY_PROJECT)
    assert (sides.advisories, sides.without) == ({"DSA-9001-1", "DSA-9000-2", "DSA-8998-1"}, {"DSA-9000-2"})


# The real list


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Deb]]:
    """Debian's list of advisories, and the packages of a real host."""
    folder = tmp_path_factory.mktemp("samples")
    members = {"./debian/security-tracker/DSA-list-until-2022-05", "./hosts-derived/debian-11.dpkg-query.tsv"}
    with tarfile.open(SAMPLES) as archive:
        archive.extractall(folder, [m for m in archive if m.name in members], filter="data")
    dsa, tsv = (folder / name for name in sorted(members))
    rows = [line.split("\t") for line in tsv.read_text().splitlines()]
    return dsa.read_text(), [Deb(name, version, arch) for name, version, arch in rows]


_needs_samples = pytest.mark.skipif(
    not SAMPLES.is_file(), reason="the samples of feeds lie outside the project (AUDITOR_SHARED)"
)


# The list names no sources; these are Debian 11's.
_SOURCES = {
    "bsdutils": "util-linux (2.36.1-8)", "libblkid1": "util-linux", "libmount1": "util-linux", "libcurl4": "curl", "libcurl3-gnutls": "curl",
    "libssl1.1": "openssl", "liblzma5": "xz-utils", "zlib1g": "zlib", "libexpat1": "expat", "libldap-2.4-2": "openldap",
    "linux-image-5.10.0-9-cloud-amd64": "linux-signed-amd64 (5.10.70+1)", "linux-image-cloud-amd64": "linux-signed-amd64 (5.10.70+1)",
}  # fmt: skip


@_needs_samples
def test_a_real_host(samples: tuple[str, list[Deb]], tmp_path: Path) -> None:
    text, packages = samples
    assert len(packages) > 300
    debs = [replace(deb, source=_SOURCES.get(deb.name, "")) for deb in packages]
    sides = judged(tmp_path, debs, BULLSEYE, text)
    signed = {(package, cve) for package, cve in sides.project if package.startswith("linux-image-")}
    assert sides.project - signed == sides.debsecan  # of signed kernels debsecan knows nothing, as above
    assert len(sides.debsecan) > 20
    assert len(signed) > 20


@_needs_samples
@pytest.mark.parametrize(("system", "most"), [(BULLSEYE, 182), (BUSTER, 595)], ids=["bullseye", "buster"])
def test_packages_around_every_fix(samples: tuple[str, list[Deb]], system: System, most: int, tmp_path: Path) -> None:
    """For every source of the list some binary packages, at one of its fixes, just below or just above."""
    text, _ = samples
    fixes = fixes_of(text, system.extra["VERSION_CODENAME"])
    assert len(fixes) == most
    chance = random.Random(20261130)
    versions: dict[str, list[str]] = {}
    for fix in fixes:
        versions.setdefault(fix.source, []).append(fix.version)
    debs = []
    for source, known in versions.items():
        at = chance.choice(known)
        for number, version in enumerate((at, f"{at}~", f"{at}+b1", *chance.choice(((), (), ("0",))))):
            debs.append(Deb(f"{source}-part{number}", version, source=source))
        debs.append(Deb(f"{source}-rebuilt", "99:1", source=f"{source} ({chance.choice((at, f'{at}~'))})"))
        debs.append(Deb(source, f"{at}~", source="" if chance.random() < 0.5 else "another"))
    sides = judged(tmp_path, debs, system, text)
    assert sides.project == sides.debsecan
    assert len(sides.project) > 2000
    cves = {fix.advisory: fix.cves for fix in fixes}
    assert sides.without == {ident for ident in sides.advisories if not cves[ident]}
    assert most * 0.6 < len(sides.advisories) < most
