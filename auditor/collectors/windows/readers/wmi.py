"""Reading a Windows host by WMI: queries on root/cimv2 and StdRegProv's methods. No command is run, no language matters.

What kind of Windows it is comes first and decides what else is worth asking. StdRegProv reads one value per call; where a
call is slow (a long way), up to three connections share them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from auditor.collectors.windows.lookup import build_of, cell
from auditor.collectors.windows.queries import FILE_WQL, OS, WQL, QuerySet, RegistryQuery, concerns
from auditor.errors import HostError, Refused
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData
from auditor.transports.session import Wmi, WmiConnection

METHOD = "WMI"
FAR = 0.010  # seconds for a round trip, above which more connections are worth their logins
_WORTH_A_LOGIN = 4  # questions; a login takes about as many round trips
_MOST_KEYS = 300
PROGRAM_FILES = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion#ProgramFilesDir"
# StdRegProv's methods by the type they read, in the order they are tried.
_GETTERS: dict[str, tuple[str, str]] = {
    "REG_DWORD": ("GetDWORDValue", "uValue"),
    "REG_SZ": ("GetStringValue", "sValue"),
    "REG_EXPAND_SZ": ("GetExpandedStringValue", "sValue"),
    "REG_MULTI_SZ": ("GetMultiStringValue", "sValue"),
    "REG_BINARY": ("GetBinaryValue", "uValue"),
    "REG_QWORD": ("GetQWORDValue", "uValue"),
}
METHODS = ("EnumKey", *(method for method, _ in _GETTERS.values()))
_OK, _NO_VALUE, _NO_KEY, _DENIED, _WRONG_TYPE = 0, 1, 2, 5, 2147749893
# Values that are no numbers, as far as they are always asked for; what a rule asks for is tried as a number first.
_KINDS = {"CSDVersion": "REG_SZ", "EditionID": "REG_SZ", "InstallationType": "REG_SZ", "ProductType": "REG_SZ",
          "PROCESSOR_ARCHITECTURE": "REG_SZ", "MachineGuid": "REG_SZ", "CurrentVersion": "REG_SZ", "ProductName": "REG_SZ",
          "CurrentBuildNumber": "REG_SZ", "ProgramFilesDir": "REG_SZ", "ProductSuite": "REG_MULTI_SZ",
          "Name": "REG_SZ", "pv": "REG_SZ", "PendingFileRenameOperations": "REG_MULTI_SZ"}  # fmt: skip


class _Task(Struct, frozen=True):
    """One question: where its answer goes, how it is asked, and what stands there when it cannot be."""

    store: dict[str, Any]
    name: str
    ask: Callable[[WmiConnection], Value | Subkeys | Table]
    unread: type[Value] | type[Subkeys] | type[Table]

    def put(self, answer: Value | Subkeys | Table) -> None:
        self.store[self.name] = answer

    def give_up(self, why: HostError) -> None:
        self.put(self.unread("unreadable", reason=str(why)))


class WmiReader:
    """One host's WMI."""

    def __init__(self, session: Wmi) -> None:
        self._session, self._connection = session, session.connection()
        self._spare: list[WmiConnection] | None = None

    def first(self, queries: QuerySet) -> WindowsRawData:
        """The questions that decide the others. Raises Refused where WMI refuses its first query, HostError where there
        is no session."""
        os = Table("present", self._connection.rows(WQL[OS]))
        return self.rest(WindowsRawData(method=METHOD, tables={OS: os}), queries)

    def rest(self, before: WindowsRawData, queries: QuerySet) -> WindowsRawData:
        """Everything else, given what the first answers were. What a session that ends in the middle leaves out is
        unreadable with the reason."""
        build = build_of(before)
        values, keys, tables = dict(before.values), dict(before.keys), dict(before.tables)
        tasks = [
            _Task(tables, t, partial(_table, WQL[t]), Table) for t in queries.tables if t not in tables and concerns(t, build)
        ]
        for a in queries.values:
            if a.what not in values and _worth(a, build, before):
                tasks.append(_Task(values, a.what, partial(_value, a.what), Value))
        for a in queries.keys:
            if a.what not in keys and _worth(a, build, before):
                tasks.append(_Task(keys, a.what, partial(_subkeys, a.what, 3 if a.deep else 1), Subkeys))
        windows = cell(next(iter(before.tables[OS].rows), {}), "WindowsDirectory")
        for path in queries.files:
            tasks.append(_Task(values, f"file-version:{path}", partial(_file, path, windows), Value))
        self._share(tasks)
        return replace(before, values=values, keys=keys, tables=tables)

    def _share(self, tasks: list[_Task]) -> None:
        """Connections take the next task when they are free. A spare connection that fails gives its task back."""
        todo, over = deque(tasks), list[HostError]()

        def work(connection: WmiConnection, spare: bool) -> None:
            while todo:
                try:
                    task = todo.popleft()
                except IndexError:
                    return  # another connection took the last one
                try:
                    task.put(task.ask(connection))
                except Refused as e:
                    task.give_up(e)
                except ValueError as e:  # a number that is none, say
                    task.give_up(Refused("protocol", f"the answer is malformed: {e}"))
                except HostError as e:
                    todo.append(task)
                    if spare:
                        spares.remove(connection)
                    else:
                        over.append(e)
                    return

        spares = self._spares(len(tasks))
        threads = [threading.Thread(target=work, args=(connection, True), daemon=True) for connection in spares]
        for thread in threads:
            thread.start()
        work(self._connection, False)
        for thread in threads:
            thread.join()
        if not over:
            work(self._connection, False)  # what a spare connection gave back at the end
        for task in todo:
            task.give_up(over[0])

    def _spares(self, tasks: int) -> list[WmiConnection]:
        """Further connections where they are worth it; opened once, and kept from the first questions for the others."""
        if self._spare is None and self._session.round_trip > FAR and tasks > _WORTH_A_LOGIN:
            self._spare = [self._session.connection() for _ in range(self._session.max_connections - 1)]
        return [] if self._spare is None else self._spare


