r"""Reading a Windows host by one PowerShell script (script.ps1), for what nothing else tells: the updates that the Windows
Update Agent knows to be missing.

The script is the same text for every host; its header says how it is asked and how it answers. Each row is a JSON object,
printed in pieces that end in a backslash where they go on. A section that failed ends with a row that names the error; its
message is never sent, for it is prose in the host's language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from auditor.collectors.linux.script_output import ScriptOutput, parse_output
from auditor.collectors.windows.queries import OS, QFE, SERVICES, UNINSTALL, UPDATES, QuerySet
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData
from auditor.transports.command import Command, CommandResult

SCRIPT: str = Path(__file__).with_name("script.ps1").read_text("ascii")
ARGV = ("powershell", "-NoProfile", "-NonInteractive", "-Command", "-")
METHOD = "one PowerShell script"
_SECTIONS = {OS: "os", QFE: "qfe", SERVICES: "services"}
_SUCCEEDED = 2  # OperationResultCode; 3 is "with errors", and then the list may lack something
_DENIED = (0x80070005, 0x80240044)  # E_ACCESSDENIED, WU_E_PER_MACHINE_UPDATE_ACCESS_DENIED
_TYPES: dict[str, type] = {"REG_SZ": str, "REG_BINARY": str, "REG_DWORD": int, "REG_QWORD": int, "REG_MULTI_SZ": list}
_NOT_TOLD = "the PowerShell script does not tell this"

JsonRow = dict[str, str | int | bool | list[str] | None]
_ROW = msgspec.json.Decoder(JsonRow)


def command(queries: QuerySet, marker: str, missing_updates: bool) -> Command:
    """The command with its stdin: one assignment, and the script. Raises ValueError for what cannot be a key's name."""
    requirements = [marker, "wua" if missing_updates else "-"]
    requirements += [a.what for a in queries.values]
    requirements += [rf"{a.what}\*" if a.deep else a.what for a in queries.keys]
    if wrong := [word for word in requirements if not re.fullmatch(r"[ -~]+", word)]:
        raise ValueError(f"{wrong[0]!r} is nothing that the script can read")
    words = ", ".join("'" + word.replace("'", "''") + "'" for word in requirements)
    return Command(ARGV, stdin=f"$auditor = {words}\n{SCRIPT}".encode("ascii"), marker=marker)


def read(result: CommandResult, marker: str, queries: QuerySet, missing_updates: bool) -> WindowsRawData:
    """The answer as Windows raw data; never raises. FactUnavailable inside becomes the reason of what could not be read."""
    answers = parse_output(
        result.stdout.replace(b"\r\n", b"\n"), marker, result.truncated.message if result.truncated else None
    )
    if "powershell" not in answers.sections:
        answers.truncated = _silence(result, answers, marker)
    told, why = _registry(answers)
    values = {a.what: _value(told.get(_tag(a.what), why)) for a in queries.values}
    values |= {f"file-version:{path}": Value("unreadable", reason=_NOT_TOLD) for path in queries.files}
    keys = {a.what: _subkeys(told.get((rf"{a.what}\*" if a.deep else a.what, None), why)) for a in queries.keys}
    tables = {name: _table(answers, name) for name in queries.tables}
    if queries.programs:
        tables |= {key: Table("unreadable", reason=_NOT_TOLD) for key in UNINSTALL}
    searched = ""
    if missing_updates:
        tables[UPDATES], searched = _updates(answers)
    notes = ("missing updates by PowerShell",) if missing_updates and tables[UPDATES].state == "present" else ()
    return WindowsRawData(
        method=METHOD, values=values, keys=keys, tables=tables, notes=notes, texts={UPDATES: searched} if searched else {}
    )


def _silence(result: CommandResult, answers: ScriptOutput, marker: str) -> str:
    """Why there is no answer at all."""
    if result.truncated:
        return result.truncated.message
    if f"{marker}=".encode() in result.stdout:
        return answers.truncated
    text = (result.stderr.strip() or result.stdout.strip()).decode("utf-8", "replace")
    said = one_line(text.replace("\r\n", "\n"), 200)
    status = "" if result.exit_status is None else f" (status {result.exit_status})"
    if said:
        return f"PowerShell did not run the script: {said}{status}"
    return f"PowerShell said nothing{status}: it is a stub, or of a version that does not run what comes on its input"


def _rows(answers: ScriptOutput, name: str) -> list[JsonRow]:
    """A section's rows. FactUnavailable where it is missing, was cut off, failed, or holds something else."""
    section = answers.get(name)
    rows = _pieced(section.text)
    if section.status:
        raise FactUnavailable(_failure(rows[-1] if rows else {}))
    return rows


def _pieced(text: str) -> list[JsonRow]:
    """Rows, put together again from their pieces."""
    rows, held = list[JsonRow](), ""
    for line in text.split("\n"):
        piece = line.rstrip()
        if piece.endswith("\\"):
            held += piece[:-1]
        elif held or piece:
            try:
                rows.append(_ROW.decode(held + piece))
            except (msgspec.MsgspecError, RecursionError):
                raise FactUnavailable(f"PowerShell answered with something else: {one_line(held + piece, 100)!r}") from None
            held = ""
    if held:
        raise FactUnavailable("a row ends in the middle")
    return rows


