"""The calls of MS-RRP (remote registry) and MS-SCMR (service manager) that read, with bounds that impacket's lack.

Codes are those of winerror.h, 0 for success. Nothing else of these interfaces is called.
"""

from __future__ import annotations

import struct
from typing import Any

from impacket.dcerpc.v5 import rrp, scmr
from impacket.dcerpc.v5.dtypes import NULL

from auditor.transports.remote_registry.smb import RpcPipe

_FIRST_SIZE = 1024  # nearly every value fits, and is then read in one call
_BAD_PATH, _MORE_DATA, _NO_MORE_ITEMS = 161, 234, 259
_CONNECT_AND_ENUMERATE = 0x0001 | 0x0004  # SC_MANAGER_*
_WIN32, _ALL = 0x30, 3  # no drivers; running and stopped
_PAGE, _MAX_PAGES = 65_536, 64  # the most that NT 4.0 gives at once
_STATES = ("", "Stopped", "Start Pending", "Stop Pending", "Running", "Continue Pending", "Pause Pending", "Paused")
_ROOTS = {"HKLM": rrp.OpenLocalMachine, "HKU": rrp.OpenUsers, "HKCR": rrp.OpenClassesRoot}


class Registry:
    """Keys stay open until the pipe is closed: most are asked for more than one value."""

    def __init__(self, line: RpcPipe) -> None:
        self._rpc = line.pipe("winreg", rrp.MSRPC_UUID_RRP)
        self._open: dict[str, tuple[int, Any]] = {}

    def value(self, path: str, name: str, at_most: int) -> tuple[int, int, int, bytes]:
        """Code, size, type and bytes; a value larger than `at_most` comes without its bytes."""
        code, key = self._key(path)
        if code:
            return code, 0, 0, b""
        answer = self._query(key, name, _FIRST_SIZE)
        if answer["ErrorCode"] == _MORE_DATA and answer["lpcbData"] <= at_most:
            answer = self._query(key, name, answer["lpcbData"])
        code = answer["ErrorCode"]
        size = answer["lpcbData"] if code in (0, _MORE_DATA) else 0
        if code == _MORE_DATA and size > at_most:
            return 0, size, answer["lpType"], b""
        return code, size, answer["lpType"] if not code else 0, b"".join(answer["lpData"]) if not code else b""

    def subkeys(self, path: str, at_most: int) -> tuple[int, list[str]]:
        """The status, and at most so many names of subkeys."""
        code, key = self._key(path)
        names: list[str] = []
        while not code and len(names) < at_most:
            request = rrp.BaseRegEnumKey()
            request["hKey"], request["dwIndex"], request["lpClassIn"] = key, len(names), " " * 64
            request["lpftLastWriteTime"] = NULL
            request.fields["lpNameIn"].fields["MaximumLength"] = 1024
            request.fields["lpNameIn"].fields["Data"].fields["Data"].fields["MaximumCount"] = 512
            answer = self._rpc.request(request, checkError=False)
            code = answer["ErrorCode"]
            if not code:
                names.append(answer["lpNameOut"].rstrip("\0"))
        return (0 if code == _NO_MORE_ITEMS else code), names

    def _query(self, key: Any, name: str, size: int) -> Any:
        """The buffer is described and not sent, as Windows' own client does it."""
        request = rrp.BaseRegQueryValue()
        request["hKey"], request["lpValueName"] = key, name + "\0"
        request["lpData"], request["lpcbData"], request["lpcbLen"] = b"", size, 0
        request.fields["lpData"].fields["Data"].fields["MaximumCount"] = size
        return self._rpc.request(request, checkError=False)

    def _key(self, path: str) -> tuple[int, Any]:
        found = self._open.get(path.lower())
        if found is None:
            root, _, rest = path.partition("\\")
            code, top = self._key(root) if rest else self.root(root)
            found = self.below(top, rest) if rest and not code else (code, top)
            self._open[path.lower()] = found
        return found

    def root(self, name: str) -> tuple[int, Any]:
        """The status, and the handle of a hive."""
        if name.upper() not in _ROOTS:
            return _BAD_PATH, None
        request = _ROOTS[name.upper()]()
        request["ServerName"], request["samDesired"] = NULL, rrp.KEY_READ
        answer = self._rpc.request(request, checkError=False)
        return answer["ErrorCode"], answer["phKey"]

    def below(self, top: Any, path: str) -> tuple[int, Any]:
        """The status, and the handle of a key below another."""
        request = rrp.BaseRegOpenKey()
        request["hKey"], request["lpSubKey"], request["dwOptions"], request["samDesired"] = top, path + "\0", 0, rrp.KEY_READ
        answer = self._rpc.request(request, checkError=False)
        return answer["ErrorCode"], answer["phkResult"]


def services(line: RpcPipe) -> list[tuple[str, str | None]] | int:
    """Every Win32 service with its state, or the code of the refusal."""
    rpc = line.pipe("svcctl", scmr.MSRPC_UUID_SCMR)
    request = scmr.ROpenSCManagerW()
    request["lpMachineName"], request["lpDatabaseName"] = NULL, "ServicesActive\0"
    request["dwDesiredAccess"] = _CONNECT_AND_ENUMERATE
    answer = rpc.request(request, checkError=False)
    if answer["ErrorCode"]:
        return int(answer["ErrorCode"])
    manager, resume, found = answer["lpScHandle"], 0, list[tuple[str, str | None]]()
    for _ in range(_MAX_PAGES):
        request = scmr.REnumServicesStatusW()
        request["hSCManager"], request["dwServiceType"], request["dwServiceState"] = manager, _WIN32, _ALL
        request["cbBufSize"], request["lpResumeIndex"] = _PAGE, resume
        answer = rpc.request(request, checkError=False)
        code, resume = answer["ErrorCode"], answer["lpResumeIndex"]
        if code not in (0, _MORE_DATA):
            return int(code)
        page = _page(b"".join(answer["lpBuffer"]), answer["lpServicesReturned"])
        found += page
        if not code:
            return found
        if not page:
            break
    return _MORE_DATA


def _page(buffer: bytes, count: int) -> list[tuple[str, str | None]]:
    """ENUM_SERVICE_STATUSW: where its two names are, then SERVICE_STATUS, whose second number is the state."""
    found: list[tuple[str, str | None]] = []
    for number in range(min(count, len(buffer) // 36)):
        name, _, _, state = struct.unpack_from("<4L", buffer, number * 36)
        text = buffer[name : name + 514].decode("utf-16-le", "replace").partition("\0")[0]
        found.append((text, _STATES[state] if state < len(_STATES) and state else None))
    return found
