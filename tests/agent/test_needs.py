"""What a night would lack is told the day before: by `agent check`, and by `inventory check` with it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.agent.test_process import RECORDING
from tests.conftest import Run as Auditor
from tests.mail.server import Inbox, certificate, login, odd, smtp

HOST = f"  r: {{connection: replay, path: {RECORDING}}}\n"
PLAN = 'schedule:\n  nightly: {at: "00:00"}\nhistory: a.db\n'
MAIL = "mail: {{server: 127.0.0.1, port: {port}, security: {tls}, sender: a@example.com, to: [kim@example.com]{more}}}\n"
# What is written into the inventory, and what is said of it.
WANTING = {
    "a report's folder": ("", "agent: {report: none/report.html}\n", "/none/report.html cannot be written: No such file"),
    "a folder in place of a file": ("", "agent: {metrics: ./spool}\n", "spool is a folder"),
    "each audit's file": ("", 'agent: {report: "none-{audit}/r.html"}\n', "/none-nightly/r.html cannot be written"),
    "the heartbeat's program": ("", "agent: {heartbeat: [no-such-program, x]}\n", "the program 'no-such-program' is not found"),
    "a secret of the environment": ("  w: {connection: winrm, address: 192.0.2.1, user: a, password: env:NOT_SET}\n", "", "the environment variable NOT_SET is not set"),
    "a secret's file": ("  w: {address: 192.0.2.1, user: a, password: file:/none}\n", "", "/none: No such file"),
    "a secret's command": ("  w: {address: 192.0.2.1, user: a, password: 'command:no-such x'}\n", "", "the command 'no-such' is not found"),
    "sudo's password": ("  w: {address: 192.0.2.1, become: {method: sudo, password: env:NOT_SET}}\n", "", "env:NOT_SET"),
    "a key": ("  w: {address: 192.0.2.1, key_file: ./none}\n", "", "none does not exist"),
    "a certificate": ("  w: {connection: winrm, address: 192.0.2.1, ca_file: none.pem}\n", "", "ca_file: "),
    "a recording": ("  w: {connection: replay, path: none}\n", "", "w: path: there is no recording"),
    "one thing of many hosts": (
        "".join(f"  w{n}: {{address: 192.0.2.{n + 1}, password: env:NOT_SET}}\n" for n in range(9)), "",
        "inventory.yaml:4: the secret env:NOT_SET",
    ),
    "the mail server": ("", MAIL.format(port=1, tls="none", more=""), "mail: 127.0.0.1:1 cannot be reached: Connection refused"),
    "the mail's password": ("", MAIL.format(port=1, tls="tls", more=", user: kim, password: env:NOT_SET"), "env:NOT_SET"),
}  # fmt: skip


@pytest.mark.parametrize("name", WANTING)
def test_what_is_wanting_is_said_before_the_night(home: Path, auditor: Auditor, name: str) -> None:
    hosts, more, said = WANTING[name]
    (home / "spool").mkdir()
    (home / "inventory.yaml").write_text(f"hosts:\n{HOST}{hosts}{PLAN}{more}")
    for words in (("agent", "check"), ("inventory", "check")):
        done = auditor(*words)
        told = [line for line in (done.stdout + done.stderr).splitlines() if said in line]
        assert told, done.stdout + done.stderr
        # A fault of the inventory's own is told with its line, before anything else is looked at.
        assert done.returncode == (2 if told[0].startswith("inventory.yaml:") else 3)
        assert told[0].startswith(("inventory.yaml:", "wanting: "))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the server does not count TLS from the start
def test_a_night_that_lacks_nothing(home: Path, auditor: Auditor) -> None:
    _, context = certificate(home)
    (home / "secret").write_text("s3cret\n")
    (home / "secret").chmod(0o600)
    inbox = Inbox()
    with smtp(inbox, ssl_context=context, authenticator=login(b"kim", b"s3cret"), auth_require_tls=False) as port:
        mail = MAIL.format(port=port, tls="tls", more=", user: kim, password: file:secret, ca_file: ca.pem")
        agent = 'agent: {report: "r-{audit}.html", metrics: m.prom, heartbeat: [/bin/true]}\n'
        (home / "inventory.yaml").write_text(f"hosts:\n{HOST}{PLAN}{mail}{agent}retention: {{nightly: 90d}}\n")
        for words in (("agent", "check"), ("inventory", "check")):
            done = auditor(*words)
            assert "wanting" not in done.stdout
            assert (done.returncode, done.stderr) == (0, "")
        (home / "secret").write_text("another\n")
        assert "refused the login of kim" in auditor("agent", "check").stdout
    assert inbox.mails == []


def test_a_mail_server_that_hangs_holds_the_check_no_longer_than_its_time_out(home: Path, auditor: Auditor) -> None:
    with odd(lambda c: c.recv(1)) as port:
        (home / "inventory.yaml").write_text(f"hosts:\n{HOST}{PLAN}{MAIL.format(port=port, tls='none', more=', timeout: 0.5')}")
        assert "did not answer within 0.5 s" in auditor("agent", "check").stdout


def test_a_history_that_others_may_write_is_said(home: Path, auditor: Auditor) -> None:
    (home / "inventory.yaml").write_text(f"hosts:\n{HOST}{PLAN}")
    assert auditor("agent", "check").returncode == 0
    os.chmod(home / "a.db", 0o666)
    done = auditor("agent", "check")
    assert "a.db, may be written by others" in done.stdout
    assert done.returncode == 3


def test_nothing_is_contacted_but_the_mail_server(home: Path, auditor: Auditor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        (home / "inventory.yaml").write_text(f"hosts:\n  a: {{address: 127.0.0.1, port: {server.getsockname()[1]}}}\n{PLAN}")
        assert auditor("agent", "check").returncode == 0
        with pytest.raises(TimeoutError):
            server.accept()


def test_what_hosts_of_an_ansible_inventory_lack(home: Path, auditor: Auditor) -> None:
    (home / "hosts.ini").write_text(
        "[web]\nw1 ansible_host=192.0.2.1 ansible_ssh_private_key_file=/none/key\nw2 ansible_host=192.0.2.2\n"
    )
    done = auditor("inventory", "check", "--inventory", "hosts.ini")
    assert "wanting: w1: key_file: /none/key is not there, or may not be read\n" in done.stdout
    assert done.returncode == 3
