"""The shell way: reg.exe of two generations in four languages, and hosts that say less, other or more than they should."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.collectors.windows.host_facts import all_queries, windows_facts
from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY, UNINSTALL, QuerySet, RegistryQuery
from auditor.collectors.windows.readers import shell
from auditor.errors import FactUnavailable
from auditor.model.run import TargetError
from auditor.model.windows import Subkeys, Value, WindowsRawData
from auditor.transports.command import CommandResult
from tests.collectors.windows.reading import MARKER, NOW, RULEBOOK, all_answers
from tests.lab.windows import cmd
from tests.lab.windows.host import NoCase, RegValue, WindowsHost, load_host

KEY = r"HKLM\SOFTWARE\Lab\Some values"
NLS = r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage"
ABSENT = Value("absent")
# Each family of reg.exe, in each language and code page that is posed.
FAMILIES = [
    ("xp", "en", 437), ("xp", "de", 850), ("xp", "en", 1252),
    ("vista", "en", 437), ("vista", "en", 850), ("vista", "de", 850), ("vista", "de", 437), ("vista", "ru", 866),
    ("vista", "ru", 1251), ("vista", "ja", 932), ("vista", "en", 65001), ("vista", "ru", 65001), ("vista", "ja", 65001),
]  # fmt: skip
NAMES = {"en": "Size", "de": "Größe", "ru": "Размер", "ja": "大きさ"}


def posed(style: str = "vista", language: str = "en", page: int = 437, **values: RegValue) -> WindowsHost:
    """A host with some values below KEY."""
    host = load_host("windows-server-2003-sp2" if style == "xp" else "windows-server-2022")
    host.language, host.reg_style, host.oem_codepage = language, style, page
    host.registry[r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Nls\CodePage"]["OEMCP"] = RegValue("REG_SZ", str(page))
    add(host, KEY, **values)
    return host


def add(host: WindowsHost, key: str, **values: RegValue) -> None:
    full = key.replace("HKLM", "HKEY_LOCAL_MACHINE", 1)
    parts = full.split("\\")
    for n in range(1, len(parts) + 1):
        host.registry.setdefault("\\".join(parts[:n]), NoCase())
    for name, value in values.items():
        host.registry[full][name] = value


def ask(host: WindowsHost, wanted: QuerySet, change: Callable[[bytes], bytes] = lambda b: b) -> WindowsRawData:
    command = shell.command(wanted, MARKER)
    out, err, status = cmd.run(host, " ".join(command.argv), command.stdin)
    return shell.read(CommandResult(status, change(out), err, 0.0), MARKER, wanted)


def values(*names: str) -> QuerySet:
    return QuerySet(values=tuple(RegistryQuery(f"{KEY}#{n}") for n in names))


def one(host: WindowsHost, what: str, change: Callable[[bytes], bytes] = lambda b: b) -> Value:
    return ask(host, QuerySet(values=(RegistryQuery(what),)), change).values[what]


# ----------------------------------------------------------------------------------------------------- formats and languages
KINDS = {
    "text": RegValue("REG_SZ", "Service Pack 5"),
    "empty": RegValue("REG_SZ", ""),
    "path": RegValue("REG_EXPAND_SZ", r"%SystemRoot%\system32"),
    "number": RegValue("REG_DWORD", 0xFFFFFFFF),
    "none": RegValue("REG_DWORD", 0),
    "several": RegValue("REG_MULTI_SZ", ["Enterprise", "Terminal Server"]),
    "nothing": RegValue("REG_MULTI_SZ", []),
    "bytes": RegValue("REG_BINARY", b"\x00\xab\xff"),
}
SHOULD_BE = {
    "text": Value("present", "REG_SZ", "Service Pack 5"),
    "empty": Value("present", "REG_SZ", ""),
    "path": Value("present", "REG_EXPAND_SZ", r"%SystemRoot%\system32"),
    "number": Value("present", "REG_DWORD", 0xFFFFFFFF),
    "none": Value("present", "REG_DWORD", 0),
    "several": Value("present", "REG_MULTI_SZ", ("Enterprise", "Terminal Server")),
    "nothing": Value("present", "REG_MULTI_SZ", ()),
    "bytes": Value("present", "REG_BINARY", "00abff"),
}


@pytest.mark.parametrize(("style", "language", "page"), FAMILIES)
def test_values_of_every_type(style: str, language: str, page: int) -> None:
    told = ask(posed(style, language, page, **KINDS), values(*KINDS)).values
    assert {k.partition("#")[2]: v for k, v in told.items()} == SHOULD_BE


@pytest.mark.parametrize(("style", "language", "page"), FAMILIES)
def test_absent_and_denied_by_the_hosts_own_words(style: str, language: str, page: int) -> None:
    host = posed(style, language, page, text=RegValue("REG_SZ", "x"))
    add(host, KEY + r"\Below")
    add(host, KEY + r"\Closed", secret=RegValue("REG_SZ", "x"))
    host.denied_keys.append(KEY + r"\Closed")
    wanted = QuerySet(
        values=tuple(RegistryQuery(w) for w in (f"{KEY}#text", f"{KEY}#other", rf"{KEY}\No#text", rf"{KEY}\Closed#secret", rf"{KEY}\Below#x")),
        keys=tuple(RegistryQuery(k) for k in (KEY, rf"{KEY}\No", rf"{KEY}\Below", rf"{KEY}\Closed")),
    )  # fmt: skip
    told = ask(host, wanted)
    assert [v.state for v in told.values.values()] == ["present", "absent", "absent", "unreadable", "absent"]
    assert told.keys[KEY] == Subkeys("present", ("Below", "Closed"))
    assert told.keys[rf"{KEY}\No"] == Subkeys("absent")
    assert told.keys[rf"{KEY}\Below"] == Subkeys("present", ())
    assert told.keys[rf"{KEY}\Closed"].state == "unreadable"


@pytest.mark.parametrize(("style", "language", "page"), [f for f in FAMILIES if f[2] not in (1252, 437)])
def test_characters_of_the_code_page(style: str, language: str, page: int) -> None:
    name = NAMES[language]
    host = posed(style, language, page, text=RegValue("REG_SZ", f"{name} 5"))
    assert one(host, f"{KEY}#text") == Value("present", "REG_SZ", f"{name} 5")


def test_a_code_page_that_does_not_exist() -> None:
    """Its characters are lost, everything else is read."""
    host = posed("vista", "ru", 866, text=RegValue("REG_SZ", "Размер"), number=RegValue("REG_DWORD", 5))
    told = ask(host, values("text", "number", "no"), lambda b: b.replace(b"866", b"99999"))
    assert told.values[f"{KEY}#number"].data == 5
    assert set(str(told.values[f"{KEY}#text"].data)) == {"\ufffd"}


# ----------------------------------------------------------------------------------------------------- sc and the programs
@pytest.mark.parametrize(("style", "language", "page"), FAMILIES)
def test_services_by_position(style: str, language: str, page: int) -> None:
    host = posed(style, language, page)
    host.services |= {"Odd: name": {"display": "Odd", "state": "Stopped", "start": "Disabled"}}
    told = ask(host, QuerySet(tables=(SERVICES,))).tables[SERVICES]
    assert told.state == "present"
    states = {r["Name"]: r["State"] for r in told.rows}
    assert states == {n: s["state"] for n, s in host.services.items()}


def test_services_without_sc() -> None:
    host = posed()
    host.sc_exe = False
    told = ask(host, QuerySet(tables=(SERVICES,))).tables[SERVICES]
    assert (told.state, told.rows) == ("unreadable", ())
    assert "9009" in told.reason


def sc_says(text: str, status: int) -> Callable[[bytes], bytes]:
    """What `sc` printed is another text with another status."""
    pattern = rb"(?s)(\n%b<sc\r?\n).*?(\r?\n%b>sc )\d+" % (MARKER.encode(), MARKER.encode())
    return lambda out: re.sub(pattern, lambda m: m[1] + text.encode() + m[2] + str(status).encode(), out)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 0),
        ("[SC] EnumServicesStatus: entriesRead = 0", 0),
        ("[SC] OpenSCManager FAILED 5:\r\n\r\nAccess is denied.", 5),
        ("SERVICE_NAME: W3SVC\r\n        TYPE : 20  WIN32_SHARE_PROCESS\r\n        STATE : 4  RUNNING", 5),
        ("SERVICE_NAME: W3SVC", 0),
        ("\x1b[2J: :: : 4", 0),
    ],
)
def test_sc_failed(text: str, status: int) -> None:
    assert ask(posed(), QuerySet(tables=(SERVICES,)), sc_says(text, status)).tables[SERVICES].state == "unreadable"


def test_a_list_of_services_that_did_not_fit() -> None:
    """Before Vista sc leaves out what is beyond its buffer, says so in one line, and succeeds. What is listed is there; what
    a rule looks for and the registry knows is not taken for absent."""
    text = "\r\nSERVICE_NAME: Alerter\r\n        TYPE : 20  X\r\n        STATE : 4  RUNNING\r\n\r\nEnum: more data, need 84 bytes start resume at index 1\r\n"  # fmt: skip
    host = posed("xp")
    add(host, rf"{SERVICES_KEY}\ClusSvc", Start=RegValue("REG_DWORD", 2))
    told = everything(host, sc_says(text, 0))
    assert [r["Name"] for r in told.tables[SERVICES].rows] == ["Alerter"]
    found = windows_facts(told, RULEBOOK.requirements(), target="x", method="x", now=NOW)
    assert {"Alerter", "ClusSvc"} <= {s.name for s in found.services or ()}


@pytest.mark.parametrize(("style", "language", "page"), FAMILIES)
def test_programs(style: str, language: str, page: int) -> None:
    host = posed(style, language, page)
    name = "Größe" if page in (850, 1252, 65001) else "A program"
    add(host, rf"{UNINSTALL[0]}\One", DisplayName=RegValue("REG_SZ", name), DisplayVersion=RegValue("REG_SZ", "4.6"))
    add(host, rf"{UNINSTALL[0]}\Two", DisplayName=RegValue("REG_SZ", "No version"))
    add(host, rf"{UNINSTALL[0]}\Three", UninstallString=RegValue("REG_SZ", "x"))
    told = ask(host, QuerySet(programs=True)).tables[UNINSTALL[0]]
    assert told.state == "present"
    assert {"DisplayName": name, "DisplayVersion": "4.6"} in told.rows
    assert {"DisplayName": "No version"} in told.rows


@pytest.mark.parametrize(("style", "language", "page"), FAMILIES)
def test_a_closed_key_among_the_programs_makes_the_list_unknown(style: str, language: str, page: int) -> None:
    host = posed(style, language, page)
    add(host, rf"{UNINSTALL[0]}\One", DisplayName=RegValue("REG_SZ", "A program"))
    add(host, rf"{UNINSTALL[0]}\Closed", DisplayName=RegValue("REG_SZ", "Secret"))
    host.denied_keys.append(rf"{UNINSTALL[0]}\Closed")
    assert ask(host, QuerySet(programs=True)).tables[UNINSTALL[0]].state == "unreadable"


# --------------------------------------------------------------------------------------------- hosts that do not answer
def everything(host: WindowsHost, change: Callable[[bytes], bytes] = lambda b: b) -> WindowsRawData:
    return ask(host, all_queries(RULEBOOK.requirements()), change)


def test_without_reg_exe_nothing_is_absent() -> None:
    told = everything(load_host("nt40-server-sp6-iis4"))
    assert {a.state for a in all_answers(told)} == {"unreadable"}
    assert any("reg.exe does not work here" in v.reason for v in told.values.values())
    assert told.texts["ver"] == "Windows NT Version 4.0"


@pytest.mark.parametrize("programs", [["reg"], ["reg", "sc"], ["reg", "sc", "ver"]])
def test_hollow_answers_with_status_0_are_unknown(programs: list[str]) -> None:
    """Programs that print nothing and succeed, as some of Wine's do."""
    host = load_host("windows-server-2022")
    host.hollow = programs
    told = everything(host)
    assert {v.state for v in told.values.values()} | {k.state for k in told.keys.values()} == {"unreadable"}
    assert told.tables[UNINSTALL[0]].state == "unreadable"
    if "sc" in programs:
        assert told.tables[SERVICES].state == "unreadable"
    found = windows_facts(told, RULEBOOK.requirements(), target="x", method="x", now=NOW)
    assert (found.hotfixes, found.services if "sc" in programs else None, found.programs) == (None, None, None)


