r"""Reading a Windows host by one shell command: `cmd /q /d`, whose stdin holds lines of reg.exe, `ver` and `sc`.

Nothing of what these programs say is understood as prose. reg.exe ends with status 1 whether a key is absent or denied, and
says which in the host's language; so the host is asked first for a value that every Windows has, and then for things that
no host has: an answer in just those words means absent, every other failure means that it cannot be told. sc's labels are
translated too, so its blocks are read by position.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from auditor.collectors.limits import MAX_ROWS
from auditor.collectors.linux.script_output import Section, parse_output
from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY, UNINSTALL, QuerySet
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData
from auditor.transports.command import Command, CommandResult

ARGV = ("cmd", "/q", "/d")
METHOD = "one shell command (reg.exe, sc, ver)"
# Every Windows NT has it, any user may read it, and it tells the code page of what the others print.
CONTROL_KEY, CONTROL_NAME = r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage", "OEMCP"
_NO_FILES = "reg.exe, sc and ver do not tell file versions; WMI does"


def lines(queries: QuerySet, marker: str) -> dict[str, str]:
    """The commands, by the names of their sections. `marker` names what no host has."""
    requirements = {
        "ver": "ver",
        "control": f'reg query "{CONTROL_KEY}" /v {CONTROL_NAME}',
        "no-key": f'reg query "{CONTROL_KEY}\\auditor-{marker}"',
        "no-value": f'reg query "{CONTROL_KEY}" /v auditor-{marker}',
        "no-match": f'reg query "{CONTROL_KEY}" /s /v auditor-{marker}',
    }
    for ask in queries.values:
        key, _, name = ask.what.partition("#")
        requirements[f"value:{_tag(ask.what)}"] = f'reg query "{key}" /v "{name}"'
    for ask in queries.keys:
        requirements[f"key:{_tag(ask.what)}"] = f'reg query "{ask.what}"{" /s" if ask.deep else ""}'
    if SERVICES in queries.tables:
        requirements["sc"] = "sc query type= service state= all bufsize= 262144"
        requirements["start"] = f'reg query "{SERVICES_KEY}" /s /v Start'
    if queries.programs:
        for number, key in enumerate(UNINSTALL):
            for name in ("DisplayName", "DisplayVersion"):
                requirements[f"programs:{number}:{name}"] = f'reg query "{key}" /s /v {name}'
    return requirements


def command(queries: QuerySet, marker: str) -> Command:
    """The command with its stdin."""
    return Command(ARGV, stdin="\r\n".join([*framed(queries, marker), "exit", ""]).encode("ascii"), marker=marker)


def framed(queries: QuerySet, marker: str) -> Iterator[str]:
    """The lines that cmd reads: each command between its section's name and, at once after it, its exit status."""
    yield f"echo.&echo {marker}=plain"
    for name, line in lines(queries, marker).items():
        yield f"echo.&echo {marker}^<{name}"
        yield f"{line} 2>&1"
        yield f"echo.&echo {marker}^>{name} %errorlevel% - -"
    yield f"echo.&echo {marker}.end"


def read(result: CommandResult, marker: str, queries: QuerySet) -> WindowsRawData:
    """The answer as Windows raw data; never raises. FactUnavailable inside becomes the reason of what could not be read."""
    answers = parse_output(_utf8(result.stdout, marker), marker, result.truncated.message if result.truncated else None)
    host = _Host(answers.sections, answers.truncated)
    values = {a.what: host.value(f"value:{_tag(a.what)}", a.what.partition("#")[2]) for a in queries.values}
    values |= {f"file-version:{p}": Value("unreadable", reason=_NO_FILES) for p in queries.files}
    keys = {a.what: host.subkeys(f"key:{_tag(a.what)}", a.what, 3 if a.deep else 1) for a in queries.keys}
    tables = {}
    if SERVICES in queries.tables:
        tables[SERVICES] = host.services()
    if queries.programs:
        tables |= {key: host.programs(number) for number, key in enumerate(UNINSTALL)}
    said = answers.sections.get("ver")
    return WindowsRawData(
        method=METHOD, values=values, keys=keys, tables=tables, texts={"ver": one_line(said.text)} if said else {}
    )


