"""From a mirror to a fleet's report, as an administrator does it: feeds over HTTP, real package databases of rpm, apk and dpkg read by
the real script in their roots, and one audit of them all.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.linux import offline_script
from auditor.transports.replay import CARRIED_MARKER
from tests.advisories import given
from tests.advisories.fetching.server import serving
from tests.conftest import Run
from tests.lab.linux_roots import System, apk_root, build_rpm, dpkg_root, rpm_root, run_in_root

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="roots and mounts of their own need root")

ALMA, ALPINE = System("almalinux", "9.5", "AlmaLinux"), System("alpine", "3.20.3", "Alpine Linux")
LABEL = "nodejs:18:9010020221212:abcdef12"
MODULAR = "1.module_el9.1.0+1+abcdef"


def carried(root: Path, to: Path) -> None:
    """What collect.sh brings home from a root: run there, by its own shell."""
    text = offline_script.script([])
    (root / "collect.sh").write_text(text)
    done = run_in_root(root, ["sh", "-c", "cd /tmp && sh /collect.sh >&2 && cat auditor-*.txt"])
    assert f"{CARRIED_MARKER}=plain".encode() in done.stdout, done.stderr
    to.write_bytes(done.stdout)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet's answers: AlmaLinux behind and up to date, Alpine, Debian, and a Rocky that no feed covers."""
    folder = tmp_path_factory.mktemp("fleet")
    base = [build_rpm(folder, "rpm", "4.16.1.3", "29.el9"), build_rpm(folder, "glibc", "2.34", "100.el9")]
    old = [
        build_rpm(folder, "openssl-libs", "3.0.7", "27.el9", epoch=1, source="openssl"),
        build_rpm(folder, "nodejs", "18.1.0", MODULAR, epoch=1, modularity=LABEL),
    ]
    new = [
        build_rpm(folder, "openssl-libs", "3.0.7", "29.el9", epoch=1, source="openssl"),
        build_rpm(folder, "nodejs", "18.2.0", MODULAR, epoch=1, modularity=LABEL),
    ]
    carried(rpm_root(folder / "alma-old", [*base, *old], ALMA), folder / "alma-old.txt")
    carried(rpm_root(folder / "alma-new", [*base, *new], ALMA), folder / "alma-new.txt")
    carried(rpm_root(folder / "rocky", [*base, *old], System("rocky", "9.5", "Rocky Linux")), folder / "rocky.txt")
    ssl = {"P": "libcrypto3", "V": "3.3.1-r2", "A": "x86_64", "o": "openssl", "c": "b" * 40}
    carried(apk_root(folder / "alpine", [ssl], ALPINE), folder / "alpine.txt")
    carried(
        dpkg_root(
            folder / "debian", [{"Package": "libssl3", "Version": "3.0.15-1~deb12u1", "Source": "openssl", "Status": "hold"}]
        ),
        folder / "debian.txt",
    )
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    for source, documents in {
        "almalinux": [
            given.osv(
                "ALSA-2026:1",
                ("AlmaLinux:9", "openssl-libs", "1:3.0.7-28.el9"),
                ("AlmaLinux:9", "openssl", "1:3.0.7-28.el9"),
                title="Important: openssl security update",
                related=["CVE-2026-1111", "CVE-2026-1112"],
            ),
            given.osv(
                "ALSA-2026:2",
                ("AlmaLinux:9", "openssl-libs", "1:3.0.7-29.el9"),
                title="Critical: openssl security update",
                related=["CVE-2026-1113"],
            ),
            given.osv(
                "ALSA-2026:3", ("AlmaLinux:9", "nodejs", f"1:18.2.0-{MODULAR}"), title="Moderate: nodejs:18 security update"
            ),
            given.osv(
                "ALSA-2026:4", ("AlmaLinux:9", "nodejs", f"1:20.2.0-{MODULAR}"), title="Moderate: nodejs:20 security update"
            ),
            given.osv("ALBA-2026:5", ("AlmaLinux:9", "glibc", "2.34-101.el9"), title="glibc bug fix update"),
        ],
        "alpine": [
            given.osv("ALPINE-CVE-2026-1111", ("Alpine:v3.20", "openssl", "3.3.1-r3"), title="", upstream=["CVE-2026-1111"])
        ],
    }.items():
        (folder / source).mkdir(parents=True)
        with zipfile.ZipFile(folder / source / "all.zip", "w") as archive:
            for n, document in enumerate(documents):
                archive.writestr(f"{n}.json", document)
    (folder / "debian-dsa").mkdir()
    (folder / "debian-dsa/list").write_bytes(given.DSA)
    for source in ("almalinux", "alpine", "debian-dsa"):
        (folder / source / "fetched").write_text("2026-11-30\n")
    return folder


