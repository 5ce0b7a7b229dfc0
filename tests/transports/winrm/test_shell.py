"""A WinRS shell: bytes as UTF-8 both ways, whatever language the host speaks, and nothing left on it."""

from __future__ import annotations

import time

import pytest

from auditor.audit.context import AuditContext
from auditor.collectors.windows.readers.shell import ARGV
from auditor.errors import HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.transports.command import Command
from auditor.transports.winrm import connection as winrm_connection
from auditor.transports.winrm.session import WinrmSession
from tests.lab.anything import ANYTHING
from tests.lab.windows import wsman_shell
from tests.lab.windows.host import WindowsHost
from tests.lab.windows.wsman_faults import Faults
from tests.lab.windows.wsman_http import Connection, Gone
from tests.transports.winrm.test_session import posed, read, serving, target, verdicts

TEXT = "Grüße, 日本, Привет €"
CLIXML = b'#< CLIXML\r\n<Objs Version="1.1.0.1"><Obj S="progress" RefId="0"/></Objs>'


@pytest.mark.parametrize("name", ["windows-server-2019-ja", "windows-server-2022", "windows-xp-sp3-de"])
def test_hosts_in_other_languages(audit: AuditContext, name: str) -> None:
    with serving(posed(name), faults=Faults(no_wmi=True)) as server:
        by_shell = read(server, audit)
    with serving(posed(name)) as server:
        by_wmi = read(server, audit)
    assert by_shell.facts
    assert by_wmi.facts
    assert "one shell command" in (by_shell.facts.method or "")
    assert by_shell.facts.platform.product == by_wmi.facts.platform.product == posed(name).expected["product"]
    for rule, verdict in verdicts(by_shell).items():
        assert verdict in (verdicts(by_wmi)[rule], "unknown")  # a shell tells less, never otherwise


def test_bytes_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    def run(host: WindowsHost, line: str, stdin: bytes, page: int | None) -> tuple[bytes, bytes, int]:
        told.extend([line, stdin, page])
        return TEXT.encode() * 5_000 + b"\xff\x00", CLIXML, 3

    monkeypatch.setattr(wsman_shell, "run", run)
    with serving() as server, WinrmSession(target(server), Deadline(20, "x", Stop()), ANYTHING) as session:
        result = session.run(Command(ARGV, stdin=f"{TEXT}\r\n".encode(), marker="m"))
        assert server.shells.open == {}
    assert told == ["cmd /q /d", f"{TEXT}\r\n".encode(), 65001]
    assert result.stdout == TEXT.encode() * 5_000 + b"\xff\x00"  # in several pieces
    assert (result.stderr, result.exit_status, result.truncated) == (CLIXML, 3, None)  # progress on stderr is no failure


def test_output_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winrm_connection, "MAX_STDOUT", 100_000)
    monkeypatch.setattr(wsman_shell, "run", lambda *_: (b"x" * 300_000, b"", 0))
    with serving() as server, WinrmSession(target(server), Deadline(60, "x", Stop()), ANYTHING) as session:
        result = session.run(Command(ARGV, stdin=b"", marker="m"))
        assert server.log[-2:] == ["Signal", "Delete shell"]
    assert len(result.stdout) == 100_000
    assert result.truncated
    assert result.truncated.kind == "protocol"


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (s, a)
        for s in ("Command", "Send", "Receive", "Signal")
        for a in ("soap-500", "garbage", "drop")
        if (s, a) != ("Send", "garbage")
    ],
)  # pywinrm does not look at the answer to Send
def test_a_step_that_fails(audit: AuditContext, step: str, answer: str) -> None:
    """The shell is deleted all the same, on a new connection where the old one is over."""
    with serving(faults=Faults(no_wmi=True, match=step, answer=answer)) as server:  # type: ignore[arg-type]
        result = read(server, audit)
        assert server.log[-1] == "Delete shell"
        assert server.shells.open == {}
    if step == "Signal":  # everything had been said
        assert verdicts(result)["windows-latest-service-pack"] == "compliant"
    else:
        assert result.outcome == "failed"


def test_a_connection_that_the_service_closes_between_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3 would open a new one unasked, and seals of the first login would go over it."""

    def answer_and_go(self: Connection, status: int, text: str) -> None:
        send(self, status, text)
        raise Gone

    send = Connection._send
    monkeypatch.setattr(Connection, "_send", answer_and_go)
    with serving() as server, WinrmSession(target(server), Deadline(20, "x", Stop()), ANYTHING) as session:
        connection = session.connection()
        assert connection.registry("EnumKey", "SOFTWARE")["ReturnValue"] == "0"
        end = time.monotonic() + 10
        while server._sockets and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises(HostError, match="closed the connection in the middle"):
            connection.registry("EnumKey", "SOFTWARE")
        assert server.connections == 2
