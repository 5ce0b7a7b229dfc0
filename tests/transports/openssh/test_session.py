"""The system's ssh with the operator's own configuration, held against real servers that paramiko cannot reach."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.errors import ERROR_KINDS, HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.target import Target
from auditor.transports.child_process import Child
from auditor.transports.command import MAX_STDOUT, Command, CommandResult
from auditor.transports.openssh import relaxed
from auditor.transports.openssh.errors import FAULTS, logged_in, of_log
from auditor.transports.openssh.options import environment, words
from auditor.transports.openssh.session import OpensshSession, _settings, _usual
from tests.conftest import Run
from tests.lab.anything import ANYTHING
from tests.lab.hostile import BANNER, Host, listening, says
from tests.lab.sshd import free_port, keygen, user
from tests.transports.test_faults import SERVERS, failed, hostile, known_hosts
from tests.transports.test_faults_stop import interrupted, stopped

SSH = shutil.which("ssh") or "ssh"
LONG = (60.0, 60.0, 60.0)
# All that an sshd from before 2014 and a Cygwin of those days have in common with nobody else.
OLD = (
    "KexAlgorithms diffie-hellman-group14-sha1",
    "HostKeyAlgorithms ssh-rsa",
    "PubkeyAcceptedAlgorithms ssh-rsa",
    "MACs hmac-sha1",
    "Ciphers aes128-cbc",
)
# A server that is really old does not say which signatures it takes, and `+ssh-rsa` does there; today's sshd says more than it
# was told to take.
ALLOWED = """
KexAlgorithms +diffie-hellman-group14-sha1
HostKeyAlgorithms +ssh-rsa
PubkeyAcceptedAlgorithms ssh-rsa
Ciphers +aes128-cbc
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's ssh_config. ssh finds the real one by the password database, not by HOME, so here an `ssh` comes first
    in the PATH that names this one; every ssh that is started as a jump host is that one too."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = tmp_path / "ssh_config"
    path.write_text("")
    (folder / "ssh").write_text(f'#!/bin/sh\nexec {SSH} -F {path} "$@"\n')
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return path


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("hop")) as h:
        yield h


@pytest.fixture
def forced(host: Host) -> Iterator[Host]:
    yield host
    host.end_commands()
    host.opens()


def by_ssh(host: Host, **more: Any) -> Target:
    return host.target(**{"connection": "openssh"} | more)


def run(target: Target, script: str = "echo out", stdin: bytes = b"", stop: Stop | None = None) -> CommandResult:
    with OpensshSession(target, Deadline(target.timeouts.total, "reading it", stop), ANYTHING) as session:
        return session.run(Command(("sh", "-c", script), stdin))


def test_output_errors_status_and_input(host: Host) -> None:
    done = run(by_ssh(host), "cat; echo err >&2; exit 3", b"secret\n")
    assert (done.stdout, done.stderr, done.exit_status, done.truncated) == (b"secret\n", b"err\n", 3, None)


def test_a_whole_scan_is_that_of_the_other_transport(host: Host, audit: AuditContext) -> None:
    usual, own = scan(host.target(), audit, Stop()), scan(by_ssh(host), audit, Stop())
    assert own.facts
    assert (own.facts.method or "").startswith("openssh, ")
    assert (own.outcome, own.error, own.facts.platform) == (usual.outcome, None, usual.facts and usual.facts.platform)
    assert {f.rule: f.verdict for f in own.findings} == {f.rule: f.verdict for f in usual.findings}


def test_a_scan_as_a_user_does_it(host: Host, auditor: Run, home: Path) -> None:
    hosts = {"old": {"connection": "openssh", "address": host.address, "port": host.port, "user": user()}}
    hosts["old"] |= {"key_file": str(host.key), "known_hosts": str(host.known)}
    (home / "inventory.yaml").write_text(json.dumps({"hosts": hosts}))
    done = auditor("scan", "old", "--format", "json", "--no-history", "--no-report")
    told = json.loads(done.stdout)["targets"][0]
    assert (told["connection"], told["error"], bool(told["findings"])) == ("openssh", None, True), done.stderr


# --- what it is for


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with OldHost(tmp_path_factory.mktemp("old")) as h:
        yield h


class OldHost(Host):
    """RSA only, and nothing newer than SHA-1."""

    def __init__(self, folder: Path) -> None:
        host_key = keygen(folder / "rsa", "rsa")
        super().__init__(folder, *OLD, f"HostKey {host_key}")
        self.host_key, self.key = host_key, keygen(folder / "own", "rsa")
        self.known.write_text(self.known_hosts_line())
        self.opens()


