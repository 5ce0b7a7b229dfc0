"""WS-Management on paper: reading a request's envelope, and the envelopes of answers and faults as Windows writes them.

Requests are read with regular expressions: the lab's own clients write them, and the server must be cheap enough to
be measured against. ScriptOutput are text templates for the same reason; the order of their elements is the recorded one. The texts of faults are the
lab's own words: real ones come in the host's language, and nothing may depend on them.
"""

from __future__ import annotations

import html
import re
import uuid
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CIM = "http://schemas.dmtf.org/wbem/wscim/1/common"
FAULT_DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"

_PREFIXES = {
    "x": TRANSFER,
    "e": "http://schemas.xmlsoap.org/ws/2004/08/eventing",
    "n": ENUMERATION,
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": SHELL,
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
}


def _frame(prefixes: str) -> str:
    spaces = "".join(f' xmlns:{p}="{_PREFIXES[p]}"' for p in prefixes.split())
    return (
        '<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        f' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"{spaces}><s:Header><a:Action>%s</a:Action>'
        f"<a:MessageID>uuid:%s</a:MessageID><a:To>{ANONYMOUS}</a:To><a:RelatesTo>%s</a:RelatesTo></s:Header>"
        "<s:Body>%s</s:Body></s:Envelope>"
    )


FRAME = {kind: _frame(p) for kind, p in {"shell": "x w rsp p", "wmi": "n w p", "invoke": "x w p", "fault": "x e n w p"}.items()}


def new_id() -> str:
    return str(uuid.uuid4()).upper()


def answer(kind: str, action: str, body: str, request: Request) -> str:
    return FRAME[kind] % (action, new_id(), request.message_id, body)


