"""What `auditor commands` lists is held against everything that reached the lab."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pytest
from click.testing import CliRunner

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.cli.commands import commands
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.model.target import Target
from auditor.rulebook.loader import load
from tests.lab.windows.host import load_host
from tests.lab.windows.wsman import WsmanServer

MARKER = "0123456789abcdef01234567"
PROTOCOL = {"Pull", "Release", "Create shell", "Command cmd /q /d", "Send", "Receive", "Signal", "Delete shell"}
# Of every kind: the old ones with their programs by a shell, one whose WMI is closed, the largest, one with updates below keys.
HOSTS = ("nt40-enterprise-sp5-node", "nt40-server-sp6a-domino", "nt40-server-sp6a-sna4-sp4", "windows-2000-server-sp4",
         "windows-server-2003-r2-sp2", "windows-7-sp1", "windows-server-2012-r2-ru", "windows-server-2022",
         "windows-server-2022-core", "windows-11-24h2")  # fmt: skip


@pytest.fixture(scope="module")
def listed() -> dict[str, list[str]]:
    done = CliRunner().invoke(commands, ["--family", "windows", "--format", "json"], standalone_mode=False)
    assert done.exception is None
    return dict(json.loads(done.output)["windows"])


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("closed", [False, True], ids=["wmi", "shell"])
def test_nothing_else_reaches_a_host(
    listed: dict[str, list[str]], name: str, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PASSWORD", "Secret-1")
    host = load_host(name)
    if closed:
        host.denied_classes[:] = ["Win32_OperatingSystem"]
    with WsmanServer(host, "audit", "Secret-1") as server:
        target = Target(name=name, connection="winrm", address="127.0.0.1", port=server.port, scheme="http", user="audit",
                        password="env:LAB_PASSWORD")  # fmt: skip
        result = scan(target, AuditContext(rulebook=load(), clock=utc_now, marker=lambda: MARKER), Stop())
    assert result.facts is not None, result.error
    assert any("Stdin reg query" in line for line in server.log) or not closed
    strange = [line for line in server.log if not allowed(line, listed)]
    assert not strange


def test_the_test_notices(listed: dict[str, list[str]]) -> None:
    for line in (
        "Enumerate root/cimv2 SELECT * FROM Win32_UserAccount",
        r"StdRegProv.GetStringValue HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon#DefaultPassword",
        r"StdRegProv.SetDWORDValue HKLM\SYSTEM\CurrentControlSet\Services\AFD\Parameters#EnableDynamicBacklog",
        r"Stdin reg add HKLM\SOFTWARE\x /v y",
        "Command powershell",
    ):
        assert not allowed(line, listed), line


def allowed(line: str, listed: dict[str, list[str]]) -> bool:
    if line in PROTOCOL:
        return True
    kind, _, rest = line.partition(" ")
    if kind == "Enumerate":
        return rest.removeprefix("root/cimv2 ") in listed["wql"] or _like(rest, listed["wql"])
    if kind.startswith("StdRegProv."):
        deep = [what.removesuffix("...") for what in listed["registry"] if what.endswith("\\...")]
        known = (
            rest in listed["registry"] or any(f"{rest}\\".startswith(d) for d in deep) or _of_instance(rest, listed["registry"])
        )
        return kind.removeprefix("StdRegProv.") in listed["methods"] and known
    if kind == "Stdin":
        frame = re.fullmatch(rf"echo\.&echo {MARKER}(=plain|\.end|\^<\S+|\^>\S+ %errorlevel% - -)|exit|", rest)
        return bool(frame) or rest.removesuffix(" 2>&1").replace(MARKER, "MARKER") in listed["shell"]
    return False


def _like(query: str, queries: Iterable[str]) -> bool:
    """A query for one file, whose path a rule names."""
    parts = [q.split("{path}") for q in queries if "{path}" in q]
    return any(re.fullmatch(rf"root/cimv2 {re.escape(a)}[^']+{re.escape(b)}", query) for a, b in parts)


def _of_instance(asked: str, registry: Iterable[str]) -> bool:
    """A value of an instance of SQL Server, whose name and key the host tells."""
    forms = (re.sub(r"\\\{[^}]+\\\}", r"[\\w.$-]+", re.escape(what)) for what in registry if "{" in what)
    return any(re.fullmatch(form, asked) for form in forms)


def test_rights_are_named() -> None:
    shown = CliRunner().invoke(commands, ["--family", "windows"], standalone_mode=False).output
    for word in ("Remote Management Users", r"root\cimv2", r"root\default", "Execute Methods", "winreg"):
        assert word in shown


def test_two_set_ups_at_once_are_none() -> None:
    done = CliRunner().invoke(commands, ["--sudoers", "--winrm"])
    assert (done.exit_code, "one at a time: --sudoers, --winrm" in done.output) == (2, True)
