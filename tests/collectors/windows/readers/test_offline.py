"""Files brought home from a host: what they hold is known, what they would hold if it were there is absent, the rest unknown."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.audit.scan import scan
from auditor.collectors.windows.host_facts import all_queries, windows_facts
from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY, UNINSTALL, QuerySet, RegistryQuery
from auditor.collectors.windows.readers import offline
from auditor.errors import ERROR_KINDS
from auditor.foundation.deadline import Stop
from auditor.model.facts import HostFacts
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.model.windows import Subkeys, Value, WindowsRawData
from auditor.transports import replay
from tests.collectors.windows.reading import AUDIT, NOW, RULEBOOK, scanned, verdicts
from tests.lab.windows import offline as lab
from tests.lab.windows.host import load_host

NODE = "nt40-enterprise-sp5-node"
LAB = "HKLM\\SOFTWARE\\Lab"
EVERYTHING = all_queries(RULEBOOK.requirements())


def reg(*lines: str, key: str = "SOFTWARE\\Lab") -> bytes:
    return "\r\n".join(("REGEDIT4", "", f"[HKEY_LOCAL_MACHINE\\{key}]", *lines, "", "")).encode()


def read(files: dict[str, bytes], *requirements: str, deep: bool = False) -> WindowsRawData:
    values = tuple(RegistryQuery(a) for a in requirements if "#" in a)
    return offline.read(
        files, QuerySet(values=values, keys=tuple(RegistryQuery(a, deep=deep) for a in requirements if "#" not in a))
    )


def states(files: dict[str, bytes], *requirements: str) -> list[str]:
    told = read(files, *requirements)
    return [(told.values if "#" in a else told.keys)[a].state for a in requirements]


def facts(files: dict[str, bytes]) -> HostFacts:
    return windows_facts(offline.read(files, EVERYTHING), RULEBOOK.requirements(), target="x", method="replay", now=NOW)


# ------------------------------------------------------------------------------------------------- known, absent, not known
def test_absent_only_below_an_exported_root() -> None:
    files = {"a.reg": reg('"here"="x"', "", "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Below]", '"y"="z"')}
    requirements = [f"{LAB}#here", f"{LAB}#gone", f"{LAB}\\Below#y", f"{LAB}\\No#x", f"{LAB}\\Below", f"{LAB}\\No", LAB]
    assert states(files, *requirements) == ["present", "absent", "present", "absent", "present", "absent", "present"]
    outside = [
        "HKLM\\SOFTWARE#x",
        "HKLM\\SOFTWARE",
        "HKLM\\SOFTWARE\\Laboratory#x",
        "HKLM\\SOFTWARE\\Other",
        "HKLM\\SYSTEM\\Lab#x",
    ]
    assert states(files, *outside) == ["unreadable"] * 5
    assert states({}, f"{LAB}#here", LAB) == ["unreadable"] * 2


def test_case_does_not_matter() -> None:
    files = {"A.REG": reg('"HERE"="x"', key="Software\\LAB")}
    assert states(files, f"{LAB}#here", f"{LAB}#gone") == ["present", "absent"]


def test_a_second_key_of_a_file_is_no_root() -> None:
    """Put together by hand: of the second key nobody knows whether all below it came along."""
    second = "[HKEY_LOCAL_MACHINE\\SYSTEM\\Lab]"
    files = {"a.reg": reg('"a"="1"', "", second, '"b"="2"')}
    assert states(files, "HKLM\\SYSTEM\\Lab#b", "HKLM\\SYSTEM\\Lab\\Below", "HKLM\\SYSTEM\\Lab\\Below#x") == [
        "present",
        "unreadable",
        "unreadable",
    ]


def test_several_files_make_one_registry() -> None:
    files = {"a.reg": reg('"a"="1"'), "b.reg": reg('"b"="2"', key="SOFTWARE\\Lab\\Below"), "c.reg": reg(key="SYSTEM\\C")}
    assert states(files, f"{LAB}#a", f"{LAB}\\Below#b", "HKLM\\SYSTEM\\C#x") == ["present", "present", "absent"]
    assert read({"b.reg": files["b.reg"], "x.reg": reg("[HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Below]")}, LAB).keys[
        LAB
    ] == Subkeys("present", ("Below",))


def test_subkeys_as_deep_as_asked() -> None:
    lines = [f"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\{p}]" for p in ("A\\B\\C\\D", "E")]
    assert read({"a.reg": reg(*lines)}, LAB).keys[LAB].names == ("A", "E")
    assert read({"a.reg": reg(*lines)}, LAB, deep=True).keys[LAB].names == ("A", "A\\B", "A\\B\\C", "E")


def test_a_filtered_export_knows_nothing_of_other_names() -> None:
    """What the collection script keeps of a key with secrets: the lines of some values and all key lines."""
    files = {"a.reg": reg('"Start"=dword:2', "", "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Below]", "; auditor kept: Start Type")}
    requirements = [f"{LAB}#Start", f"{LAB}#Type", f"{LAB}#Password", f"{LAB}\\Below#Type", f"{LAB}\\Below#Password"]
    assert states(files, *requirements) == ["present", "absent", "unreadable", "absent", "unreadable"]
    assert states(files, f"{LAB}\\Below", f"{LAB}\\No") == ["present", "absent"]


def test_a_filtered_and_a_whole_export_of_the_same_key() -> None:
    files = {"a.reg": reg('"Start"=dword:2', "; auditor kept: Start"), "b.reg": reg('"Start"=dword:2', '"Password"="x"')}
    assert states(files, f"{LAB}#Password", f"{LAB}#gone") == ["present", "absent"]


def test_a_damaged_file_is_named_and_says_nothing() -> None:
    good = reg('"a"="1"')
    for bad in (good[:-20], b"", b"nonsense", reg('"a"=hex:0'), b"\xff\xfe\x00"):
        told = read(
            {"good.reg": reg(key="SYSTEM\\Good"), "bad\x1b.reg": bad}, f"{LAB}#a", f"{LAB}#b", LAB, "HKLM\\SYSTEM\\Good#x"
        )
        assert [v.state for v in told.values.values()] == ["unreadable", "unreadable", "absent"]
        assert told.keys[LAB].state == "unreadable"
        assert len(told.notes) == 1
        assert "bad\\x1b.reg was not read" in told.notes[0]
    assert "was not read" in (facts({"bad.reg": b"x", "ver.txt": b"Windows NT Version 4.0"}).method or "")


def test_without_a_version_it_is_no_windows() -> None:
    found = facts({"a.reg": reg()})
    assert found.platform.family is None
    assert facts({"ver.txt": b"\r\nWindows NT Version 4.0  \r\n"}).platform.product == "windows-nt-4.0"


# ------------------------------------------------------------------------------------------------------------- the services
def service(name: str, display: str, kind: int = 0x10, start: int = 2) -> str:
    return f'[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\{name}]\r\n"Type"=dword:{kind:08x}\r\n"Start"=dword:{start:08x}\r\n"DisplayName"="{display}"\r\n'  # fmt: skip


def services(*lines: str, started: bytes | None, code_page: str | None = None, ansi: str = "1252") -> dict[str, str | None]:
    content = reg(*lines, key="SYSTEM\\CurrentControlSet\\Services").decode().encode(f"cp{ansi}")
    files = {"services.reg": content} | ({} if started is None else {"net-start.txt": started})
    if code_page:
        files["nls.reg"] = reg(
            f'"ACP"="{ansi}"', f'"OEMCP"="{code_page}"', key="SYSTEM\\CurrentControlSet\\Control\\Nls\\CodePage"
        )
    told = offline.read(files, QuerySet(tables=(SERVICES,))).tables[SERVICES]
    return {str(r["Name"]): r["State"] for r in told.rows}  # type: ignore[misc]


def test_services_by_their_display_names() -> None:
    two = (service("ClusSvc", "Cluster Server"), service("Spooler", "Print Spooler"), service("AFD", "AFD", kind=1))
    started = b"These Windows NT services are started:\r\n\r\n   Cluster Server\r\n\r\nThe command completed successfully.\r\n"
    assert services(*two, started=started) == {"ClusSvc": "Running", "Spooler": "Stopped"}
    assert services(*two, started=None) == {"ClusSvc": None, "Spooler": None}


def test_a_service_without_a_display_name_goes_by_its_name() -> None:
    bare = '[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Odd]\r\n"Type"=dword:110\r\n"Start"=dword:3\r\n'
    assert services(bare, started=b"   ODD\r\n") == {"Odd": "Running"}


def test_templates_of_users_services_are_no_services() -> None:
    each = (service("CDPUserSvc", "CDP", kind=0x60, start=3), service("CDPUserSvc_1f2", "CDP 1", kind=0xE0, start=3))
    assert services(*each, started=b"   CDP 1\r\n") == {"CDPUserSvc_1f2": "Running"}


def test_the_code_pages_of_the_host() -> None:
    """regedit writes ANSI, `net start` OEM."""
    german = service("Spooler", "Druckwarteschlange für Büros")
    assert services(german, started="   Druckwarteschlange für Büros\r\n".encode("cp850"), code_page="850") == {
        "Spooler": "Running"
    }
    russian = service("Spooler", "Диспетчер печати")
    started = "   Диспетчер печати\r\n".encode("cp866")
    assert services(russian, started=started, code_page="866", ansi="1251") == {"Spooler": "Running"}


@pytest.mark.parametrize("display", ["Диспетчер печати", "????????? ??????"])
def test_a_name_that_cannot_be_compared_is_not_stopped(display: str) -> None:
    """Without the code pages, or where regedit had no such letter, the name in one file is not that of the other."""
    started = "   Диспетчер печати\r\n".encode("cp866")
    assert services(service("Spooler", display), started=started, ansi="1251") in ({"Spooler": None}, {"Spooler": "Running"})


def test_programs() -> None:
    key = UNINSTALL[0].replace("HKLM", "HKEY_LOCAL_MACHINE")
    lines = (f"[{key}\\One]", '"DisplayName"="Lotus Domino R5"', '"DisplayVersion"="5.0"', f"[{key}\\Two]", '"x"="y"')
    told = offline.read({"a.reg": reg(*lines, key=key.partition("\\")[2])}, QuerySet(programs=True)).tables[UNINSTALL[0]]
    assert told.rows == ({"DisplayName": "Lotus Domino R5", "DisplayVersion": "5.0"}, {})
    assert offline.read({"a.reg": reg()}, QuerySet(programs=True)).tables[UNINSTALL[0]].state == "unreadable"


def test_file_versions_are_not_told() -> None:
    told = offline.read({"a.reg": reg()}, QuerySet(files=(r"%SystemRoot%\system32\afd.sys",)))
    assert told.values[r"file-version:%SystemRoot%\system32\afd.sys"].state == "unreadable"


def test_a_32_bit_windows_has_no_wow6432node() -> None:
    """Windows NT 4.0 has nothing but the first list of programs; that the second was not exported is no hole."""
    exported = lab.KEYS | {"lotus.reg": r"HKLM\SOFTWARE\Lotus"}
    host = load_host("nt40-server-sp6a-domino")
    files = {name: lab.export(host, key, "regedit4") for name, key in exported.items() if host.key(key) is not None}
    assert facts(files).programs is not None


# -------------------------------------------------------------------------------------------------------- folders and zips
def carried(folder: Path, name: str = NODE) -> Path:
    lab.carry_home(load_host(name), folder, "regedit4", {"software.reg": r"HKLM\SOFTWARE", "system.reg": r"HKLM\SYSTEM"})
    return folder


def zipped(folder: Path, inside: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(f"{inside}{path.name}", path.read_bytes())
    return out.getvalue()


def brought(path: Path, content: bytes | None = None) -> TargetResult:
    if content is not None:
        path.write_bytes(content)
    return scan(Target(name=NODE, connection="replay", path=str(path)), AUDIT, Stop())


def refused(result: TargetResult) -> str:
    assert (result.outcome, result.facts) == ("unreachable", None)
    assert result.error
    assert result.error.kind == "protocol"
    assert result.error.kind in ERROR_KINDS
    return result.error.message


@pytest.mark.parametrize("inside", ["", "auditor-NODE/", "a\\b\\c\\", "../../../", "/", "C:\\x\\", "\x1b[2J/"])
def test_a_folder_and_a_zip_of_it_say_the_same(inside: str, tmp_path: Path) -> None:
    """Nothing is unpacked, so no name in an archive leads anywhere."""
    before = brought(carried(tmp_path / "home"))
    after = brought(tmp_path / "home.zip", zipped(tmp_path / "home", inside))
    assert verdicts(before) == verdicts(after) == verdicts(scanned(NODE, "unicode"))
    assert before.facts
    assert after.facts
    assert (before.facts.platform, before.facts.services) == (after.facts.platform, after.facts.services)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "home.zip"]


def test_a_nested_folder(tmp_path: Path) -> None:
    carried(tmp_path / "a" / "b" / "c")
    assert verdicts(brought(tmp_path)) == verdicts(scanned(NODE, "unicode"))


def test_two_hosts_in_one_folder_are_not_one_host(tmp_path: Path) -> None:
    """The same file name twice: which of the two hosts it is, must not be a matter of chance."""
    carried(tmp_path / "one", NODE)
    carried(tmp_path / "two", "nt40-server-sp6a-domino")
    refused(brought(tmp_path))


def test_a_zip_that_holds_the_same_name_twice(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/ver.txt", "Windows NT Version 4.0")
        archive.writestr("b/ver.txt", "Microsoft Windows 2000 [Version 5.00.2195]")
    refused(brought(tmp_path / "x.zip", out.getvalue()))


def test_a_zip_bomb_by_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MAX_BYTES", 1_000_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.reg", b"\0" * 2_000_000)
    assert "too many" in refused(brought(tmp_path / "x.zip", out.getvalue()))


def test_a_zip_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    """The directory says 10 bytes, the member holds two million."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.reg", b"\0" * 2_000_000)
    small, big = (10).to_bytes(4, "little"), (2_000_000).to_bytes(4, "little")
    content = out.getvalue()
    assert big in content
    refused(brought(tmp_path / "x.zip", content.replace(big, small)))