def test_a_hollow_answer_in_one_place_is_no_absence() -> None:
    """reg.exe works, but this one answer is empty with status 0."""
    host = posed(text=RegValue("REG_SZ", "x"))
    marker = MARKER.encode()
    section = rb"(?s)(\n%b<value:[^\r\n]*#text\r?\n).*?(\r?\n%b>)" % (marker, marker)
    assert one(host, f"{KEY}#text", lambda out: re.sub(section, rb"\1\2", out)).state == "unreadable"


def test_errorlevel_as_it_stands_is_no_status() -> None:
    """A shell that is no cmd leaves %errorlevel% as it is: nothing it says has a status, so nothing is known."""
    told = everything(posed(), lambda out: re.sub(rb"(%b>\S+) \d+ " % MARKER.encode(), rb"\1 %errorlevel% ", out))
    assert {a.state for a in all_answers(told)} == {"unreadable"}
    assert told.texts == {}


def test_other_numbers_than_0_and_1() -> None:
    for status in (b"-1073741510", b"9009", b"00001x", b"\xb2"):

        def ending(out: bytes, status: bytes = status) -> bytes:
            return re.sub(rb"(%b>\S+) \d+ " % MARKER.encode(), rb"\1 " + status + b" ", out)

        told = everything(posed(), ending)
        assert {v.state for v in told.values.values()} == {"unreadable"}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_answer_says_nothing_of_what_is_missing(share: float) -> None:
    host = load_host("windows-server-2022")
    whole = everything(host)
    part = everything(host, lambda out: out[: int(len(out) * share)])
    for kind in ("values", "keys", "tables"):
        for what, told in getattr(part, kind).items():
            full = getattr(whole, kind)[what]
            if what == SERVICES and told.state == "present":  # the start types come after the list
                assert [r["State"] for r in told.rows] == [r["State"] for r in full.rows]
                assert all(a["StartMode"] in (None, b["StartMode"]) for a, b in zip(told.rows, full.rows, strict=True))
            else:
                assert told == full or told.state == "unreadable", what
    assert any(v.state == "unreadable" for v in part.values.values()) or share > 0.5