def test_a_server_that_speaks_sha_1_only(old: Host, audit: AuditContext, config: Path) -> None:
    failed(old.target(), audit, "no-common-algorithm")
    message = failed(by_ssh(old), audit, "no-common-algorithm", "diffie-hellman-group14-sha1")
    assert "KexAlgorithms +NAME" in message
    config.write_text(f"Host {old.address}\n{ALLOWED}")
    result = scan(by_ssh(old), audit, Stop())
    assert (result.error, bool(result.findings)) == (None, True)


@pytest.mark.parametrize("missing", ["KexAlgorithms", "HostKeyAlgorithms", "Ciphers"])
def test_what_is_not_allowed_is_named(old: Host, audit: AuditContext, config: Path, missing: str) -> None:
    config.write_text("\n".join(line for line in ALLOWED.splitlines() if not line.startswith(missing)))
    failed(by_ssh(old), audit, "no-common-algorithm", missing)


def test_what_the_operator_allowed_is_told(old: Host, config: Path) -> None:
    config.write_text(ALLOWED)
    with OpensshSession(by_ssh(old), Deadline(60, "reading it"), ANYTHING) as session:
        session.run(Command(("true",)))
        told = session.relaxed
    assert [what.partition("(")[2] for what in told] == [
        "KexAlgorithms diffie-hellman-group14-sha1)",
        "HostKeyAlgorithms ssh-rsa)",
        "Ciphers aes128-cbc)",
        "PubkeyAcceptedAlgorithms ssh-rsa)",
    ]
    assert all(what.startswith("t: ") for what in told)


@pytest.mark.parametrize(("principal", "kind"), [("127.0.0.1", ""), ("elsewhere.example", "unknown-host-key")])
def test_a_host_known_by_its_authority_only(audit: AuditContext, tmp_path: Path, principal: str, kind: str) -> None:
    authority, place = keygen(tmp_path / "ca"), tmp_path / "host"
    with Certified(place, authority, principal) as h:
        public = authority.with_suffix(".pub").read_text()
        target = by_ssh(h, known_hosts=known_hosts(tmp_path, f"@cert-authority * {public}"))
        failed(replace(target, connection="ssh"), audit, "unknown-host-key")
        if kind:
            assert "Certificate invalid" in failed(target, audit, "unknown-host-key")
        else:
            assert run(target).stdout == b"out\n"


class Certified(Host):
    """Its host key is signed for one name."""

    def __init__(self, folder: Path, authority: Path, principal: str) -> None:
        folder.mkdir()
        key = keygen(folder / "certified", "ecdsa")
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "h", "-h", "-n", principal, "-V", "+1h"]
        subprocess.run([*sign, f"{key}.pub"], check=True)
        super().__init__(folder, f"HostKey {key}", f"HostCertificate {key}-cert.pub")


def test_the_name_and_all_else_may_be_ssh_configs(host: Host, config: Path) -> None:
    config.write_text(
        f"Host plant\nHostName {host.address}\nPort {host.port}\nUser {user()}\nIdentityFile {host.key}\nUserKnownHostsFile {host.known}\n"
    )
    assert run(Target(name="plant", connection="openssh", address="plant")).stdout == b"out\n"


# --- what ssh_config may not do


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for the name of a socket: 107 bytes in all (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="a-", dir="/tmp") as folder:
        yield Path(folder)


def test_what_ssh_config_says_against_us(host: Host, config: Path, short: Path) -> None:
    """Each of these alone would change where the answer goes, what runs, or leave something behind."""
    config.write_text(
        f"""
RemoteCommand echo wrong
RequestTTY force
PermitLocalCommand yes
LocalCommand echo wrong
ForwardAgent yes
LocalForward 127.0.0.1:{host.port} 127.0.0.1:1
ExitOnForwardFailure yes
ControlMaster yes
ControlPath {short}/%C
ControlPersist 60
LogLevel QUIET
BatchMode no
ForkAfterAuthentication yes
StdinNull yes
SessionType none
"""
    )
    done = run(by_ssh(host), "cat; tty; echo $SSH_AUTH_SOCK; exit 3", b"in\n")
    assert (done.stdout, done.stderr, done.exit_status, done.truncated) == (b"in\nnot a tty\n\n", b"", 3, None)
    assert not list(short.iterdir()), "a shared connection was left behind"


