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

from auditor.collectors.linux.script_output import Answers, take_apart
from auditor.collectors.windows.queries import OS, QFE, SERVICES, UNINSTALL, UPDATES, Questions
from auditor.errors import CannotTell
from auditor.foundation.sanitize import one_line
from auditor.model.windows import Cell, Readings, Subkeys, Table, Value
from auditor.transports.command import Command, CommandResult

SCRIPT: str = Path(__file__).with_name("script.ps1").read_text("ascii")
ARGV = ("powershell", "-NoProfile", "-NonInteractive", "-Command", "-")
WAY = "one PowerShell script"
_SECTIONS = {OS: "os", QFE: "qfe", SERVICES: "services"}
_SUCCEEDED = 2  # OperationResultCode; 3 is "with errors", and then the list may lack something
_DENIED = (0x80070005, 0x80240044)  # E_ACCESSDENIED, WU_E_PER_MACHINE_UPDATE_ACCESS_DENIED
_TYPES: dict[str, type] = {"REG_SZ": str, "REG_BINARY": str, "REG_DWORD": int, "REG_QWORD": int, "REG_MULTI_SZ": list}
_NOT_TOLD = "the PowerShell script does not tell this"

Row = dict[str, str | int | bool | list[str] | None]
_ROW = msgspec.json.Decoder(Row)


def command(questions: Questions, marker: str, missing_updates: bool) -> Command:
    """The command with its stdin: one assignment, and the script. Raises ValueError for what cannot be a key's name."""
    asked = [marker, "wua" if missing_updates else "-"]
    asked += [a.what for a in questions.values]
    asked += [rf"{a.what}\*" if a.deep else a.what for a in questions.keys]
    if wrong := [word for word in asked if not re.fullmatch(r"[ -~]+", word)]:
        raise ValueError(f"{wrong[0]!r} is nothing that the script can read")
    words = ", ".join("'" + word.replace("'", "''") + "'" for word in asked)
    return Command(ARGV, stdin=f"$auditor = {words}\n{SCRIPT}".encode("ascii"), marker=marker)


def read(result: CommandResult, marker: str, questions: Questions, missing_updates: bool) -> Readings:
    """The answer as readings; never raises. CannotTell inside becomes the reason of what could not be read."""
    answers = take_apart(result.stdout.replace(b"\r\n", b"\n"), marker, result.cut.message if result.cut else None)
    if "powershell" not in answers.sections:
        answers.cut = _silence(result, answers, marker)
    told, why = _registry(answers)
    values = {a.what: _value(told.get(_tag(a.what), why)) for a in questions.values}
    values |= {f"file-version:{path}": Value("unreadable", reason=_NOT_TOLD) for path in questions.files}
    keys = {a.what: _subkeys(told.get((rf"{a.what}\*" if a.deep else a.what, None), why)) for a in questions.keys}
    tables = {name: _table(answers, name) for name in questions.tables}
    if questions.programs:
        tables |= {key: Table("unreadable", reason=_NOT_TOLD) for key in UNINSTALL}
    searched = ""
    if missing_updates:
        tables[UPDATES], searched = _updates(answers)
    notes = ("missing updates by PowerShell",) if missing_updates and tables[UPDATES].state == "present" else ()
    return Readings(
        way=WAY, values=values, keys=keys, tables=tables, notes=notes, texts={UPDATES: searched} if searched else {}
    )


def _silence(result: CommandResult, answers: Answers, marker: str) -> str:
    """Why there is no answer at all."""
    if result.cut:
        return result.cut.message
    if f"{marker}=".encode() in result.stdout:
        return answers.cut
    text = (result.stderr.strip() or result.stdout.strip()).decode("utf-8", "replace")
    said = one_line(text.replace("\r\n", "\n"), 200)
    status = "" if result.exit_status is None else f" (status {result.exit_status})"
    if said:
        return f"PowerShell did not run the script: {said}{status}"
    return f"PowerShell said nothing{status}: it is a stub, or of a version that does not run what comes on its input"


def _rows(answers: Answers, name: str) -> list[Row]:
    """A section's rows. CannotTell where it is missing, was cut off, failed, or holds something else."""
    section = answers.get(name)
    rows = _pieced(section.text)
    if section.status:
        raise CannotTell(_failure(rows[-1] if rows else {}))
    return rows


