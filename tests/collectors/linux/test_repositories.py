"""Where packages are taken from, in every form of file; read by the real script where the files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.collectors.linux import repositories
from auditor.collectors.linux.host_facts import linux_facts
from auditor.collectors.linux.operating_system import product_id
from auditor.collectors.linux.script import command
from auditor.collectors.linux.script_output import ScriptOutput, Section
from auditor.errors import FactUnavailable
from auditor.model.facts import Repository
from auditor.transports.command import CommandResult
from tests.conftest import NOW
from tests.lab.linux_roots import DEBIAN_12, dpkg_root, run_in_root

R = Repository


def shown(files: dict[str, str], count: int | None = None) -> Section:
    text = "".join(f"=file= {name}\n{content}\n" for name, content in files.items())
    return Section(f"{text}=files= {len(files) if count is None else count}\n", 0, "", 0.1)


def read(files: dict[str, str], modules: dict[str, str] | None = None) -> tuple[Repository, ...]:
    output = ScriptOutput({"repositories": shown(files), "module_streams": shown(modules or {})}, True, "")
    return tuple(repositories.parse(output).facts["repositories"])


FILES = [
    ("/etc/apt/sources.list", "deb http://deb.example/debian bookworm main contrib\n# deb http://x y z\ndeb-src http://x y z\n deb\thttp://s.example/  bookworm-security   main # c\n",
     [R("dpkg", "bookworm", "http://deb.example/debian", ("main", "contrib")), R("dpkg", "bookworm-security", "http://s.example/", ("main",))]),
    ("/etc/apt/sources.list.d/a.list", "deb [arch=amd64 signed-by=/x y.gpg] https://esm.ubuntu.com/apps/ubuntu jammy-apps-security main\n",
     [R("dpkg", "jammy-apps-security", "https://esm.ubuntu.com/apps/ubuntu", ("main",))]),
    ("/etc/apt/sources.list.d/debian.sources", "# c\nTypes: deb deb-src\nURIs: http://a/ http://b/\nSuites: trixie trixie-updates\nComponents: main\n non-free\n\nTypes: deb-src\nURIs: http://c/\nSuites: x\n\nEnabled: no\nTypes: deb\nURIs: http://d/\nSuites: trixie-backports\nComponents: main\n",
     [R("dpkg", s, u, ("main", "non-free")) for u in ("http://a/", "http://b/") for s in ("trixie", "trixie-updates")] + [R("dpkg", "trixie-backports", "http://d/", ("main",), False)]),
    ("/etc/yum.repos.d/redhat.repo", "# c\n[rhel-9-for-x86_64-baseos-eus-rpms]\nname = x\nenabled = 1\nbaseurl = https://cdn.example/$releasever\n\n[off]\nenabled=0\nmetalink=https://m/\n[on-by-itself]\nmirrorlist=http://l/\n",
     [R("rpm", "rhel-9-for-x86_64-baseos-eus-rpms", "https://cdn.example/$releasever"), R("rpm", "off", "https://m/", (), False), R("rpm", "on-by-itself", "http://l/")]),
    ("/etc/zypp/repos.d/x.repo", "[SLE-Product-SLES15-SP5-LTSS-Updates]\nenabled=1\nbaseurl=https://updates.example/LTSS\n", [R("rpm", "SLE-Product-SLES15-SP5-LTSS-Updates", "https://updates.example/LTSS")]),
    ("/etc/apk/repositories", "#http://off/\nhttps://dl.example/alpine/v3.20/main\nhttps://dl.example/alpine/v3.20/community\n",
     [R("apk", "main", "https://dl.example/alpine/v3.20/main"), R("apk", "community", "https://dl.example/alpine/v3.20/community")]),
    ("/etc/apt/sources.list", "", []), ("/etc/yum.repos.d/x.repo", "\x00\xff[", []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), FILES)
def test_every_form_of_file(name: str, text: str, expected: list[Repository]) -> None:
    assert list(read({name: text})) == expected


def test_module_streams() -> None:
    files = {"/etc/dnf/modules.d/nodejs.module": "[nodejs]\nname=nodejs\nstream=18\nprofiles=common\nstate=enabled\n",
             "/etc/dnf/modules.d/php.module": "[php]\nstream=7.4\nstate=disabled\n[perl]\nstate=enabled\nstream=5.26\n"}  # fmt: skip
    output = ScriptOutput({"repositories": shown({}), "module_streams": shown(files)}, True, "")
    assert repositories.parse(output).facts["module_streams"] == ("nodejs:18", "perl:5.26")


@pytest.mark.parametrize(
    "section",
    [
        shown({"/etc/apt/sources.list": "deb http://x y z\n"}, 2),
        Section("", 0, "", 0.1),
        Section("=files= 0\n", 13, "x may not be read", 0.1),
    ],
)
def test_what_did_not_come_whole_is_unknown(section: Section) -> None:
    with pytest.raises(FactUnavailable):
        repositories.parse(ScriptOutput({"repositories": section, "module_streams": shown({})}, True, ""))


def test_hostile_files_are_bounded() -> None:
    with pytest.raises(FactUnavailable, match="repositories"):
        read({f"/etc/apt/sources.list.d/{n}.list": "deb http://x y z\n" * 10 + f"deb http://{n} y z\n" for n in range(2100)})


@pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own needs root")
def test_logins_never_leave_the_host(tmp_path: Path) -> None:
    root = dpkg_root(tmp_path / "root", [{"Package": "openssl", "Version": "3.0.15-1"}], DEBIAN_12)
    (root / "etc/apt/sources.list.d").mkdir(parents=True, exist_ok=True)
    (root / "etc/apt/sources.list").write_text("deb https://me:s3cret@deb.example/x bookworm main")
    (root / "etc/apt/sources.list.d/odd name.list").write_text("deb http://other.example/ bookworm main\n")
    asked = command("mark", [], form="plain", deep=False, sudo="none")
    for shell in (["sh"], ["bash"], ["busybox", "sh"], ["ksh"], ["mksh"]):
        done = run_in_root(root, [*shell, *asked.argv[1:]])
        assert b"s3cret" not in done.stdout
        facts = linux_facts(
            CommandResult(done.returncode, done.stdout, done.stderr, 0.1), "mark", target="h", method="test", now=NOW
        )
        assert facts.repositories == (
            R("dpkg", "bookworm", "https://deb.example/x", ("main",)),
            R("dpkg", "bookworm", "http://other.example/", ("main",)),
        )
        assert facts.module_streams == ()


@pytest.mark.parametrize(
    ("ident", "version", "product"),
    [
        ("amzn", "2", "amazon-2"), ("amzn", "2018.03", "amazon-1"), ("amzn", "2023", "amazon-2023"), ("ol", "9.4", "oracle-9"), ("opensuse-leap", "15.6", "opensuse-leap-15.6"), ("sles", "15.5", "sles-15.5"),
        ("sles_sap", "15.3", "sles_sap-15.3"), ("alpine", "3.20.3", "alpine-3.20"), ("alpine", "3.22.0_alpha20250108", "alpine-edge"), ("fedora", "44", "fedora-44"), ("rocky", "9.4", "rocky-9"),
        ("almalinux", "8.10", "almalinux-8"), ("centos", "7", "centos-7"), ("centos-stream", "9", "centos-stream-9"), ("kali", "2026.3", "kali-2026.3"), ("linuxmint", "21.2", "linuxmint-21.2"),
        ("raspbian", "12", "raspbian-12"), ("opensuse-tumbleweed", "20261101", "opensuse-tumbleweed-20261101"), ("arch", None, "arch"), ("rhel", "9.4", "rhel-9"), ("debian", "12", "debian-12"),
    ],
)  # fmt: skip
def test_products_as_data(ident: str, version: str | None, product: str) -> None:
    assert product_id(ident, version) == product
