"""Marked secrets, planted wherever one can be given; then everything that was written, said and mailed is searched, and
the list of processes while it ran. Some of the hosts say back what they were given."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from auditor.history import blobs, scheduled_runs
from auditor.history.store import Store
from tests.conftest import Run
from tests.lab.person import Person
from tests.lab.sshd import Sshd, keygen
from tests.lab.windows.host import load_host
from tests.lab.windows.wsman import WsmanServer
from tests.mail.server import Inbox, certificate, login, smtp
from tests.places import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a user with a password and rights in sudoers")
RECORDING = ROOT / "tests" / "recordings" / "debian-12-root" / "stdout"
MARK = f"S3CR3T{os.getpid()}"  # of this process: the command lines of other test processes are seen too
# A host that takes the sudo password from its standard input and calls itself by it, and one that complains with it.
ECHO = r"""#!/bin/sh
marker=${SSH_ORIGINAL_COMMAND##* auditor }; marker=${marker%% *}
read -r word
export marker word
exec awk '{ gsub("5f0c2a9be1d34c7786aa10b2", ENVIRON["marker"]); sub("^PRETTY_NAME=.*", "PRETTY_NAME=" ENVIRON["word"]); print }' RECORDING
"""


def content(part: Message) -> bytes:
    """What a part of a mail holds, decoded; the part as it stands where that is nothing or several parts."""
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) and decoded else str(part).encode()


@contextmanager
def process_list() -> Iterator[set[bytes]]:
    """Every command line that was seen on this machine meanwhile."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    pass
            time.sleep(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.fixture
def planted(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    secrets = {n: f"{MARK}-{n}-{token_hex(4)}" for n in ("phrase", "password", "sudo", "windows", "smtp", "wrong", "echo")}
    for name, secret in secrets.items():
        monkeypatch.setenv(f"PLANTED_{name.upper()}", secret)
    kept = home / "kept"  # the operator's own place for secrets; it is not searched
    kept.mkdir(0o700)
    for name in ("password", "sudo"):
        (kept / name).write_text(f"{secrets[name]}\n")
        (kept / name).chmod(0o600)
    play = home / "play.sh"
    play.write_text(ECHO.replace("RECORDING", str(RECORDING)))
    play.chmod(0o755)
    key, locked = keygen(home / "key"), keygen(home / "locked", "ed25519", secrets["phrase"])
    inbox = Inbox()
    ca, context = certificate(home)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    with (
        Person(secrets["password"]) as person,
        Sshd(home / "plain", "PasswordAuthentication yes") as plain,
        Sshd(home / "echo", f"ForceCommand {play}") as echo,
        Sshd(home / "complains", "ForceCommand cat >&2; exit 1") as complains,
        WsmanServer(load_host("windows-server-2022"), "audit", secrets["windows"]) as windows,
        smtp(inbox, authenticator=login(b"auditor", secrets["smtp"].encode()), auth_required=True, tls_context=context) as post,
    ):
        person.may(f"{person.name} ALL=(root) ALL\n")
        for server in (plain, echo, complains):
            server.allow(key.with_suffix(".pub"), locked.with_suffix(".pub"))
        (home / "known").write_text("".join(s.known_hosts_line() for s in (plain, echo, complains)))
        winrm = f"connection: winrm, scheme: http, user: audit, port: {windows.port}"
        (home / "inventory.yaml").write_text(f"""
defaults: {{address: 127.0.0.1, user: root, key_file: key, known_hosts: known}}
hosts:
  locked: {{port: {plain.port}, key_file: locked, key_passphrase: "command:printenv PLANTED_PHRASE"}}
  password: {{port: {plain.port}, user: {person.name}, password: "file:{kept}/password"}}
  sudo: {{port: {plain.port}, user: {person.name}, password: env:PLANTED_PASSWORD,
         become: {{method: sudo, password: env:PLANTED_PASSWORD}}}}
  sudo-wrong: {{port: {plain.port}, user: {person.name}, password: env:PLANTED_PASSWORD,
               become: {{method: sudo, password: "file:{kept}/sudo"}}}}
  echo: {{port: {echo.port}, become: {{method: sudo, password: env:PLANTED_ECHO}}}}
  complains: {{port: {complains.port}, become: {{method: sudo, password: env:PLANTED_ECHO}}}}
  wrong: {{port: {plain.port}, user: {person.name}, password: env:PLANTED_WRONG}}
  through: {{port: {plain.port}, user: {person.name}, password: env:PLANTED_PASSWORD, jump: [password]}}
  system-ssh: {{connection: openssh, port: {plain.port}, key_file: key}}
  windows: {{{winrm}, password: env:PLANTED_WINDOWS}}
  windows-wrong: {{{winrm}, password: env:PLANTED_WRONG}}
schedule: {{nightly: {{at: "02:00"}}}}
agent: {{report: report.html, metrics: auditor.prom, heartbeat: ["/bin/sh", "-c", "env >heartbeat"]}}
history: a.db
mail: {{server: 127.0.0.1, port: {post}, security: starttls, user: auditor, password: env:PLANTED_SMTP,
       sender: auditor@example.com, to: [kim@example.com], attach: true}}
""")
        yield {"secrets": secrets, "inbox": inbox}


def stored(path: Path) -> Iterator[bytes]:
    """Everything in the history: each row as it lies, and what lies packed, unpacked."""
    with closing(Store(path, create=False)) as store:
        for table in store.db.table_names():
            for row in store.db.query(f"select * from [{table}]"):
                yield repr(row).encode()
        for (number,) in store.db.execute("select n from contents").fetchall():
            yield blobs.get(store.db, number)
        for run in store.runs(10):
            yield store.report(run["id"])
        assert scheduled_runs.listed(store.db)


def test_no_secret_is_written_said_mailed_or_listed(planted: dict[str, Any], auditor: Run, home: Path) -> None:
    said: list[str] = []

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = auditor(*words)
        said.extend((done.stdout, done.stderr))
        return done

    with process_list() as seen:
        night = run("agent", "once", "nightly", "--log-format", "json")
        run("agent", "check")
        run("inventory", "list", "--format", "json")
        run("inventory", "check")
        for form in ("text", "json", "jsonl", "csv", "markdown", "junit", "sarif", "xccdf", "prometheus"):
            run("report", "show", "--format", form)
        for host in ("echo", "complains", "sudo", "sudo-wrong", "wrong", "windows-wrong"):
            run("history", "host", host, "--format", "json")
            run("ping", host)
            run("facts", "show", host)
        run("record", "echo", "--output", "recorded")
        run("scan", "echo", "sudo", "complains", "--jobs", "2")
        run("report", "outbox")
    assert "11 hosts" in night.stderr
    assert len(planted["inbox"].mails) == 1, night.stderr

    everything = {f"said {n}": text.encode() for n, text in enumerate(said)}
    everything |= {f"history {n}": part for n, part in enumerate(stored(home / "a.db"))}
    mail = message_from_bytes(planted["inbox"].mails[0].content)
    everything |= {f"mail {n}": content(part) for n, part in enumerate(mail.walk())}
    everything |= {f"process {n}": line for n, line in enumerate(seen)}
    for path in home.rglob("*"):
        if path.is_file() and "kept" not in path.parts and path.parent != home / "echo":
            everything[str(path)] = path.read_bytes()
    found = [where for where, what in everything.items() if MARK.encode() in what]
    assert found == [], [everything[where][:300] for where in found]
    # What was blotted out was there, and the searching would have found it.
    facts = auditor("facts", "export", "echo").stdout
    assert '"********"' in facts
    assert any(b"********" in part for part in stored(home / "a.db"))
    assert "heartbeat" in {p.name for p in home.iterdir()}
    assert any(b"ForceCommand" not in line and b"auditor" in line for line in seen)


def test_a_fault_of_our_own_shows_no_secret(planted: dict[str, Any], home: Path) -> None:
    """A traceback with locals would; a message with a frame's values would."""
    sabotage = (
        "import auditor.transports.ssh.login as l, auditor.cli as c, sys\n"
        "def broken(target): password = l.secret_refs.resolve(target.password); raise RuntimeError('broken')\n"
        "import auditor.transports.ssh.session as s; s.login = broken\n"
        "sys.argv = ['auditor', *sys.argv[1:]]; c.main()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", sabotage, "scan", "sudo"], capture_output=True, text=True, env=env, timeout=60)
    assert "please report it: RuntimeError: broken" in done.stdout + done.stderr
    assert MARK not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
