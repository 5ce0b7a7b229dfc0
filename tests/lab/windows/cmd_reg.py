r"""reg.exe's `query` as Windows XP and 2003 print it (version 3.0, tabs) and as Vista and later do (four blanks).

From Vista on, /v together with /s is a search: only keys with the value, then a count, and status 1 where there is none;
a key that has subkeys but no values is not named itself. `reg query HKLM\SOFTWARE /v X` says "not found" for a missing
key and a missing value alike. A key that is closed within a search costs one line of error and no status: posed so because
it is the worse of two ways, and not known from a real host.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.windows.host import RegValue, WindowsHost, full_path
from tests.lab.windows.words import word

XP_HEADER = "\r\n! REG.EXE VERSION 3.0\r\n"


def query(host: WindowsHost, arguments: list[str]) -> tuple[str, str, int]:
    """Output, errors and status of `reg query ARGUMENTS`."""
    xp = host.reg_style == "xp"

    def failed(what: str) -> tuple[str, str, int]:
        text = word(host.language, what, "xp" if xp else "") + "\r\n"
        return "", f"\r\n{text}" if xp else text, 1

    name, everything = None, False
    rest = arguments[1:]
    while rest:
        option = rest.pop(0).lower()
        if option == "/v" and rest:
            name = rest.pop(0)
        elif option == "/ve":
            name = ""
        elif option == "/s":
            everything = True
        elif not (option in ("/reg:64", "/reg:32") and not xp):
            return failed("syntax")
    if not arguments or arguments[0].startswith("/"):
        return failed("syntax")
    key = full_path(arguments[0])
    if host.denied(key):
        return failed("denied")
    if host.key(key) is None:
        return failed("not found")
    if everything and name is not None:
        return _search(host, key, name, xp)
    if name is not None:
        value = host.value(key, name)
        if value is not None:
            shown = _line(host, _spelling(host, key, name), value, xp)
        elif name == "" and not xp:
            shown = f"    {word(host.language, 'default')}    REG_SZ    {word(host.language, 'unset')}\r\n"
        else:
            return failed("not found")
        return f"{XP_HEADER if xp else ''}\r\n{key}\r\n{shown}\r\n", "", 0
    return _list(host, key, everything, xp)


def _list(host: WindowsHost, key: str, everything: bool, xp: bool) -> tuple[str, str, int]:
    output, errors = [XP_HEADER] if xp else [], []
    keys = list(_tree(host, key)) if everything else [key]
    for each in keys:
        if host.denied(each):
            errors.append(word(host.language, "denied", "xp" if xp else "") + "\r\n")
            continue
        values: dict[str, RegValue] = host.key(each) or {}
        lines = "".join(_line(host, n, v, xp) for n, v in sorted(values.items(), key=lambda i: i[0] != ""))
        if lines or xp or each != key:
            output.append(f"\r\n{each}\r\n{lines}")
    output.append("\r\n")
    if not everything:
        output += [f"{key}\\{name}\r\n" for name in host.subkeys(key)]
    return "".join(output), "".join(errors), 0


def _search(host: WindowsHost, key: str, name: str, xp: bool) -> tuple[str, str, int]:
    output, errors, count = [XP_HEADER] if xp else [], [], 0
    for each in _tree(host, key):
        if host.denied(each):
            errors.append(word(host.language, "denied", "xp" if xp else "") + "\r\n")
        elif (value := host.value(each, name)) is not None:
            output.append(f"\r\n{each}\r\n{_line(host, _spelling(host, each, name), value, xp)}")
            count += 1
    if xp and not count:
        return "", "\r\n" + word(host.language, "not found", "xp") + "\r\n", 1
    output.append("\r\n" if xp else f"\r\n{word(host.language, 'found').format(count)}\r\n")
    return "".join(output), "".join(errors), 0 if count else 1


def _tree(host: WindowsHost, key: str) -> Iterator[str]:
    """The key and everything below; a closed key is named and not entered."""
    yield key
    if not host.denied(key):
        for name in host.subkeys(key):
            yield from _tree(host, f"{key}\\{name}")


def _spelling(host: WindowsHost, key: str, name: str) -> str:
    values = host.key(key)
    return (values.written(name) if values else None) or name


def _line(host: WindowsHost, name: str, value: RegValue, xp: bool) -> str:
    name = name or ("<NO NAME>" if xp else word(host.language, "default"))
    between = "\t" if xp else "    "
    return f"    {name}{between}{value.type}{between}{_data(value, xp)}\r\n"


def _data(value: RegValue, xp: bool) -> str:
    match value.data:
        case int():
            return hex(value.data)
        case bytes():
            return value.data.hex().upper()
        case list():
            # The separator is printed as a backslash and a nought; XP prints the terminators too.
            return "\\0".join(value.data) + ("\\0\\0" if xp else "")
        case str():
            return value.data
