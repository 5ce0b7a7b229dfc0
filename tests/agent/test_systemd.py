"""The units of docs/systemd, held by systemd's own tools, and the agent under what they forbid that can be had without
systemd: no memory that is written and run (prctl(2), PR_SET_MDWE, Linux 6.3)."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.test_process import states, write
from tests.lab.sshd import Sshd, keygen, user
from tests.places import ROOT

UNITS = ROOT / "docs" / "systemd"
SYSTEMD = shutil.which("systemd-analyze")
without = pytest.mark.skipif(not SYSTEMD, reason="systemd-analyze is not on this machine")


@without
@pytest.mark.parametrize(
    "unit", ["auditor.service", "auditor-nightly.service", "auditor-nightly.timer", "auditor-worker@plant.service"]
)
def test_systemd_finds_nothing_wrong(tmp_path: Path, unit: str) -> None:
    program = tmp_path / "auditor"
    program.symlink_to("/bin/true")
    for path in UNITS.iterdir():
        name = path.name.replace("@", "@plant")  # an instance of the template
        (tmp_path / name).write_text(path.read_text().replace("/opt/auditor/bin/auditor", str(program)))
    done = subprocess.run([str(SYSTEMD), "verify", "--man=no", str(tmp_path / unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@without
@pytest.mark.parametrize("unit", ["auditor.service", "auditor-nightly.service", "auditor-worker@.service"])
def test_what_the_service_is_exposed_to(unit: str) -> None:
    done = subprocess.run(
        [str(SYSTEMD), "security", "--offline=true", "--no-pager", str(UNITS / unit)], capture_output=True, text=True
    )
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(score) <= 1.5


def test_both_services_are_hardened_alike() -> None:
    def hardening(unit: str) -> list[str]:
        text = (UNITS / unit).read_text()
        return [
            line for line in text[text.index("# It needs") :].splitlines() if "=" in line and not line.startswith("WantedBy")
        ]

    assert hardening("auditor.service") == hardening("auditor-nightly.service") == hardening("auditor-worker@.service")


def _no_new_code() -> None:
    ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)


def test_under_what_the_unit_forbids(home: Path) -> None:
    """A login with a key at a real sshd, and an audit, without memory that is written and then run."""
    probe = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"
    denied = subprocess.run([sys.executable, "-c", probe], preexec_fn=_no_new_code, capture_output=True, text=True)
    assert "PermissionError" in denied.stderr  # else this test says nothing
    key = keygen(home / "key")
    with Sshd(home / "sshd") as server:
        server.allow(key.with_suffix(".pub"))
        (home / "known").write_text(server.known_hosts_line())
        host = f"  here: {{address: 127.0.0.1, port: {server.port}, user: {user()}, key_file: key, known_hosts: known}}\n"
        write(home, host + "  win: {connection: winrm, address: 127.0.0.1, port: 1, user: a, password: env:PW}\n")
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PW": "x"}
        done = subprocess.run([sys.executable, "-m", "auditor", "agent", "once", "nightly"], cwd=home, env=env, preexec_fn=_no_new_code,
                              capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode in (1, 3), done.stderr
    assert states(home)[0][0] == "done"
    assert done.stderr.count("not assessed: ") == 1
    assert "not assessed: refused: 127.0.0.1 port 1" in done.stderr


def test_no_core_is_left() -> None:
    code = "import resource\nfrom auditor.cli import main\ntry:\n    main()\nexcept SystemExit:\n    print(resource.getrlimit(resource.RLIMIT_CORE))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    limit = resource.RLIM_INFINITY

    def wide() -> None:
        resource.setrlimit(
            resource.RLIMIT_CORE, (limit if os.geteuid() == 0 else 0, resource.getrlimit(resource.RLIMIT_CORE)[1])
        )

    done = subprocess.run([sys.executable, "-c", code, "--version"], env=env, preexec_fn=wide, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "(0, 0)"