def test_a_shared_connection_of_the_operator_is_used(host: Host, config: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    master = [
        SSH,
        "-F",
        "none",
        "-M",
        "-N",
        "-S",
        str(shared),
        "-o",
        "BatchMode=yes",
        "-i",
        str(host.key),
        "-p",
        str(host.port),
    ]
    with subprocess.Popen([*master, "-o", f"UserKnownHostsFile={host.known}", host.address], stderr=subprocess.DEVNULL) as held:
        try:
            end = time.monotonic() + 20
            while not shared.exists() and time.monotonic() < end:
                time.sleep(0.02)
            config.write_text(f"ControlPath {shared}\nStrictHostKeyChecking no\n")
            seen = host.log().count("Accepted publickey")
            with OpensshSession(by_ssh(host), Deadline(60, "reading it"), ANYTHING) as session:
                assert session.run(Command(("echo", "out"))).stdout == b"out\n"
            assert host.log().count("Accepted publickey") == seen
            assert ["without a host key check" in what for what in session.relaxed] == [True]
        finally:
            held.terminate()


def test_the_locale_and_askpass_stay_here(host: Host, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE", "SSH_ASKPASS"):
        monkeypatch.setenv(name, "de_DE.UTF-8")
    assert environment({"LC_ALL": "C", "PATH": "/bin", "SSH_AUTH_SOCK": "a"}) == {
        "PATH": "/bin",
        "SSH_AUTH_SOCK": "a",
        "SSH_ASKPASS_REQUIRE": "never",
    }
    config.write_text("SendEnv LANG LC_* SSH_ASKPASS\n")
    host.forces("env")
    try:
        assert b"de_DE" not in run(by_ssh(host)).stdout
    finally:
        host.opens()


@pytest.mark.parametrize("said", ["StrictHostKeyChecking no", "NoHostAuthenticationForLocalhost yes"])
def test_host_keys_are_checked_whatever_ssh_config_says(
    host: Host, audit: AuditContext, config: Path, tmp_path: Path, said: str
) -> None:
    config.write_text(f"{said}\n")
    empty = known_hosts(tmp_path, "")
    failed(by_ssh(host, known_hosts=empty), audit, "unknown-host-key")
    assert Path(empty[0]).read_text() == ""


def test_addresses_that_are_options(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    for more in ({"address": f"-oProxyCommand=touch {tmp_path}/done"}, {"user": "-oProxyCommand=x"}):
        failed(by_ssh(host, **more), audit, "resolve")
    evil = Target(name="hop", address=f"a;touch {tmp_path}/done", port=22)
    result = scan(by_ssh(host, jump=(evil,)), audit, Stop())
    assert result.error
    assert not (tmp_path / "done").exists()


# --- failures


def test_host_keys(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    seen = host.log().count("Accepted publickey")
    message = failed(by_ssh(host, known_hosts=known_hosts(tmp_path, "")), audit, "unknown-host-key", "SHA256:")
    assert "No ED25519 host key is known" in message
    kind, key = keygen(tmp_path / "other").with_suffix(".pub").read_text().split()[:2]
    wrong = known_hosts(tmp_path, f"# changed\n[{host.address}]:{host.port} {kind} {key}\n")
    revoked = known_hosts(tmp_path, f"@revoked {host.known_hosts_line()}")
    for checking in ("strict", "accept-new"):
        failed(by_ssh(host, known_hosts=wrong, host_key_checking=checking), audit, "host-key-changed", f"{wrong[0]}:2")
        failed(by_ssh(host, known_hosts=revoked, host_key_checking=checking), audit, "host-key-revoked", "SHA256:")
    assert host.log().count("Accepted publickey") == seen


def test_accept_new_keeps_the_key(host: Host, tmp_path: Path) -> None:
    file = tmp_path / 'a "known" % file'
    assert run(by_ssh(host, known_hosts=(str(file),), host_key_checking="accept-new")).stdout == b"out\n"
    assert host.known_hosts_line().split()[2] in file.read_text()


def test_keys(host: Host, audit: AuditContext, tmp_path: Path) -> None:
    stranger, locked = keygen(tmp_path / "stranger"), keygen(tmp_path / "locked", "ed25519", "pass phrase")
    failed(by_ssh(host, key_file=str(stranger)), audit, "auth-failed", "authorized_keys")
    failed(by_ssh(host, key_file=str(tmp_path / "none")), audit, "auth-failed", "no such identity")
    failed(by_ssh(host, key_file=str(locked)), audit, "auth-failed", "agent")
    host.allow(locked.with_suffix(".pub"))
    try:
        failed(by_ssh(host, key_file=str(locked)), audit, "key-locked", "agent")
    finally:
        host.opens()


def test_what_cannot_be_given_to_ssh(host: Host, audit: AuditContext, hop: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    failed(by_ssh(host, password="env:X"), audit, "auth-failed", "BatchMode")
    failed(by_ssh(host, key_passphrase="env:X"), audit, "key-locked", "agent")
    error = scan(by_ssh(host, jump=(hop.target(password="env:X"),)), audit, Stop()).error
    assert error
    assert str(hop.port) in error.message
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="no `ssh` in the PATH"):
        run(by_ssh(host))


@pytest.mark.parametrize("name", SERVERS)
def test_what_answers_on_the_port(host: Host, audit: AuditContext, name: str) -> None:
    _, kind, _, hangs = SERVERS[name]
    if name == "http":  # ssh waits for more of such lines than it is given here
        kind, hangs = "timeout", True
    with hostile(name) as address:
        target = by_ssh(host, address=address[0], port=address[1], times=(0.2, 60, 60) if hangs else LONG)
        failed(target, audit, kind)
        if hangs:
            failed(replace(target, timeouts=replace(target.timeouts, connect=60, total=0.3)), audit, "timeout", "0.3 s")


def test_nobody_there(host: Host, audit: AuditContext) -> None:
    failed(by_ssh(host, port=free_port()), audit, "refused", "Connection refused")
    failed(by_ssh(host, address="bad..name"), audit, "resolve")


def test_a_configuration_that_ssh_cannot_read(host: Host, audit: AuditContext, config: Path) -> None:
    config.write_text("Hots example\n")
    failed(by_ssh(host), audit, "protocol", "configuration")


def test_a_server_that_opens_no_session(audit: AuditContext, tmp_path: Path) -> None:
    with Host(tmp_path / "h", "MaxSessions 0") as h:
        failed(by_ssh(h), audit, "protocol", "opens no session")


def test_a_second_proof(audit: AuditContext, tmp_path: Path) -> None:
    with Host(tmp_path / "h", "AuthenticationMethods publickey,keyboard-interactive") as h:
        failed(by_ssh(h), audit, "auth-failed", "second proof")


# --- the answer


FAKES = (
    "Host key verification failed.",
    "root@127.0.0.1: Permission denied (publickey).",
    "Unable to negotiate with 127.0.0.1 port 22: no matching cipher found. Their offer: none",
    "ssh: connect to host 127.0.0.1 port 22: Connection refused",
    "Connection to 127.0.0.1 closed by remote host.",
)


def test_a_command_cannot_pose_as_a_failure_of_ssh(host: Host) -> None:
    text = "\\r\\n".join(FAKES)
    done = run(by_ssh(host), f"printf '{text}\\r\\n' >&2; exit 255")
    assert (done.stdout, done.exit_status, done.truncated) == (b"", 255, None)
    assert done.stderr.decode().split("\r\n")[:-1] == list(FAKES)


@pytest.mark.parametrize("before", ["", "echo part;"])
def test_a_connection_that_is_lost(host: Host, before: str) -> None:
    done = run(by_ssh(host), f"{before} sleep 0.3; kill -9 $PPID")
    assert done.truncated
    assert (done.stdout, done.exit_status, done.truncated.kind) == (b"part\n" if before else b"", None, "protocol")
    assert "lost" in done.truncated.message


def test_a_command_that_is_killed(host: Host) -> None:
    done = run(by_ssh(host), "echo part; kill -9 $$")
    assert (done.stdout, done.truncated) == (b"part\n", None)
    assert done.exit_status != 0


def test_much_output(host: Host) -> None:
    done = run(by_ssh(host), "head -c 1000000 /dev/zero; head -c 300000 /dev/zero >&2")
    assert (len(done.stdout), len(done.stderr), done.exit_status, done.truncated) == (1_000_000, 64_000, 0, None)


def test_output_without_end(forced: Host) -> None:
    forced.forces("exec cat /dev/zero")
    done = run(by_ssh(forced))
    assert done.truncated
    assert (len(done.stdout), done.exit_status, done.truncated.kind) == (MAX_STDOUT, None, "protocol")


def test_a_command_without_end(forced: Host) -> None:
    forced.forces("echo part; exec sleep 1000")
    done = run(by_ssh(forced, times=(20, 0.5, 60)))
    assert done.truncated
    assert (done.stdout, done.exit_status, done.truncated.kind) == (b"part\n", None, "timeout")
    assert "0.5 s" in done.truncated.message


# --- jump hosts


def jump_failed(target: Target, audit: AuditContext) -> str:
    error = scan(target, audit, Stop()).error
    assert error
    assert error.kind == "jump-failed", error
    return error.message


def test_two_jump_hosts_each_with_a_key_of_its_own(host: Host, hop: Host, tmp_path: Path) -> None:
    """And with names of files that a shell or ssh_config could misread."""
    with Host(tmp_path / "second") as second:
        ways = []
        for number, h in enumerate((hop, second)):
            folder = tmp_path / f'it\'s 100% $HOME "{number}" %h'
            folder.mkdir()
            ways.append(
                replace(h.target(name=f"hop{number}"), key_file=str(folder / "key"), known_hosts=(str(folder / "known"),))
            )
            shutil.copy(h.key, folder / "key")
            shutil.copy(h.known, folder / "known")
        seen = [h.log().count("Accepted publickey") for h in (hop, second)]
        assert run(by_ssh(host, jump=tuple(ways)), "cat", b"in").stdout == b"in"
        assert [h.log().count("Accepted publickey") for h in (hop, second)] == [n + 1 for n in seen]


def test_what_is_wrong_with_a_jump_host(host: Host, hop: Host, audit: AuditContext, tmp_path: Path, config: Path) -> None:
    config.write_text("StrictHostKeyChecking no\n")
    tried = hop.log().count("publickey")
    wrong = hop.target(name="hop", known_hosts=known_hosts(tmp_path, ""))
    assert "the jump host hop: unknown-host-key: " in jump_failed(by_ssh(host, jump=(wrong,)), audit)
    assert hop.log().count("publickey") == tried
    stranger = hop.target(name="hop", key_file=str(keygen(tmp_path / "stranger")))
    assert "the jump host hop: auth-failed: " in jump_failed(by_ssh(host, jump=(stranger,)), audit)
    nobody = replace(hop.target(name="hop"), port=free_port())
    assert "the jump host hop: refused: " in jump_failed(by_ssh(host, jump=(nobody,)), audit)
    assert "the jump host far: refused: " in jump_failed(by_ssh(host, jump=(replace(nobody, name="far"), stranger)), audit)


def test_what_is_wrong_behind_a_jump_host(host: Host, hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    jump, port = (hop.target(name="hop"),), free_port()
    message = jump_failed(by_ssh(host, jump=jump, port=port), audit)
    assert f"the jump host hop: cannot reach 127.0.0.1 port {port} from there" in message
    failed(by_ssh(host, jump=jump, known_hosts=known_hosts(tmp_path, "")), audit, "unknown-host-key")
    failed(by_ssh(host, jump=jump, key_file=str(keygen(tmp_path / "wrong"))), audit, "auth-failed")


@pytest.mark.parametrize("where", ["jump host", "target"])
def test_the_limit_holds_on_the_way(host: Host, hop: Host, audit: AuditContext, where: str) -> None:
    with listening(says(b"")) as address:
        if where == "target":
            target = by_ssh(
                host, address=address[0], port=address[1], jump=(hop.target(name="hop", times=LONG),), times=(60, 60, 0.8)
            )
            failed(target, audit, "timeout")
        else:
            jump = host.target(name="hop", address=address[0], port=address[1], times=LONG)
            assert "the jump host hop: timeout: " in jump_failed(by_ssh(host, jump=(jump,), times=(60, 60, 0.8)), audit)


def test_a_jump_host_of_ssh_config(host: Host, hop: Host, audit: AuditContext, config: Path) -> None:
    """It is the operator's: what it relaxes is told, and when it fails, that."""
    config.write_text(
        f"Host target\nHostName {host.address}\nProxyJump hop\nHost hop\nHostName {hop.address}\nPort {hop.port}\n"
        f"IdentityFile {hop.key}\nUserKnownHostsFile {hop.known}\nStrictHostKeyChecking no\n"
    )
    target = by_ssh(
        host, address="target", known_hosts=known_hosts(config.parent, host.known_hosts_line().replace("127.0.0.1", "target"))
    )
    with OpensshSession(replace(target, known_hosts=(str(host.known),)), Deadline(60, "reading it"), ANYTHING) as session:
        session.run(Command(("true",)))
    assert [what for what in session.relaxed if "hop, jump host by ssh_config" in what and "StrictHostKeyChecking" in what]
    config.write_text("ProxyCommand sh -c 'echo no way there >&2; exit 1'\n")
    assert "no way there" in jump_failed(target, audit)


# --- nothing is left behind


@pytest.mark.parametrize("jump", [False, True], ids=["direct", "through-a-jump-host"])
def test_the_operator_stops_it(forced: Host, hop: Host, audit: AuditContext, jump: bool) -> None:
    forced.forces("exec sleep 1000")
    target = by_ssh(forced, times=LONG, jump=(hop.target(name="hop"),) if jump else ())
    interrupted(*stopped(target, audit, forced.wait_for_command), "failed")
    assert not _running(str(forced.port))


def test_the_operator_stops_it_before_the_login(host: Host, audit: AuditContext) -> None:
    accepted = threading.Event()

    def serve(c: socket.socket, over: threading.Event) -> None:
        accepted.set()
        over.wait()

    with listening(serve) as (_, port):
        interrupted(*stopped(by_ssh(host, port=port, times=LONG), audit, lambda: accepted.wait(20)))
        assert not _running(str(port))


def _running(word: str) -> list[str]:
    """Processes of ours whose words have this one among them, once those that are ending have had time to."""
    end = time.monotonic() + 5
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in words and words[0].endswith(b"ssh"):
                found.append(b" ".join(words).decode(errors="replace"))
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def test_what_leaves_the_group_holds_nobody_up() -> None:
    """A descendant that is in another session keeps the output open, and is not killed."""
    limit = Deadline(1, "running it")
    with Child(["setsid", "sh", "-c", "echo part; sleep 4; echo more"]) as child:
        limit.watch(child.kill)
        child.feed(b"")
        out, _, truncated = child.read()
    assert (out, truncated, limit.over) == (b"part\n", None, "timeout")


def test_what_stays_behind_in_the_group_is_ended() -> None:
    with Child(["sh", "-c", "exec 3>&1 >/dev/null 2>&1; sleep 1000 3>&- & echo $! >&3"]) as child:
        child.feed(b"")
        pid = int(child.read()[0])
        assert child.end() == 0
    end = time.monotonic() + 10
    while time.monotonic() < end and Path(f"/proc/{pid}/stat").is_file():
        if " Z " in Path(f"/proc/{pid}/stat").read_text():
            break
        time.sleep(0.01)
    else:
        assert not Path(f"/proc/{pid}").exists()


def packet(payload: bytes) -> bytes:
    """Before keys are agreed on, in the clear (RFC 4253, section 6)."""
    padding = 16 - (5 + len(payload)) % 8
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def string(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


def test_a_server_that_speaks_in_the_name_of_ssh(host: Host, audit: AuditContext) -> None:
    """ssh writes line ends of a server's own into its log."""
    fake = "Bye\r\nHost key verification failed.\r\n"
    disconnect = packet(struct.pack(">BI", 1, 11) + string(fake) + string(""))
    with listening(says(BANNER + disconnect, then_closes=True)) as address:
        failed(by_ssh(host, address=address[0], port=address[1]), audit, "protocol", "Bye")
    debug = packet(bytes([4, 1]) + string("x\r\nAuthenticated to h\r\n") + string(""))
    with listening(says(BANNER + debug, then_closes=True)) as address:
        result = scan(by_ssh(host, address=address[0], port=address[1]), audit, Stop())
    assert result.error
    assert (result.outcome, result.error.kind, result.findings) == ("failed", "protocol", ())


def test_a_refused_host_key_is_not_hidden_by_what_the_server_says() -> None:
    log = "debug1: Remote: x\r\nAuthenticated to h\r\nConnection refused\r\n"
    assert logged_in(log)
    for line, kind in (
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "host-key-changed"),
        ("@       WARNING: REVOKED HOST KEY DETECTED!               @", "host-key-revoked"),
        ("Host key verification failed.", "unknown-host-key"),
    ):
        assert not logged_in(f"{log}{line}\r\n")
        assert of_log(f"{log}{line}\r\n", "web1").kind == kind


# --- what ssh says of servers that cannot be had here


@pytest.mark.parametrize(
    ("line", "kind", "word"),
    [
        ("debug1: send_pubkey_test: no mutual signature algorithm", "no-common-algorithm", "PubkeyAcceptedAlgorithms +ssh-rsa"),
        ("sign_and_send_pubkey: no mutual signature supported", "no-common-algorithm", "PubkeyAcceptedAlgorithms +ssh-rsa"),
        ("ssh_dispatch_run_fatal: Connection to 10.0.0.5 port 22: error in libcrypto", "no-common-algorithm", "crypto policy"),
        (
            "ssh_dispatch_run_fatal: Connection to 10.0.0.5 port 22: Invalid key length",
            "no-common-algorithm",
            "RequiredRSASize",
        ),
        ('sign_and_send_pubkey: signing failed for ED25519-SK "/k": device not found', "auth-failed", "plugged in"),
        ("Received disconnect from 10.0.0.5 port 22:2: Too many authentication failures", "auth-failed", "key_file"),
        ("ssh: connect to host 10.0.0.5 port 22: No route to host", "refused", "no route"),
        ("Received disconnect from 10.0.0.5 port 22:11: \x1b[2JBye", "protocol", "\\x1b[2JBye"),
        ("", "protocol", "without a login"),
    ],
)
def test_what_ssh_says(line: str, kind: str, word: str) -> None:
    log = f"debug1: Connection established.\r\n{line}\r\nme@10.0.0.5: Permission denied (publickey).\r\n"
    if "Permission" not in line and kind != "no-common-algorithm":
        log = log.partition("me@")[0]
    error = of_log(log, "web1")
    assert (error.kind, str(error).startswith("web1: ")) == (kind, True), error
    assert word in str(error)


def test_the_table_itself() -> None:
    for pattern, kind, remedy in FAULTS:
        assert re.compile(pattern)
        assert kind in ERROR_KINDS - {"internal"}
        assert remedy.strip()


# --- what is relaxed


@pytest.mark.parametrize(
    ("said", "more", "word"),
    [
        ("", {}, ""),
        ("UserKnownHostsFile /dev/null", {}, ""),  # refused all the same
        ("UserKnownHostsFile /dev/null", {"host_key_checking": "accept-new"}, "every host key"),
        ("StrictHostKeyChecking no", {}, ""),  # ours wins
        ("VerifyHostKeyDNS yes", {}, "DNS"),
        ("KnownHostsCommand /bin/true", {}, "KnownHostsCommand"),
        ("MACs +hmac-md5", {}, "MACs hmac-md5"),
        ("KexAlgorithms curve25519-sha256", {}, ""),  # fewer than usual
        ("Host other\nKexAlgorithms +diffie-hellman-group1-sha1", {}, ""),
        ("Match user root,audit\nCiphers +aes128-cbc", {"user": "audit"}, "Ciphers aes128-cbc"),
    ],
)
def test_what_ssh_config_relaxes(config: Path, said: str, more: dict[str, Any], word: str) -> None:
    config.write_text(f"{said}\n")
    ssh = shutil.which("ssh") or ""
    target = Target(**{"name": "web1", "address": "127.0.0.1", "connection": "openssh"} | more)
    found = relaxed.relaxed(target, lambda host: _settings(ssh, host, Deadline(60, "asking")), _usual(ssh))
    assert [word in what for what in found] == ([True] if word else [])
    assert all(what.startswith("web1: ") for what in found)


def test_what_cannot_be_asked_is_said() -> None:
    found = relaxed.relaxed(Target(name="web1", address="web1"), lambda _: {}, {})
    assert ["not known" in what for what in found] == [True]


def test_the_command_line_names_every_option_that_must_hold() -> None:
    """In the words of the jump host too, which `ssh -J` would not give it."""
    target = Target(name="t", address="10.0.0.5", jump=(Target(name="hop", address="hop.example", port=2222, user="me"),))
    line = words("ssh", target, ["/log0", "/log1"], "true", ())
    proxy = next(word for word in line if word.startswith("ProxyCommand="))
    assert "StrictHostKeyChecking=yes" in line
    for word in ("BatchMode=yes", "StrictHostKeyChecking=yes", "-l me", "-p 2222", "-W '[%h]:%p' -- hop.example"):
        assert word in proxy
    assert line[-3:] == ["--", "10.0.0.5", "true"]
    assert not any(word.startswith(("-p", "-l")) for word in line)