def audited(auditor: Run, answers: Path, mirror: Path) -> dict[str, Any]:
    hosts = "".join(f"  {path.stem}: {{connection: replay, path: {path}}}\n" for path in sorted(answers.glob("*.txt")))
    Path("inventory.yaml").write_text(f"hosts:\n{hosts}history: a.db\nmax_age: 3650d\n")
    with serving(mirror) as server:
        got = auditor("advisories", "fetch", "almalinux", "alpine", "debian-dsa", "--from", server.address)
    assert got.returncode == 0, got.stderr
    done = auditor("audit", "--rules", "shipped", "--format", "json")
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_an_administrator_would_agree_with(auditor: Run, answers: Path, mirror: Path) -> None:
    run = audited(auditor, answers, mirror)
    by = {t["name"]: {f["rule"]: f for f in t["findings"]} for t in run["targets"]}
    open_ones = {
        name: {r: (f["verdict"], f["obligation"]) for r, f in found.items() if f.get("packages")} for name, found in by.items()
    }
    assert open_ones == {
        "alma-old": {
            "ALSA-2026:1": ("noncompliant", "required"), "ALSA-2026:2": ("noncompliant", "required"), "ALSA-2026:3": ("noncompliant", "required"),
            "ALBA-2026:5": ("noncompliant", "advised"),
        },
        "alma-new": {"ALBA-2026:5": ("noncompliant", "advised")},
        "alpine": {"ALPINE-CVE-2026-1111": ("noncompliant", "required")},
        "debian": {"DSA-9001-1": ("noncompliant", "required")},
        "rocky": {},
    }  # fmt: skip
    summary = {name: found["linux-security-updates"]["verdict"] for name, found in by.items()}
    assert summary == {
        "alma-old": "not_applicable",
        "alma-new": "not_applicable",
        "alpine": "not_applicable",
        "debian": "not_applicable",
        "rocky": "unknown",
    }
    ssl = by["alma-old"]["ALSA-2026:1"]
    assert ssl["observed"] == "openssl-libs 1:3.0.7-27.el9 → 1:3.0.7-28.el9"
    assert ssl["cves"] == ["CVE-2026-1111", "CVE-2026-1112"]
    assert "libssl3 3.0.15-1~deb12u1 (held) → 3.0.17-1~deb12u3" in by["debian"]["DSA-9001-1"]["observed"]
    assert run["run"]["advisories"]["feeds"] == [
        "almalinux-osv as of 2026-11-30",
        "alpine-osv as of 2026-11-30",
        "debian-dsa as of 2026-11-30",
    ]
    assert {t["name"]: t["advisories"]["fulfilled"] for t in run["targets"]} == {
        "alma-old": 0,
        "alma-new": 3,
        "alpine": 0,
        "debian": 0,
        "rocky": 0,
    }


def test_it_is_told_by_package_in_every_form(auditor: Run, answers: Path, mirror: Path) -> None:
    audited(auditor, answers, mirror)
    text = auditor("report", "show", "latest").stdout
    assert "MISSING  openssl 1:3.0.7-27.el9 → 1:3.0.7-29.el9: settles 2 advisories (1 critical, 1 important), 3 CVEs" in text
    assert text.index("critical: ALSA-2026:2") < text.index("important: ALSA-2026:1")
    for form in ("csv", "sarif", "html"):
        assert auditor("report", "export", "latest", "--format", form, "--output", f"a.{form}").returncode in (0, 1)
    rows = list(csv.DictReader(io.StringIO(Path("a.csv").read_text())))
    told = {(r["host"], r["rule"], r["package"], r["installed"], r["fixed"]) for r in rows if r["package"]}
    assert ("alma-old", "ALSA-2026:2", "openssl-libs", "1:3.0.7-27.el9", "1:3.0.7-29.el9") in told
    assert ("debian", "DSA-9001-1", "libssl3", "3.0.15-1~deb12u1", "3.0.17-1~deb12u3") in told
    sarif = json.loads(Path("a.sarif").read_text())
    tags = {r["id"]: r["properties"].get("tags", []) for r in sarif["runs"][0]["tool"]["driver"]["rules"]}
    assert {"CVE-2026-1111", "CVE-2026-1112"} <= set(tags["ALSA-2026:1"])
    html = Path("a.html").read_text()
    assert "3 CVEs" in html
    assert "ALSA-2026:2" in html


def test_one_advisory_from_end_to_end(auditor: Run, answers: Path, mirror: Path) -> None:
    audited(auditor, answers, mirror)
    explained = auditor("explain", "alma-old", "ALSA-2026:1")
    assert explained.returncode == 0, explained.stderr
    for word in ("openssl-libs 1:3.0.7-27.el9", "1:3.0.7-28.el9", "CVE-2026-1111", "AlmaLinux"):
        assert word in explained.stdout
    who = auditor("advisories", "affected", "CVE-2026-1111").stdout
    assert "3 hosts lack it" in who
    for line in (
        "alma-old: openssl-libs 1:3.0.7-27.el9",
        "alpine: libcrypto3 3.3.1-r2",
        "rocky: no feed of advisories covered it",
    ):
        assert line in who
    again = auditor("judge", "--latest", "--rules", "shipped", "--format", "json")
    assert {f["rule"] for t in json.loads(again.stdout)["targets"] for f in t["findings"] if f.get("packages")} >= {
        "ALSA-2026:1",
        "DSA-9001-1",
    }
