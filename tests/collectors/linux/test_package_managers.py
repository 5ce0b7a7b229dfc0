"""Packages of real databases, read by the real script inside their roots: rpm's in both its forms, apk's, dpkg's; and what is
broken is never taken for the whole.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.collectors.linux.host_facts import linux_facts
from auditor.collectors.linux.script import command
from auditor.model.facts import HostFacts, Package, Repository
from auditor.transports.command import CommandResult
from tests.conftest import NOW
from tests.lab.linux_roots import System, apk_root, as_berkeley_db, build_rpm, dpkg_root, rpm_root, run_in_root

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="roots and mounts of their own need root")

ROCKY = System("rocky", "9.4", "Rocky Linux")
LABEL = "nodejs:18:8070020221212:abcdef12"
SHELLS = (["sh"], ["bash"], ["busybox", "sh"], ["ksh"], ["mksh"])
UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def facts_in(root: Path, *prefix: str, shell: list[str] = SHELLS[0], marker: str = "mark") -> HostFacts:
    asked = command(marker, [], form="plain", deep=False, sudo="none")
    done = run_in_root(root, [*prefix, *shell, *asked.argv[1:]])
    return linux_facts(
        CommandResult(done.returncode, done.stdout, done.stderr, 0.1), marker, target="h", method="test", now=NOW
    )


def why(facts: HostFacts, collector: str = "packages") -> str:
    return next(o.reason for o in facts.outcomes if o.name == collector)


@pytest.fixture(scope="module")
def rpms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("rpms")
    return [
        build_rpm(folder, "rpm", "4.16.1.3", "29.el9"), build_rpm(folder, "glibc", "2.34", "100.el9"),
        build_rpm(folder, "openssl-libs", "3.0.7", "27.el9", epoch=1, source="openssl"),
        build_rpm(folder, "nodejs", "18.1.0", "1.module+el9.1.0+1+abcdef", epoch=1, modularity=LABEL),
        build_rpm(folder, "kernel-core", "5.14.0", "427.13.1.el9_4"), build_rpm(folder, "kernel-core", "5.14.0", "503.11.1.el9_5"),
        build_rpm(folder, "tzdata", "2024a", "1.el9", arch="noarch"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def rocky(rpms: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    repositories = {
        "rocky.repo": "[baseos]\nname=x\nmirrorlist=https://user:secret@mirror.example/x\n[sig]\nbaseurl=http://x/\nenabled=0\n"
    }
    return rpm_root(tmp_path_factory.mktemp("rocky") / "root", rpms, ROCKY, streams={"nodejs": "18"}, repositories=repositories)


SSL = Package("openssl-libs", 1, "3.0.7", "27.el9", "x86_64", "openssl-3.0.7-27.el9.src.rpm", None, None, "rpm")
NODE = Package(
    "nodejs",
    1,
    "18.1.0",
    "1.module+el9.1.0+1+abcdef",
    "x86_64",
    "nodejs-18.1.0-1.module+el9.1.0+1+abcdef.src.rpm",
    None,
    LABEL,
    "rpm",
)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda s: " ".join(s))
def test_rpms_of_a_real_database(rocky: Path, shell: list[str]) -> None:
    facts = facts_in(rocky, shell=shell)
    assert facts.packages is not None, why(facts)
    assert facts.platform.product == "rocky-9"
    assert {SSL, NODE} <= set(facts.packages)
    assert sorted(p.full_version for p in facts.packages if p.name == "kernel-core") == [
        "5.14.0-427.13.1.el9_4",
        "5.14.0-503.11.1.el9_5",
    ]
    assert next(p for p in facts.packages if p.name == "tzdata").arch == "noarch"
    assert (len(facts.packages), {p.manager for p in facts.packages}) == (7, {"rpm"})
    assert facts.module_streams == ("nodejs:18",)
    assert facts.repositories == (
        Repository("rpm", "baseos", "https://mirror.example/x"),
        Repository("rpm", "sig", "http://x/", (), False),
    )


def test_another_account_reads_the_same(rocky: Path) -> None:
    assert facts_in(rocky, *UNPRIVILEGED).packages == facts_in(rocky).packages


def test_rpms_of_a_berkeley_database(rpms: list[Path], tmp_path: Path) -> None:
    root = rpm_root(tmp_path / "root", rpms, System("rhel", "8.10", "Red Hat Enterprise Linux"))
    expected = facts_in(root).packages
    as_berkeley_db(root)
    assert facts_in(root).packages == expected
    packages = root / "var/lib/rpm/Packages"
    packages.write_bytes(packages.read_bytes()[: packages.stat().st_size * 2 // 3])  # rpm ends with 0, and lists a part
    facts = facts_in(root)
    assert facts.packages is None
    assert "rpm" in why(facts)


def garbled(root: Path) -> None:
    """A page of the table of packages: rpm skips what it cannot read, and ends with 0."""
    with sqlite3.connect(root / "var/lib/rpm/rpmdb.sqlite") as db:
        db.execute("pragma journal_mode=delete")
        db.execute("update Packages set blob=substr(blob, 1, 100) where hnum=(select max(hnum) from Packages)")
    db.close()


def lacking(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        with sqlite3.connect(root / "var/lib/rpm/rpmdb.sqlite") as db:
            db.execute("pragma journal_mode=delete")
            db.execute("delete from Packages where hnum in (select hnum from Name where key=?)", (name.encode(),))
            db.execute("delete from Packages where hnum in (select hnum from Name where key=?)", (name,))
        db.close()

    return change


def emptied(root: Path) -> None:
    for path in (root / "var/lib/rpm").glob("rpmdb.sqlite*"):
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (garbled, "could not read all"),
        (lacking("rpm"), "it lacks rpm"),
        (lacking("glibc"), "it lacks a C library"),
        (emptied, "rpm"),
    ],
)
def test_a_broken_database_is_unknown(rocky: Path, tmp_path: Path, harm: Callable[[Path], None], reason: str) -> None:
    root = tmp_path / "root"
    shutil.copytree(rocky, root, symlinks=True)
    harm(root)
    facts = facts_in(root)
    assert facts.packages is None
    assert reason in why(facts)


def test_rpm_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    root = dpkg_root(tmp_path / "root", [{"Package": "openssl", "Version": "3.0.15-1"}])
    asked = command("mark", [], form="plain", deep=False, sudo="none")
    after = " ; ls -A ~ /var/lib | grep -i rpm ; true"
    done = run_in_root(root, ["sh", "-c", f'sh "$@"{after}', "sh", *asked.argv[1:]], hidden=[])
    output = linux_facts(CommandResult(0, done.stdout, done.stderr, 0.1), "mark", target="h", method="test", now=NOW)
    assert output.packages is not None, why(output)
    assert {p.manager for p in output.packages} == {"dpkg"}
    assert not done.stdout.rpartition(b"mark.end")[2].strip(), "rpm made a database"


ALPINE = System("alpine", "3.20.3", "Alpine Linux")
BASE = [
    {"P": n, "V": v, "A": "x86_64", "o": o, "c": "a" * 40}
    for n, v, o in (("musl", "1.2.5-r0", "musl"), ("busybox", "1.36.1-r29", "busybox"))
]
CRYPTO = {"P": "libcrypto3", "V": "3.3.1-r3", "A": "x86_64", "o": "openssl", "c": "b" * 40}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda s: " ".join(s))
def test_apks(tmp_path: Path, shell: list[str]) -> None:
    facts = facts_in(apk_root(tmp_path / "root", [*BASE, CRYPTO], ALPINE), shell=shell)
    assert facts.packages is not None, why(facts)
    assert (facts.platform.product, len(facts.packages)) == ("alpine-3.20", 5)
    assert next(p for p in facts.packages if p.name == "libcrypto3") == Package(
        "libcrypto3", None, "3.3.1", "r3", "x86_64", "openssl", "3.3.1-r3", None, "apk"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [(lambda text: text.replace("P:musl\n", "P:muslin\n"), "it lacks musl"), (lambda text: text.replace("P:libcrypto3\n", ""), "is not whole"),
     (lambda text: text[: text.rindex("V:")], "cannot be read"), (lambda text: text.replace("V:3.3.1-r3", "V:" + "9" * 5000), "limit")],
)  # fmt: skip
def test_a_database_of_apks_that_is_not_whole(tmp_path: Path, change: Callable[[str], str], reason: str) -> None:
    root = apk_root(tmp_path / "root", [*BASE, CRYPTO], ALPINE)
    file = root / "lib/apk/db/installed"
    file.write_text(change(file.read_text()))
    facts = facts_in(root)
    assert facts.packages is None
    assert reason in why(facts)


def test_no_packages_at_all(tmp_path: Path) -> None:
    root = apk_root(tmp_path / "root", BASE, ALPINE)
    (root / "lib/apk/db/installed").unlink()
    facts = facts_in(root)
    assert facts.packages is None
    assert "no packages" in why(facts)


def test_what_cuts_the_list_off_on_the_way_makes_it_unknown(rocky: Path) -> None:
    """Any line of rpm's list that is left out contradicts its length."""
    asked = command("mark", [], form="plain", deep=False, sudo="none")
    lines = run_in_root(rocky, list(asked.argv)).stdout.split(b"\n")
    rows = [n for n, line in enumerate(lines) if line.count(b"\t") == 8]
    assert len(rows) == 7
    for n in rows:
        stdout = b"\n".join(line for m, line in enumerate(lines) if m != n)
        facts = linux_facts(CommandResult(0, stdout, b"", 0.1), "mark", target="h", method="test", now=NOW)
        assert facts.packages is None
