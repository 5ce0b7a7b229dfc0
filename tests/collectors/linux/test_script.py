"""The collection script: constant, quoted the same everywhere, and the same facts from every shell."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.collectors.linux.host_facts import arguments, linux_facts
from auditor.collectors.linux.script import DIGEST, PRIVILEGED, SCRIPT, command
from auditor.collectors.linux.script_output import parse_output
from auditor.model.facts import HostFacts
from auditor.transports.command import CommandResult
from tests.conftest import NOW

SHELLS = ["dash", "bash", "busybox sh", "ksh", "mksh"]
REQUIREMENTS = ["sysctl:net.core.somaxconn", "sysctl:no.such.thing", "file:/etc/passwd#root", "line:/etc/passwd#no such line"]


def run(shell: str, *prefix: str, form: str = "plain") -> tuple[HostFacts, subprocess.CompletedProcess[bytes]]:
    asked = command("mark", arguments(REQUIREMENTS), form=form, deep=False, sudo="none")
    done = subprocess.run([*prefix, *shell.split(), *asked.argv[1:]], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    result = CommandResult(done.returncode, done.stdout, done.stderr, 0.0)
    return linux_facts(result, "mark", target="t", method="local", now=NOW), done


def test_the_text_means_the_same_to_every_login_shell() -> None:
    """It travels as one word in single quotes; fish reads a backslash before a quote or a backslash there."""
    assert "'" not in SCRIPT
    assert "\\\\" not in SCRIPT
    assert len(SCRIPT) < 16_000
    assert hashlib.sha256(SCRIPT.encode()).hexdigest() == DIGEST


def test_nothing_is_edited_into_the_text() -> None:
    one = command("a", ["sysctl:a.b"], form="gzip", deep=True, sudo="sudo", stdin=b"x\n")
    assert one.argv[:4] == ("sh", "-c", SCRIPT, "auditor")
    assert one.argv[4:] == ("a", "gzip", "deep", "sudo", "sysctl:a.b")


@pytest.mark.parametrize(
    "key",
    ["sysctl:a b", "sysctl:../x", "file:/etc/x", "file:etc/x#k", "line:/x#$(id)", "line:/x#a'b", "x:/y#z", "file:/a/../b#k"],
)
def test_a_setting_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no setting"):
        command("m", [key], form="plain", deep=False, sudo="none")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("form", ["plain", "gzip"])
def test_every_shell_gives_the_same_facts(shell: str, form: str) -> None:
    facts, done = run(shell, form=form)
    usual, _ = run("dash")
    assert (done.returncode, done.stderr) == (0, b"")
    assert [o for o in facts.outcomes if o.outcome == "failed"] == []
    for name in ("platform", "packages", "kernels", "settings", "reboot", "updates", "containers", "machine_id"):
        assert getattr(facts, name) == getattr(usual, name), name
    assert facts.settings
    absent = "unreadable" if Path("/.dockerenv").exists() else "absent"  # a container does not show every sysctl
    assert facts.settings["sysctl:no.such.thing"].state == absent  # type: ignore[union-attr]
    assert facts.settings["file:/etc/passwd#root"].value.startswith("x:0:0")  # type: ignore[union-attr]
    assert facts.settings["line:/etc/passwd#no such line"].state == "absent"  # type: ignore[union-attr]
    assert facts.settings["sysctl:net.core.somaxconn"].value == Path("/proc/sys/net/core/somaxconn").read_text().strip()  # type: ignore[union-attr]


def test_packages_are_those_dpkg_lists() -> None:
    facts, _ = run("dash")
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n"],
        capture_output=True,
        text=True,
    ).stdout
    installed = {
        tuple(line.split()[1:]) for line in said.splitlines() if line[1] not in "nc"
    }  # as a package with triggers pending is
    assert facts.packages
    assert {(p.name, p.full_version, p.arch) for p in facts.packages} == installed


@pytest.mark.skipif(os.geteuid() != 0, reason="taking another user's id and mounting over /usr/bin/ss need root")
class TestWithoutRightsAndTools:
    def test_without_root_finding_nothing_says_nothing(self) -> None:
        """The script runs as nobody: others' processes cannot be read, so their mapped files are unknown."""
        facts, _ = run("dash", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        outcome = next(o for o in facts.outcomes if o.name == "stale_processes")
        assert facts.stale_processes is None
        assert (outcome.outcome, "without root's rights" in outcome.reason) == ("partial", True)
        assert facts.packages

    @pytest.mark.parametrize("missing", ["ss", "dpkg-query", "awk", "grep"])
    def test_a_missing_tool_is_unknown_never_empty(self, missing: str, tmp_path: Path) -> None:
        """A mount namespace of its own hides the tool behind a file that cannot be run."""
        nothing = tmp_path / "nothing"
        nothing.touch(mode=0o644)
        tool = os.path.realpath(shutil.which(missing) or "")
        hide = f'mount --bind {nothing} {tool} && exec "$@"'
        facts, _ = run("dash", "unshare", "-m", "sh", "-c", hide, "hide")
        assert facts.platform.product
        if missing == "ss":
            assert facts.listeners is not None
            assert all(x.backlog is None for x in facts.listeners)
        elif missing == "dpkg-query":
            assert facts.packages is None
        elif missing == "awk":
            assert facts.updates is None
        else:
            settings = facts.settings or {}
            assert all(settings[k] is None or settings[k].state != "present" for k in settings)  # type: ignore[union-attr]
            assert facts.volatile
            assert facts.volatile.counters is None

    def test_a_read_only_root_and_a_full_tmp_cost_nothing(self) -> None:
        prepare = 'mount -o remount,bind,ro / && mount -t tmpfs -o size=4k,ro none /tmp && exec "$@"'
        facts, done = run("bash", "unshare", "-m", "sh", "-c", prepare, "ro")
        assert done.stderr == b""
        assert [o for o in facts.outcomes if o.outcome == "failed"] == []

    def test_a_sandbox_on_the_hosts_root_runs_the_hosts_files_and_a_container_does_not(self) -> None:
        """Both in process id and mount namespaces of their own, both on a program that was deleted since; not below /tmp, where
        whatever is deleted was thrown away."""
        with tempfile.TemporaryDirectory(dir="/opt", prefix="auditor-") as folder:
            self._sandbox_and_container(Path(folder))

    def _sandbox_and_container(self, tmp_path: Path) -> None:
        own, root = tmp_path / "sleepown", tmp_path / "root"
        shutil.copy("/bin/sleep", own)
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", "/bin/sleep"], capture_output=True, text=True).stdout)
        for file in libraries:
            (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / file[1:])
        shutil.copy("/bin/sleep", root / "sleepapart")
        enter = f"mount --bind {root} {root} && exec chroot {root} /sleepapart 60"
        with (
            subprocess.Popen(["unshare", "-p", "-m", "-f", "--mount-proc", own, "60"]) as sandbox,
            subprocess.Popen(["unshare", "-p", "-m", "-f", "sh", "-c", enter]) as container,
        ):
            try:
                until(lambda: all(named(name) for name in ("sleepown", "sleepapart")))
                own.unlink()
                (root / "sleepapart").unlink()
                facts, _ = run("dash")
            finally:
                for name in ("sleepown", "sleepapart"):
                    for pid in named(name):
                        os.kill(pid, signal.SIGKILL)
                sandbox.wait(10)
                container.wait(10)
        stale = [s.name for s in facts.stale_processes or ()]
        assert "sleepown" in stale
        assert "sleepapart" not in stale

    @pytest.mark.parametrize("shell", SHELLS)
    def test_apt_reads_preferences_of_certain_names_only(self, shell: str, tmp_path: Path) -> None:
        """apt_preferences(5): no other ending than pref, letters, digits, hyphen, underscore and period."""
        for name in ("a.pref", "b", "c.disabled", "d.dpkg-old", "e.pref~", "f g", "g-_1"):
            (tmp_path / name).write_text(f"Package: {name.split('.')[0]}\nPin: release o=X\nPin-Priority: 1\n")
        enter = f'mkdir -p /etc/apt/preferences.d && mount --bind {tmp_path} /etc/apt/preferences.d && exec "$@"'
        facts, _ = run(shell, "unshare", "-m", "sh", "-c", enter, "prefs")
        assert facts.updates
        assert [pin.split(" · ")[0] for pin in facts.updates.pins if "o=X" in pin] == [
            "Package: a",
            "Package: b",
            "Package: g-_1",
        ]


def named(name: str) -> list[int]:
    """The processes of a name."""
    found = []
    for status in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if status.read_text().strip() == name:
                found.append(int(status.parent.name))
    return found


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_sudo_may_run_is_absolute_and_constant() -> None:
    assert PRIVILEGED
    for line in PRIVILEGED:
        assert line.startswith(("/usr/bin/", "/usr/sbin/", "/bin/"))
        assert not set(line) & set("*?$`;|&<>\\'\"")
        assert " ".join(line.split()[1:]) in SCRIPT
        assert line.split()[0] in SCRIPT


def test_a_login_shells_banner_is_no_answer() -> None:
    _, done = run("dash")
    answers = parse_output(b"Welcome!\nmark<packages\nnonsense\n" + done.stdout, "mark", None)
    assert answers.complete
    assert "=characters= " in answers.good("packages").text


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_means_itself_and_a_path_leads_nowhere_else(shell: str, tmp_path: Path) -> None:
    """A dot in a key is a dot; a key that this side would refuse is not followed on the host either."""
    (tmp_path / "conf").write_text("net.core=9\nnetXcore=1\n")
    words = [
        f"file:{tmp_path}/conf#net.core",
        f"file:{tmp_path}/conf#et.core",
        "sysctl:../../etc/hostname",
        "file:/etc/../etc/passwd#root",
    ]
    done = subprocess.run(
        [*shell.split(), "-c", SCRIPT, "auditor", "mark", "plain", "usual", "none", *words],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    said = done.stdout.partition("mark<settings\n")[2].partition("\nmark>settings")[0]
    assert said.splitlines() == [f"{words[0]}\tline\tnet.core=9", f"{words[0]}\tlines\t1", f"{words[1]}\tabsent\t"]
