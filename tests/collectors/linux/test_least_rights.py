"""The least-privilege set-ups that `auditor commands` prints: a whole audit under exactly these, and nothing else."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from auditor.collectors.linux import least_rights
from auditor.collectors.linux.script import DIGEST, SCRIPT
from tests.collectors.linux.test_script import SHELLS
from tests.conftest import Run
from tests.lab.person import Person
from tests.lab.sshd import Sshd, keygen

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="makes a user, and rights for it in sudoers")
CALL = shlex.join(["sh", "-c", SCRIPT, "auditor", "m4rk3r", "plain", "usual", "none", "file:/etc/passwd#root"])


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    path = tmp_path / "gate"
    path.write_text(least_rights.forced_command(["file:/etc/passwd#root", "line:/etc/passwd#a whole line"]))
    path.chmod(0o755)
    return path


def knock(gate: Path, line: str | None, shell: str = "dash", **more: str) -> subprocess.CompletedProcess[str]:
    """As sshd would run it, where /bin/sh is this shell."""
    found = " ".join([shutil.which(shell.split()[0]) or "", *shell.split()[1:]])
    gate.write_text(gate.read_text().replace("/bin/sh", found))
    env = {"PATH": os.environ["PATH"], **more} | ({} if line is None else {"SSH_ORIGINAL_COMMAND": line})
    return subprocess.run([str(gate)], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_gate_lets_the_script_in(gate: Path, shell: str) -> None:
    done = knock(gate, CALL, shell)
    assert done.returncode == 0, done.stderr
    assert "root:x:0:0" in done.stdout or "x:0:0" in done.stdout
    assert done.stdout.endswith("\nm4rk3r.end\n")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "setting", ["file:/etc/group#root", "sysctl:../../etc/passwd", "file:/etc/passwd#.+", "file:/etc/passwd"]
)
def test_the_gate_reads_no_other_setting(gate: Path, shell: str, setting: str) -> None:
    done = knock(gate, f"{CALL} {shlex.quote(setting)} {shlex.quote('line:/etc/passwd#a whole line')}", shell)
    assert done.returncode == 0
    asked = done.stdout.partition("m4rk3r<settings\n")[2].partition("\nm4rk3r>settings")[0]
    assert asked.splitlines()[0].startswith("file:/etc/passwd#root\tline\t")
    assert asked.splitlines()[1:] == ["file:/etc/passwd#root\tlines\t1", "line:/etc/passwd#a whole line\tabsent\t"]


HEAD = ["sh", "-c", SCRIPT, "auditor"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("count", range(5))
def test_the_gate_demands_every_argument(gate: Path, shell: str, count: int) -> None:
    """With fewer of them, what stands behind would move forward, past the list of settings."""
    told = ["m4rk3r", "plain", "usual", "none"][: count % 5]
    for behind in ([], ["file:/etc/shadow#root"], ["file:/etc/passwd#root"], ["file:/etc/shadow#root"] * 5):
        if len(told) == 4 and not behind:
            continue
        done = knock(gate, shlex.join([*HEAD, *told, *behind]), shell)
        if len(told) == 4:
            assert (done.returncode, "/etc/shadow" in done.stdout) == (0, False)
        else:
            assert (done.returncode, done.stdout) == (126, "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "told",
    [
        "m4 plain usual none",
        f"{'m' * 65} plain usual none",
        "m.rk plain usual none",
        "m4rk3r xz usual none",
        "m4rk3r plain deeper none",
        "m4rk3r plain usual root",
        "m4rk3r plain usual",
        "m4rk3r plain file:/etc/passwd#root none",
        "m4rk3r '' usual none",
        "-c plain usual none",
    ],
)
def test_the_gate_knows_each_argument(gate: Path, shell: str, told: str) -> None:
    done = knock(gate, f"{shlex.join(HEAD)} {told}", shell)
    assert (done.returncode, done.stdout) == (126, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_environment_does_not_come_along(gate: Path, shell: str) -> None:
    """bash takes functions from the environment, and a function stands in for a program of its name."""
    evil = {
        f"BASH_FUNC_{name}%%": "() { echo evil; }"
        for name in ("printf", "sha256sum", "grep", "id", "cat", "env", "unset", "set")
    }
    more = {"BASH_ENV": str(gate), "ENV": "/etc/passwd", "LD_PRELOAD": "", "PATH": "/tmp:/usr/bin:/bin", **evil}
    done = knock(gate, CALL, shell, **more)
    assert done.returncode == 0, done.stderr
    assert "evil" not in done.stdout
    assert done.stdout.endswith("\nm4rk3r.end\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_itself_demands_every_argument(shell: str) -> None:
    for told in (
        [],
        ["m"],
        ["m", "plain", "usual"],
        ["m", "plain", "usual", "all"],
        ["m", "x", "usual", "none"],
        ["file:/etc/shadow#root"] * 4,
    ):
        done = subprocess.run(
            [*shell.split(), "-c", SCRIPT, "auditor", *told], capture_output=True, stdin=subprocess.DEVNULL, timeout=60
        )
        assert (done.returncode, done.stdout) == (64, b"")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "line",
    [
        None,
        "",
        "id",
        "sh -c id auditor m plain usual none",
        "sh -c 'id' auditor m plain usual none",
        CALL.replace("LC_ALL=C", "LC_ALL=C; id", 1),
        f"{CALL}; id",
        f"{CALL} $(id)",
        f"{CALL} 'a'id",
        f"{CALL} 'a\nb'",
        f"{CALL} 'unclosed",
        CALL.replace(" auditor m4rk3r", " other m4rk3r"),
        f"id; {CALL}",
        CALL[: len(CALL) // 2],
    ],
)
def test_the_gate_lets_nothing_else_in(gate: Path, shell: str, line: str | None) -> None:
    done = knock(gate, line, shell)
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr.startswith("auditor-gate: ")


@ROOT
def test_sudo_itself_takes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sudoers"
    path.write_text(least_rights.sudoers("audit"))
    path.chmod(0o440)
    subprocess.run(["visudo", "-cf", str(path)], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["", "a b", "a\nroot ALL=ALL", "a,b", "ALL ALL"])
def test_names_that_are_none_are_refused(name: str) -> None:
    for make in (least_rights.sudoers, least_rights.winrm):
        if make is least_rights.winrm and name in ("a b", "ALL ALL"):
            continue  # Windows has names with blanks
        with pytest.raises(ValueError, match="cannot be"):
            make(name)


@pytest.mark.parametrize("name", ["CORP\\audit'; calc; '", 'a"b', "a\\b\\c"])
def test_accounts_that_would_leave_their_quotes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        least_rights.winrm(name)


@pytest.fixture
def fenced(home: Path, auditor: Run) -> Iterator[dict[str, Any]]:
    """A host whose account has the printed sudoers file and a key with the printed forced command, and no other right."""
    with Person(token_hex(8)) as person, Sshd(home / "sshd") as server:
        gate = Path(f"/usr/local/bin/auditor-gate-{person.name}")  # where a user who is not root can read it
        try:
            gate.write_text(auditor("commands", "--forced-command").stdout)
            gate.chmod(0o755)
            person.may(auditor("commands", "--sudoers", "--account", person.name).stdout)
            key = keygen(home / "key")
            server.authorized.write_text(f'restrict,command="{gate}" {key.with_suffix(".pub").read_text()}')
            (home / "known").write_text(server.known_hosts_line())
            (home / "inventory.yaml").write_text(
                f"defaults: {{address: 127.0.0.1, port: {server.port}, key_file: key, known_hosts: known, user: {person.name}}}\n"
                "hosts: {plain: {}, sudo: {become: {method: sudo}}}\n"
            )
            yield {"gate": gate, "key": key, "server": server, "person": person}
        finally:
            gate.unlink(missing_ok=True)


@ROOT
def test_a_whole_audit_under_exactly_these_rights(fenced: dict[str, Any], auditor: Run) -> None:
    done = auditor("audit", "--format", "json", "--no-history")
    found = {t["name"]: t for t in json.loads(done.stdout)["targets"]}
    for name in ("plain", "sudo"):
        assert found[name]["outcome"] in ("assessed", "partial"), found[name]["error"]
    failed = {n: {c["name"]: c["reason"] for c in t["collectors"] if c["outcome"] not in ("ok", "skipped")} for n, t in found.items()}  # fmt: skip
    # What is left open without sudo is settled by it; what remains is what not even root may read in a container.
    assert set(failed["plain"]) >= set(failed["sudo"])
    assert all("even with root's rights" in reason for reason in failed["sudo"].values())
    assert any("without root's rights" in reason for reason in failed["plain"].values())
    verdicts = {f["rule"]: f["verdict"] for f in found["sudo"]["findings"]}
    local = auditor("scan", "local", "--format", "json", "--no-history")
    here = {f["rule"]: f["verdict"] for f in json.loads(local.stdout)["targets"][0]["findings"]}
    assert verdicts == here  # as root sees this machine


@ROOT
def test_the_same_key_runs_nothing_else(fenced: dict[str, Any], home: Path) -> None:
    server, person = fenced["server"], fenced["person"]
    ssh = ["ssh", "-F", "none", "-i", str(fenced["key"]), "-p", str(server.port), "-o", f"UserKnownHostsFile={home / 'known'}",
           "-o", "BatchMode=yes", f"{person.name}@127.0.0.1"]  # fmt: skip
    for words in (["id"], ["sudo", "-n", "id"], ["sh", "-c", "'id'", "auditor"]):
        done = subprocess.run([*ssh, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert (done.returncode, done.stdout) == (126, ""), words
    other = subprocess.run(
        ["su", person.name, "-c", "sudo -n /usr/bin/find /proc -maxdepth 1"], capture_output=True, text=True, timeout=30
    )
    assert other.returncode != 0


@ROOT
def test_a_gate_of_another_release_is_named(fenced: dict[str, Any], auditor: Run) -> None:
    gate = fenced["gate"]
    gate.write_text(gate.read_text().replace(DIGEST, "0" * 64))
    done = auditor("scan", "plain", "--format", "json", "--no-history")
    (target,) = json.loads(done.stdout)["targets"]
    assert (done.returncode, target["outcome"]) == (3, "failed")
    assert "install the gate of this release" in target["error"]["message"]
    gate.write_text(gate.read_text().replace("0" * 64, f"{'1' * 64} {DIGEST}"))  # two releases at once
    assert json.loads(auditor("scan", "plain", "--format", "json", "--no-history").stdout)["targets"][0]["error"] is None