def _failure(row: JsonRow) -> str:
    """The row that a failed section ends with, in words."""
    error, code = one_line(str(row.get("error") or "no reason given"), 150), row.get("code")
    if error == "unreadable: constrained language":
        return f"{error}, in which PowerShell may not ask the Windows Update Agent"
    if isinstance(code, int) and code & 0xFFFFFFFF in _DENIED:
        return f"access denied (0x{code & 0xFFFFFFFF:08X}): over the network the agent answers administrators only"
    shown = f"0x{code & 0xFFFFFFFF:08X}" if isinstance(code, int) else one_line(str(code or ""), 60)
    return ", ".join(word for word in (error, one_line(str(row.get("category") or ""), 60), shown) if word)


def _table(answers: ScriptOutput, name: str) -> Table:
    if name not in _SECTIONS:
        return Table("unreadable", reason=_NOT_TOLD)
    try:
        rows = _rows(answers, _SECTIONS[name])
    except FactUnavailable as e:
        return Table("unreadable", reason=str(e))
    if not rows and name != QFE:
        return Table("unreadable", reason=f"PowerShell lists no {name}")  # every Windows has some
    return Table("present", tuple({k: _cell(v) for k, v in row.items()} for row in rows))


def _cell(value: str | int | bool | list[str] | None) -> Cell:
    return tuple(value) if isinstance(value, list) else value


def _updates(answers: ScriptOutput) -> tuple[Table, str]:
    """Rows of KB, Severity and Restart, without what the vendor calls optional; and the day of the agent's last search."""
    try:
        head, *told = _rows(answers, "wua") or [{}]
        if head.get("result") != _SUCCEEDED:
            raise FactUnavailable(f"the agent's search ended with {head.get('result')}, which is not success ({_SUCCEEDED})")
        if head.get("updates") != len(told):
            raise FactUnavailable(f"the agent found {head.get('updates')} updates and {len(told)} were told")
        searched = _date(head.get("searched"))
        rows: list[dict[str, Cell]] = [
            {"KB": _number(row), "Severity": _cell(row.get("severity")) or None, "Restart": _cell(row.get("reboot"))}
            for row in told
            if row.get("optional") is not True
        ]
        if not rows and not searched:
            raise FactUnavailable("the agent lists nothing and does not say that it ever searched")
    except FactUnavailable as e:
        return Table("unreadable", reason=str(e)), ""
    return Table("present", tuple(rows)), searched


def _number(row: JsonRow) -> str:
    """KB numbers, or the update's id where it has none (a driver)."""
    articles = row.get("articles")
    return " ".join(articles if isinstance(articles, list) else ()) or f"update {row.get('id') or 'without a number'}"


def _date(said: object) -> str:
    """The day of a search; "" for none, which COM also writes as the year 1899."""
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        return ""
    return f"{at:%Y-%m-%d}" if at.year > 1999 else ""


RegistryAnswers = Mapping[tuple[str, str | None], JsonRow]


def _registry(answers: ScriptOutput) -> tuple[RegistryAnswers, JsonRow]:
    """What was told of each value and key, and what counts for all others. A 32-bit PowerShell on a 64-bit Windows is shown
    another HKLM\\SOFTWARE."""
    try:
        other = (_rows(answers, "powershell") or [{}])[0].get("wow64") is not None
        rows = _pieced(answers.get("registry").text)
    except FactUnavailable as e:
        return {}, {"error": str(e)}
    why: JsonRow = {"error": "the host did not answer this"}
    if answers.sections["registry"].status:
        why = {"error": _failure(rows[-1] if rows else {})}
    hidden: JsonRow = {"error": "a 32-bit PowerShell is shown another part of the registry than this"}
    told: dict[tuple[str, str | None], JsonRow] = {}
    for row in rows:
        key, name = row.get("key"), row.get("name")
        if isinstance(key, str) and (name is None or isinstance(name, str)):
            told[key, name] = hidden if other and key.upper().startswith("HKLM\\SOFTWARE\\") else row
    return told, why


def _tag(what: str) -> tuple[str, str]:
    key, _, name = what.rpartition("#")
    return key, name


def _value(row: JsonRow) -> Value:
    if row.get("found") is False:
        return Value("absent")
    kind, data = row.get("type"), row.get("data")
    if row.get("found") is not True:
        return Value("unreadable", reason=_failure(row))
    if row.get("cut") is not False:
        return Value("unreadable", reason="it is longer than what is read of it")
    if not isinstance(kind, str) or type(data) is not _TYPES.get(kind):
        return Value("unreadable", reason="it is of a type that PowerShell does not tell")
    if isinstance(data, list):
        return Value("present", kind, tuple(part for part in data if part))
    return Value("present", kind, data)  # type: ignore[arg-type]  # by its kind, just above


def _subkeys(row: JsonRow) -> Subkeys:
    if row.get("found") is False:
        return Subkeys("absent")
    names = row.get("subkeys")
    if row.get("found") is not True or not isinstance(names, list):
        return Subkeys("unreadable", reason=_failure(row))
    return Subkeys("present", tuple(names))
