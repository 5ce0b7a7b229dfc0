"""A posed Windows host: its registry, WMI rows, services and files, read from one folder of data (hosts/NAME).

The .reg reader here is the lab's own, so that a mistake in the product's reader cannot hide behind itself.
WMI values stand as WMI has them: a date is the string `20240109083015.500000+060` (the protocol servers turn it into
their own form), `null` is a property the class has and the host left empty, and a property that is missing in the row
is one that this version of Windows does not have.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

FOLDER = Path(__file__).parent / "hosts"
HOSTS = tuple(sorted(p.parent.name for p in FOLDER.glob("*/host.yaml")))

HKLM = "HKEY_LOCAL_MACHINE"
SERVICES = rf"{HKLM}\SYSTEM\CurrentControlSet\Services"
NLS = rf"{HKLM}\SYSTEM\CurrentControlSet\Control\Nls\CodePage"
_ROOTS = {"HKLM": HKLM, "HKU": "HKEY_USERS", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT"}
# What nearly every row of Win32_QuickFixEngineering leaves empty; a host.yaml says the rest.
_QFE = dict.fromkeys(("Caption", "Description", "FixComments", "InstallDate", "InstalledBy", "InstalledOn", "Name", "Status"))
_START = {"Boot": 0, "System": 1, "Auto": 2, "Manual": 3, "Disabled": 4}
# Windows' usual ANSI code page beside each OEM one.
_ANSI = {437: 1252, 850: 1252, 852: 1250, 866: 1251, 932: 932, 936: 936}

V = TypeVar("V")


class NoCase(dict[str, V]):
    """A dict that keeps each key as written and finds it in any case, as the registry does."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[str, str] = {}

    def __setitem__(self, key: str, value: V) -> None:
        super().__setitem__(self._written.setdefault(key.lower(), key), value)

    def __getitem__(self, key: str) -> V:
        return super().__getitem__(self._written[key.lower()])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._written

    def get(self, key: str, default: Any = None) -> Any:
        written = self._written.get(key.lower())
        return default if written is None else super().get(written, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def written(self, key: str) -> str | None:
        """The key as the data spells it; None where there is none."""
        return self._written.get(key.lower())

    def spellings(self) -> ItemsView[str, str]:
        """Every key in lower case, with the key as written."""
        return self._written.items()


@dataclass(frozen=True)
class RegValue:
    type: str  # REG_SZ, REG_EXPAND_SZ, REG_DWORD, REG_QWORD, REG_MULTI_SZ, REG_BINARY, REG_NONE
    data: str | int | bytes | list[str]


@dataclass
class WindowsHost:
    name: str
    ver: str
    registry: NoCase[NoCase[RegValue]]  # full path -> value name ("" is the default value) -> value
    services: dict[str, dict[str, Any]]
    files: dict[str, str]
    expected: dict[str, Any]  # what is true of it; a key that is missing is not to be compared
    # Win32_Service and CIM_DataFile are derived from `services` and `files`; empty: this Windows has no WMI.
    wmi: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    language: str = "en"
    oem_codepage: int = 437
    ansi_codepage: int = 1252
    reg_style: str = "vista"
    reg_exe: bool = True  # NT 4.0 and 2000 have no reg.exe unless somebody put it there
    sc_exe: bool = True
    hollow: list[str] = field(default_factory=list)  # programs that print nothing and exit with 0
    denied_keys: list[str] = field(default_factory=list)
    denied_classes: list[str] = field(default_factory=list)

    def key(self, path: str) -> NoCase[RegValue] | None:
        """The values of a key, whatever its spelling; None where there is no such key."""
        found: NoCase[RegValue] | None = self.registry.get(full_path(path))
        return found

    def value(self, path: str, name: str) -> RegValue | None:
        values = self.key(path)
        return None if values is None else values.get(name)

    def subkeys(self, path: str) -> list[str]:
        """The names of the keys directly below, in the order of the registry (by name, whatever the case)."""
        start = full_path(path).lower() + "\\"
        names = (written[len(start) :] for low, written in self.registry.spellings() if low.startswith(start))
        return sorted((n for n in names if "\\" not in n), key=str.upper)

    def denied(self, path: str) -> bool:
        asked = full_path(path).lower() + "\\"
        return any(asked.startswith(full_path(k).lower() + "\\") for k in self.denied_keys)

    def class_denied(self, name: str) -> bool:
        return name.lower() in (c.lower() for c in self.denied_classes)


def full_path(path: str) -> str:
    r"""`HKLM\Software\` and `\\HOST\HKLM\Software` spelt out; the registry's own letters are not restored."""
    root, _, rest = path.strip("\\").partition("\\")
    return f"{_ROOTS.get(root.upper(), root)}\\{rest}".strip("\\")


def load_host(name: str) -> WindowsHost:
    folder = FOLDER / name
    given: dict[str, Any] = yaml.load((folder / "host.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    denied = given.pop("denied", None) or {}
    given.setdefault("services", {})
    given.setdefault("files", {})
    given.setdefault("ansi_codepage", _ANSI.get(given.get("oem_codepage", 437), 1252))
    registry = read_reg((folder / "registry.reg").read_text("utf-8"))
    host = WindowsHost(
        name=name,
        registry=registry,
        denied_keys=denied.get("keys", []),
        denied_classes=denied.get("classes", []),
        **given,
    )
    pages = _make(registry, NLS)
    pages.setdefault("ACP", RegValue("REG_SZ", str(host.ansi_codepage)))
    pages.setdefault("OEMCP", RegValue("REG_SZ", str(host.oem_codepage)))
    for service, about in host.services.items():
        values = _make(registry, rf"{SERVICES}\{service}")
        values.setdefault("Type", RegValue("REG_DWORD", about.get("type", 0x10)))
        values.setdefault("Start", RegValue("REG_DWORD", _START[about["start"]]))
        values.setdefault("DisplayName", RegValue("REG_SZ", about["display"]))
    if host.wmi:
        fixes = host.wmi.get("Win32_QuickFixEngineering", [])
        host.wmi["Win32_QuickFixEngineering"] = [{"CSName": "HOST", **_QFE, "ServicePackInEffect": "", **f} for f in fixes]
        host.wmi.setdefault("Win32_Service", [_service_row(n, s) for n, s in host.services.items()])
        host.wmi.setdefault("CIM_DataFile", [{"Name": n.lower(), "Version": v} for n, v in host.files.items()])
    return host


def _service_row(name: str, about: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": name,
        "DisplayName": about["display"],
        "State": about["state"],
        "StartMode": about["start"],
        "Started": about["state"] == "Running",
        "PathName": about.get("path"),
        "ServiceType": "Share Process" if about.get("type", 0x10) & 0x20 else "Own Process",
    }


def _make(registry: NoCase[NoCase[RegValue]], path: str) -> NoCase[RegValue]:
    """The key's values; the key and everything above it come into being."""
    parts = path.split("\\")
    for n in range(1, len(parts) + 1):
        registry.setdefault("\\".join(parts[:n]), NoCase())
    return registry[path]


def read_reg(text: str) -> NoCase[NoCase[RegValue]]:
    """A version 5.00 export; lines that begin with `;` are remarks."""
    registry: NoCase[NoCase[RegValue]] = NoCase()
    _make(registry, HKLM)
    values: NoCase[RegValue] | None = None
    for line in _lines(text):
        if line.startswith("["):
            values = _make(registry, line[1 : line.rindex("]")])
        elif line.startswith(("@", '"')):
            assert values is not None, line
            name, given = _split(line)
            values[name] = _value(given)
        elif line and not line.startswith((";", "Windows Registry Editor")):
            raise ValueError(f"not a line of a .reg file: {line!r}")
    return registry


def _lines(text: str) -> Iterator[str]:
    """Hex data goes on in the next line after a backslash; only hex data does."""
    return iter(re.sub(r",\\\n\s*", ",", text).split("\n"))


def _split(line: str) -> tuple[str, str]:
    if line.startswith("@="):
        return "", line[2:]
    found = re.fullmatch(r'"((?:[^"\\]|\\.)*)"=(.*)', line)
    assert found, line
    return _plain(found[1]), found[2]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _value(given: str) -> RegValue:
    if given.startswith('"'):
        assert given.endswith('"'), given
        return RegValue("REG_SZ", _plain(given[1:-1]))
    kind, _, digits = given.partition(":")
    if kind == "dword":
        return RegValue("REG_DWORD", int(digits, 16))
    raw = bytes.fromhex(digits.replace(",", " "))
    match kind:
        case "hex(1)" | "hex(2)":
            return RegValue("REG_SZ" if kind == "hex(1)" else "REG_EXPAND_SZ", raw.decode("utf-16-le").removesuffix("\0"))
        case "hex(7)":
            # An empty string in the middle stays: PendingFileRenameOperations writes one for "delete this file".
            return RegValue("REG_MULTI_SZ", raw.decode("utf-16-le").removesuffix("\0").split("\0")[:-1])
        case "hex(b)":
            return RegValue("REG_QWORD", int.from_bytes(raw, "little"))
        case "hex(0)":
            return RegValue("REG_NONE", raw)
        case "hex":
            return RegValue("REG_BINARY", raw)
    raise ValueError(f"not a kind of value: {given!r}")