def _pieced(text: str) -> list[Row]:
    """Rows, put together again from their pieces."""
    rows, held = list[Row](), ""
    for line in text.split("\n"):
        piece = line.rstrip()
        if piece.endswith("\\"):
            held += piece[:-1]
        elif held or piece:
            try:
                rows.append(_ROW.decode(held + piece))
            except (msgspec.MsgspecError, RecursionError):
                raise CannotTell(f"PowerShell answered with something else: {one_line(held + piece, 100)!r}") from None
            held = ""
    if held:
        raise CannotTell("a row ends in the middle")
    return rows


def _failure(row: Row) -> str:
    """The row that a failed section ends with, in words."""
    error, code = one_line(str(row.get("error") or "no reason given"), 150), row.get("code")
    if error == "unreadable: constrained language":
        return f"{error}, in which PowerShell may not ask the Windows Update Agent"
    if isinstance(code, int) and code & 0xFFFFFFFF in _DENIED:
        return f"access denied (0x{code & 0xFFFFFFFF:08X}): over the network the agent answers administrators only"
    shown = f"0x{code & 0xFFFFFFFF:08X}" if isinstance(code, int) else one_line(str(code or ""), 60)
    return ", ".join(word for word in (error, one_line(str(row.get("category") or ""), 60), shown) if word)


def _table(answers: Answers, name: str) -> Table:
    if name not in _SECTIONS:
        return Table("unreadable", reason=_NOT_TOLD)
    try:
        rows = _rows(answers, _SECTIONS[name])
    except CannotTell as e:
        return Table("unreadable", reason=str(e))
    if not rows and name != QFE:
        return Table("unreadable", reason=f"PowerShell lists no {name}")  # every Windows has some
    return Table("present", tuple({k: _cell(v) for k, v in row.items()} for row in rows))


def _cell(value: str | int | bool | list[str] | None) -> Cell:
    return tuple(value) if isinstance(value, list) else value


def _updates(answers: Answers) -> tuple[Table, str]:
    """Rows of KB, Severity and Restart, without what the vendor calls optional; and the day of the agent's last search."""
    try:
        head, *told = _rows(answers, "wua") or [{}]
        if head.get("result") != _SUCCEEDED:
            raise CannotTell(f"the agent's search ended with {head.get('result')}, which is not success ({_SUCCEEDED})")
        if head.get("updates") != len(told):
            raise CannotTell(f"the agent found {head.get('updates')} updates and {len(told)} were told")
        searched = _date(head.get("searched"))
        rows: list[dict[str, Cell]] = [
            {"KB": _number(row), "Severity": _cell(row.get("severity")) or None, "Restart": _cell(row.get("reboot"))}
            for row in told
            if row.get("optional") is not True
        ]
        if not rows and not searched:
            raise CannotTell("the agent lists nothing and does not say that it ever searched")
    except CannotTell as e:
        return Table("unreadable", reason=str(e)), ""
    return Table("present", tuple(rows)), searched


def _number(row: Row) -> str:
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


Told = Mapping[tuple[str, str | None], Row]


def _registry(answers: Answers) -> tuple[Told, Row]:
    """What was told of each value and key, and what counts for all others. A 32-bit PowerShell on a 64-bit Windows is shown
    another HKLM\\SOFTWARE."""
    try:
        other = (_rows(answers, "powershell") or [{}])[0].get("wow64") is not None
        rows = _pieced(answers.get("registry").text)
    except CannotTell as e:
        return {}, {"error": str(e)}
    why: Row = {"error": "the host did not answer this"}
    if answers.sections["registry"].status:
        why = {"error": _failure(rows[-1] if rows else {})}
    hidden: Row = {"error": "a 32-bit PowerShell is shown another part of the registry than this"}
    told: dict[tuple[str, str | None], Row] = {}
    for row in rows:
        key, name = row.get("key"), row.get("name")
        if isinstance(key, str) and (name is None or isinstance(name, str)):
            told[key, name] = hidden if other and key.upper().startswith("HKLM\\SOFTWARE\\") else row
    return told, why


def _tag(what: str) -> tuple[str, str]:
    key, _, name = what.rpartition("#")
    return key, name


def _value(row: Row) -> Value:
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


def _subkeys(row: Row) -> Subkeys:
    if row.get("found") is False:
        return Subkeys("absent")
    names = row.get("subkeys")
    if row.get("found") is not True or not isinstance(names, list):
        return Subkeys("unreadable", reason=_failure(row))
    return Subkeys("present", tuple(names))
