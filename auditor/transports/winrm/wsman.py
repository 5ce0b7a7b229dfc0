"""WS-Management messages: what is asked of WMI (DSP0226, MS-WSMV), and reading what comes back.

ScriptOutput are untrusted: no document type declaration, no entity, bounded in size.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from auditor.errors import HostError, Refused
from auditor.model.windows import Cell

_WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
_ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
REGISTRY = f"{_WMI}root/default/StdRegProv"
HKLM = 0x80000002
# What Windows Server 2008 R2 grants; later ones grant more (MS-WSMV, MaxEnvelopeSizekb).
MAX_ENVELOPE = 153_600
MAX_ANSWER = 4_000_000
# Every name in a namespace repeats it, in memory.
_LONG_NAMESPACE = re.compile(rb"xmlns[:\w.-]{0,100}\s{0,9}=\s{0,9}[\"'][^\"']{300}")
_CONTROL = re.compile(rb"&#(?:x0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));")
_HEAD = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    f'xmlns:n="{_ENUMERATION}" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">'
    '<s:Header><a:To>{to}</a:To><a:ReplyTo><a:Address s:mustUnderstand="true">'
    "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
    f'<w:MaxEnvelopeSize s:mustUnderstand="true">{MAX_ENVELOPE}</w:MaxEnvelopeSize>'
    '<a:MessageID>uuid:{id}</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false"/>'
    "<w:OperationTimeout>PT{seconds}S</w:OperationTimeout>"
    '<w:ResourceURI s:mustUnderstand="true">{resource}</w:ResourceURI><a:Action s:mustUnderstand="true">{action}</a:Action>'
    "</s:Header><s:Body>{body}</s:Body></s:Envelope>"
)


def _message(to: str, seconds: int, resource: str, action: str, body: str) -> str:
    return _HEAD.format(to=escape(to), id=uuid.uuid4(), seconds=seconds, resource=resource, action=action, body=body)


def enumerate_wql(to: str, seconds: int, wql: str, at_most: int) -> str:
    """Ask for the first rows of a query; `at_most` to an answer."""
    body = (
        f"<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>{at_most}</w:MaxElements>"
        f'<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">{escape(wql)}</w:Filter></n:Enumerate>'
    )
    return _message(to, seconds, f"{_WMI}root/cimv2/*", f"{_ENUMERATION}/Enumerate", body)


def pull(to: str, seconds: int, context: str, at_most: int) -> str:
    """Ask for the next rows."""
    body = f"<n:Pull><n:EnumerationContext>{escape(context)}</n:EnumerationContext><n:MaxElements>{at_most}</n:MaxElements></n:Pull>"
    return _message(to, seconds, f"{_WMI}root/cimv2/*", f"{_ENUMERATION}/Pull", body)


def release(to: str, seconds: int, context: str) -> str:
    """Give up an enumeration that is not read to its end."""
    body = f"<n:Release><n:EnumerationContext>{escape(context)}</n:EnumerationContext></n:Release>"
    return _message(to, seconds, f"{_WMI}root/cimv2/*", f"{_ENUMERATION}/Release", body)


def invoke_registry(to: str, seconds: int, method: str, key: str, name: str | None) -> str:
    """Call a method of StdRegProv, on HKEY_LOCAL_MACHINE; the parameters in the order of its MOF."""
    value = "" if name is None else f"<p:sValueName>{escape(name)}</p:sValueName>"
    body = (
        f'<p:{method}_INPUT xmlns:p="{REGISTRY}"><p:hDefKey>{HKLM}</p:hDefKey>'
        f"<p:sSubKeyName>{escape(key)}</p:sSubKeyName>{value}</p:{method}_INPUT>"
    )
    return _message(to, seconds, REGISTRY, f"{REGISTRY}/{method}", body)


def guard(answer: bytes) -> bytes:
    """Refuse what no WS-Management service sends: HostError `protocol`."""
    if len(answer) > MAX_ANSWER:
        raise HostError("protocol", f"an answer of more than {MAX_ANSWER // 1_000_000} MB; it was not read")
    if _LONG_NAMESPACE.search(answer):
        raise HostError(
            "protocol", "the answer has a namespace of more than 300 characters, which no WinRM writes; it was not read"
        )
    if b"<!DOCTYPE" in answer or b"<!ENTITY" in answer or b"\0" in answer[:4] or answer[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise HostError("protocol", "the answer declares XML entities or is UTF-16, which no WinRM does; it was not read")
    return answer


def body(answer: bytes) -> ElementTree.Element:
    """The first element of the SOAP body; Refused where there is none."""
    try:
        # Windows writes control characters of a value as references that XML 1.0 does not allow.
        root = ElementTree.fromstring(_CONTROL.sub("\ufffd".encode(), guard(answer)))
    except ElementTree.ParseError as e:
        raise Refused("protocol", f"the answer is no XML ({e}); is this a WinRM service?") from None
    found = next((child for part in root if _local(part) == "Body" for child in part), None)
    if found is None:
        raise Refused("protocol", "the answer has no SOAP body; is this a WinRM service?")
    return found


def rows(answer: ElementTree.Element) -> Iterator[dict[str, Cell]]:
    """The items of an Enumerate or Pull response; Refused for any other."""
    if _local(answer) not in ("EnumerateResponse", "PullResponse"):
        raise Refused("protocol", f"the answer to a query is a {_local(answer)}, not rows")
    for part in answer:
        if _local(part) == "Items":
            for item in part:
                yield fields(item)


def context(answer: ElementTree.Element) -> str | None:
    """The context for the next Pull; None at the end of the sequence. Refused where the answer says neither, for then the
    rows may not be all."""
    said = {_local(part): part for part in answer}
    if "EndOfSequence" in said:
        return None
    if "EnumerationContext" not in said or not said["EnumerationContext"].text:
        raise Refused("protocol", "the list of rows has no end mark, so it may not be whole")
    return said["EnumerationContext"].text


def fields(item: ElementTree.Element) -> dict[str, Cell]:
    """An instance's properties or a method's results; a repeated element is an array, xsi:nil is None."""
    found: defaultdict[str, list[Cell]] = defaultdict(list)
    for part in item:
        found[_local(part)].append(_cell(part))
    return {name: cells[0] if len(cells) == 1 else tuple(str(c or "") for c in cells) for name, cells in found.items()}


def _cell(part: ElementTree.Element) -> Cell:
    if part.get("{http://www.w3.org/2001/XMLSchema-instance}nil") in ("true", "1"):
        return None
    inner = next(iter(part), None)  # <cim:Datetime>, <cim:Interval>
    return (part.text if inner is None else inner.text) or ""


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
