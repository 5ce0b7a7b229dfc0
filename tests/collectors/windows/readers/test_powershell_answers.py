r"""The answers of script.ps1, made by hand as its header says, read into facts; and what is made of it where it does not answer.

Nothing here runs PowerShell: tests/lab/windows/powershell.py writes what the script would print.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.audit.scan import scan
from auditor.collectors.collection import PosixOptions
from auditor.collectors.reader import collect
from auditor.collectors.windows import missing_updates
from auditor.collectors.windows.host_facts import all_queries, windows_facts
from auditor.collectors.windows.queries import OS, PROCESSES, QFE, SERVICES, UNINSTALL, UPDATES, QuerySet, RegistryQuery
from auditor.collectors.windows.readers import powershell
from auditor.errors import FactUnavailable, HostError
from auditor.foundation.deadline import Stop
from auditor.model.facts import HostFacts, MissingUpdate
from auditor.model.requirements import DataRequirements
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData
from auditor.rulebook.loader import load
from auditor.transports.command import Command, CommandResult
from tests.collectors.windows.reading import AUDIT, MARKER, NOW, Console, all_answers
from tests.lab.windows import powershell as lab
from tests.lab.windows.host import HOSTS, RegValue, WindowsHost, load_host, read_reg
from tests.lab.windows.powershell import pieces, pose, section, stream, update
from tests.lab.windows.wsman import WsmanServer
from tests.lab.windows.wsman_faults import Faults
from tests.lab.wine import Wine
from tests.places import ROOT

KEY = r"HKLM\SOFTWARE\Lab"
ABOUT = {"version": "5.1", "mode": "FullLanguage", "arch": "AMD64", "wow64": None}
ALIVE = section(MARKER, "powershell", [ABOUT])
TABLES = QuerySet(tables=(OS, QFE, SERVICES))
FOUND = {"result": 2, "searched": "2026-11-20T03:10:00Z", "updates": 0}


def said(stdout: bytes, status: int | None = 0, stderr: bytes = b"", truncated: TargetError | None = None) -> CommandResult:
    return CommandResult(status, stdout, stderr, 0.1, truncated)


def read(*parts: str, requirements: QuerySet = TABLES, wua: bool = True, end: bool = True) -> WindowsRawData:
    return powershell.read(said(stream(MARKER, [ALIVE, *parts], end)), MARKER, requirements, wua)


def updates(*rows: dict[str, Any], status: int = 0) -> Table:
    return read(section(MARKER, "wua", list(rows), status)).tables[UPDATES]


def posed(host: WindowsHost, requirements: QuerySet, wua: bool = True) -> WindowsRawData:
    command = powershell.command(requirements, MARKER, wua)
    answer = lab.answer(host, " ".join(command.argv), command.stdin)
    assert answer
    return powershell.read(said(answer[0]), MARKER, requirements, wua)


# ----------------------------------------------------------------------------------------------------------- the command
def test_the_command_is_one_assignment_and_the_constant_script() -> None:
    requirements = QuerySet(
        values=(RegistryQuery(rf"{KEY}#O'Brien"), RegistryQuery(rf"{KEY}#")),
        keys=(RegistryQuery(KEY), RegistryQuery(KEY, deep=True)),
        tables=(OS,),
    )
    command = powershell.command(requirements, "m4rk3r", True)
    first, _, rest = command.stdin.partition(b"\n")
    assert command.argv == ("powershell", "-NoProfile", "-NonInteractive", "-Command", "-")
    assert first.decode() == rf"$auditor = 'm4rk3r', 'wua', '{KEY}#O''Brien', '{KEY}#', '{KEY}', '{KEY}\*'"
    assert rest == (Path(powershell.__file__).parent / "script.ps1").read_bytes()
    assert powershell.command(QuerySet(), "m", False).stdin.startswith(b"$auditor = 'm', '-'\n& {\n")
    assert command.quoted == "powershell -NoProfile -NonInteractive -Command -"


@pytest.mark.parametrize("bad", ["a\nb", "a\r", "it\u2019s", "", "a\tb"])
def test_what_could_end_the_assignment_is_refused(bad: str) -> None:
    """PowerShell takes a typographic quotation mark for a plain one."""
    with pytest.raises(ValueError, match="nothing that the script can read"):
        powershell.command(QuerySet(values=(RegistryQuery(bad),)), "m", False)


# ---------------------------------------------------------------------------------------------------- rows and registry
VALUES = r"""[HKEY_LOCAL_MACHINE\SOFTWARE\Lab]
@="the default"
"text"="a \\ and \" and Ä, 日"
"empty"=""
"path"=hex(2):25,00,53,00,25,00,5c,00,78,00,00,00
"number"=dword:ffffffff
"long number"=hex(b):ff,ff,ff,ff,ff,ff,ff,ff
"several"=hex(7):61,00,00,00,00,00,62,00,20,00,63,00,00,00,00,00
"bytes"=hex:00,01,02,ff
"none"=hex(0):01
"backslashes"="C:\\x\\\\\\\\y\\\\"
[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\One]
[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\One\Two]
[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\One\Two\Three]
[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\One\Two\Three\Four]
[HKEY_LOCAL_MACHINE\SOFTWARE\Shut]
"x"="y"
"""
SHOULD_BE = {
    "": Value("present", "REG_SZ", "the default"),
    "text": Value("present", "REG_SZ", 'a \\ and " and \u00c4, \u65e5'),
    "empty": Value("present", "REG_SZ", ""),
    "path": Value("present", "REG_SZ", r"%S%\x"),
    "number": Value("present", "REG_DWORD", 0xFFFFFFFF),
    "long number": Value("present", "REG_QWORD", 2**64 - 1),
    "several": Value("present", "REG_MULTI_SZ", ("a", "b c")),
    "bytes": Value("present", "REG_BINARY", "000102ff"),
    "none": Value("present", "REG_BINARY", "01"),
    "backslashes": Value("present", "REG_SZ", r"C:\x\\\\y" + "\\\\"),
    "not there": Value("absent"),
}


def registry_host(**more: Any) -> WindowsHost:
    host = load_host("windows-7-sp1")
    host.registry, host.denied_keys = read_reg(VALUES), [r"HKLM\SOFTWARE\Shut"]
    return pose(host, **more)


def test_every_kind_of_value_and_key() -> None:
    wanted = QuerySet(
        values=(
            *(RegistryQuery(f"{KEY}#{name}") for name in SHOULD_BE),
            RegistryQuery(r"HKLM\SOFTWARE\None#x"),
            RegistryQuery(r"HKLM\SOFTWARE\Shut#x"),
        ),
        keys=(RegistryQuery(KEY), RegistryQuery(r"HKLM\SOFTWARE\None"), RegistryQuery(r"HKLM\SOFTWARE\Shut")),
    )
    found = posed(registry_host(), wanted)
    shut = found.values.pop(r"HKLM\SOFTWARE\Shut#x")
    assert (shut.state, shut.reason) == ("unreadable", "System.Security.SecurityException,GetItemProperty, PermissionDenied")
    assert found.values.pop(r"HKLM\SOFTWARE\None#x") == Value("absent")
    assert found.values == {f"{KEY}#{name}": value for name, value in SHOULD_BE.items()}
    assert found.keys[KEY] == Subkeys("present", ("One",))
    assert found.keys[r"HKLM\SOFTWARE\None"] == Subkeys("absent")
    assert found.keys[r"HKLM\SOFTWARE\Shut"].state == "unreadable"
    deep = posed(registry_host(), QuerySet(keys=(RegistryQuery(KEY, deep=True),))).keys[KEY]
    assert deep == Subkeys("present", ("One", r"One\Two", r"One\Two\Three"))


@pytest.mark.parametrize("length", range(1, 300))
def test_rows_of_any_length_are_put_together(length: int) -> None:
    """A piece may end in a blank, or in a backslash of its own beside the one that says that it goes on."""
    for text in ("x" * length, " " * length, "\\" * length):
        row = {"a": text}
        plain = json.dumps(row)
        truncated = "\\\n".join(plain[i : i + 70] for i in range(0, len(plain), 70)) + "\n"
        for printed in (truncated, pieces(row)):
            assert powershell._pieced(printed.replace("\n", "\r\n").replace("\r\n", "\n")) == [row]


@pytest.mark.parametrize("truncated", [True, None, 1])
def test_a_value_that_is_longer_than_what_was_read_is_unreadable(truncated: object) -> None:
    row = {"key": KEY, "name": "x", "found": True, "type": "REG_SZ", "data": "a", "cut": truncated}
    value = read(section(MARKER, "registry", [row]), requirements=QuerySet(values=(RegistryQuery(f"{KEY}#x"),))).values[
        f"{KEY}#x"
    ]
    assert (value.state, value.reason) == ("unreadable", "it is longer than what is read of it")


STRANGE = [
    {"found": True, "type": "other", "data": None, "cut": False},
    {"found": True, "type": "REG_DWORD", "data": "1", "cut": False},
    {"found": True, "type": "REG_DWORD", "data": True, "cut": False},
    {"found": True, "type": "REG_SZ", "data": ["a"], "cut": False},
    {"found": None, "error": "x", "category": "PermissionDenied"},
    {"found": 0},
    {"found": "False"},
    {},
]


@pytest.mark.parametrize("more", STRANGE, ids=str)
def test_a_strange_answer_is_neither_absent_nor_a_value(more: dict[str, Any]) -> None:
    rows = [{"key": KEY, "name": "x", **more}, {"key": KEY, **more}]
    requirements = QuerySet(values=(RegistryQuery(f"{KEY}#x"),), keys=(RegistryQuery(KEY),))
    found = read(section(MARKER, "registry", rows), requirements=requirements)
    assert (found.values[f"{KEY}#x"].state, found.keys[KEY].state) == ("unreadable", "unreadable")


def test_a_32_bit_powershell_is_not_believed_where_it_is_shown_something_else() -> None:
    host = registry_host(wow64="AMD64")
    host.registry = read_reg(VALUES + '[HKEY_LOCAL_MACHINE\\SYSTEM\\Lab]\n"x"="y"\n')
    requirements = QuerySet(
        values=(RegistryQuery(f"{KEY}#text"), RegistryQuery(f"{KEY}#not there"), RegistryQuery(r"HKLM\SYSTEM\Lab#x")),
        keys=(RegistryQuery(KEY),),
    )
    found = posed(host, requirements)
    for answer in (found.values[f"{KEY}#text"], found.values[f"{KEY}#not there"], found.keys[KEY]):
        assert answer.state == "unreadable"
        assert answer.reason.startswith("a 32-bit PowerShell")
    assert found.values[r"HKLM\SYSTEM\Lab#x"] == Value("present", "REG_SZ", "y")


def test_what_the_registry_section_told_before_it_failed_counts_and_nothing_else() -> None:
    rows: list[dict[str, Cell]] = [
        {"key": KEY, "name": "x", "found": False, "present": True},
        {"error": "boom", "category": "NotSpecified", "code": None},
    ]
    found = read(
        section(MARKER, "registry", rows, 1),
        requirements=QuerySet(values=(RegistryQuery(f"{KEY}#x"), RegistryQuery(f"{KEY}#y"))),
    )
    assert found.values == {f"{KEY}#x": Value("absent"), f"{KEY}#y": Value("unreadable", reason="boom, NotSpecified")}


def test_what_the_script_does_not_tell_is_unreadable() -> None:
    found = read(requirements=QuerySet(tables=(PROCESSES,), files=(r"%SystemRoot%\x.sys",), programs=True), wua=False)
    states = [found.tables[t].state for t in (PROCESSES, *UNINSTALL)] + [found.values[r"file-version:%SystemRoot%\x.sys"].state]
    assert states == ["unreadable"] * 4


# ------------------------------------------------------------------------------------------------- tables, posed hosts
def tell(host: WindowsHost, requirements: DataRequirements) -> HostFacts:
    return windows_facts(posed(host, all_queries(requirements)), requirements, target=host.name, method="test", now=NOW)


@pytest.mark.parametrize("name", [h for h in HOSTS if load_host(h).wmi])
def test_posed_hosts(name: str) -> None:
    """Everything by PowerShell: platform, hotfixes and services are those of the host."""
    host = pose(load_host(name), updates=[update("KB5034123", severity="Critical")])
    facts = tell(host, DataRequirements())
    wanted = {k: v for k, v in host.expected.items() if k in ("product", "version", "service_pack", "edition")}
    edition = wanted.pop("edition", None)
    assert {k: getattr(facts.platform, k) for k in wanted} == wanted
    assert edition is None or facts.platform.edition
    assert facts.volatile
    assert facts.volatile.uptime
    assert {s.name for s in facts.services or ()} >= ({r["Name"] for r in host.wmi["Win32_Service"]} or {""})
    assert facts.missing_updates == (MissingUpdate("KB5034123", "Critical", False),)
    if host.expected["hotfixes"] is not None and not host.class_denied(QFE):
        assert {h.id.upper().lstrip("QKB") for h in facts.hotfixes or ()} >= {
            i.upper().lstrip("QKB") for i in host.expected["hotfixes"]
        }


def test_denied_and_empty_tables() -> None:
    host = pose(load_host("windows-7-sp1"))
    host.denied_classes = [QFE]
    host.wmi[SERVICES] = []
    host.wmi[OS] = []
    found = posed(host, TABLES).tables
    assert (
        found[QFE].reason
        == "System.UnauthorizedAccessException,Microsoft.PowerShell.Commands.GetWmiObjectCommand, NotSpecified"
    )
    assert [found[t].state for t in (OS, QFE, SERVICES)] == ["unreadable"] * 3
    assert found[UPDATES] == Table("present")


def test_a_list_of_hotfixes_that_is_empty_is_read_as_empty_and_judged_by_its_collector() -> None:
    assert read(section(MARKER, "qfe", [])).tables[QFE] == Table("present")
    host = pose(load_host("windows-7-sp1"))
    host.wmi[QFE] = []
    assert tell(host, DataRequirements()).hotfixes is None


# --------------------------------------------------------------------------------------------------------- the agent's list
def test_missing_updates() -> None:
    rows = [
        update("KB5034123", severity="Critical", reboot=True),
        update("KB890830", severity=""),
        update("KB1", "KB2", severity="Low", reboot=None),
        update(severity=None, reboot=None, optional=None),  # a driver, before IUpdate3
        update("KB5034204", severity="Important", optional=True),
    ]
    found = read(section(MARKER, "wua", [FOUND | {"updates": 5}, *rows]))
    assert found.tables[UPDATES] == Table(
        "present",
        (
            {"KB": "KB5034123", "Severity": "Critical", "Restart": True},
            {"KB": "KB890830", "Severity": None, "Restart": False},
            {"KB": "KB1 KB2", "Severity": "Low", "Restart": None},
            {"KB": "update 00000000-0000-0000-0000-000000000000", "Severity": None, "Restart": None},
        ),
    )
    assert found.notes == ("missing updates by PowerShell",)
    assert missing_updates.parse(found, DataRequirements()).facts["missing_updates"] == (
        MissingUpdate("KB1 KB2", "Low", None),
        MissingUpdate("KB5034123", "Critical", True),
        MissingUpdate("KB890830", None, False),
        MissingUpdate("update 00000000-0000-0000-0000-000000000000", None, None),
    )


def test_none_missing_counts_only_after_a_search() -> None:
    assert updates(FOUND) == Table("present")
    for never in (None, "1899-12-30T00:00:00Z", "", "yesterday"):
        found = updates(FOUND | {"searched": never})
        assert (found.state, found.reason) == ("unreadable", "the agent lists nothing and does not say that it ever searched")
        # What it does list is missing, whenever it searched; optional ones are nothing that it lists.
        assert updates(FOUND | {"searched": never, "updates": 1}, update("KB1")).rows[0]["KB"] == "KB1"
        assert updates(FOUND | {"searched": never, "updates": 1}, update("KB1", optional=True)).state == "unreadable"


AGENT: list[tuple[list[dict[str, Any]], int, str]] = [
    ([], 0, "the agent's search ended with None"),
    ([FOUND | {"result": 3}], 0, "the agent's search ended with 3"),
    ([FOUND | {"result": 4}], 0, "the agent's search ended with 4"),
    ([FOUND | {"result": "2"}], 0, "the agent's search ended with 2, which is not success"),
    ([FOUND | {"updates": 2}, update("KB1")], 0, "the agent found 2 updates and 1 were told"),
    ([FOUND, update("KB1")], 0, "the agent found 0 updates and 1 were told"),
    ([FOUND | {"updates": None}], 0, "the agent found None updates"),
    ([{"error": "unreadable: constrained language", "category": "OperationStopped", "code": None}], 1,
     "unreadable: constrained language, in which PowerShell may not ask"),
    ([{"error": "System.UnauthorizedAccessException", "category": "NotSpecified", "code": -2147024891}], 1, "access denied (0x80070005)"),
    ([{"error": "x", "category": "NotSpecified", "code": -2145124284}], 1, "access denied (0x80240044)"),
    ([{"error": "System.Runtime.InteropServices.COMException", "category": "OperationStopped", "code": -2145124322}], 1,
     "System.Runtime.InteropServices.COMException, OperationStopped, 0x8024001E"),
    ([FOUND, {"error": "x", "category": "NotSpecified", "code": "AccessDenied"}], 1, "x, NotSpecified, AccessDenied"),
    ([FOUND], 1, "no reason given"),
    ([], 1, "no reason given"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "status", "reason"), AGENT, ids=[a[2][:30] for a in AGENT])
def test_an_agent_that_does_not_tell_is_not_one_that_lists_nothing(
    rows: list[dict[str, Any]], status: int, reason: str
) -> None:
    table = updates(*rows, status=status)
    assert table.state == "unreadable"
    assert table.reason.startswith(reason)
    with pytest.raises(FactUnavailable, match=r"^Microsoft\.Update\.Session: "):
        missing_updates.parse(WindowsRawData(method="", tables={UPDATES: table}), DataRequirements())


def test_constrained_language_leaves_the_rest_readable() -> None:
    found = posed(pose(load_host("windows-7-sp1"), mode="ConstrainedLanguage"), TABLES)
    assert (
        found.tables[UPDATES].reason
        == "unreadable: constrained language, in which PowerShell may not ask the Windows Update Agent"
    )
    assert [found.tables[t].state for t in (OS, QFE, SERVICES)] == ["present"] * 3


def test_not_asked_is_neither_a_fact_nor_a_fault() -> None:
    found = read(section(MARKER, "qfe", []), wua=False)
    assert UPDATES not in found.tables
    facts = windows_facts(found, DataRequirements(), target="t", method="w", now=NOW)
    assert facts.missing_updates is None
    assert [(o.outcome, o.reason) for o in facts.outcomes if o.name == "missing_updates"] == [("ok", "")]


# ------------------------------------------------------------------------------------------------------------ no answer
FULL = stream(MARKER, [ALIVE, section(MARKER, "qfe", []), section(MARKER, "wua", [FOUND])])
CUT = TargetError("timeout", "it took too long")
SILENT: list[tuple[CommandResult, str]] = [
    (said(b""), "PowerShell said nothing (status 0): it is a stub"),
    (said(b"\r\n\r\n"), "PowerShell said nothing (status 0)"),
    (said(b"", None), "PowerShell said nothing: it is a stub"),
    (said(b"", 1, b"'powershell' is not recognized\r\nas a command"), "PowerShell did not run the script: 'powershell' is not recognized as a command (status 1)"),
    (said(b"blocked by group policy \x1b[2J", 1), "PowerShell did not run the script: blocked by group policy \\x1b[2J (status 1)"),
    (said(b"", truncated=CUT), "it took too long"),
    (said(FULL[:60], truncated=CUT), "it took too long"),
    (said(FULL[:60]), "the answer ends in the middle"),
    (said(FULL.replace(MARKER.encode(), b"other")), "PowerShell did not run the script: other=plain"),
]  # fmt: skip


@pytest.mark.parametrize(("result", "reason"), SILENT, ids=[s[1][:40] for s in SILENT])
def test_silence_is_unknown_with_its_reason(result: CommandResult, reason: str) -> None:
    requirements = replace(TABLES, values=(RegistryQuery(f"{KEY}#x"),), keys=(RegistryQuery(KEY),))
    found = powershell.read(result, MARKER, requirements, True)
    told = all_answers(found)
    assert [a.state for a in told] == ["unreadable"] * 6
    assert all(reason in a.reason for a in told), told
    assert found.notes == ()


def test_wines_powershell_says_nothing_and_ends_well(tmp_path: Path) -> None:
    """A stub that stands for all such: the one program here that goes by that name."""
    command = powershell.command(TABLES, MARKER, True)
    with Wine(tmp_path) as wine, TemporaryFile() as lines:
        lines.write(command.stdin)
        lines.seek(0)
        done = wine._run(list(command.argv), lines.fileno())
    found = powershell.read(CommandResult(done.returncode, done.stdout, done.stderr, 0.1), MARKER, TABLES, True)
    assert "PowerShell said nothing (status 0)" in found.tables[UPDATES].reason


def test_no_cut_makes_an_answer_look_empty_or_absent() -> None:
    """Wherever the answer ends, what it would have said is unreadable or as it was told."""
    host = pose(load_host("windows-7-sp1"), updates=[update("KB1"), update("KB2")])
    host.wmi[SERVICES] = host.wmi[SERVICES][:3]
    host.wmi[QFE] = host.wmi[QFE][:3]
    requirements = replace(
        TABLES, values=(RegistryQuery(r"HKLM\SYSTEM\Select#Current"),), keys=(RegistryQuery(r"HKLM\SYSTEM"),)
    )
    command = powershell.command(requirements, MARKER, True)
    whole = lab.answer(host, " ".join(command.argv), command.stdin)
    assert whole
    full = powershell.read(said(whole[0]), MARKER, requirements, True)
    for end in range(0, len(whole[0]), 3):
        for truncated in (None, CUT):
            part = powershell.read(said(whole[0][:end], truncated=truncated), MARKER, requirements, True)
            for name in ("tables", "values", "keys"):
                for what, answer in getattr(part, name).items():
                    assert answer.state == "unreadable" or answer == getattr(full, name)[what], (end, what)


@pytest.mark.parametrize(
    "text", ["WARNING: x", "{", '{"a": 1.5}', '{"a": {"b": 1}}', "[1]", '{"a":"\\', "1" * 5000, '{"a":' + "[" * 5000]
)
def test_something_else_between_the_rows_spoils_the_section(text: str) -> None:
    spoilt = section(MARKER, "wua", [FOUND]).replace("\n{", f"\n{text}\n{{", 1)
    assert read(spoilt).tables[UPDATES].state == "unreadable"


@pytest.mark.parametrize("text", ['{"a":\\', '{"a":\\\n', '{"a":\\\n\n1}', '{"a":\\\n \n1}\n'])
def test_a_row_that_ends_in_the_middle_is_none(text: str) -> None:
    with pytest.raises(FactUnavailable):
        powershell._pieced(text)


def test_a_byte_order_mark_and_a_banner_do_no_harm() -> None:
    for before in (b"\xef\xbb\xbf", b"Windows PowerShell\r\nCopyright\r\n"):
        assert powershell.read(said(before + FULL), MARKER, QuerySet(), True).tables[UPDATES] == Table("present")


# ---------------------------------------------------------------------------------------------------- asked for in a scan
HOST = "windows-10-22h2"
LIST = [update("KB5034123", severity="Critical", reboot=True), update("KB890830")]


class Session(Console):
    """A shell in which PowerShell may be out of order."""

    def __init__(self, host: WindowsHost, broken: HostError | CommandResult | None = None) -> None:
        super().__init__(host)
        self.commands: list[Command] = []
        self._broken = broken

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        if self._broken and command.argv[0] == "powershell":
            if isinstance(self._broken, HostError):
                raise self._broken
            return self._broken
        return super().run(command)


def shell(session: Any, wanted: bool = True) -> HostFacts:
    answer = collect(session, lambda platform: DataRequirements(), MARKER, PosixOptions(), missing_updates=wanted)
    return answer.facts(target="t", method="ssh", now=NOW)


def verdict(facts: HostFacts) -> str:
    return next(o.reason for o in facts.outcomes if o.name == "missing_updates")


def test_over_a_shell_one_powershell_command_tells_updates_and_hotfixes() -> None:
    host = pose(load_host(HOST), updates=LIST)
    session = Session(host)
    facts = shell(session)
    assert [c.argv[0] for c in session.commands] == ["cmd", "powershell"]
    assert facts.missing_updates == (MissingUpdate("KB5034123", "Critical", True), MissingUpdate("KB890830", None, False))
    assert {h.id for h in facts.hotfixes or ()} == set(host.expected["hotfixes"])
    assert facts.volatile
    assert facts.volatile.clock
    assert facts.method == (
        f"ssh, one shell command (reg.exe, sc, ver), missing updates by PowerShell, {OS} by PowerShell, {QFE} by PowerShell"
    )
    without = Session(host)
    plain = shell(without, wanted=False)
    assert [c.argv[0] for c in without.commands] == ["cmd"]
    assert (plain.missing_updates, plain.hotfixes, verdict(plain)) == (None, None, "")
    assert plain.platform == facts.platform
    assert plain.services == facts.services


BROKEN: list[tuple[HostError | CommandResult, str]] = [
    (HostError("timeout", "no time left"), "no time left"),
    (said(b""), "PowerShell said nothing (status 0)"),
    (said(FULL[:60], truncated=CUT), "it took too long"),
]


@pytest.mark.parametrize(("broken", "reason"), BROKEN, ids=[b[1] for b in BROKEN])
def test_its_failure_costs_only_what_it_would_have_told(broken: HostError | CommandResult, reason: str) -> None:
    host = pose(load_host(HOST), updates=LIST)
    plain, facts = shell(Session(host), wanted=False), shell(Session(host, broken))
    assert facts.missing_updates is None
    assert reason in verdict(facts)
    assert "PowerShell" not in (facts.method or "")
    assert replace(facts, outcomes=()) == replace(plain, outcomes=())
    kept = [o for o in facts.outcomes if o.name not in ("missing_updates", "hotfixes")]
    assert kept == [o for o in plain.outcomes if o.name not in ("missing_updates", "hotfixes")]


def test_an_answer_that_was_cut_off_before_stays_one() -> None:
    class Short(Session):
        def run(self, command: Command) -> CommandResult:
            result = super().run(command)
            return replace(result, stdout=result.stdout[:400], truncated=CUT) if command.argv[0] == "cmd" else result

    answer = collect(Short(pose(load_host(HOST))), lambda p: DataRequirements(), MARKER, PosixOptions(), missing_updates=True)
    assert answer.truncated == CUT
    assert answer.facts(target="t", method="w", now=NOW).missing_updates == ()


def test_a_posix_host_is_not_asked() -> None:
    class Unix(Session):
        windows = False

        def run(self, command: Command) -> CommandResult:
            self.commands.append(command)
            return said(b"")

    session = Unix(load_host(HOST))
    assert shell(session).missing_updates is None
    assert [c.argv[0] for c in session.commands] == ["sh"]


def test_a_recording_is_not_asked_again() -> None:
    session = Session(pose(load_host(HOST), updates=LIST))
    session.recorded_at, session.has_update_agent_answer = NOW, False
    assert shell(session).missing_updates is None
    assert [c.argv[0] for c in session.commands] == ["cmd"]


def test_a_way_without_commands_says_so() -> None:
    class Registry:
        """The remote registry of a host that tells nothing."""

        kind = "remote-registry"
        recorded_at = has_update_agent_answer = None
        relaxed = ()

        def value(self, key: str, name: str) -> Value:
            return Value("absent")

        def subkeys(self, key: str) -> Subkeys:
            return Subkeys("absent")

        def services(self) -> Table:
            return Table("present")

        def __enter__(self) -> Any: ...
        def __exit__(self, *_: object) -> None: ...

    assert "this way runs no command" in verdict(shell(Registry()))
    assert verdict(shell(Registry(), wanted=False)) == ""


# ------------------------------------------------------------------------------------------------------------- over WinRM
def over_winrm(
    host: WindowsHost, monkeypatch: pytest.MonkeyPatch, wanted: bool = True, **faults: Any
) -> tuple[TargetResult, list[str]]:
    monkeypatch.setenv("LAB_PASSWORD", "Secret-1")
    with WsmanServer(host, faults=Faults(**faults)) as server:
        target = Target(name=host.name, connection="winrm", address="127.0.0.1", port=server.port, scheme="http", user="auditor",
                        password="env:LAB_PASSWORD", missing_updates=wanted)  # fmt: skip
        example = str(ROOT / "docs/examples/windows-missing-updates.yaml")
        result = scan(target, replace(AUDIT, rulebook=load(["shipped", example])), Stop())
        assert server.shells.open == {}
        return result, server.log


def finding(result: TargetResult) -> tuple[str, str]:
    return next((f.verdict, f.observed) for f in result.findings if f.rule == "windows-missing-updates")


def test_over_winrm(monkeypatch: pytest.MonkeyPatch) -> None:
    host = pose(load_host(HOST), updates=LIST)
    result, log = over_winrm(host, monkeypatch)
    assert [line for line in log if line.startswith("Command powershell")] == [
        "Command powershell -NoProfile -NonInteractive -Command -"
    ]
    assert finding(result) == ("noncompliant", "missing: KB5034123 (Critical, waits for a restart), KB890830")
    assert result.facts
    assert "missing updates by PowerShell" in (result.facts.method or "")
    assert f"{QFE} by PowerShell" not in (result.facts.method or "")
    assert finding(over_winrm(pose(load_host(HOST)), monkeypatch)[0]) == ("compliant", "no missing update")


def test_over_winrm_nothing_is_asked_that_nobody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    result, log = over_winrm(pose(load_host(HOST), updates=LIST), monkeypatch, wanted=False)
    assert not [line for line in log if "powershell" in line.lower()]
    assert finding(result)[0] == "unknown"


@pytest.mark.parametrize(
    ("name", "faults", "reason"),
    [
        ("windows-7-sp1", {}, "PowerShell said nothing (status 0)"),
        (HOST, {}, "PowerShell did not run the script: 'powershell' is not recognized"),
        (HOST, {"no_shell": True}, "PowerShell was not run: this account may not"),
        (HOST, {"no_output": True}, "PowerShell said nothing (status 0)"),
    ],
)
def test_over_winrm_no_answer_is_unknown(
    monkeypatch: pytest.MonkeyPatch, name: str, faults: dict[str, Any], reason: str
) -> None:
    """windows-7-sp1 has a hollow PowerShell, which prints nothing and ends well; the other has none."""
    result, _ = over_winrm(load_host(name), monkeypatch, **faults)
    assert finding(result)[0] == "unknown"
    assert result.facts
    assert result.facts.missing_updates is None
    assert reason in verdict(result.facts)
    assert result.facts.platform.product == load_host(name).expected["product"]
    assert result.facts.hotfixes


def test_where_wmi_is_refused_powershell_fills_what_the_shell_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    host = pose(load_host(HOST), updates=LIST)
    result, _ = over_winrm(host, monkeypatch, no_wmi=True)
    assert result.facts
    assert {h.id for h in result.facts.hotfixes or ()} == set(host.expected["hotfixes"])
    assert finding(result)[0] == "noncompliant"


def test_where_wmi_refuses_one_table_powershell_fills_it(monkeypatch: pytest.MonkeyPatch) -> None:
    host = pose(load_host(HOST))
    result, _ = over_winrm(host, monkeypatch, answer="soap-500", match="SELECT HotFixID", code=5, times=None)
    assert result.facts
    assert {h.id for h in result.facts.hotfixes or ()} == set(host.expected["hotfixes"])
    assert f"{QFE} by PowerShell" in (result.facts.method or "")


def test_the_lab_takes_nothing_but_the_whole_script() -> None:
    host = pose(load_host(HOST))
    command = powershell.command(QuerySet(), MARKER, True)
    line = " ".join(command.argv)
    for stdin in (command.stdin[:-1], command.stdin.replace(b"'", b"\xe2\x80\x99", 1), b"", command.stdin + b"x"):
        with pytest.raises((NotImplementedError, UnicodeDecodeError)):
            lab.answer(host, line, stdin)
    assert lab.answer(host, "cmd /q /d", command.stdin) is None
    assert lab.answer(load_host(HOST), line, command.stdin) is None
    assert host.value(r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage", "OEMCP") == RegValue("REG_SZ", "437")
