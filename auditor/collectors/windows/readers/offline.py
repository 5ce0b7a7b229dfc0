"""Reading a Windows host that is not there: exported registry files and texts that were carried home.

*.reg, in any number: what `auditor inventory collector` scripts write, or made by hand with regedit or `reg export`.
ver.txt, net-start.txt: what `ver` and `net start` said, in the host's OEM code page. What they do not say is not known.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from auditor.collectors.windows.queries import CONTROL, NT, SERVICES, SERVICES_KEY, UNINSTALL, QuerySet
from auditor.collectors.windows.readers import regfile
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.windows import Cell, Subkeys, Table, Value, WindowsRawData

METHOD = "files brought from the host"
_NOT_SAID = "the files do not hold this key"
_MANAGER = rf"{CONTROL}\Session Manager"
_ALWAYS = (NT, SERVICES_KEY, rf"{CONTROL}\ProductOptions", _MANAGER, rf"{_MANAGER}\Environment")
_CUT = "the export lacks its closing empty line: it may have been cut off"
_STARTS = ("Boot", "System", "Auto", "Manual", "Disabled")
_SERVICE_TYPES = 0x30  # SERVICE_WIN32_OWN_PROCESS, SERVICE_WIN32_SHARE_PROCESS; the others are drivers
_TEMPLATE = 0x40  # of services that each user gets an instance of (0x40 and 0x80)


def read(files: Mapping[str, bytes], queries: QuerySet) -> WindowsRawData:
    """The files' contents by name, as Windows raw data; a file that cannot be read is named in `notes`, and is as if it were not
    there."""
    hive, notes = _Hive(), []
    ansi = _codepage(files, "ACP", "cp1252")
    for name in sorted(n for n in files if n.lower().endswith(".reg")):
        try:
            hive.add(regfile.parse(files[name], ansi))
        except FactUnavailable as e:
            notes.append(f"{one_line(name, 80)} was not read: {e}")
    texts = {n.lower().rpartition("/")[2]: c for n, c in files.items()}
    oem = _codepage(files, "OEMCP", "cp437")
    return WindowsRawData(
        method=METHOD,
        values={a.what: hive.value(*_split(a.what)) for a in queries.values}
        | {f"file-version:{p}": Value("unreadable", reason="the files do not tell file versions") for p in queries.files},
        keys={a.what: hive.subkeys(a.what, 3 if a.deep else 1) for a in queries.keys},
        tables={SERVICES: _services(hive, texts.get("net-start.txt"), oem, bool(_codepage(files, "OEMCP", "")))}
        | {k: _programs(hive, k) for k in UNINSTALL},
        texts={"ver": one_line(texts["ver.txt"].decode(oem, "replace"))} if "ver.txt" in texts else {},
        notes=tuple(notes),
    )


class _Hive:
    """Several exports as one registry."""

    def __init__(self) -> None:
        self._files: list[regfile.RegFile] = []

    def add(self, file: regfile.RegFile) -> None:
        self._files.append(file)

    def _covering(self, key: str) -> list[regfile.RegFile]:
        """The files that would hold this key if it existed."""
        path = key.lower()
        return [f for f in self._files if path in f.keys or (f.whole and f.root and f"{path}\\".startswith(f"{f.root}\\"))]

    def _none(self, key: str, covering: list[regfile.RegFile]) -> bool:
        """Did regedit, which exported other keys, find nothing at this one? Of keys that every Windows has, and of those
        that are in some export after all, that is not believed."""
        if key in _ALWAYS:
            return False
        known = any(key.lower() in f.keys for f in covering)
        return not known and any(f.root for f in self._files) and any(key.lower() in f.none for f in self._files)

    def value(self, key: str, name: str) -> Value:
        covering = self._covering(key)
        if self._none(key, covering):
            return Value("absent")
        if covering and not any(key.lower() in f.keys for f in covering):
            return Value("absent")
        for file in covering:
            found = file.keys.get(key.lower(), {}).get(name.lower())
            if found:
                return found
        if any(f.whole and (f.kept is None or name.lower() in f.kept) for f in covering):
            return Value("absent")
        if covering and not any(f.whole for f in covering):
            return Value("unreadable", reason=_CUT)
        return Value("unreadable", reason="only some values of this key were kept" if covering else _NOT_SAID)

    def subkeys(self, key: str, levels: int) -> Subkeys:
        covering = self._covering(key)
        if self._none(key, covering):
            return Subkeys("absent")
        if not any(f.whole for f in covering):
            return Subkeys("unreadable", reason=_CUT if covering else _NOT_SAID)
        start = f"{key.lower()}\\"
        below = [f.names[p][len(start) :] for f in covering for p in f.keys if p.startswith(start)]
        if not below and not any(key.lower() in f.keys for f in covering):
            return Subkeys("absent")
        # A key that only leads to others has no line of its own in some exports.
        truncated = (p.split("\\", levels)[:levels] for p in below)
        paths = dict.fromkeys("\\".join(parts[:n]) for parts in truncated for n in range(1, len(parts) + 1))
        return Subkeys("present", tuple(paths))


def _services(hive: _Hive, started: bytes | None, oem: str, told: bool) -> Table:
    names = hive.subkeys(SERVICES_KEY, 1)
    if names.state != "present":
        return Table("unreadable", reason=names.reason or "there is no such key")
    running = {line.strip().lower() for line in started.decode(oem, "replace").split("\n")} if started is not None else None
    rows: list[dict[str, Cell]] = []
    for name in names.names:
        key = rf"{SERVICES_KEY}\{name}"
        kind, start, shown = (hive.value(key, n) for n in ("Type", "Start", "DisplayName"))
        if not isinstance(kind.data, int) or not kind.data & _SERVICE_TYPES or kind.data & 0xC0 == _TEMPLATE:
            continue
        label = str(shown.data).strip().lower() if shown.state == "present" else name.lower()
        # A name in letters that one of the two files may not have, or not as the other has them, proves nothing by its absence.
        plain = "?" not in label and (label.isascii() or told)
        state = None if running is None else "Running" if label in running else "Stopped" if plain else None
        mode = _STARTS[start.data] if isinstance(start.data, int) and start.data < len(_STARTS) else None
        rows.append({"Name": name, "State": state, "StartMode": mode})
    return Table("present", tuple(rows))


def _programs(hive: _Hive, key: str) -> Table:
    names = hive.subkeys(key, 1)
    if names.state == "unreadable":
        return Table("unreadable", reason=names.reason)
    rows: list[dict[str, Cell]] = []
    for name in names.names:
        said = {n: hive.value(rf"{key}\{name}", n) for n in ("DisplayName", "DisplayVersion")}
        if said["DisplayName"].state == "unreadable":
            return Table("unreadable", reason=f"{name}: {said['DisplayName'].reason}")
        rows.append({n: str(v.data) for n, v in said.items() if v.state == "present"})
    return Table("present", tuple(rows))


def _split(what: str) -> tuple[str, str]:
    key, _, name = what.partition("#")
    return key, name


def _codepage(files: Mapping[str, bytes], name: str, usual: str) -> str:
    """The host's own code page, where the files tell it."""
    for content in files.values():
        flat = content.replace(b"\0", b"")  # UTF-16 too
        if found := re.search(rb'"' + name.encode() + rb'"="(\d{3,5})"', flat):
            try:
                return codecs.lookup(f"cp{found[1].decode()}").name
            except LookupError:
                return usual
    return usual
