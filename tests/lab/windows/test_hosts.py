"""The posed hosts are whole and consistent, and the lab's shell, sshd and exports say what is in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.sshd import Sshd, keygen, user
from tests.lab.windows.cmd import UTF8, run
from tests.lab.windows.host import FOLDER, HOSTS, RegValue, WindowsHost, full_path, load_host, read_reg
from tests.lab.windows.offline import KEYS, carry_home, export
from tests.lab.windows.sshd import windows_sshd

NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
SHELL = "cmd /q /d"


def lines(*commands: str) -> bytes:
    return "".join(f"{c}\r\n" for c in commands).encode()


def asked(host: WindowsHost, *commands: str) -> str:
    """What cmd prints for the commands, banner left out."""
    output, errors, _ = run(host, SHELL, lines("echo.&echo BEGIN", *commands), UTF8)
    return output.decode().partition("BEGIN\r\n")[2] + errors.decode()


# ------------------------------------------------------------------------------------------------------------ the data
@pytest.mark.parametrize("name", HOSTS)
def test_every_host_is_whole(name: str) -> None:
    host = load_host(name)
    assert re.fullmatch(r"[a-z0-9.-]+", name)
    assert host.ver.startswith(("Windows NT Version", "Microsoft Windows"))
    assert {"product", "version", "service_pack", "hotfixes", "reboot"} <= set(host.expected)
    assert host.value(NT, "CurrentVersion") is not None
    assert host.value(r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions", "ProductType") is not None
    assert host.value(r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage", "OEMCP") == RegValue(
        "REG_SZ", str(host.oem_codepage)
    )
    for service, about in host.services.items():
        assert set(about) <= {"display", "state", "start", "type"}
        assert host.value(rf"{SERVICES}\{service}", "DisplayName") == RegValue("REG_SZ", about["display"])
        about["display"].encode(f"cp{host.oem_codepage}")  # a host can print its own names
        assert about["state"] == "Stopped" or about["start"] != "Disabled"
    if host.wmi:
        (system,) = host.wmi["Win32_OperatingSystem"]
        assert system["BuildNumber"] == str(host.expected["build"]).partition(".")[0]
        for when in ("LastBootUpTime", "LocalDateTime"):
            assert re.fullmatch(r"\d{14}\.\d{6}[+-]\d{3}", system[when])
        assert len(host.wmi["Win32_Service"]) == len(host.services)
        # What a version of Windows does not have, its rows do not have either.
        line = int(system["BuildNumber"])
        assert ("ProductType" in system) == (line > 2195)
        assert (
            ("OperatingSystemSKU" in system)
            == ("OSArchitecture" in system)
            == ((line >= 6000 and line != 14393) or line == 14393)
        )


def test_no_host_names_a_real_one() -> None:
    for path in [*FOLDER.glob("*/registry.reg"), *FOLDER.glob("*/host.yaml")]:
        text = path.read_text("utf-8")
        assert not re.search(r"S-1-5-21|ProductId|RegisteredOwner|([0-9A-F]{2}[:-]){5}[0-9A-F]{2}\b", text), path
        assert "\r" not in text


@pytest.mark.parametrize("name", HOSTS)
def test_hotfixes_in_the_registry_are_the_expected_ones(name: str) -> None:
    """Before Vista the registry names every hotfix; from then on only the packages whose name has a number."""
    host = load_host(name)
    found: set[str] = set()
    for key in host.registry:
        low = key.lower()
        if "\\currentversion\\hotfix\\" in low or "\\microsoft\\updates\\" in low:
            found |= {m[0] for part in key.split("\\") if (m := re.match(r"(KB|Q)\d{6,7}", part))}
        if "\\packages\\package_for_" in low and "~~" in low and not host.denied(key):
            found |= set(re.findall(r"Package_for_(KB\d+)", key))
    expected = set(host.expected["hotfixes"] or ())
    if host.expected["version"] == "10.0":
        assert found <= expected
    else:
        assert found - {"Q147222"} == expected


def test_service_packs_are_posed_with_their_traps() -> None:
    stamp = {n: str(v.data) for n in HOSTS if (v := load_host(n).value(NT, "CSDVersion"))}
    assert stamp["nt40-enterprise-sp6a-rc"] == "Service Pack 6, RC 1.3"
    assert stamp["nt40-terminal-server-sp6-rc"] == "Service Pack 6, RC1.6"
    assert stamp["nt40-server-sp4-rc"] == "Service Pack 4 RC 1.2"
    assert stamp["nt31-advanced-server-sp3"] == str(0x300)
    assert stamp["nt40-server-sp6-iis4"] == stamp["nt40-server-sp6a-domino"] == "Service Pack 6"
    assert load_host("nt40-enterprise-sp6a-rc").wmi["Win32_OperatingSystem"][0]["ServicePackMajorVersion"] == 1
    assert load_host("nt40-server-sp6-iis4").value(rf"{NT}\Hotfix\Q246009", "Installed") is None
    assert load_host("nt40-server-sp6a-domino").value(rf"{NT}\Hotfix\Q246009", "Installed") == RegValue("REG_DWORD", 1)
    assert "nt40-server-sp0" not in stamp


# ---------------------------------------------------------------------------------------------------------- the reader
def test_reader_knows_every_kind_of_value() -> None:
    text = r"""Windows Registry Editor Version 5.00