def test_the_reason_of_a_cut_answer_is_told() -> None:
    wanted = values("text")
    truncated = CommandResult(None, b"", b"", 60.0, TargetError("timeout", "no answer within 60 s"))
    assert shell.read(truncated, MARKER, wanted).values[f"{KEY}#text"].reason == "no answer within 60 s"


def test_an_answer_under_another_marker_is_none() -> None:
    told = everything(posed(), lambda out: out.replace(MARKER.encode(), b"f" * 24))
    assert {v.state for v in told.values.values()} == {"unreadable"}


# ----------------------------------------------------------------------------------------------------------- lying hosts
def answers(text: str | bytes, status: int = 0, what: str = f"{KEY}#text") -> Value:
    """reg.exe's answer to one question is this text."""
    marker, said = MARKER.encode(), text.encode() if isinstance(text, str) else text
    section = rb"(?s)(\n%b<value:[^\r\n]*#%b\r?\n).*?(\r?\n%b>\S+) \d+" % (marker, what.rpartition("#")[2].encode(), marker)

    def changed(out: bytes) -> bytes:
        new, count = re.subn(section, lambda m: m[1] + said + m[2] + b" %d" % status, out)
        assert count == 1
        return new

    return one(posed(text=RegValue("REG_SZ", "true")), what, changed)