def _tag(what: str) -> str:
    """A section's name: without blanks, and the same for the same question."""
    return what.replace("_", "_u").replace(" ", "_s")


def _utf8(stdout: bytes, marker: str) -> bytes:
    """CRLF as LF, and the host's OEM code page as UTF-8; what is UTF-8 already (code page 65001) stays."""
    plain = stdout.replace(b"\r\n", b"\n")
    try:
        plain.decode("utf-8")
        return plain
    except UnicodeDecodeError:
        pass
    sections = parse_output(plain, marker, None).sections
    page = re.search(r"REG_SZ\s+(\d{3,5})", sections["control"].text) if "control" in sections else None
    try:
        codec = codecs.lookup(f"cp{page[1]}" if page else "ascii").name
    except LookupError:
        codec = "ascii"
    return plain.decode(codec, "replace").encode("utf-8")


_VALUE = re.compile(r"^ {4}(.+?)(?:\t| {4})(REG_[A-Z_]+)(?:\t| {4})?", re.MULTILINE)
_STATES = ("", "Stopped", "Start Pending", "Stop Pending", "Running", "Continue Pending", "Pause Pending", "Paused")
_STARTS = ("Boot", "System", "Auto", "Manual", "Disabled")


class _Host:
    """One host's sections, and how it says that something is absent."""

    def __init__(self, sections: dict[str, Section], truncated: str) -> None:
        self._sections, self._cut = {name: s for name, s in sections.items() if not _too_large(s)}, truncated
        self._absent: set[str] = set()
        self._fault = self._check()
        for name in ("no-key", "no-value", "no-match"):
            said = sections.get(name)
            if said and said.status != 0 and said.text.strip():
                self._absent.add(_words(said))

    def _check(self) -> str:
        """Is reg.exe there, and does it answer? The reason where it does not."""
        control = self._sections.get("control")
        if control is None:
            return self._cut or "the host did not answer"
        found = _VALUE.search(control.text)
        failing = [self._sections.get(n) for n in ("no-key", "no-value")]
        if any(s is not None and s.status == 0 for s in failing):
            return "reg.exe's exit status says nothing here: it is 0 for what no host has"
        if control.status == 0 and found and found[1].lower() == CONTROL_NAME.lower():
            return ""
        return f"reg.exe does not work here: {one_line(control.text) or 'it says nothing'} (status {control.status})"

    def _good(self, name: str) -> Section | None:
        """An answer of reg.exe, None where it says that there is no such thing."""
        if self._fault:
            raise FactUnavailable(self._fault)
        section = self._sections.get(name)
        if section is None:
            raise FactUnavailable(self._cut or "the host did not answer this")
        if section.status == 0:
            return section  # for an empty key it says nothing
        if _words(section) in self._absent:
            return None
        raise FactUnavailable(f"{one_line(section.text) or 'no reason given'} (status {section.status})")

    def value(self, section: str, name: str) -> Value:
        try:
            answer = self._good(section)
            return Value("absent") if answer is None else _value(answer.text, name)
        except FactUnavailable as e:
            return Value("unreadable", reason=str(e))

    def subkeys(self, section: str, key: str, levels: int) -> Subkeys:
        try:
            answer = self._good(section)
        except FactUnavailable as e:
            return Subkeys("unreadable", reason=str(e))
        if answer is None:
            return Subkeys("absent")
        if levels > 1 and (strange := self._strange(answer)):
            return Subkeys("unreadable", reason=strange)
        below = [path for path in _paths(answer.text, key) if path and path.count("\\") < levels]
        return Subkeys("present", tuple(dict.fromkeys(below)))

    def services(self) -> Table:
        section = self._sections.get("sc")
        if section is None or section.status != 0:
            why = f"sc: {one_line(section.text)} (status {section.status})" if section else self._cut
            return Table("unreadable", reason=why or "sc did not answer")
        starts = self._starts()
        rows: list[dict[str, Cell]] = [
            {"Name": name, "State": state, "StartMode": starts.get(name.lower())} for name, state in _blocks(section.text)
        ]
        return Table("present", tuple(rows)) if rows else Table("unreadable", reason="sc listed no service")

    def _strange(self, section: Section) -> str:
        """A line of a search that is neither key nor value nor its closing line: some key below could not be read."""
        ends = {re.sub(r"\d+", "0", words[:200]).partition(" ")[2] for words in self._absent}
        for line in section.text.split("\n"):
            if line.strip() and not line.startswith(("HKEY_", "    ", "! REG.EXE")):
                said = re.sub(r"\d+", "0", f"{section.status} {' '.join(line.split())}"[:200])
                if said.partition(" ")[2] not in ends:
                    return f"not every key below could be read: {one_line(line, 100)}"
        return ""

    def _starts(self) -> dict[str, str]:
        section = self._sections.get("start")
        starts = {}
        for path, text in _by_key(section.text, SERVICES_KEY) if section else ():
            found = re.search(r"REG_DWORD\s+0x([0-4])\s*$", text)
            if found and "\\" not in path:
                starts[path.lower()] = _STARTS[int(found[1])]
        return starts

    def programs(self, number: int) -> Table:
        rows: dict[str, dict[str, Cell]] = {}
        for name in ("DisplayName", "DisplayVersion"):
            try:
                answer = self._good(f"programs:{number}:{name}")
                if answer and (strange := self._strange(answer)):
                    raise FactUnavailable(strange)
                for path, text in _by_key(answer.text, UNINSTALL[number]) if answer else ():
                    rows.setdefault(path, {})[name] = str(_value(text, name).data)
            except FactUnavailable as e:
                return Table("unreadable", reason=str(e))
        return Table("present", tuple(rows.values()))