# Elements by their local name: a client may choose its prefixes.
_ACTION = re.compile(r"<(?:\w+:)?Action\b[^>]*>\s*([^<\s]+)")
_RESOURCE = re.compile(r"<(?:\w+:)?ResourceURI\b[^>]*>\s*([^<\s]+)")
_MESSAGE_ID = re.compile(r"<(?:\w+:)?MessageID\b[^>]*>\s*([^<\s]+)")
_ENVELOPE_SIZE = re.compile(r"<(?:\w+:)?MaxEnvelopeSize\b[^>]*>\s*(\d+)")
_TIMEOUT = re.compile(r"<(?:\w+:)?OperationTimeout\b[^>]*>\s*P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
_NAMED = re.compile(r"<(?:\w+:)?(Selector|Option)\b[^>]*?\bName=[\"']([^\"']*)[\"'][^>]*>([^<]*)")
_BODY = re.compile(r"<((?:\w+:)?)Body\b[^>]*?(?:/>|>(.*)</\1Body>)", re.DOTALL)


@dataclass
class Request:
    action: str
    resource: str
    message_id: str
    max_envelope: int
    seconds: float  # the operation's time limit
    selectors: dict[str, str]
    options: dict[str, str]
    body: str


def read_request(message: bytes) -> Request:
    """Raises SoapFault where the message is no WS-Management request."""
    try:
        text = message.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SoapFault(2150858828, "w:EncodingLimit", "Not UTF-8.") from None
    body = _BODY.search(text)
    if body is None:
        raise SoapFault(2150858817, "w:SchemaValidationError", "Not a SOAP envelope.")
    head = text[: body.start()]
    named: dict[str, dict[str, str]] = {"Selector": {}, "Option": {}}
    for kind, name, value in _NAMED.findall(head):
        named[kind][name] = html.unescape(value).strip()
    time = _TIMEOUT.search(head)
    days, hours, minutes, seconds = (float(t or 0) for t in (time.groups() if time else (0, 0, 0, 60)))
    size = _ENVELOPE_SIZE.search(head)
    return Request(
        _first(_ACTION, head),
        _first(_RESOURCE, head),
        _first(_MESSAGE_ID, head),
        int(size[1]) if size else 153600,
        days * 86400 + hours * 3600 + minutes * 60 + seconds,
        named["Selector"],
        named["Option"],
        body[2] or "",
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return html.unescape(found[1]) if found else ""


def element(name: str, text: str) -> str | None:
    """The text of the first element of that local name, None where there is none."""
    found = re.search(rf"<(?:\w+:)?{name}\b[^>]*?(?:/>|>([^<]*)<)", text)
    return None if found is None else html.unescape(found[1] or "")


def attribute(name: str, text: str) -> str | None:
    found = re.search(rf"\b{name}=[\"']([^\"']*)[\"']", text)
    return None if found is None else html.unescape(found[1])


@dataclass
class SoapFault(Exception):
    """A fault as Windows sends it: always with HTTP status 500 here."""

    code: int
    subcode: str
    reason: str
    side: str = "s:Sender"
    detail: str = ""  # the last part of the fault's detail address
    message: str = ""  # what the WSManFault says, where that is not the reason
    provider: tuple[str, str] | None = None  # whose fault it is: name and file of the plug-in
    wmi_error: bool = field(default=False)  # told as an MSFT_WmiError, as newer versions do for quotas

    def envelope(self, relates_to: str, machine: str) -> str:
        told = self._wmi_error() if self.wmi_error else self._wsman_fault(machine)
        where = f"<w:FaultDetail>{FAULT_DETAIL}{self.detail}</w:FaultDetail>" if self.detail else ""
        body = (
            f"<s:Fault><s:Code><s:Value>{self.side}</s:Value><s:Subcode><s:Value>{self.subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">{escape(self.reason)} </s:Text></s:Reason>'
            f"<s:Detail>{where}{told}</s:Detail></s:Fault>"
        )
        action = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
        return FRAME["fault"] % (action, new_id(), escape(relates_to), body)

    def _wsman_fault(self, machine: str) -> str:
        text = escape(self.message or self.reason) + " "
        space = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
        opened = f'<f:WSManFault xmlns:f="{space}" Code="{self.code}" Machine="{machine}"><f:Message>'
        closed = "</f:Message></f:WSManFault>"
        if self.provider:
            name, path = self.provider
            text = f'<f:ProviderFault provider="{name}" path="{path}">{opened}{text}{closed}</f:ProviderFault>'
        return opened + text + closed

    def _wmi_error(self) -> str:
        space = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
        rows = [
            ("CIMStatusCode", "cimUnsignedInt", "27"),
            ("CIMStatusCodeDescription", "cimString", None),
            ("ErrorSource", "cimString", None),
            ("ErrorSourceFormat", "cimUnsignedShort", "0"),
            ("ErrorType", "cimUnsignedShort", "0"),
            ("Message", "cimString", escape(self.reason) + " "),
            ("MessageID", "cimString", f"HRESULT 0x{self.code:08x}"),
            ("OtherErrorSourceFormat", "cimString", None),
            ("OtherErrorType", "cimString", None),
            ("OwningEntity", "cimString", None),
            ("PerceivedSeverity", "cimUnsignedShort", "0"),
            ("ProbableCause", "cimUnsignedShort", "0"),
            ("ProbableCauseDescription", "cimString", None),
            ("error_Category", "cimUnsignedInt", "30"),
            ("error_Code", "cimUnsignedInt", str(self.code)),
            ("error_Type", "cimString", "HRESULT"),
            ("error_WindowsErrorMessage", "cimString", escape(self.reason) + " "),
        ]
        cells = "".join(
            f'<p:{n} xsi:type="cim:{t}" xsi:nil="true"/>' if v is None else f'<p:{n} xsi:type="cim:{t}">{v}</p:{n}>'
            for n, t, v in rows
        )
        return (
            f'<p:MSFT_WmiError b:IsCIM_Error="true" xmlns:xsi="{XSI}" xmlns:p="{space}" xmlns:cim="{CIM}"'
            f' xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xsi:type="p:MSFT_WmiError_Type">{cells}</p:MSFT_WmiError>'
        )


def operation_timeout() -> SoapFault:
    said = "The operation did not end within its OperationTimeout."
    return SoapFault(2150858793, "w:TimedOut", said, side="s:Receiver")


def access_denied() -> SoapFault:
    return SoapFault(5, "w:AccessDenied", "Access is denied.")


def wmi_denied() -> SoapFault:
    said = "WMI refuses access."
    return SoapFault(2150859012, "w:AccessDenied", said, provider=("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"))


def too_large() -> SoapFault:
    said = "The response is larger than the MaxEnvelopeSize of the request."
    return SoapFault(2150858824, "w:EncodingLimit", said, detail="MaxEnvelopeSizeExceeded")