def listed(line: str) -> str:
    return f"\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Some values\r\n{line}\r\n\r\n"


def test_an_honest_answer() -> None:
    assert answers(listed("    text    REG_SZ    other")) == Value("present", "REG_SZ", "other")


@pytest.mark.parametrize(
    "text",
    [
        listed("    other    REG_SZ    x"),
        listed("    text2    REG_SZ    x"),
        listed("text    REG_SZ    x"),
        listed("    text    DWORD    x"),
        listed("    text"),
        listed("    text    REG_DWORD    5"),
        listed("    text    REG_DWORD    0x"),
        listed("    text    REG_DWORD    0xfg"),
        listed("    text    REG_DWORD    -0x5"),
        listed("    text    REG_DWORD    0x" + "f" * 17),
        listed("    text    REG_DWORD    0x1 0x2"),
        listed("    text    REG_DWORD"),
        listed("    text    REG_QWORD    (null)"),
        "all is well",
        "\0" * 100,
        b"\xff\xfe" * 100,
        "\x1b]0;owned\x07",
    ],
)
def test_what_is_no_answer_to_the_question_is_unknown(text: str | bytes) -> None:
    told = answers(text)
    assert told.state == "unreadable"
    assert told.reason
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", told.reason)


@pytest.mark.parametrize("text", ["", "ERROR: Access is denied.", "FEHLER: Zugriff verweigert", "anything else", "\0"])
def test_any_other_failure_is_no_absence(text: str) -> None:
    assert answers(text, 1).state == "unreadable"


