"""A PowerShell that answers for a posed host, as the header of script.ps1 says; nothing of the script is run.

`pose(host, ...)` gives a host one; a host without has no PowerShell (or a hollow one, by its data). It takes only what it
was promised, one assignment and the whole script; anything else raises. The rows are encoded here by hand, so that the
product's reader is held against the header's words and not against itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.lab.windows.host import RegValue, WindowsHost
from tests.places import ROOT

SCRIPT = (ROOT / "auditor/collectors/windows/readers/script.ps1").read_bytes()
WIDTH = 70
_OS = [
    "Version",
    "BuildNumber",
    "CSDVersion",
    "ServicePackMajorVersion",
    "ProductType",
    "OSProductSuite",
    "SuiteMask",
    "OperatingSystemSKU",
    "OSArchitecture",
    "LastBootUpTime",
    "LocalDateTime",
    "CodeSet",
]
_CLASSES = {
    "os": ("Win32_OperatingSystem", _OS),
    "qfe": ("Win32_QuickFixEngineering", ["HotFixID", "ServicePackInEffect"]),
    "services": ("Win32_Service", ["Name", "State", "StartMode"]),
}
_CALLED = re.compile(
    r'(?:\s*"?cmd(?:\.exe)?"?\s+/c\s+"?)?powershell(?:\.exe)? -NoProfile -NonInteractive -Command -"?\s*', re.I
)


@dataclass
class Pose:
    """What the script would find: PowerShell's own state, and what the Windows Update Agent says. `failure` is the row of a
    section `wua` that failed; `counted` what the agent's count says, where that is not the rows' number."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    searched: str | None = "2026-11-20T03:10:00Z"
    result: int = 2
    counted: int | None = None
    failure: dict[str, Any] | None = None
    mode: str = "FullLanguage"
    version: str = "5.1.19041.4291"
    wow64: str | None = None


def pose(host: WindowsHost, **more: Any) -> WindowsHost:
    """The same host with a PowerShell."""
    host.powershell = Pose(**more)  # type: ignore[attr-defined]
    return host


def update(
    *articles: str, severity: str | None = None, reboot: bool | None = False, optional: bool | None = False
) -> dict[str, Any]:
    """A row of a missing update."""
    number = "".join(articles)[-4:] or "0000"
    return {"id": f"00000000-0000-0000-0000-00000000{number}", "articles": list(articles), "severity": severity,
            "reboot": reboot, "optional": optional}  # fmt: skip


def answer(host: WindowsHost, command_line: str, stdin: bytes) -> tuple[bytes, bytes, int] | None:
    """Output, errors and status of a command line that starts PowerShell; None where it is none, or the host has none."""
    posed: Pose | None = getattr(host, "powershell", None)
    if posed is None or not _CALLED.fullmatch(command_line):
        return None
    first, _, rest = stdin.partition(b"\n")
    given = re.fullmatch(r"\$auditor = ('(?:[^']|'')*'(?:, '(?:[^']|'')*')*)", first.decode("ascii"))
    if rest != SCRIPT or not given:
        raise NotImplementedError(stdin[:200])
    marker, options, *all_queries = [w.replace("''", "'") for w in re.findall(r"'((?:[^']|'')*)'", given[1])]
    about = {"version": posed.version, "mode": posed.mode, "arch": "AMD64", "wow64": posed.wow64}
    parts = [section(marker, "powershell", [about])]
    for name, (wmi_class, names) in _CLASSES.items():
        denied = host.class_denied(wmi_class) or not host.wmi
        rows = [] if denied else [{n: r.get(n) for n in names} for r in host.wmi.get(wmi_class, [])]
        parts.append(section(marker, name, [_denied("GetWmiObject")] if denied else rows, int(denied)))
    parts.append(section(marker, "registry", [_registry(host, q) for q in all_queries]))
    if options == "wua":
        parts.append(_agent(marker, posed))
    return stream(marker, parts), b"", 0


def stream(marker: str, parts: list[str], end: bool = True) -> bytes:
    r"""What goes over standard output, in lines that end in \r\n."""
    text = f"\n{marker}=plain\n{''.join(parts)}" + (f"\n{marker}.end\n" if end else "")
    return text.replace("\n", "\r\n").encode("ascii")


def section(marker: str, name: str, rows: list[dict[str, Any]], status: int = 0) -> str:
    return f"\n{marker}<{name}\n{''.join(pieces(row) for row in rows)}\n{marker}>{name} {status} - -\n"


def pieces(row: dict[str, Any]) -> str:
    """A row as it is printed: JSON in ASCII, 70 characters to a line, a backslash at the end of what goes on."""
    text = json.dumps(row, separators=(",", ":")).replace("\\\\", "\\u005c").replace('\\"', "\\u0022")
    truncated = [text[i : i + WIDTH] for i in range(0, len(text), WIDTH)]
    return "\\\n".join(truncated) + "\n"


def _agent(marker: str, posed: Pose) -> str:
    if posed.mode != "FullLanguage":
        row = {"error": "unreadable: constrained language", "category": "OperationStopped", "code": None}
        return section(marker, "wua", [row], 1)
    if posed.failure:
        return section(marker, "wua", [posed.failure], 1)
    count = len(posed.updates) if posed.counted is None else posed.counted
    head = {"result": posed.result, "searched": posed.searched, "updates": count}
    return section(marker, "wua", [head, *posed.updates])


def _denied(cmdlet: str) -> dict[str, Any]:
    error = f"System.UnauthorizedAccessException,Microsoft.PowerShell.Commands.{cmdlet}Command"
    return {"error": error, "category": "NotSpecified", "code": None}


def _registry(host: WindowsHost, question: str) -> dict[str, Any]:
    key, hash_, name = question.rpartition("#")
    if not hash_:
        return _subkeys(host, question)
    if host.denied(key):
        return {
            "key": key,
            "name": name,
            "found": None,
            "error": "System.Security.SecurityException,GetItemProperty",
            "category": "PermissionDenied",
        }
    value = host.value(key, name)
    if value is None:
        return {"key": key, "name": name, "found": False, "present": host.key(key) is not None}
    return {"key": key, "name": name, "found": True, **_value(value)}


def _value(value: RegValue) -> dict[str, Any]:
    kind = {"REG_EXPAND_SZ": "REG_SZ", "REG_NONE": "REG_BINARY"}.get(value.type, value.type)
    data, most = value.data, {"REG_SZ": 4096, "REG_BINARY": 1024, "REG_MULTI_SZ": 512}.get(kind, 0)
    truncated = not isinstance(data, int) and len(data) > most
    if not isinstance(data, int):
        data = data[:most]
    return {"type": kind, "data": data.hex() if isinstance(data, bytes) else data, "cut": truncated}


def _subkeys(host: WindowsHost, question: str) -> dict[str, Any]:
    key, levels = question.removesuffix("\\*"), 3 if question.endswith("\\*") else 1
    if host.denied(key):
        return {
            "key": question,
            "name": None,
            "found": None,
            "error": "System.Security.SecurityException,GetChildItem",
            "category": "PermissionDenied",
        }
    if host.key(key) is None:
        return {"key": question, "found": False}
    return {"key": question, "found": True, "subkeys": _below(host, key, levels)}


def _below(host: WindowsHost, key: str, levels: int) -> list[str]:
    found = []
    for name in host.subkeys(key):
        found.append(name)
        if levels > 1:
            found += [f"{name}\\{below}" for below in _below(host, f"{key}\\{name}", levels - 1)]
    return found
