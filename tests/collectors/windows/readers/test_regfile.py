"""Exported registry files of both formats, by hand and damaged."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.collectors.windows.readers import regfile
from auditor.errors import FactUnavailable
from auditor.model.windows import Value
from tests.lab.windows import offline
from tests.lab.windows.host import HOSTS, NoCase, RegValue, WindowsHost, load_host

HEAD = {"regedit4": "REGEDIT4", "unicode": "Windows Registry Editor Version 5.00"}
KEY = r"hklm\software\lab"


def written(*lines: str, form: str = "unicode") -> str:
    return "\r\n".join((HEAD[form], "", r"[HKEY_LOCAL_MACHINE\SOFTWARE\Lab]", *lines, "", ""))


def read(*lines: str, form: str = "unicode") -> dict[str, Value]:
    text = written(*lines, form=form)
    content = b"\xff\xfe" + text.encode("utf-16-le") if form == "unicode" else text.encode("cp1252")
    return regfile.parse(content).keys[KEY]


def sz(text: str) -> Value:
    return Value("present", "REG_SZ", text)


# --------------------------------------------------------------------------------------------------------------- values
VALUES = [
    # as written, its name, its value: the same in both formats
    ('"a"="b"', "a", sz("b")),
    ('"Service Pack"="6, RC 1.3"', "service pack", sz("6, RC 1.3")),
    ('"empty"=""', "empty", sz("")),
    ('@="default"', "", sz("default")),
    ('"a"=dword:0000000a', "a", Value("present", "REG_DWORD", 10)),
    ('"a"=dword:FFFFFFFF', "a", Value("present", "REG_DWORD", 0xFFFFFFFF)),
    (r'"path"="C:\\WINNT\\system32\\"', "path", sz("C:\\WINNT\\system32\\")),
    (r'"quoted \"name\""="a \"b\" c"', 'quoted "name"', sz('a "b" c')),
    ('"a=b"="c=d"', "a=b", sz("c=d")),
    ('"@"="no default"', "@", sz("no default")),
    ('"[x]"="[y]"', "[x]", sz("[y]")),
    ('"a"=hex:01,0a,ff', "a", Value("present", "REG_BINARY", "010aff")),
    ('"a"=hex:', "a", Value("present", "REG_BINARY", "")),
    ('"a"=hex(0):', "a", Value("present", "REG_NONE", "")),
    ('"a"=hex(4):0a,00,00,00', "a", Value("present", "REG_DWORD", 10)),
    ('"a"=hex(b):01,00,00,00,00,00,00,80', "a", Value("present", "REG_QWORD", 0x8000000000000001)),
    ('"a"=hex(8):01,02', "a", Value("present", "REG_TYPE_8", "0102")),
    ('"a"=hex:01,\\\r\n  02,\\\r\n  03', "a", Value("present", "REG_BINARY", "010203")),
    ('"two lines"="one\r\ntwo"', "two lines", sz("one\ntwo")),
    ('"three"="one\r\n[HKEY_LOCAL_MACHINE\\\\SOFTWARE\\\\Fake]\r\n\\"x\\"=dword:1"', "three",
     sz('one\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Fake]\n"x"=dword:1')),
]  # fmt: skip


@pytest.mark.parametrize("form", HEAD)
@pytest.mark.parametrize(("line", "name", "value"), VALUES, ids=lambda x: repr(x)[:40])
def test_values(line: str, name: str, value: Value, form: str) -> None:
    assert read('"before"="1"', line, '"after"="2"', form=form) == {"before": sz("1"), name: value, "after": sz("2")}


def test_texts_and_lists_are_ansi_bytes_in_one_format_and_utf_16_in_the_other() -> None:
    ansi = '"a"=hex(7):45,6e,74,00,54,53,00,00'
    wide = '"a"=hex(7):45,00,6e,00,74,00,00,00,54,00,53,00,00,00,00,00'
    both = Value("present", "REG_MULTI_SZ", ("Ent", "TS"))
    assert read(ansi, form="regedit4")["a"] == both
    assert read(wide)["a"] == both
    assert read('"a"=hex(2):25,53,25,00', form="regedit4")["a"] == Value("present", "REG_EXPAND_SZ", "%S%")
    assert read('"a"=hex(2):25,00,53,00,25,00,00,00')["a"] == Value("present", "REG_EXPAND_SZ", "%S%")
    assert read('"a"=hex(1):61,00,0d,00,0a,00,62,00,00,00')["a"] == sz("a\r\nb")


def test_an_empty_text_in_a_list_is_left_out() -> None:
    renames = "\\??\\C:\\TEMP\\x".encode("utf-16-le") + b"\0\0\0\0" + "\\??\\C:\\y".encode("utf-16-le") + b"\0\0\0\0"
    line = '"PendingFileRenameOperations"=hex(7):' + ",".join(f"{b:02x}" for b in renames)
    assert read(line)["pendingfilerenameoperations"].data == ("\\??\\C:\\TEMP\\x", "\\??\\C:\\y")


# ---------------------------------------------------------------------------------------------------------------- encodings
@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe" + written('"a"="Größe"').encode("utf-16-le"),
        written('"a"="Größe"').encode("utf-8"),
        b"\xef\xbb\xbf" + written('"a"="Größe"').encode("utf-8"),
        written('"a"="Größe"').encode("cp1252"),
        written('"a"="Größe"', form="regedit4").encode("cp1252"),
        written('"a"="Größe"').replace("\r\n", "\n").encode("utf-8"),
        written('"a"="Größe"').encode("utf-16-le"),
    ],
    ids=["utf-16", "utf-8", "utf-8 with mark", "ansi", "regedit4", "lf", "utf-16 without mark"],
)
def test_encodings(content: bytes) -> None:
    assert regfile.parse(content).keys[KEY] == {"a": sz("Größe")}


@pytest.mark.parametrize(("codepage", "text"), [("cp1251", "Диспетчер печати"), ("cp932", "表 プリンター"), ("cp850", "Größe")])
def test_the_ansi_code_page(codepage: str, text: str) -> None:
    """In cp932 the second byte of 表 is a backslash."""
    content = written(f'"a"="{text}"', form="regedit4").encode(codepage)
    assert regfile.parse(content, codepage).keys[KEY]["a"] == sz(text)


# -------------------------------------------------------------------------------------------------------------- whole files
def test_names_are_found_whatever_their_case_and_kept_as_written() -> None:
    file = regfile.parse(written('"CSDVersion"="x"').encode())
    assert file.root == KEY
    assert file.names[KEY] == r"HKLM\SOFTWARE\Lab"
    assert list(file.keys[KEY]) == ["csdversion"]


def test_another_hive_is_passed_over() -> None:
    text = (
        written() + '[HKEY_CURRENT_USER\\SOFTWARE\\Lab]\r\n"a"="of the user"\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM]\r\n"b"="x"\r\n'
    )
    file = regfile.parse(text.encode())
    assert file.keys[KEY] == {}
    assert file.keys["hklm\\system"] == {"b": sz("x")}
    assert not any("of the user" in str(v.data) for k, values in file.keys.items() if k for v in values.values())


def test_a_key_exported_over_the_network_has_the_machines_name_before_it() -> None:
    text = 'REGEDIT4\r\n\r\n[\\\\NODE-B\\HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab]\r\n"a"="b"\r\n'
    assert regfile.parse(text.encode()).keys[KEY] == {"a": sz("b")}


@pytest.mark.parametrize("line", ['[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Gone]\r\n"x"="y"', '"x"=-'])
def test_a_file_that_deletes_is_no_export(line: str) -> None:
    """`[-KEY]` and `"NAME"=-` are orders to regedit: what they name is not there."""
    try:
        file = regfile.parse(written('"a"="b"', line).encode())
    except FactUnavailable:
        return
    assert "x" not in file.keys[KEY]
    assert "hklm\\software\\lab\\gone" not in file.keys


def test_several_keys_and_the_same_key_again() -> None:
    again = '[HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab]\r\n"b"="2"\r\n'
    file = regfile.parse((written('"a"="1"', "", "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Below]", '"a"="3"') + again).encode())
    assert file.keys == {KEY: {"a": sz("1"), "b": sz("2")}, KEY + "\\below": {"a": sz("3")}}
    assert file.root == KEY


def test_remarks_and_what_was_kept() -> None:
    file = regfile.parse(written("; a remark", '"a"="b"', "; auditor kept: CSDVersion UBR").encode())
    assert (file.kept, file.keys[KEY]) == (frozenset({"csdversion", "ubr"}), {"a": sz("b")})
    assert regfile.parse(written("; a remark").encode()).kept is None


# ------------------------------------------------------------------------------------------------------------- damaged files
DAMAGED = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"REGEDIT5\r\n",
    b"REGEDIT\r\nHKEY_CLASSES_ROOT\\.txt = txtfile\r\n",  # the editor of NT 3.x and Windows 3.1
    b"Key Name:          SOFTWARE\\Microsoft\r\nClass Name:        <NO CLASS>\r\n",  # regedt32's listing
    b"\x7fELF" + bytes(range(256)),
    b"PK\x03\x04",
    written('"a"="b').encode(),
    written('"a"=hex:01,\\').rstrip().encode(),
    written('"a"=hex:0').encode(),
    written('"a"=hex:zz').encode(),
    written('"a"=hex(7:00').encode(),
    written('"a"=dword:').encode(),
    written('"a"=dword:123456789').encode(),
    written('"a"=').encode(),
    written('"a"').encode(),
    written("a=b").encode(),
    written('"a"="b" c').encode(),
    written("<<<<<<< HEAD").encode(),
    written('"a"=dword:0000001').rstrip().encode(),
    written('"a"=hex(7):45,6e').rstrip().encode(),
    b"\xfe\xff" + written('"a"="b"').encode("utf-16-be"),
    b"REGEDIT4\r\n\r\nnonsense\r\n",
]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda c: repr(c[-30:]))
def test_a_damaged_file_is_not_read_as_an_empty_one(content: bytes) -> None:
    with pytest.raises(FactUnavailable) as e:
        regfile.parse(content)
    assert "\0" not in str(e.value)


@pytest.mark.parametrize("form", ["regedit4", "unicode"])
def test_a_file_that_was_cut_off_says_nothing_wrong(form: str) -> None:
    """A cut between two lines cannot be seen; what stands in the file is read, and the value at the cut is not made up."""
    whole = offline.export(load_host("nt40-enterprise-sp5-node"), r"HKLM\SYSTEM\CurrentControlSet\Control", form)  # type: ignore[arg-type]
    full = regfile.parse(whole)
    outcomes = set()
    for at in range(0, len(whole), 7):
        try:
            part = regfile.parse(whole[:at])
        except FactUnavailable:
            outcomes.add("refused")
            continue
        outcomes.add("read")
        for key, values in part.keys.items():
            for name, value in values.items():
                assert full.keys.get(key, {}).get(name) == value or value.state == "unreadable", (at, key, name)
    assert outcomes == {"refused", "read"}


@pytest.mark.parametrize(
    "line",
    [
        '"a"="x\r\n' + "y\r\n" * 500_000,  # looking at all of it again with each line would take hours
        '"a"="' + "x" * 20_000 + "\r\n" + "y\r\n" * 500_000,
        '"a"="' + 'x\\\\"' * 50_000,
        '"a"=hex:' + "00,\\\r\n  " * 50_000,
        "[" * 200_000,
    ],
    ids=["lines", "long lines", "quotes", "hex", "brackets"],
)
def test_a_value_that_never_ends_costs_no_time(line: str) -> None:
    try:
        regfile.parse(written(line).encode())
    except FactUnavailable:
        pass


# --------------------------------------------------------------------------------------------------------------- round trip
def exported(keys: dict[str, dict[str, RegValue]], form: str) -> regfile.RegFile:
    registry: NoCase[NoCase[RegValue]] = NoCase()
    top: dict[str, dict[str, RegValue]] = {"HKEY_LOCAL_MACHINE\\Lab": {}}
    for path, values in (top | keys).items():
        registry[path] = NoCase()
        for name, value in values.items():
            registry[path][name] = value
    host = WindowsHost("lab", "x", registry, {}, {}, {})
    return regfile.parse(offline.export(host, "HKEY_LOCAL_MACHINE\\Lab", form))  # type: ignore[arg-type]


def as_read(value: RegValue) -> Value:
    match value.data:
        case list():
            return Value("present", value.type, tuple(value.data))
        case bytes():
            return Value("present", value.type, value.data.hex())
        case _:
            return Value("present", value.type, value.data)


plain = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from('äöüß\\"=;[]@')
words = st.text(plain, max_size=60)
data: Iterable[st.SearchStrategy[RegValue]] = (
    words.map(lambda t: RegValue("REG_SZ", t)),
    words.map(lambda t: RegValue("REG_EXPAND_SZ", t)),
    st.lists(st.text(plain, min_size=1, max_size=60), max_size=4).map(lambda t: RegValue("REG_MULTI_SZ", t)),
    st.integers(0, 2**32 - 1).map(lambda n: RegValue("REG_DWORD", n)),
    st.integers(0, 2**64 - 1).map(lambda n: RegValue("REG_QWORD", n)),
    st.binary(max_size=80).map(lambda b: RegValue("REG_BINARY", b)),
    st.binary(max_size=9).map(lambda b: RegValue("REG_NONE", b)),
)
names = st.text(plain, max_size=20)
paths = st.lists(st.text(st.sampled_from("abcXYZ [](){}.-_'"), min_size=1, max_size=8).map(str.strip).filter(bool), max_size=3)
registries = st.dictionaries(
    paths.map(lambda p: "\\".join(["HKEY_LOCAL_MACHINE\\Lab", *p])), st.dictionaries(names, st.one_of(*data), max_size=5), max_size=5
)  # fmt: skip


@pytest.mark.parametrize("form", ["regedit4", "unicode"])
@given(keys=registries)
def test_what_was_exported_is_read_back(form: str, keys: dict[str, dict[str, RegValue]]) -> None:
    expected: dict[str, dict[str, Value]] = {"hklm\\lab": {}}
    for path, values in keys.items():
        parts = path.lower().replace("hkey_local_machine", "hklm").split("\\")
        if "\\".join(parts[:-1]) not in expected and len(parts) > 2:
            continue  # the lab exports what hangs together
        place = expected["\\".join(parts)] = {}
        for name, value in values.items():
            place[name.lower()] = as_read(value)
    whole = {p: v for p, v in keys.items() if p.lower().replace("hkey_local_machine", "hklm") in expected}
    file = exported(whole, form)
    assert {k: v for k, v in file.keys.items() if k} == expected


@pytest.mark.parametrize("name", HOSTS)
def test_every_posed_registry_is_read_back(name: str) -> None:
    host = load_host(name)
    file = regfile.parse(offline.export(host, "HKEY_LOCAL_MACHINE\\SYSTEM", "unicode"))
    seen = 0
    for path, values in file.keys.items():
        theirs = host.registry[path.replace("hklm", "HKEY_LOCAL_MACHINE", 1)]
        assert {n.lower(): as_read(v) for n, v in theirs.items() if v.type != "REG_MULTI_SZ"} == {
            n: v for n, v in values.items() if v.type != "REG_MULTI_SZ"
        }
        seen += len(values)
    assert seen > 40


@given(st.binary(max_size=300), st.sampled_from([b"", b"REGEDIT4\r\n", b"\xff\xfe", b"Windows Registry Editor Version 5.00\n"]))
def test_no_bytes_make_it_raise_anything_else(content: bytes, head: bytes) -> None:
    try:
        regfile.parse(head + content)
    except FactUnavailable:
        pass


bits = st.sampled_from(['"', "a", "=", "hex", "(7)", ":", "00,", "\\", "\n", "\r\n", "[", "]", "HKEY_LOCAL_MACHINE\\", "@", "dword:", "; auditor kept:", " ", "\0", "é"])  # fmt: skip


@given(st.lists(bits, max_size=40).map("".join), st.booleans())
def test_no_text_of_its_own_words_makes_it_raise_anything_else(text: str, wide: bool) -> None:
    try:
        regfile.parse(("REGEDIT4\n" + text).encode("utf-16" if wide else "utf-8"))
    except FactUnavailable:
        pass


@given(st.sampled_from(["REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ", "REG_DWORD", "REG_QWORD", "REG_BINARY", "X"]), st.binary())
def test_any_bytes_are_a_value_of_any_type(kind: str, raw: bytes) -> None:
    assert regfile.typed(kind, raw).type == kind