; a remark
[HKEY_LOCAL_MACHINE\SOFTWARE\A]
@="the default"
"quote \" and \\"="C:\\X \"y\""
"n"=dword:0000000f
"q"=hex(b):01,00,00,00,01,00,00,00
"e"=hex(2):25,00,41,00,25,00,00,00
"m"=hex(7):61,00,00,00,00,00,62,00,\
  00,00,00,00
"none"=hex(7):00,00
"b"=hex:de,ad
"""
    registry = read_reg(text)
    values = registry[r"hkey_local_machine\software\a"]
    assert values[""] == RegValue("REG_SZ", "the default")
    assert values['QUOTE " AND \\'] == RegValue("REG_SZ", 'C:\\X "y"')
    assert [values[n].data for n in "nqemb"] == [15, 2**32 + 1, "%A%", ["a", "", "b"], b"\xde\xad"]
    assert values["none"].data == []
    assert r"HKEY_LOCAL_MACHINE\SOFTWARE" in registry  # what is above a key is there too
    with pytest.raises(ValueError, match="not a line"):
        read_reg("Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\A]\nnonsense\n")


def test_lookups_do_not_care_for_case_but_keep_the_spelling() -> None:
    host = load_host("nt40-enterprise-sp5-node")
    assert host.value(r"hklm\software\MICROSOFT\windows nt\currentversion", "csdversion") == RegValue(
        "REG_SZ", "Service Pack 5"
    )
    assert "ClusSvc" in host.subkeys(SERVICES.lower())
    assert host.key(r"HKLM\SOFTWARE\None") is None


def test_denied_covers_a_key_and_all_below_it() -> None:
    host = load_host("windows-server-2022")
    closed = host.denied_keys[0]
    assert host.denied(closed.lower())
    assert host.denied(closed + r"\Below")
    assert not host.denied(closed + "2")
    assert host.class_denied("win32_product")


# ------------------------------------------------------------------------------------------------------------- the shell
def test_a_collection_over_cmd() -> None:
    host = load_host("nt40-enterprise-sp5-node")
    stdin = lines(
        "echo.&echo MARK=plain",
        "echo.&echo MARK^<ver",
        "ver 2>&1",
        "echo.&echo MARK^>ver %errorlevel% - -",
        f'reg query "{NT}" /v CSDVersion 2>&1',
        f'reg query "{NT}" /v Nothing 2>&1',
        "echo status %errorlevel%",
    )
    output, errors, status = run(host, SHELL, stdin)
    assert output == (
        b"Microsoft(R) Windows NT(TM)\r\n(C) Copyright 1985-1996 Microsoft Corp.\r\n\r\n"
        b"\r\nMARK=plain\r\n\r\nMARK<ver\r\n\r\nWindows NT Version 4.0  \r\n\r\nMARK>ver 0 - -\r\n"
        b"\r\n! REG.EXE VERSION 3.0\r\n\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\r\n"
        b"    CSDVersion\tREG_SZ\tService Pack 5\r\n\r\n"
        b"\r\nError:  The system was unable to find the specified registry key or value\r\nstatus 1\r\n"
    )
    assert (errors, status) == (b"", 1)  # echo leaves the status alone


def test_reg_as_vista_and_later_print_it() -> None:
    host = load_host("windows-server-2012-r2")
    key = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\HTTP"
    said = asked(host, rf"reg query {SERVICES}\HTTP")
    assert said == (
        f"\r\n{key}\r\n    Type    REG_DWORD    0x1\r\n    Start    REG_DWORD    0x3\r\n    DisplayName    REG_SZ    HTTP Service\r\n"
        f"\r\n{key}\\Parameters\r\n"
    )
    manager = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager"
    said = asked(host, f'reg query "{manager}" /v pendingfilerenameoperations')
    assert "    PendingFileRenameOperations    REG_MULTI_SZ    \\??\\C:\\Windows\\TEMP\\nsx4F2.tmp\\0\\0\\??\\" in said
    said = asked(host, f"reg query {SERVICES} /s /v MaxConnections", "echo %errorlevel%")
    assert (
        said
        == f"\r\n{key}\\Parameters\r\n    MaxConnections    REG_DWORD    0x4e20\r\n\r\nEnd of search: 1 match(es) found.\r\n0\r\n"
    )
    assert asked(host, f"reg query {SERVICES} /s /v None", "echo %errorlevel%").endswith(
        "End of search: 0 match(es) found.\r\n1\r\n"
    )
    assert asked(host, f"reg query {SERVICES} /ve").endswith("    (Default)    REG_SZ    (value not set)\r\n\r\n")
    assert "Invalid syntax" in asked(host, "reg query")
    assert "Invalid syntax" in asked(host, f"reg query {SERVICES} /nonsense")
    tree = asked(host, rf"reg query {SERVICES}\HTTP /s")
    assert tree.endswith(f"\r\n\r\n{key}\\Parameters\r\n    MaxConnections    REG_DWORD    0x4e20\r\n\r\n")
    # A key without values is not named itself, only its subkeys.
    assert asked(host, "reg query HKLM\\SOFTWARE") == "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\r\n"


def test_a_closed_key() -> None:
    host = load_host("windows-server-2022")
    assert asked(host, f"reg query {host.denied_keys[0]}", "echo %errorlevel%") == "1\r\nERROR: Access is denied.\r\n"
    said = asked(host, rf"reg query {SERVICES}\MSSQLSERVER /s 2>&1")
    assert "ERROR: Access is denied." in said
    assert "SecretPath" not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("windows-xp-sp3-de", "Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden"),
        ("windows-server-2012-r2-ru", "Ошибка: Не удается найти указанный раздел или параметр в реестре."),
        ("windows-server-2019-ja", "エラー: 指定されたレジストリ キーまたは値が見つかりませんでした"),
    ],
)
def test_messages_are_in_the_hosts_language_and_code_page(name: str, words: str) -> None:
    host = load_host(name)
    for page in (host.oem_codepage, UTF8):
        _, errors, status = run(host, SHELL, lines(r"reg query HKLM\SOFTWARE\Nothing"), page)
        encoding = "utf-8" if page == UTF8 else f"cp{page}"
        assert words in errors.decode(encoding)
        assert status == 1
    assert run(host, SHELL, lines("ver"))[0] != run(host, SHELL, lines("net start"))[0]


def test_services_as_sc_prints_them() -> None:
    said = asked(load_host("windows-server-2012-r2-ru"), "sc query type= service state= all bufsize= 262144")
    assert (
        "\r\nИмя_службы: Spooler\r\nВыводимое_имя: Диспетчер печати\r\n"
        "        Тип                : 110  WIN32_OWN_PROCESS (interactive)  \r\n        Состояние          : 4  RUNNING \r\n"
    ) in said
    host = load_host("windows-server-2022")
    said = asked(host, "sc query type= service state= all bufsize= 262144")
    assert said.count("SERVICE_NAME: ") == len(host.services) > 230
    assert asked(host, "sc query").count("SERVICE_NAME: ") == sum(s["state"] == "Running" for s in host.services.values())
    assert "        STATE              : 1  STOPPED \r\n        WIN32_EXIT_CODE    : 1077  (0x435)\r\n" in said
    said = asked(host, "sc query nothing", "echo %errorlevel%")
    assert said.startswith("[SC] EnumQueryServicesStatus:OpenService FAILED 1060:")
    assert said.endswith("1060\r\n")


def test_sc_before_vista_leaves_out_what_its_buffer_does_not_hold() -> None:
    host = load_host("windows-server-2003-sp2")
    said = asked(host, "sc query type= service state= all")
    assert re.search(r"Enum: more data, need \d+ bytes start resume at index \d+", said)
    assert 0 < said.count("SERVICE_NAME: ") < len(host.services)
    assert "(STOPPABLE,NOT_PAUSABLE,ACCEPTS_SHUTDOWN)" in said


def test_net_start_lists_what_runs() -> None:
    said = asked(load_host("nt40-server-sp6a-domino"), "net start 2>&1")
    assert said.startswith("These Windows NT services are started:\r\n\r\n   Alerter\r\n")
    assert "   Lotus Domino Server (LotusDominoData)\r\n" in said
    assert "   ClipBook Server\r\n" not in said
    assert said.endswith("\r\n\r\nThe command completed successfully.\r\n\r\n")


def test_what_a_host_does_not_have_is_not_recognized() -> None:
    host = load_host("nt40-server-sp6-iis4")
    said = asked(
        host, f"reg query {SERVICES} 2>&1", "echo %errorlevel%", "sc query 2>nul", "wmic qfe 2>nul", "echo %errorlevel%"
    )
    assert said == (
        "The name specified is not recognized as an\r\ninternal or external command, operable program or batch file.\r\n9009\r\n9009\r\n"
    )
    output, errors, status = run(load_host("windows-server-2019"), "sh -c 'uname'")
    assert (output, status) == (b"", 1)
    assert errors.startswith(b"'sh' is not recognized as an internal or external command,\r\n")


def test_hollow_programs_say_nothing_and_succeed() -> None:
    host = load_host("windows-7-sp1")
    assert asked(host, "systeminfo", "powershell -Version", "echo %errorlevel%") == "0\r\n"
    assert "9009" in asked(load_host("windows-8.1"), "systeminfo 2>nul", "echo %errorlevel%")


def test_how_cmd_reads_a_line() -> None:
    host = load_host("windows-server-2019")
    assert asked(host, 'echo "a & b" ^& c&&echo d||echo e', "echo %NOTHING% %OS% ^%", "echo.", "rem x & echo y") == (
        '"a & b" & c\r\nd\r\n%NOTHING% Windows_NT %\r\n\r\ny\r\n'
    )
    assert asked(host, "nothing 2>nul||echo e", "nothing >nul 2>&1", "echo %errorlevel%") == "e\r\n9009\r\n"
    assert asked(host, "exit 7", "echo not reached") == ""
    assert run(host, SHELL, lines("exit 7"))[2] == 7
    assert run(host, r'C:\Windows\system32\cmd.exe /d /c "echo one&echo two"')[0] == b"one\r\ntwo\r\n"
    loud = run(host, "cmd", lines("echo x"))[0].decode()
    assert loud.endswith("\r\nC:\\>echo x\r\nx\r\n\r\nC:\\>")
    for beyond in ("reg query HKLM | findstr x", "ver > file", "if exist x echo y", "reg add HKLM\\X"):
        with pytest.raises(NotImplementedError):
            asked(host, beyond)


# -------------------------------------------------------------------------------------------------------------- the sshd
def ssh(server: Sshd, key: Path, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    options = ["-F", "none", "-i", str(key), "-p", str(server.port), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    return subprocess.run(["ssh", *options, f"{user()}@127.0.0.1", command], input=stdin, capture_output=True, timeout=60)


def test_a_windows_host_over_ssh_with_cmd(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    stdin = lines("ver", f'reg query "{NT}" /v CurrentBuildNumber 2>&1')
    with windows_sshd(tmp_path / "sshd", "windows-server-2019-ja") as server:
        server.allow(key.with_suffix(".pub"))
        done = ssh(server, key, SHELL, stdin)
        unknown = ssh(server, key, "sh -c 'echo x'")
    assert done.stdout == run(load_host("windows-server-2019-ja"), SHELL, stdin)[0]
    assert b"    CurrentBuildNumber    REG_SZ    17763\r\n" in done.stdout
    assert (done.stderr, done.returncode) == (b"", 0)
    assert (unknown.stdout, unknown.returncode) == (b"", 1)
    assert "内部コマンドまたは外部コマンド" in unknown.stderr.decode("cp932")


def test_a_windows_host_over_ssh_with_powershell(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    with windows_sshd(tmp_path / "sshd", "windows-server-2022", "powershell") as server:
        server.allow(key.with_suffix(".pub"))
        done = ssh(server, key, SHELL, lines("ver", "exit 3"))
        unknown = ssh(server, key, "sh -c 'echo x'")
    assert b"Microsoft Windows [Version 10.0.20348.2340]\r\n" in done.stdout
    assert done.returncode == 1  # PowerShell keeps a program's own status to itself
    assert unknown.stderr.startswith(b"sh : The term 'sh' is not recognized as the name of a cmdlet")
    assert (unknown.stdout, unknown.returncode) == (b"", 1)


# ----------------------------------------------------------------------------------------------------------- the exports
@pytest.mark.parametrize("name", ["windows-server-2019-ja", "windows-server-2003-r2-sp2", "windows-2000-server-sp4"])
def test_unicode_exports_say_all_that_the_host_has(name: str, tmp_path: Path) -> None:
    host = load_host(name)
    carry_home(host, tmp_path, "unicode")
    seen = 0
    for file, key in KEYS.items():
        if host.key(key) is None:
            continue
        raw = (tmp_path / file).read_bytes()
        assert raw.startswith("\ufeffWindows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\".encode("utf-16-le"))
        text = raw.decode("utf-16").replace("\r\n", "\n")
        assert all(len(line) <= 80 for line in re.findall(r"^.*=hex.*|^  .*", text, re.M))
        again = read_reg(text)
        for path, values in again.items():
            if path.lower().startswith(full_path(key).lower()):
                assert dict(values) == dict(host.registry[path])
                seen += 1
    assert seen > 60


def test_ansi_exports_of_nt_4() -> None:
    host = load_host("nt40-enterprise-sp5-node")
    text = export(host, r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions", "regedit4")
    assert text == (
        b"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\ProductOptions]\r\n"
        b'"ProductType"="ServerNT"\r\n"ProductSuite"=hex(7):45,6e,74,65,72,70,72,69,73,65,00,00\r\n\r\n'
    )


def test_ansi_exports_lose_what_is_outside_the_code_page(tmp_path: Path) -> None:
    host = load_host("windows-server-2012-r2-ru")
    spooler = rf"{SERVICES}\Spooler"
    assert "Диспетчер печати".encode("cp1251") in export(host, spooler, "regedit4")
    assert b'"DisplayName"="????????? ??????"' in export(host, spooler, "regedit4", 1252)
    carry_home(host, tmp_path, "regedit4", {"services.reg": SERVICES, "missing.reg": r"HKLM\SOFTWARE\Nothing"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net-start.txt", "services.reg", "ver.txt"]
    assert (tmp_path / "ver.txt").read_bytes() == "\r\nMicrosoft Windows [Версия 6.3.9600]\r\n".encode("cp866")
    assert "   Диспетчер печати\r\n".encode("cp866") in (tmp_path / "net-start.txt").read_bytes()


def test_exports_leave_out_closed_keys_without_a_word(tmp_path: Path) -> None:
    host = load_host("windows-server-2022")
    text = export(host, rf"{SERVICES}\MSSQLSERVER", "unicode").decode("utf-16")
    assert "SecretPath" not in text
    assert "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\MSSQLSERVER]" in text