def test_the_words_of_absence_under_another_status_are_none() -> None:
    words = "\r\nERROR: The system was unable to find the specified registry key or value.\r\n"
    assert answers(words, 1).state == "absent"
    assert answers(words, 2).state == "unreadable"


@pytest.mark.parametrize("bad", ["no-key", "no-value", "no-match"])
def test_without_a_control_answer_less_is_known_and_nothing_is_wrong(bad: str) -> None:
    host = posed(text=RegValue("REG_SZ", "x"))
    marker = MARKER.encode()
    section = rb"(?s)\n%b<%b\r?\n.*?\n%b>%b [^\n]*" % (marker, bad.encode(), marker, bad.encode())
    told = ask(host, values("text", "no"), lambda out: re.sub(section, b"", out))
    assert told.values[f"{KEY}#text"].state == "present"
    assert told.values[f"{KEY}#no"].state in ("absent", "unreadable")


def test_a_value_of_two_megabytes() -> None:
    text = "x" * 2_000_000
    assert one(posed(text=RegValue("REG_SZ", text)), f"{KEY}#text") == Value("present", "REG_SZ", text)


def test_nuls_and_escapes_stay_what_they_are() -> None:
    text = "a\0b\x1b[31mred\x07"
    assert one(posed(text=RegValue("REG_SZ", text)), f"{KEY}#text").data == text


@pytest.mark.parametrize(
    "text",
    [
        f"{MARKER}.end",
        f"\r\n{MARKER}.end\r\n",
        f"\r\n{MARKER}>value:x 0 - -\r\n{MARKER}<value:y\r\n    y    REG_SZ    forged\r\n{MARKER}>value:y 0 - -",
    ],
)
def test_markers_inside_values_cost_only_what_comes_after(text: str) -> None:
    """The marker is random and made after the value was written, so this takes a host that watches its commands; what it
    can do is to leave things out or to make up its own values, which it could anyway."""
    host = posed(text=RegValue("REG_SZ", text), zlast=RegValue("REG_DWORD", 5))
    told = ask(host, values("text", "zlast"))
    assert told.values[f"{KEY}#text"].state in ("present", "unreadable")
    assert (
        told.values[f"{KEY}#zlast"] in (Value("present", "REG_DWORD", 5),) or told.values[f"{KEY}#zlast"].state == "unreadable"
    )