def _too_large(section: Section) -> bool:
    """Is it more than any honest host says? Then it is not read at all."""
    return section.text.count("\n") > MAX_ROWS or max(map(len, section.text.split("\n"))) > _LONGEST_LINE


_LONGEST_LINE = 4_000_000  # characters; a REG_MULTI_SZ is one line


def _words(section: Section) -> str:
    return f"{section.status} {' '.join(section.text.split())}"


def _paths(text: str, key: str) -> Iterator[str]:
    """The key lines below `key`, relative to it."""
    start = key.replace("HKLM\\", "HKEY_LOCAL_MACHINE\\", 1).lower()
    for line in text.split("\n"):
        if line.lower().startswith(start):
            yield line[len(start) :].strip().lstrip("\\")


def _by_key(text: str, key: str) -> Iterator[tuple[str, str]]:
    """Each key's relative path with the lines of its values."""
    path, held = "", list[str]()
    for line in [*text.split("\n"), "HKEY_LOCAL_MACHINE\\"]:
        if line.startswith("HKEY_LOCAL_MACHINE\\"):
            if held:
                yield path, "\n".join(held)
            path, held = next(_paths(line, key), ""), []
        elif line.startswith("    "):
            held.append(line)


def _blocks(text: str) -> Iterator[tuple[str, str | None]]:
    """sc's blocks: the first line names the service; the second of the numbered lines is its state."""
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        numbers = [m[1] for line in lines[1:] if (m := re.match(r"\s+\S[^:]*:\s*([0-9a-f]{1,4})\s+\S", line))]
        name = lines[0].partition(":")[2].strip()
        if name and len(numbers) >= 2:
            state = int(numbers[1], 16)
            yield name, _STATES[state] if state < len(_STATES) else None


def _value(text: str, name: str) -> Value:
    found = next((m for m in _VALUE.finditer(text) if m[1].strip().lower() == name.lower()), None)
    if found is None:
        raise FactUnavailable(f"reg.exe answered with something else: {one_line(text, 100)}")
    return typed(found[2], text[found.end() :].rstrip("\n"))


def typed(kind: str, data: str) -> Value:
    """A value as reg.exe prints it. Raises FactUnavailable where a number is none."""
    if kind in ("REG_DWORD", "REG_QWORD"):
        if not re.fullmatch(r"0x[0-9a-fA-F]{1,16}\s*", data):
            raise FactUnavailable(f"{one_line(data, 60)!r} is no {kind}")
        return Value("present", kind, int(data, 16))
    if kind == "REG_MULTI_SZ":
        return Value("present", kind, tuple(p for p in data.split("\\0") if p))
    return Value("present", kind, data if kind in ("REG_SZ", "REG_EXPAND_SZ") else data.strip().lower())
