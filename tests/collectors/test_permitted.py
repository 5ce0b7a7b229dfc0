"""What is not on the list of `auditor commands` is refused by every transport, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.collectors.linux import script
from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.permitted import Permitted
from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.readers import powershell, shell
from auditor.errors import HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.target import Connection, Target
from auditor.rulebook.loader import load
from auditor.transports import TRANSPORTS, open_session
from auditor.transports.command import Command

MARK = "0123456789abcdef01234567"
BOOK = load()
REQUIREMENTS = BOOK.requirements()
PERMITTED = Permitted(BOOK.requirements)
POSIX = script.command(MARK, arguments(REQUIREMENTS.linux), form="gzip", deep=True, sudo="sudo")
SHELL = shell.command(all_queries(REQUIREMENTS), MARK)
POWERSHELL = powershell.command(all_queries(REQUIREMENTS), MARK, True)


@pytest.mark.parametrize("command", [POSIX, SHELL, POWERSHELL, replace(POSIX, argv=POSIX.argv[:8])], ids=lambda c: c.argv[0])
def test_what_is_asked_is_on_the_list(command: Command) -> None:
    PERMITTED.command(command)


def changed(command: Command, at: int, word: str) -> Command:
    return replace(command, argv=(*command.argv[:at], word, *command.argv[at + 1 :]))


@pytest.mark.parametrize(
    "command",
    [
        Command(("sh", "-c", "id"), marker=MARK),
        Command(("id",), marker=MARK),
        changed(POSIX, 2, script.SCRIPT + "id\n"),
        changed(POSIX, 4, "$(id)"),
        changed(POSIX, 5, "tar"),
        changed(POSIX, 6, "deeper"),
        changed(POSIX, 7, "su"),
        replace(POSIX, argv=(*POSIX.argv, "file:/etc/shadow#root")),
        replace(POSIX, stdin=b"id\n"),
        replace(POSIX, marker="other"),
        replace(SHELL, stdin=SHELL.stdin.replace(b"exit", b"reg add HKLM\\SOFTWARE\\x /v y\r\nexit")),
        replace(SHELL, stdin=SHELL.stdin.replace(b"ver 2>&1", b"ver & whoami 2>&1")),
        replace(SHELL, argv=(*SHELL.argv, "/c", "whoami")),
        replace(POWERSHELL, stdin=POWERSHELL.stdin + b"Get-Process\n"),
        replace(POWERSHELL, stdin=POWERSHELL.stdin.replace(b"'wua'", b"'wua'; Get-Process #")),
        replace(POWERSHELL, stdin=POWERSHELL.stdin.replace(b"'wua'", b"'wua', 'HKLM\\SAM#x'")),
    ],
    ids=lambda c: f"{c.argv[0]}-{len(c.argv)}-{len(c.stdin)}",
)
def test_what_differs_in_one_word_is_refused(command: Command) -> None:
    with pytest.raises(HostError, match="not on the list"):
        PERMITTED.command(command)


@pytest.mark.parametrize(
    "ask",
    [
        lambda p: p.query("SELECT * FROM Win32_UserAccount"),
        lambda p: p.query("SELECT Name, Version FROM CIM_DataFile WHERE Name = 'c:\\\\x' OR Name = 'c:\\\\y'"),
        lambda p: p.registry("GetStringValue", r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon", "DefaultPassword"),
        lambda p: p.registry("SetDWORDValue", r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters", "SynAttackProtect"),
        lambda p: p.registry("EnumKey", r"SAM\SAM", None),
        lambda p: p.registry("value", r"HKLM\SECURITY\Policy", "x"),
    ],
)
def test_other_queries_and_values_are_refused(ask: Callable[[Permitted], None]) -> None:
    with pytest.raises(HostError, match="not on the list"):
        ask(PERMITTED)


@pytest.mark.parametrize("connection", sorted(set(TRANSPORTS) - {"replay"}))
def test_every_transport_asks_before_it_sends(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """No host is there: a transport that asked too late would fail to reach it instead."""
    monkeypatch.setenv("A_PASSWORD", "x")
    target = Target(name="t", connection=connection, address="127.0.0.9", port=9, user="u", password="env:A_PASSWORD",
                    scheme="http")  # fmt: skip
    session: Any = open_session(target, Deadline(10, "x", Stop()), PERMITTED)
    ask: list[Callable[[], Any]] = []
    if session.kind == "remote-registry":
        ask += [lambda: session.value(r"HKLM\SECURITY\Policy", "x"), lambda: session.subkeys(r"HKLM\SAM")]
    if session.kind in ("shell", "wmi"):
        ask.append(lambda: session.run(Command(("id",), marker=MARK)))
    if session.kind == "wmi":
        wmi = session.connection()
        ask += [lambda: wmi.rows("SELECT * FROM Win32_UserAccount"), lambda: wmi.registry("EnumKey", r"SAM\SAM")]
    assert ask
    for one in ask:
        with pytest.raises(HostError, match="not on the list"):
            one()
