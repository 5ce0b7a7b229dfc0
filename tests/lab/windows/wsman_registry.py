"""StdRegProv, WMI's registry provider, as it answers over WS-Management.

Its return codes: 0; 1 no such value; 2 no such key; 5 access denied; 6 no such root; WBEM_E_TYPE_MISMATCH where the
value is of another type than the method reads. What it has nothing to say for is nil.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.windows.host import RegValue, WindowsHost
from tests.lab.windows.wsman_faults import Faults
from tests.lab.windows.wsman_soap import CIM, WMI, XSI, Request, SoapFault, answer, element, too_large, wmi_denied
from tests.lab.windows.wsman_wmi import OVERHEAD, text

RESOURCE = WMI + "root/default/StdRegProv"
TYPE_MISMATCH = 2147749893
_ROOTS = {
    2147483648: "HKEY_CLASSES_ROOT",
    2147483649: "HKEY_CURRENT_USER",
    2147483650: "HKEY_LOCAL_MACHINE",
    2147483651: "HKEY_USERS",
    2147483653: "HKEY_CURRENT_CONFIG",
}
_SHORT = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_USERS": "HKU", "HKEY_CURRENT_USER": "HKCU", "HKEY_CLASSES_ROOT": "HKCR"}
_TYPES = {"REG_SZ": 1, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4, "REG_MULTI_SZ": 7, "REG_QWORD": 11}
_READS = {
    "GetStringValue": ("REG_SZ", "sValue"),
    "GetExpandedStringValue": ("REG_EXPAND_SZ", "sValue"),
    "GetDWORDValue": ("REG_DWORD", "uValue"),
    "GetQWORDValue": ("REG_QWORD", "uValue"),
    "GetMultiStringValue": ("REG_MULTI_SZ", "sValue"),
    "GetBinaryValue": ("REG_BINARY", "uValue"),
}


def _method(request: Request) -> str:
    return request.action.rpartition("/")[2]


def _asked(request: Request) -> tuple[str | None, str, str]:
    root = _ROOTS.get(int(element("hDefKey", request.body) or 2147483650))
    return root, (element("sSubKeyName", request.body) or "").strip("\\"), element("sValueName", request.body) or ""


class StdRegProv:
    def __init__(self, host: WindowsHost, faults: Faults) -> None:
        self._host, self._faults = host, faults
        self._subkeys: dict[str, list[str]] = {}

    @staticmethod
    def line(request: Request) -> str:
        method = _method(request)
        root, key, name = _asked(request)
        path = "\\".join(p for p in (_SHORT.get(root or "", root or "?"), key) if p)
        return f"StdRegProv.{method} {path}" + (f"#{name}" if method in _READS else "")

    def handle(self, request: Request) -> str:
        if self._faults.no_wmi or "root/default" in (n.lower() for n in self._faults.denied_namespaces):
            raise wmi_denied()
        method = _method(request)
        root, key, name = _asked(request)
        if method in _READS:
            code, out = self._read(root, key, name, *_READS[method])
        elif method == "EnumKey":
            code, out = self._names(root, key, self._enum_key)
        elif method == "EnumValues":
            code, out = self._names(root, key, self._enum_values)
        else:
            raise SoapFault(2150858771, "a:ActionNotSupported", f"StdRegProv has no method {method}.")
        if len(out) > min(request.max_envelope, self._faults.service_envelope) - OVERHEAD:
            raise too_large()
        body = (
            f'<p:{method}_OUTPUT xmlns:xsi="{XSI}" xmlns:p="{RESOURCE}" xmlns:cim="{CIM}">{out}'
            f"<p:ReturnValue>{code}</p:ReturnValue></p:{method}_OUTPUT>"
        )
        return answer("invoke", f"{RESOURCE}/{method}Response", body, request)

    def _opened(self, root: str | None, key: str) -> int:
        if root is None:
            return 6
        path = f"{root}\\{key}".strip("\\")
        if self._host.denied(path):
            return 5
        return 2 if self._host.key(path) is None else 0

    def _read(self, root: str | None, key: str, name: str, kind: str, out: str) -> tuple[int, str]:
        nil = f'<p:{out} xsi:nil="true"/>'
        code = self._opened(root, key)
        value = None if code else self._host.value(f"{root}\\{key}", name)
        if value is None:
            return code or 1, nil
        if value.type != kind:
            return TYPE_MISMATCH, nil
        return 0, _cells(out, value) or nil

    def _names(self, root: str | None, key: str, list_all: Callable[[str], str]) -> tuple[int, str]:
        code = self._opened(root, key)
        return code, list_all("") if code else list_all(f"{root}\\{key}".strip("\\"))

    def _enum_key(self, path: str) -> str:
        if path.lower() not in self._subkeys:
            self._subkeys[path.lower()] = self._host.subkeys(path) if path else []
        names = self._subkeys[path.lower()]
        return "".join(f"<p:sNames>{text(n)}</p:sNames>" for n in names) or '<p:sNames xsi:nil="true"/>'

    def _enum_values(self, path: str) -> str:
        values: dict[str, RegValue] = (self._host.key(path) if path else None) or {}
        if list(values) == [""]:
            values = {}  # a default value that is alone is not listed
        names = "".join(f"<p:sNames>{text(n)}</p:sNames>" for n in values) or '<p:sNames xsi:nil="true"/>'
        types = "".join(f"<p:Types>{_TYPES.get(v.type, 0)}</p:Types>" for v in values.values())
        return names + (types or '<p:Types xsi:nil="true"/>')


def _cells(name: str, value: RegValue) -> str:
    """One element; for lists and bytes one per member, and none at all where they are empty."""
    members = value.data if isinstance(value.data, (list, bytes)) else [value.data]
    return "".join(f"<p:{name}>{text(m)}</p:{name}>" for m in members)
