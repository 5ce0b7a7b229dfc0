"""The shell way against Wine's own cmd.exe and reg.exe, over posed hosts' registries.

Wine prints registry values as Vista and later do. It has no service manager's list to show (`sc` fails), its reg.exe cannot
print a REG_QWORD, and its `systeminfo` and `powershell` say nothing and succeed: what depends on these must be unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.collectors.windows.host_facts import all_queries, windows_facts
from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY, QuerySet, RegistryQuery
from auditor.collectors.windows.readers import shell
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Subkeys, Value, WindowsRawData
from auditor.transports.command import CommandResult
from tests.lab.windows.host import RegValue, WindowsHost, load_host
from tests.lab.windows.offline import export
from tests.lab.wine import Wine

# One of each kind of registry, and the locale whose code page Wine then prints in (its own, not the registry's).
HOSTS = {
    "nt40-enterprise-sp5-node": "C.UTF-8",
    "windows-2000-server-sp4": "ru_RU.UTF-8",
    "windows-server-2019-ja": "ja_JP.UTF-8",
    "windows-server-2022": "C.UTF-8",
}
MARKER = "m4rk3r"
KEY = r"HKLM\SOFTWARE\Lab\Some values"
VALUES = r"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\Some values]
"text"="Service Pack 5"
"Größe"="Ä, é"
"with  blanks "="  and    more  "
"two lines"=hex(1):61,00,0d,00,0a,00,62,00,00,00
"empty"=""
"path"=hex(2):25,00,53,00,25,00,5c,00,78,00,00,00
"number"=dword:ffffffff
"long number"=hex(b):01,00,00,00,00,00,00,80
"several"=hex(7):61,00,00,00,62,00,20,00,63,00,00,00,00,00
"none of several"=hex(7):00,00
"bytes"=hex:00,01,02,ff
"no bytes"=hex:
"long"="%s"

[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\Some values\Below]

[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\Some values\Below too]
"text"="x"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Nls\CodePage]
"OEMCP"="437"
""" % ("x" * 20_000)
SHOULD_BE = {
    "text": Value("present", "REG_SZ", "Service Pack 5"),
    "TEXT": Value("present", "REG_SZ", "Service Pack 5"),
    "two lines": Value("present", "REG_SZ", "a\nb"),
    "empty": Value("present", "REG_SZ", ""),
    "path": Value("present", "REG_EXPAND_SZ", "%S%\\x"),
    "number": Value("present", "REG_DWORD", 0xFFFFFFFF),
    "several": Value("present", "REG_MULTI_SZ", ("a", "b c")),
    "none of several": Value("present", "REG_MULTI_SZ", ()),
    "bytes": Value("present", "REG_BINARY", "000102ff"),
    "no bytes": Value("present", "REG_BINARY", ""),
    "long": Value("present", "REG_SZ", "x" * 20_000),
    "not there": Value("absent"),
}


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wine]:
    with Wine(tmp_path_factory.mktemp("wine")) as wine:
        wine.import_registry(VALUES)
        yield wine


def said(wine: Wine, *lines: str) -> list[str]:
    """What cmd prints, without the banner and empty lines."""
    done = wine.cmd("\r\n".join(["echo.&echo begin", *lines, ""]).encode("ascii"))
    assert done.stderr == b""
    text = done.stdout.decode("cp437").partition("begin\r\n")[2]
    return [line for line in text.split("\r\n") if line.strip()]


def data(wine: Wine, requirements: QuerySet) -> WindowsRawData:
    done = wine.cmd(shell.command(requirements, MARKER).stdin)
    return shell.read(CommandResult(done.returncode, done.stdout, done.stderr, 1.0), MARKER, requirements)


def test_lines_are_framed_by_their_own_status(wine: Wine) -> None:
    assert said(
        wine,
        "echo a ^<b^> ^& c",
        f'reg query "{KEY}\\Below too" /v text 2>&1',
        "echo ^>one %errorlevel% - -",
        'reg query "HKLM\\SOFTWARE\\Not there" 2>&1',
        "echo ^>two %errorlevel% - -",
        "no-such-program 2>&1",
        "echo ^>three %errorlevel% - -",
        "echo last",
        "exit",
        "echo never",
    ) == [
        "a <b> & c",
        KEY.replace("HKLM", "HKEY_LOCAL_MACHINE") + r"\Below too",
        "    text    REG_SZ    x",
        ">one 0 - -",
        "reg: Unable to find the specified registry key",
        ">two 1 - -",
        "Can't recognize 'no-such-program ' as an internal or external command, or batch script.",
        ">three 9009 - -",
        "last",
    ]


