"""The package databases are real ones: what the distributions' own tools read from them is what was put in."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.collectors.linux.host_facts import linux_facts
from auditor.collectors.linux.script import command
from auditor.model.facts import HostFacts
from auditor.transports.command import CommandResult
from tests.conftest import NOW
from tests.lab.linux_roots import (
    DEBIAN_12,
    System,
    apk_root,
    as_berkeley_db,
    build_rpm,
    dnf_updateinfo,
    dpkg_root,
    repository,
    rpm_root,
    run_in_root,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="roots and mounts of their own need root")

LABEL = "nodejs:18:8070020221212:abcdef12"
NEWER = "nodejs:18:8080020230101:abcdef12"
ALL = "%{NAME} %{EPOCH} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH} %{SOURCERPM} %{VENDOR} %{MODULARITYLABEL}\n"  # as they print
MODULES = """---
document: modulemd
version: 2
data:
  name: nodejs
  stream: "18"
  version: {version}
  context: abcdef12
  arch: x86_64
  summary: A module of the tests
  description: A module of the tests
  license: {{module: [MIT]}}
  artifacts: {{rpms: [{artifact}]}}
...
"""


def ask(root: Path, *query: str) -> set[str]:
    """What rpm says of a root from outside it."""
    asked = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "-qa", *query]
    return set(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines())


def facts_in(root: Path, *prefix: str) -> HostFacts:
    asked = command("mark", [], form="plain", deep=False, sudo="none")
    done = run_in_root(root, [*prefix, *asked.argv])
    return linux_facts(
        CommandResult(done.returncode, done.stdout, done.stderr, 0.0), "mark", target="t", method="local", now=NOW
    )


@pytest.fixture(scope="module")
def rpms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    folder = tmp_path_factory.mktemp("rpms")
    yield [
        build_rpm(folder, "nodejs", "18.1.0", "1.module_el8+1", epoch=1, modularity=LABEL, vendor="Rocky"),
        build_rpm(folder, "npm", "8.1", "1.18.1.0", epoch=1, modularity=LABEL, source="nodejs", files=["/usr/bin/npm"]),
        build_rpm(folder, "bash", "4.4.20", "4.el8"),
        build_rpm(folder, "kernel-core", "4.18.0", "1.el8", arch="aarch64"),
        build_rpm(folder, "kernel-core", "4.18.0", "2.el8", arch="aarch64"),
        build_rpm(folder, "tzdata", "2024a", "1.el8", arch="noarch"),
    ]
    shutil.rmtree(folder)


INSTALLED = {
    "nodejs 1 1 18.1.0 1.module_el8+1 x86_64 nodejs-18.1.0-1.module_el8+1.src.rpm Rocky " + LABEL,
    "npm 1 1 8.1 1.18.1.0 x86_64 nodejs-8.1-1.18.1.0.src.rpm (none) " + LABEL,
    "bash (none) 0 4.4.20 4.el8 x86_64 bash-4.4.20-4.el8.src.rpm (none) (none)",
    "kernel-core (none) 0 4.18.0 1.el8 aarch64 kernel-core-4.18.0-1.el8.src.rpm (none) (none)",
    "kernel-core (none) 0 4.18.0 2.el8 aarch64 kernel-core-4.18.0-2.el8.src.rpm (none) (none)",
    "tzdata (none) 0 2024a 1.el8 noarch tzdata-2024a-1.el8.src.rpm (none) (none)",
}


def test_rpm_installs_what_rpmbuild_built(rpms: list[Path], tmp_path: Path) -> None:
    root = rpm_root(tmp_path / "root", rpms, streams={"nodejs": "18"}, repositories={"a.repo": "[a]\nname=a\n"})
    assert ask(root, "--qf", ALL) == INSTALLED
    assert (root / "usr/bin/npm").read_text() == "/usr/bin/npm\n"
    assert "stream=18\n" in (root / "etc/dnf/modules.d/nodejs.module").read_text()
    assert (root / "etc/yum.repos.d/a.repo").exists()
    assert (root / "var/lib/rpm/rpmdb.sqlite").stat().st_size > 0


@pytest.mark.parametrize("dbpath", ["/var/lib/rpm", "/usr/lib/sysimage/rpm"])
def test_a_plain_rpm_in_a_root_reads_the_roots_database(rpms: list[Path], tmp_path: Path, dbpath: str) -> None:
    root = rpm_root(tmp_path / "root", rpms, System("fedora", "40"), dbpath=dbpath)
    root.chmod(0o700)
    said = run_in_root(root, ["rpm", "-qa", "--qf", ALL])
    assert (said.returncode, said.stderr) == (0, b"")
    assert set(said.stdout.decode().splitlines()) == INSTALLED
    nobody = run_in_root(root, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "rpm", "-qa", "--qf", ALL])
    assert nobody.stdout == said.stdout


def test_a_berkeley_db_is_read_whole_and_one_that_breaks_off_says_so_in_no_exit_status(
    rpms: list[Path], tmp_path: Path
) -> None:
    root = rpm_root(tmp_path / "root", rpms)
    packages = as_berkeley_db(root)
    said = run_in_root(root, ["rpm", "-qa", "--qf", ALL])
    assert (said.returncode, said.stderr, set(said.stdout.decode().splitlines())) == (0, b"", INSTALLED)
    os.truncate(packages, packages.stat().st_size - 4096)
    said = run_in_root(root, ["rpm", "-qa", "--qf", ALL])
    assert said.returncode == 0
    assert len(said.stdout.splitlines()) < len(INSTALLED)
    assert b"error: bdb_ro error reading Packages database" in said.stderr


def test_a_root_shows_its_own_system_and_keeps_what_it_has(tmp_path: Path) -> None:
    root = rpm_root(tmp_path / "root", [], System("rocky", "9.4", "Rocky Linux", {"PLATFORM_ID": "platform:el9"}))
    before = sorted(root.rglob("*"))
    script = """
    grep -h -E "^(ID|VERSION_ID|PLATFORM_ID)=" /etc/os-release; command -v rpm dpkg-query apk
    ls /var/lib; ls /usr/lib/modules 2>/dev/null
    touch /etc/x /usr/x /var/lib/rpm/x /tmp/x && echo written; echo /proc/[0-9]*"""
    said = run_in_root(root, ["sh", "-c", script]).stdout.decode().splitlines()
    system = ['ID="rocky"', 'VERSION_ID="9.4"', 'PLATFORM_ID="platform:el9"']
    assert said == [*system, "/usr/bin/rpm", "rpm", "written", "/proc/1"]
    assert sorted(root.rglob("*")) == before
    assert not Path("/usr/x").exists()
    assert run_in_root(root, ["sh", "-c", "command -v rpm"], hidden=["rpm"]).returncode
    assert run_in_root(root, ["cat"], stdin=b"given").stdout == b"given"
    with pytest.raises(RuntimeError, match="could not be entered"):
        run_in_root(tmp_path / "none", ["true"])


def test_dpkg_lists_what_dpkg_installed_and_the_collector_reads_it(tmp_path: Path) -> None:
    root = dpkg_root(
        tmp_path / "root",
        [
            {"Package": "openssl", "Version": "3.0.11-1~deb12u2", "Section": "utils"},
            {"Package": "libssl3", "Version": "3.0.11-1~deb12u2", "Source": "openssl", "Multi-Arch": "same", "Status": "hold"},
            {"Package": "libssl3", "Version": "3.0.11-1~deb12u2", "Source": "openssl", "Architecture": "armhf", "Multi-Arch": "same"},
            {"Package": "linux-image-6.1.0-1", "Version": "6.1.4-1", "Source": "linux-signed (6.1.4+1)", "Architecture": "arm64"},
            {"Package": "tzdata", "Version": "2024a-0+deb12u1", "Architecture": "all"},
        ],
        System("debian", "12", "Debian GNU/Linux", DEBIAN_12.extra),
    )  # fmt: skip
    show = "${db:Status-Abbrev} ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n"
    asked = subprocess.run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", show], capture_output=True, text=True)
    own = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip()
    assert set(asked.stdout.splitlines()) == {
        f"ii  openssl 3.0.11-1~deb12u2 {own} openssl 3.0.11-1~deb12u2",
        f"hi  libssl3 3.0.11-1~deb12u2 {own} openssl 3.0.11-1~deb12u2",
        "ii  libssl3 3.0.11-1~deb12u2 armhf openssl 3.0.11-1~deb12u2",
        "ii  linux-image-6.1.0-1 6.1.4-1 arm64 linux-signed 6.1.4+1",
        "ii  tzdata 2024a-0+deb12u1 all tzdata 2024a-0+deb12u1",
        f"ii  dpkg 1.21.22 {own} dpkg 1.21.22",
        f"ii  base-files 12.4+deb12u8 {own} base-files 12.4+deb12u8",
        f"ii  libc6 2.36-9+deb12u9 {own} glibc 2.36-9+deb12u9",
    }
    facts = facts_in(root)
    assert facts.platform.product == "debian-12"
    assert {(p.name, p.arch, p.hold) for p in facts.packages or () if p.name == "libssl3"} == {
        ("libssl3", own, True),
        ("libssl3", "armhf", False),
    }
    assert len(facts.packages or ()) == 8


def test_apks_file_has_the_form_that_apk_gives_it(tmp_path: Path) -> None:
    root = apk_root(tmp_path / "root", [{"P": "libcrypto3", "V": "3.3.1-r3", "o": "openssl", "c": "a" * 40}])
    said = run_in_root(
        root, ["busybox", "sh", "-c", "cat /lib/apk/db/installed; command -v dpkg-query rpm; cat /etc/alpine-release"]
    )
    *records, release = said.stdout.decode().split("\n\n")
    assert [r.partition("\n")[0][:2] for r in records] == ["C:"] * 4
    fields = dict(line.split(":", 1) for line in records[0].splitlines())
    assert {k: fields[k] for k in "PVAoc"} == {"P": "libcrypto3", "V": "3.3.1-r3", "A": "x86_64", "o": "openssl", "c": "a" * 40}
    assert [r.partition("\nP:")[2].partition("\n")[0] for r in records[1:]] == ["alpine-baselayout", "apk-tools", "musl"]
    assert release == "3.20.3\n"


def test_dnf_names_the_advisories_of_what_is_installed(rpms: list[Path], tmp_path: Path) -> None:
    root = rpm_root(tmp_path / "root", [r for r in rpms if "aarch64" not in r.name], streams={"nodejs": "18"})
    before = sorted(root.rglob("*"))
    new = [
        build_rpm(tmp_path, "nodejs", "18.2.0", "1.module_el8+2", epoch=1, modularity=NEWER),
        build_rpm(tmp_path, "bash", "4.4.20", "5.el8"),
        build_rpm(tmp_path, "absent", "2", "1.el8"),
    ]
    updates = (
        ("RLSA-2024:1", '<package name="bash" epoch="0" version="4.4.20" release="5.el8" arch="x86_64"/>', ""),
        ("RLSA-2024:2", '<package name="absent" epoch="0" version="2" release="1.el8" arch="x86_64"/>', ""),
        (
            "RLSA-2024:3",
            '<package name="nodejs" epoch="1" version="18.2.0" release="1.module_el8+2" arch="x86_64"/>',
            '<module name="nodejs" stream="18" version="8080020230101" context="abcdef12" arch="x86_64"/>',
        ),
    )
    text = "".join(
        f'<update from="x" status="final" type="security" version="1"><id>{name}</id><title>{name}</title><severity>Important</severity>'
        f'<issued date="2024-01-01 00:00:00"/><description>d</description><references/><pkglist><collection short="x">'
        f"<name>x</name>{module}{package}</collection></pkglist></update>"
        for name, package, module in updates
    )
    modules = MODULES.format(version="8080020230101", artifact="nodejs-1:18.2.0-1.module_el8+2.x86_64")
    repo = repository(tmp_path / "repo", new, f"<?xml version='1.0'?><updates>{text}</updates>", modules)
    assert dnf_updateinfo(root, repo) == {
        ("RLSA-2024:1", "bash-4.4.20-5.el8.x86_64"),
        ("RLSA-2024:3", "nodejs-1:18.2.0-1.module_el8+2.x86_64"),
    }
    assert sorted(root.rglob("*")) == before
    with pytest.raises(RuntimeError, match="dnf ended with"):
        dnf_updateinfo(root, tmp_path / "none")
