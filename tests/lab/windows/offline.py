"""What an administrator carries home from a host without a network: registry exports, and what `ver` and `net start` print.

NT 4.0's regedit writes REGEDIT4 in the ANSI code page, expandable and multi-strings as ANSI bytes and every character
outside the page as a question mark; from Windows 2000 on it is version 5.00, UTF-16 with its mark. A key that the account
may not read is left out without a word. `ver.txt` and `net-start.txt` are in the OEM code page, as `>` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tests.lab.windows.cmd import run
from tests.lab.windows.host import RegValue, WindowsHost, full_path

Form = Literal["regedit4", "unicode"]
_NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
KEYS = {
    "currentversion.reg": _NT,
    "productoptions.reg": rf"{_CONTROL}\ProductOptions",
    "sessionmanager.reg": rf"{_CONTROL}\Session Manager",
    "services.reg": r"HKLM\SYSTEM\CurrentControlSet\Services",
    "updates.reg": r"HKLM\SOFTWARE\Microsoft\Updates",
    "uninstall.reg": r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
}
_HEAD = {"regedit4": "REGEDIT4", "unicode": "Windows Registry Editor Version 5.00"}


def carry_home(
    host: WindowsHost, folder: Path, form: Form, keys: Mapping[str, str] = KEYS, code_page: int | None = None
) -> None:
    """Writes one export for each key that is there, ver.txt and net-start.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, key in keys.items():
        if host.key(key) is not None and not host.denied(key):
            (folder / name).write_bytes(export(host, key, form, code_page))
    (folder / "ver.txt").write_bytes(run(host, "ver")[0])
    (folder / "net-start.txt").write_bytes(run(host, "net start")[0])


def export(host: WindowsHost, key: str, form: Form, code_page: int | None = None) -> bytes:
    """`regedit /e FILE KEY` of a key and everything below it."""
    encoding = f"cp{code_page or host.ansi_codepage}" if form == "regedit4" else "utf-16-le"
    lines = [_HEAD[form], ""]
    _write(host, host.registry.written(full_path(key)) or full_path(key), encoding, lines)
    text = "".join(f"{line}\r\n" for line in lines)
    return text.encode(encoding, "replace") if form == "regedit4" else b"\xff\xfe" + text.encode(encoding)


def _write(host: WindowsHost, key: str, encoding: str, lines: list[str]) -> None:
    if host.denied(key):
        return
    lines.append(f"[{key}]")
    lines += [
        f"{_quoted(name) if name else '@'}={_data(value, name, encoding)}" for name, value in (host.key(key) or {}).items()
    ]
    lines.append("")
    for name in host.subkeys(key):
        _write(host, f"{key}\\{name}", encoding, lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _data(value: RegValue, name: str, encoding: str) -> str:
    def hexadecimal(kind: str, raw: bytes) -> str:
        """Wrapped before column 80; the following lines begin with two blanks."""
        line, whole = f"{kind}:", []
        at = len(_quoted(name)) + 1
        for n, byte in enumerate(raw):
            piece = f"{byte:02x}" + ("," if n < len(raw) - 1 else "")
            if at + len(line) + len(piece) > 78:
                whole.append(line + "\\")
                line, at = "  ", 0
            line += piece
        return "\r\n".join([*whole, line])

    match value.type, value.data:
        case "REG_SZ", str(text):
            return _quoted(text)
        case "REG_EXPAND_SZ", str(text):
            return hexadecimal("hex(2)", f"{text}\0".encode(encoding, "replace"))
        case "REG_MULTI_SZ", list(texts):
            return hexadecimal("hex(7)", ("".join(f"{t}\0" for t in texts) + "\0").encode(encoding, "replace"))
        case "REG_DWORD", int(number):
            return f"dword:{number:08x}"
        case "REG_QWORD", int(number):
            return hexadecimal("hex(b)", number.to_bytes(8, "little"))
        case "REG_NONE", bytes(raw):
            return hexadecimal("hex(0)", raw)
        case _, bytes(raw):
            return hexadecimal("hex", raw)
    raise ValueError(value)