def _worth(ask: RegistryQuery, build: int | None, data: WindowsRawData) -> bool:
    told = data.tables.get(ask.unless)
    return ask.of(build) and not (told and told.rows)


def _table(wql: str, connection: WmiConnection) -> Table:
    return Table("present", connection.rows(wql))


def _value(what: str, connection: WmiConnection) -> Value:
    """One value; a type that does not fit is tried as the next one."""
    key, _, name = what.removeprefix("HKLM\\").partition("#")
    usual = _KINDS.get(name)
    for kind in ([usual] if usual else []) + [k for k in _GETTERS if k != usual]:
        method, result = _GETTERS[kind]
        said = connection.registry(method, key, name)
        code = _code(said)
        if code == _OK:
            try:
                return _typed(kind, said.get(result))
            except ValueError:
                return Value("unreadable", reason=f"StdRegProv told something that is no {kind}")
        if code in (_NO_VALUE, _NO_KEY):
            return Value("absent")
        if code != _WRONG_TYPE:
            return Value("unreadable", reason=_why(code))
    return Value("unreadable", reason="it is of a type that StdRegProv does not read")


def _typed(kind: str, said: Cell) -> Value:
    several = said if isinstance(said, tuple) else () if said is None else (str(said),)
    if kind == "REG_MULTI_SZ":
        return Value("present", kind, tuple(t for t in several if t))
    if kind == "REG_BINARY":
        return Value("present", kind, bytes(int(n) & 0xFF for n in several).hex())
    if kind in ("REG_DWORD", "REG_QWORD"):
        return Value("present", kind, int(several[0])) if several else Value("unreadable", reason="StdRegProv told no number")
    return Value("present", kind, several[0] if several else "")


def _subkeys(key: str, levels: int, connection: WmiConnection) -> Subkeys:
    """The names below a key, `levels` deep, as relative paths."""
    found: list[str] = []
    todo = [("", 1)]
    while todo:
        path, level = todo.pop(0)
        said = connection.registry("EnumKey", (key + path).removeprefix("HKLM\\"))
        code = _code(said)
        if code == _NO_KEY and not path:
            return Subkeys("absent")
        if code != _OK:
            return Subkeys("unreadable", reason=f"{path.lstrip(chr(92))} {_why(code)}".strip())
        names = said.get("sNames")
        below = [f"{path}\\{name}" for name in (names if isinstance(names, tuple) else (names,) if names else ())]
        found += below
        if level < levels:
            todo += [(p, level + 1) for p in below]
        if len(todo) > _MOST_KEYS:
            return Subkeys("unreadable", reason=f"more than {_MOST_KEYS} keys lie below it")
    return Subkeys("present", tuple(p.lstrip("\\") for p in found))


def _file(path: str, windows: str, connection: WmiConnection) -> Value:
    """A file's version. No row means that there is no such file or that this account may not see it."""
    if not windows:
        return Value("unreadable", reason="the host did not say where its Windows folder is")
    full = path.replace("%SystemRoot%", windows)
    if "%ProgramFiles%" in full:
        folder = _value(PROGRAM_FILES, connection)
        if folder.state != "present":
            return Value("unreadable", reason="the host did not say where its program folder is")
        full = full.replace("%ProgramFiles%", str(folder.data))
    if "'" in full or '"' in full:
        return Value("unreadable", reason="the host's name for its Windows or program folder holds a quotation mark")
    rows = connection.rows(FILE_WQL.format(path=full.replace("\\", "\\\\")))
    version = cell(rows[0], "Version") if rows else ""
    if not rows:
        return Value("unreadable", reason=f"there is no {full}, or this account may not see it")
    return Value("present", "FILE", version) if version else Value("unreadable", reason=f"{full} has no version")


def _code(said: Mapping[str, Cell]) -> int:
    try:
        return int(str(said.get("ReturnValue")))
    except ValueError:
        raise Refused("protocol", "StdRegProv answered without a return value") from None


def _why(code: int) -> str:
    return "access denied" if code == _DENIED else f"StdRegProv answered with {code}"
