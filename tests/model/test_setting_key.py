"""What a rule may ask to be read: nothing that could end a word of a command, or a field of a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.collectors.windows.queries import QuerySet, RegistryQuery
from auditor.collectors.windows.readers import shell
from auditor.model.setting_key import family, problem, shown

AFD = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\AFD\Parameters#"
FILE = r"file-version:%SystemRoot%\system32"

GOOD = [
    ("sysctl:net.core.somaxconn", "linux"),
    ("sysctl:net/ipv4/conf/eth0.100/rp_filter", "linux"),
    ("file:/etc/login.defs#PASS_MAX_DAYS", "linux"),
    ("line:/etc/fstab#proc /proc proc defaults,hidepid=2", "linux"),
    (f"{AFD}EnableDynamicBacklog", "windows"),
    (r"registry:HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion", "windows"),
    (
        r"registry:HKLM\SOFTWARE\Microsoft\Active Setup\Installed Components\{89820200-ECBD-11cf-8B85-00AA005B4340}#Version",
        "windows",
    ),
    (r"registry:HKLM\SYSTEM\CurrentControlSet\Control\Lsa#LmCompatibilityLevel", "windows"),
    (rf"{FILE}\drivers\afd.sys", "windows"),
    (r"file-version:%ProgramFiles%\Common Files\System\ado\msado15.dll", "windows"),
    (r"file-version:C:\WINNT\system32\ntoskrnl.exe", "windows"),
]

# After a good beginning, what must not be in a name.
INSIDE = ['"', "'", "`", "%", "%PATH%", "&", "|", "<", ">", "^", ";", "$", "$(x)", "!", "*", "?", "\n", "\r\n", "\0", "\t", "#", "/", ",", "=", "é", "\u202e", "\x1b[2J"]  # fmt: skip
BAD = [
    "",
    " ",
    "sysctl:",
    "sysctl:net.core.somaxconn; reboot",
    "sysctl:-w",
    "sysctl:net.core.somaxconn\n",
    "sysctl:kernel.core_pattern=|/x",
    "file:/etc/shadow",
    "file:etc/login.defs#X",
    "file:/etc/../etc/shadow#root",
    "file:/etc/$(reboot)#X",
    "file:/etc/a b#X",
    "file:/etc/*#X",
    "line:/etc/../../x#y",
    "line:/etc/fstab#",
    "registry:",
    "registry:HKLM#x",
    r"registry:HKCU\Software\X#Y",
    r"registry:HKEY_LOCAL_MACHINE\SOFTWARE\X#Y",
    r"registry:HKLM\SOFTWARE\X",
    r"registry:HKLM\SOFTWARE\X#",
    r"registry:HKLM\SOFTWARE\\X#Y",
    r"registry:HKLM\SOFTWARE\..\X#Y",
    r"registry:HKLM\SOFTWARE\X\#Y",
    r"registry:HKLM\SOFTWARE\X#Y\Z",
    r"registry:HKLM\SOFTWARE\X#Y#Z",
    r"registry:HKLM\SOFTWARE\ X#Y",
    r"registry:HKLM\SOFTWARE\X# Y",
    r"registry:\\OTHER\HKLM\SOFTWARE\X#Y",
    r"registry:HKLM" + r"\a" * 21 + "#Y",
    "registry:HKLM\\" + "a" * 102 + "#Y",
    "registry:HKLM\\X#" + "a" * 102,
    "registry:HKLM" + ("\\" + "a" * 60) * 7 + "#Y",  # every name is short enough, the whole is not
    r"file-version:%TEMP%\x.dll",
    r"file-version:\\server\share\x.dll",
    r"file-version:%SystemRoot%\system32\..\..\x.dll",
    r"file-version:%SystemRoot%",
    r"file-version:C:x.dll",
    r"file-version:/etc/passwd",
    r"file-version:%SystemRoot%\x.dll' OR Name LIKE '%",
    "password:x",
    "x" * 100_000,
]


@pytest.mark.parametrize(("key", "of"), GOOD)
def test_may_be_asked(key: str, of: str) -> None:
    assert problem(key) is None
    assert family(key) == of


@pytest.mark.parametrize("key", BAD, ids=lambda k: repr(k[:50]))
def test_may_not_be_asked(key: str) -> None:
    assert problem(key)


@pytest.mark.parametrize("text", INSIDE, ids=repr)
@pytest.mark.parametrize(
    "key",
    [
        AFD + "Enable{}Backlog",
        r"registry:HKLM\SOFTWARE\A{}B#Value",
        FILE + r"\a{}b.sys",
        AFD + "Enable{}",
        "sysctl:net.co{}re.x",
    ],
)
def test_no_character_that_means_something_elsewhere(key: str, text: str) -> None:
    if text == "/" and key.startswith("sysctl:"):
        return  # sysctl's other notation
    if text == "#" and key.startswith(FILE):
        return
    assert problem(key.format(text))


@pytest.mark.parametrize("text", ["\\..\\", "/../"])
def test_no_way_up(text: str) -> None:
    assert problem(rf"registry:HKLM\SOFTWARE{text}X#Y")
    assert problem(f"file:/etc{text}x#y")


@given(st.text(st.characters(codec="ascii"), max_size=60), st.text(st.characters(codec="ascii"), max_size=30))
def test_what_may_be_asked_is_one_word_of_one_line(path: str, name: str) -> None:
    """In the shell's line the key is one quoted word, and the line is one line."""
    key = f"registry:HKLM\\{path}#{name}"
    if problem(key) is None:
        line = list(shell.lines(QuerySet(values=(RegistryQuery(key.removeprefix("registry:")),)), "m").values())[-1]
        assert line == f'reg query "HKLM\\{path}" /v "{name}"'
        assert line.count('"') == 4
        assert not set(line) & set("%&|<>^\r\n`'!")


def test_shown_as_people_say_it() -> None:
    assert shown("sysctl:net.core.somaxconn") == "net.core.somaxconn"
    assert shown(f"{AFD}EnableDynamicBacklog") == (
        r"EnableDynamicBacklog (HKLM\SYSTEM\CurrentControlSet\Services\AFD\Parameters)"
    )
