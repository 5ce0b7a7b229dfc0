"""WMI over WS-Management: WQL, instances as XML, and enumerations cut into batches.

A query that names its properties is answered with nameless XmlFragments, `SELECT *` with typed instances; properties
come in alphabetical order whatever the case. The last batch of an Enumerate says so by `w:EndOfSequence`, that of a
Pull by `n:EndOfSequence`; a batch that was just filled does not know yet that it is the last.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from tests.lab.windows.host import WindowsHost
from tests.lab.windows.wsman_faults import Faults
from tests.lab.windows.wsman_soap import (
    CIM,
    ENUMERATION,
    WMI,
    WQL,
    XSI,
    Request,
    SoapFault,
    answer,
    attribute,
    element,
    new_id,
    too_large,
    wmi_denied,
)

_QUERY = re.compile(r"\s*SELECT\s+(.+?)\s+FROM\s+(\w+)(?:\s+WHERE\s+(.+?))?\s*", re.IGNORECASE | re.DOTALL)
_CONDITION = re.compile(r"\s*(\w+)\s*(=|<>|!=)\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[\w.+-]+)\s*", re.DOTALL)
_DATETIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-])(\d{3})")
_NOT_IN_XML = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f]")
OVERHEAD = 1200  # bytes of an envelope around its items

Row = dict[str, Any]


def text(value: object) -> str:
    """As XML text. Windows writes control characters as references, which XML 1.0 forbids."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NOT_IN_XML.sub(lambda c: f"&#x{ord(c[0]):X};", escape(str(value)))


def _property(name: str, value: object, prefix: str, datetime: str) -> str:
    if value is None or value == []:
        return f'<{prefix}{name} xsi:nil="true"/>'
    if isinstance(value, list):
        return "".join(f"<{prefix}{name}>{text(v)}</{prefix}{name}>" for v in value)
    date = _DATETIME.fullmatch(value) if isinstance(value, str) else None
    inner = f"<{datetime}>{_xml_date(date)}</{datetime}>" if date else text(value)
    return f"<{prefix}{name}>{inner}</{prefix}{name}>"


def _xml_date(date: re.Match[str]) -> str:
    year, month, day, hour, minute, second, fraction, sign, offset = date.groups()
    fraction = f".{fraction}".rstrip("0").rstrip(".")
    zone = f"{sign}{int(offset) // 60:02}:{int(offset) % 60:02}" if int(offset) else "Z"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction}{zone}"


def instance(namespace: str, name: str, row: Row) -> str:
    inner = "".join(_property(n, row[n], "p:", "cim:Datetime") for n in sorted(row, key=str.lower))
    return (
        f'<p:{name} xmlns:xsi="{XSI}" xmlns:p="{WMI}{namespace}/{name}" xmlns:cim="{CIM}" xsi:type="p:{name}_Type">'
        f"{inner}</p:{name}>"
    )


def fragment(row: Row, names: list[str]) -> str:
    inner = "".join(_property(n, row[n], "", "Datetime") for n in sorted(names, key=str.lower))
    return f'<w:XmlFragment xmlns:xsi="{XSI}" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">{inner}</w:XmlFragment>'


def _cannot_process(said: str) -> SoapFault:
    reason = "The filter cannot be processed."
    return SoapFault(2150858778, "n:CannotProcessFilter", reason, message=said)


def _condition(where: str) -> Callable[[Row], bool]:
    """`a = 'x' OR b = 'y' AND c = 1`: AND binds more closely; no brackets, which the lab's clients do not use."""
    either: list[list[tuple[str, str, str]]] = [[]]
    at = 0
    while True:
        found = _CONDITION.match(where, at)
        if found is None:
            raise _cannot_process("Not a WQL query.")
        name, operator, value = found.groups()
        if value[0] in "'\"":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        either[-1].append((name.lower(), operator, value.lower()))
        at = found.end()
        if at == len(where):
            break
        joint = re.compile(r"(AND|OR)\b", re.IGNORECASE).match(where, at)
        if joint is None:
            raise _cannot_process("Not a WQL query.")
        if joint[1].upper() == "OR":
            either.append([])
        at = joint.end()

    def holds(row: Row) -> bool:
        low = {n.lower(): _comparable(v) for n, v in row.items()}
        return any(all((low.get(n) == v) is (o == "=") for n, o, v in both) for both in either)

    return holds


def _comparable(value: object) -> str | None:
    return None if value is None else str(value).lower()


@dataclass
class _Enumeration:
    items: list[str]
    at: int = 0


