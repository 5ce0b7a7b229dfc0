"""Which of several lines counts, against what sshd itself says where it is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from auditor.collectors.linux.file_formats import takes_first, value
from auditor.errors import FactUnavailable

MAIN = "/etc/ssh/sshd_config"
BELOW = "/etc/ssh/sshd_config.d/a.conf"
# Lines of the main file, of the included one, and what PermitRootLogin is; None: sshd's default.
SSHD = [
    (["PermitRootLogin no", "PermitRootLogin yes"], [], "no"),
    (["Match User sftp", "PermitRootLogin no"], [], None),
    (["Match\tUser sftp", "\tPermitRootLogin no"], [], None),
    (["Match User=sftp", "PermitRootLogin no"], [], None),
    (["Match all", "PermitRootLogin no"], [], "no"),
    (["Match User sftp", "PermitRootLogin no", "Match all", "PermitRootLogin yes"], [], "yes"),
    (["Include /etc/ssh/sshd_config.d/*.conf", "PermitRootLogin no"], ["PermitRootLogin yes"], "yes"),
    (["Include\t/etc/ssh/sshd_config.d/*.conf", "PermitRootLogin no"], ["PermitRootLogin yes"], "yes"),
    (['Include "/etc/ssh/sshd_config.d/*.conf"', "PermitRootLogin no"], ["PermitRootLogin yes"], "yes"),
    (["PermitRootLogin no", "Include /etc/ssh/sshd_config.d/*.conf"], ["PermitRootLogin yes"], "no"),
    (["Include /etc/ssh/sshd_config.d/*.conf", "PermitRootLogin no"], ["Match User x", "PermitRootLogin yes"], "no"),
    (['"PermitRootLogin" yes'], [], "yes"),
    (["permitrootlogin=no"], [], "no"),
    (["PermitRootLogin = no"], [], "no"),
    (["\t PermitRootLogin\t no"], [], "no"),
    (["PermitRootLogin no # for now"], [], "no"),
    (["#PermitRootLogin no", "PermitRootLogin yes"], [], "yes"),
    (['PermitRootLogin "no"'], [], "no"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "included", "wanted"), SSHD)
def test_as_sshd_reads_it(lines: list[str], included: list[str], wanted: str | None, tmp_path: Path) -> None:
    assert (
        value(MAIN, "PermitRootLogin", [x for x in lines if not x.startswith("#")], {BELOW: included} if included else {})
        == wanted
    )
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    (tmp_path / "a.conf").write_text("\n".join(included) + "\n")
    text = "\n".join(lines).replace("/etc/ssh/sshd_config.d", str(tmp_path))
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "main").write_text(f"HostKey {key}\n{text}\n")
    said = subprocess.run([sshd, "-T", "-f", tmp_path / "main"], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    real = next(line.split()[1] for line in said.stdout.splitlines() if line.startswith("permitrootlogin "))
    assert real == ("without-password" if wanted is None else wanted)


@pytest.mark.parametrize(
    ("path", "first"),
    [(MAIN, True), (BELOW, True), ("/etc/openssh/sshd_config", True), ("/usr/local/etc/ssh/sshd_config", True), ("/usr/local/etc/sshd_config", True),
     ("/opt/ssh/etc/sshd_config", True), ("/etc/ssh/ssh_config", True), ("/etc/sysctl.conf", False), ("/etc/security/limits.conf", False), ("/etc/passwd", False)],
)  # fmt: skip
def test_who_takes_the_first(path: str, first: bool) -> None:
    assert takes_first(path) is first


def test_the_last_one_counts_elsewhere() -> None:
    assert value("/etc/sysctl.conf", "a", ["a = 1", "a=2"], {}) == "2"
    with pytest.raises(FactUnavailable, match="includes /elsewhere"):
        value(MAIN, "PermitRootLogin", ["Include\t/elsewhere", "PermitRootLogin no"], {})