@pytest.mark.parametrize("program", ["systeminfo", "powershell -Command -"])
def test_programs_that_succeed_and_say_nothing(wine: Wine, program: str) -> None:
    assert said(wine, f"{program} 2>&1", "echo ^>it %errorlevel%") == [">it 0"]


def test_values(wine: Wine) -> None:
    requirements = QuerySet(values=tuple(RegistryQuery(f"{KEY}#{name}") for name in SHOULD_BE))
    assert data(wine, requirements).values == {f"{KEY}#{name}": value for name, value in SHOULD_BE.items()}


def test_a_number_that_reg_exe_cannot_print_is_unknown(wine: Wine) -> None:
    value = data(wine, QuerySet(values=(RegistryQuery(f"{KEY}#long number"),))).values[f"{KEY}#long number"]
    assert (value.state, "(null)" in value.reason) == ("unreadable", True)


def test_keys(wine: Wine) -> None:
    """For an empty key reg.exe prints nothing and succeeds."""
    absent = r"HKLM\SOFTWARE\Lab\None"
    assert data(wine, QuerySet(keys=(RegistryQuery(KEY), RegistryQuery(absent), RegistryQuery(rf"{KEY}\Below")))).keys == {
        KEY: Subkeys("present", ("Below", "Below too")),
        absent: Subkeys("absent"),
        rf"{KEY}\Below": Subkeys("present"),
    }


def test_services_are_unknown(wine: Wine) -> None:
    table = data(wine, QuerySet(tables=(SERVICES,))).tables[SERVICES]
    assert (table.state, table.rows) == ("unreadable", ())


@pytest.mark.parametrize(("locale", "page"), [("en_US.UTF-8", "cp437"), ("ru_RU.UTF-8", "cp866"), ("ja_JP.UTF-8", "cp932")])
def test_code_pages(tmp_path: Path, locale: str, page: str) -> None:
    """The host's own code page makes text of what reg.exe prints."""
    text = {"cp437": "Größe ÄÖ é", "cp866": "Служба Жя", "cp932": "日本語 表示"}[page]
    reg = rf"""[HKEY_LOCAL_MACHINE\SOFTWARE\Lab]
"text"="{text}"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Nls\CodePage]
"OEMCP"="{page.removeprefix("cp")}"
"""
    with Wine(tmp_path, locale=locale) as wine:
        wine.import_registry(f"Windows Registry Editor Version 5.00\n\n{reg}")
        values = data(wine, QuerySet(values=(RegistryQuery(r"HKLM\SOFTWARE\Lab#text"),))).values
    assert values == {r"HKLM\SOFTWARE\Lab#text": Value("present", "REG_SZ", text)}


def as_read(value: RegValue | None) -> Value:
    if value is None:
        return Value("absent")
    data = value.data
    return Value(
        "present", value.type, data.hex() if isinstance(data, bytes) else tuple(data) if isinstance(data, list) else data
    )


def wines_own(what: str) -> bool:
    """Wine writes these itself, whatever is imported."""
    return "Session Manager\\Environment" in what


@pytest.mark.parametrize("name", HOSTS)
def test_posed_hosts(tmp_path: Path, name: str) -> None:
    host: WindowsHost = load_host(name)
    requirements = all_queries(DataRequirements(programs=True))
    with Wine(tmp_path, locale=HOSTS[name]) as wine:
        wine.import_registry(export(host, "HKEY_LOCAL_MACHINE", "unicode").decode("utf-16"))
        found = data(wine, requirements)
    wrong = {
        what: (value, expected)
        for what, value in found.values.items()
        if not wines_own(what) and value != (expected := as_read(host.value(*what.split("#", 1))))
    }
    assert wrong == {}
    for what, subkeys in found.keys.items():
        if host.key(what) is None:
            assert subkeys == Subkeys("absent"), what
        elif host.subkeys(what):
            assert {n.lower() for n in host.subkeys(what)} <= {n.lower() for n in subkeys.names}, what
    facts = windows_facts(found, DataRequirements(), target=name, method="wine", now=datetime(2026, 11, 23, tzinfo=UTC))
    for word in ("product", "version", "service_pack"):
        assert getattr(facts.platform, word) == host.expected[word], word
    assert facts.services
    assert {s.name for s in facts.services} >= set(host.subkeys(SERVICES_KEY))
    assert {s.state for s in facts.services} == {None}