class Wmi:
    def __init__(self, host: WindowsHost, faults: Faults) -> None:
        self._host, self._faults = host, faults
        self._open: dict[str, _Enumeration] = {}
        self._known: dict[tuple[str, str], list[str]] = {}
        self._classes = {name.lower(): name for name in host.wmi}

    @staticmethod
    def line(request: Request) -> str:
        """What the log says of it."""
        operation = request.action.rpartition("/")[2]
        if operation != "Enumerate":
            return operation
        space, query = _target(request)
        return f"Enumerate {space} {query}"

    def handle(self, request: Request) -> str:
        match request.action.rpartition("/")[2]:
            case "Enumerate":
                return self._enumerate(request)
            case "Pull":
                return self._pull(request)
            case "Release":
                self._open.pop(element("EnumerationContext", request.body) or "", None)
                return answer("wmi", f"{ENUMERATION}/ReleaseResponse", "", request)
        raise SoapFault(2150858771, "a:ActionNotSupported", "No such action.")

    def _enumerate(self, request: Request) -> str:
        space, query = _target(request)
        if self._faults.no_wmi or space.lower() in (n.lower() for n in self._faults.denied_namespaces):
            raise wmi_denied()
        enumeration = _Enumeration(self._items(space, query))
        if element("OptimizeEnumeration", request.body) is None:
            context = f"<n:EnumerationContext>{self._keep(enumeration)}</n:EnumerationContext>"
            return self._answer("Enumerate", context, request)
        items, end = self._batch(enumeration, request)
        context = "" if end else self._keep(enumeration)
        ending = "<w:EndOfSequence/>" if end else ""
        body = f"<n:EnumerationContext>{context}</n:EnumerationContext><w:Items>{items}</w:Items>{ending}"
        return self._answer("Enumerate", body, request)

    def _pull(self, request: Request) -> str:
        enumeration = self._open.pop(element("EnumerationContext", request.body) or "", None)
        if enumeration is None:
            said = "No such enumeration context."
            raise SoapFault(2150858779, "n:InvalidEnumerationContext", said, side="s:Receiver")
        items, end = self._batch(enumeration, request)
        if end:
            return self._answer("Pull", f"<n:Items>{items}</n:Items><n:EndOfSequence/>", request)
        context = f"<n:EnumerationContext>{self._keep(enumeration)}</n:EnumerationContext>"
        return self._answer("Pull", f"{context}<n:Items>{items}</n:Items>", request)

    def _keep(self, enumeration: _Enumeration) -> str:
        context = f"uuid:{new_id()}"
        self._open[context] = enumeration
        return context

    @staticmethod
    def _answer(operation: str, body: str, request: Request) -> str:
        body = f"<n:{operation}Response>{body}</n:{operation}Response>"
        return answer("wmi", f"{ENUMERATION}/{operation}Response", body, request)

    def _batch(self, enumeration: _Enumeration, request: Request) -> tuple[str, bool]:
        """As many items as were asked for and fit; and whether the service knows that these are the last."""
        most = int(element("MaxElements", request.body) or 1)
        room = min(request.max_envelope, self._faults.service_envelope) - OVERHEAD
        items, start = enumeration.items, enumeration.at
        full = False
        while enumeration.at < len(items):
            room -= len(items[enumeration.at].encode())
            full = enumeration.at - start == most or room < 0
            if full:
                break
            enumeration.at += 1
        if full and enumeration.at == start:
            raise too_large()
        batch = items[start : enumeration.at]
        if self._faults.endless and enumeration.at == len(items):
            enumeration.at = 0
            return "".join(batch), False
        return "".join(batch), len(batch) < most and not full

    def _items(self, space: str, query: str) -> list[str]:
        if (space, query) not in self._known:
            self._known[space, query] = self._select(space, query)
        return self._known[space, query]

    def _select(self, space: str, query: str) -> list[str]:
        found = _QUERY.fullmatch(query)
        if found is None:
            raise _cannot_process("Not a WQL query.")
        name = self._classes.get(found[2].lower())
        if name is None or space.lower() != "root/cimv2":
            raise _cannot_process(f"{space} has no class {found[2]}.")
        if self._host.class_denied(name):
            raise wmi_denied()
        rows = self._host.wmi[name]
        spelt = {n.lower(): n for row in rows for n in row}
        holds = _condition(found[3]) if found[3] else None
        chosen = [row for row in rows if holds is None or holds(row)]
        if found[1].strip() == "*":
            return [instance(space, name, row) for row in chosen]
        wanted = [w.strip() for w in found[1].split(",")]
        unknown = [w for w in wanted if w.lower() not in spelt]
        if unknown and rows:
            raise _cannot_process(f"{name} has no property {unknown[0]}.")
        names = [spelt.get(w.lower(), w) for w in wanted]
        return [fragment({n: row.get(n) for n in names}, names) for row in chosen]


def _target(request: Request) -> tuple[str, str]:
    """Namespace and query of an Enumerate; without a filter, the class is the resource's last part."""
    space, _, name = request.resource.removeprefix(WMI).rpartition("/")
    dialect = attribute("Dialect", request.body)
    if dialect is None:
        return space, f"SELECT * FROM {name}"
    if dialect != WQL:
        said = "No such dialect of filters."
        raise SoapFault(2150858777, "n:FilterDialectRequestedUnavailable", said)
    return space, element("Filter", request.body) or ""