def test_too_many_files(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for n in range(replay.MAX_FILES + 1):
        (tmp_path / "home" / f"{n}.reg").touch()
    assert f"{replay.MAX_FILES + 1} files" in refused(brought(tmp_path / "home"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(replay.MAX_FILES + 1):
            archive.writestr(f"{n}.reg", b"")
    refused(brought(tmp_path / "x.zip", out.getvalue()))


def encrypted(content: bytes) -> bytes:
    """The bit that says so, in both headers."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    assert "is no recording" in refused(brought(tmp_path / "x.zip", encrypted(zipped(carried(tmp_path / "home")))))


def test_what_is_no_zip_at_all(tmp_path: Path) -> None:
    whole = zipped(carried(tmp_path / "home"))
    for content in (b"", b"PK", b"PK\x03\x04" + b"\0" * 100, whole[:-30], whole[: len(whole) // 2], b"x" * 1000):
        refused(brought(tmp_path / "x.zip", content))
    refused(brought(tmp_path / "nothing.zip"))
    (tmp_path / "empty").mkdir()
    refused(brought(tmp_path / "empty"))


def test_a_damaged_member(tmp_path: Path) -> None:
    whole = bytearray(zipped(carried(tmp_path / "home")))
    whole[200:240] = b"\xff" * 40
    refused(brought(tmp_path / "x.zip", bytes(whole)))


def test_a_zip_of_a_method_that_nobody_has(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ver.txt", "x")
    content = out.getvalue()
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.find(mark) + offset
        content = content[:at] + b"\x63\0" + content[at + 2 :]
    refused(brought(tmp_path / "x.zip", content))


def test_links_in_a_folder_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "loop").symlink_to(tmp_path / "home")
    (tmp_path / "home" / "gone.reg").symlink_to(tmp_path / "nothing")
    (tmp_path / "home" / "ver.txt").write_bytes(b"Windows NT Version 4.0")
    found = brought(tmp_path / "home").facts
    assert found
    assert found.platform.product == "windows-nt-4.0"


def test_a_folder_with_a_pipe_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "ver.txt").write_bytes(b"Windows NT Version 4.0")
    os.mkfifo(tmp_path / "a.reg")
    assert stat.S_ISFIFO((tmp_path / "a.reg").stat().st_mode)
    assert brought(tmp_path).facts


# ------------------------------------------------------------------------------------------------------- no bytes break it
@given(
    st.dictionaries(
        st.sampled_from(["a.reg", "b.REG", "ver.txt", "net-start.txt", "x.txt", "d/e.reg"]), st.binary(max_size=120)
    )
)
def test_no_files_make_it_raise(files: dict[str, bytes]) -> None:
    facts(files)
    facts({n: b"REGEDIT4\r\n" + c if n.lower().endswith("reg") else c for n, c in files.items()})


@given(st.sampled_from(["437", "65001", "932", "0", "99999", "1200", "utf8"]), st.binary(max_size=60))
def test_any_code_page_and_any_bytes(page: str, started: bytes) -> None:
    content = reg(f'"OEMCP"="{page}"', f'"ACP"="{page}"', key="SYSTEM\\CurrentControlSet")
    facts({"a.reg": content, "net-start.txt": started, "ver.txt": started})


def test_the_notes_of_a_value_that_is_none() -> None:
    told = read({"a.reg": reg('"a"="x"')}, f"{LAB}#a")
    assert told.values[f"{LAB}#a"] == Value("present", "REG_SZ", "x")
    assert SERVICES_KEY not in told.keys