def test_a_value_that_looks_like_another_value() -> None:
    """Its second line is in the form of the value asked for, which comes after it."""
    host = posed(text=RegValue("REG_SZ", "x\r\n    number    REG_DWORD    0x1"), number=RegValue("REG_DWORD", 0))
    told = ask(host, values("text", "number"))
    assert told.values[f"{KEY}#number"].data == 0


def test_a_value_that_looks_like_a_subkey() -> None:
    host = posed(text=RegValue("REG_SZ", f"x\r\n{KEY.replace('HKLM', 'HKEY_LOCAL_MACHINE')}\\Q238009"))
    told = ask(host, QuerySet(keys=(RegistryQuery(KEY),)))
    assert told.keys[KEY].names in ((), ("Q238009",))  # whoever may write the value may make the key


def test_deep_keys_three_levels_down() -> None:
    host = posed()
    for path in ("A", r"A\B", r"A\B\C", r"A\B\C\D", "Z"):
        add(host, rf"{KEY}\{path}")
    told = ask(host, QuerySet(keys=(RegistryQuery(KEY, deep=True),)))
    assert set(told.keys[KEY].names) == {"A", r"A\B", r"A\B\C", "Z"}


# ------------------------------------------------------------------------------------------------------- no bytes break it
WANTED = QuerySet(values=(RegistryQuery(f"{NLS}#OEMCP"), RegistryQuery(f"{KEY}#x")), keys=(RegistryQuery(KEY), RegistryQuery(SERVICES_KEY, deep=True)), tables=(SERVICES,), programs=True)  # fmt: skip
SECTIONS = list(shell.lines(WANTED, MARKER))
HINTS = ["", "    x    REG_SZ    y", "    OEMCP    REG_SZ    437", "    OEMCP\tREG_SZ\t932", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Lab\\Some values\\A", "SERVICE_NAME: A", "        TYPE : 10  X", "        STATE : 4  RUNNING", "    x    REG_DWORD    0x5", "\x1b[2J", "\0"]  # fmt: skip


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(content: bytes) -> None:
    shell.read(CommandResult(0, content, b"", 0.0), MARKER, WANTED)
    framed = b"\r\n%b=plain\r\n" % MARKER.encode() + content
    told = shell.read(CommandResult(0, framed, b"", 0.0), MARKER, WANTED)
    windows_facts(told, RULEBOOK.requirements(), target="x", method="x", now=NOW)


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), st.lists(st.sampled_from(HINTS) | st.text(max_size=20)), st.integers(-1, 12)), max_size=12))  # fmt: skip
def test_no_sections_make_it_raise(said: list[tuple[str, list[str], int]]) -> None:
    stream = f"\n{MARKER}=plain\n" + "".join(
        f"\n{MARKER}<{name}\n" + "\n".join(text) + f"\n{MARKER}>{name} {status} - -\n" for name, text, status in said
    )
    told = shell.read(CommandResult(0, stream.encode("utf-8", "replace"), b"", 0.0), MARKER, WANTED)
    windows_facts(told, RULEBOOK.requirements(), target="x", method="x", now=NOW)


@given(st.sampled_from(["REG_SZ", "REG_DWORD", "REG_QWORD", "REG_MULTI_SZ", "REG_BINARY", "REG_ODD"]), st.text())
def test_a_printed_value_is_read_or_cannot_be_told(kind: str, data: str) -> None:
    try:
        assert shell.typed(kind, data).type == kind
    except FactUnavailable:
        pass
