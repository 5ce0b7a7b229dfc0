"""One client's connection to the WS-Management server: HTTP, the login that belongs to it, and its requests.

ScriptOutput carry the headers that Windows sends. Where a fault is due, it is made here.
"""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from email.utils import formatdate
from typing import TYPE_CHECKING

from tests.lab.windows.wsman_auth import ENCRYPTED, MUTUAL, Login, decrypt, encrypt, principal
from tests.lab.windows.wsman_faults import GARBAGE, PAGE, RawCollection, bomb, quota_exceeded
from tests.lab.windows.wsman_registry import RESOURCE as STDREGPROV
from tests.lab.windows.wsman_registry import StdRegProv
from tests.lab.windows.wsman_shell import RESOURCE as SHELL
from tests.lab.windows.wsman_shell import Shells
from tests.lab.windows.wsman_soap import WMI, Request, SoapFault, access_denied, read_request
from tests.lab.windows.wsman_wmi import Wmi

if TYPE_CHECKING:
    from tests.lab.windows.wsman import WsmanServer

SOAP = "application/soap+xml;charset=UTF-8"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
MAX_HEAD, MAX_BODY = 65_536, 16_000_000


class Gone(Exception):
    """The client has closed the connection, or we are to."""


class Connection:
    """One client's connection: requests in, answers out, and who it has logged in as."""

    def __init__(self, server: WsmanServer, sock: socket.socket, client: str) -> None:
        self._server, self._sock, self._client = server, sock, client
        self._buffer = b""
        self._login = Login(server.users, server.bindings)
        self._sealed = False  # was the request at hand encrypted
        self._proof = ""  # a header for the next answer: SPNEGO's last word

    def serve(self) -> None:
        while True:
            words, headers, body = self._read()
            with self._server.lock:
                self._server.requests += 1
            if self._server.faults.redirect:
                self._reply(302, b"", f"Location: {self._server.faults.redirect}\r\n")
            elif words[1].partition("?")[0].rstrip("/").lower() != "/wsman":
                self._reply(404, b"")
            elif words[0] != "POST":
                self._reply(405, b"")
            elif "wsmanidentify" in headers:
                self._server.log.append("Identify")
                self._reply(200, _identify(known=False).encode())
            elif self._authenticated(headers):
                self._operation(headers, body)

    def _read(self) -> tuple[list[str], dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._buffer:
            self._receive(MAX_HEAD)
            if not self._buffer[:1].isalpha():
                self._reply(400, b"", close=True)  # no HTTP: a TLS client at a plain port
                raise Gone
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        self._buffer = rest
        while len(self._buffer) < length:
            self._receive(MAX_BODY)
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        words = first.split(" ")
        if len(words) != 3:
            raise Gone
        return words, headers, body

    def _receive(self, limit: int) -> None:
        piece = self._sock.recv(65536)
        if not piece or len(self._buffer) > limit:
            raise Gone
        self._buffer += piece

    # Who asks

    def _authenticated(self, headers: dict[str, str]) -> bool:
        """True where the request may go on; otherwise it has been answered."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        auth = self._server.auth
        if scheme in ("Negotiate", "NTLM") and "ntlm" in auth:
            good, token = self._login.step(value.strip())
            if not good:
                return self._refuse()
            if self._login.context is None:
                return self._refuse(f"{scheme} {b64encode(token or b'').decode()}", close=False)
            self._proof = f"WWW-Authenticate: {scheme} {b64encode(token).decode()}\r\n" if token else ""
            return True
        if scheme == "Basic" and "basic" in auth and self._server.users.basic(value):
            return True
        if scheme == MUTUAL and "certificate" in auth and isinstance(self._sock, ssl.SSLSocket):
            certificate = self._sock.getpeercert(True)
            if certificate and principal(certificate) == self._server.upn:
                return True
        elif not scheme and self._login.context is not None:
            return True
        return self._refuse()

    def _refuse(self, challenge: str | None = None, close: bool = True) -> bool:
        """Windows closes the connection after a refusal; while a login is under way it stays."""
        offers = [challenge] if challenge else []
        if not challenge:
            offers += ["Negotiate", "Kerberos"] if "ntlm" in self._server.auth else []
            offers += ['Basic realm="WSMAN"'] if "basic" in self._server.auth else []
        lines = "".join(f"WWW-Authenticate: {o}\r\n" for o in offers)
        self._reply(401, b"", lines, close=close)
        if close:
            raise Gone
        return False

    # What is asked

    def _operation(self, headers: dict[str, str], body: bytes) -> None:
        context = self._login.context
        self._sealed = headers.get("content-type", "").startswith("multipart/encrypted")
        if self._sealed:
            try:
                if context is None:
                    raise ValueError("no keys")
                body = decrypt(context, body)
            except ValueError:
                self._reply(400, b"")
                raise Gone from None
        elif not body:
            self._reply(200, b"")  # only the login was meant
            return
        elif self._server.require_encryption:
            self._reply(500, b"")  # AllowUnencrypted is false
            return
        relates_to, line = "", ""
        try:
            if IDENTITY.encode() in body:
                self._server.log.append("Identify")
                self._send(200, _identify(known=True))
                return
            request = read_request(body)
            relates_to = request.message_id
            line = self._line(request)
            self._server.log.append(line)
            self._perform(request, line)
        except SoapFault as fault:
            self._send(500, fault.envelope(relates_to, self._server.host.name))

    def _line(self, request: Request) -> str:
        if request.resource.lower() == SHELL:
            return Shells.line(request)
        if request.resource.lower() == STDREGPROV.lower() and "/enumeration/" not in request.action:
            return StdRegProv.line(request)
        if request.resource.startswith(WMI) and "/enumeration/" in request.action:
            return Wmi.line(request)
        said = "There is no such resource."
        raise SoapFault(2150858754, "w:InvalidResourceURI", said)

    def _perform(self, request: Request, line: str) -> None:
        faults = self._server.faults
        due = self._server.mischief.due(line)
        if due and self._server.closing.wait(faults.delay):
            raise Gone
        if due == "soap-500":
            raise SoapFault(faults.code, "w:InternalError", "A fault on purpose.", side="s:Receiver")
        if due and self._instead(due):
            return
        if faults.unauthorised:
            raise access_denied()
        if faults.quota == "operations":
            raise quota_exceeded("operations")
        if request.resource.lower() == SHELL:
            owner = self._server.users.user
            text = self._server.shells.handle(request, owner, self._client, self._server.url)
        elif "/enumeration/" in request.action:
            text = self._server.wmi.handle(request)
        else:
            text = self._server.registry.handle(request)
        if due:
            self._spoilt(due, text)
        else:
            self._send(200, text)

    # ScriptOutput

    def _send(self, status: int, text: str) -> None:
        self._reply(status, *self._packed(text))

    def _packed(self, text: str) -> tuple[bytes, str]:
        """The body and its type: encrypted where the request was."""
        message = text.encode()
        if self._sealed:
            assert self._login.context is not None
            return encrypt(self._login.context, message), f"Content-Type: {ENCRYPTED}\r\n"
        return message, f"Content-Type: {SOAP}\r\n"

    def _reply(self, status: int, body: bytes, lines: str = "", close: bool = False, length: int | None = None) -> None:
        if close:
            lines += "Connection: close\r\n"
        lines, self._proof = lines + self._proof, ""
        size = len(body) if length is None else length
        date = _date(int(time.time()))
        head = f"HTTP/1.1 {status} \r\n{lines}Server: Microsoft-HTTPAPI/2.0\r\nDate: {date}\r\nContent-Length: {size}\r\n\r\n"
        self._sock.sendall(head.encode() + body)

    def _instead(self, due: RawCollection) -> bool:
        """An answer that has nothing to do with the request; False where the right one is needed first."""
        match due:
            case "http-500":
                self._reply(500, b"")
            case "garbage" | "garbage-500":
                self._send(200 if due == "garbage" else 500, GARBAGE)
            case "bomb" | "bomb-500":
                self._send(200 if due == "bomb" else 500, bomb())
            case "html":
                self._reply(200, PAGE.encode(), "Content-Type: text/html\r\n")
            case "empty":
                self._reply(200, b"", f"Content-Type: {SOAP}\r\n")
            case "drop":
                raise Gone
            case "silence":
                self._server.closing.wait()
                raise Gone
            case "gigantic":
                self._reply(200, b"", f"Content-Type: {ENCRYPTED if self._sealed else SOAP}\r\n", length=8 << 30)
                while not self._server.closing.is_set():
                    self._sock.sendall(b" " * 65536)
                raise Gone
            case _:
                return False
        return True

    def _spoilt(self, due: RawCollection, text: str) -> None:
        """The right answer, sent wrongly."""
        body, kind = self._packed(text)
        match due:
            case "plain":
                self._reply(200, text.encode(), f"Content-Type: {SOAP}\r\n")
            case "forged":
                assert self._server.faults.forge
                status, told, forged = self._server.faults.forge(text.encode(), body)
                self._reply(status, forged, f"Content-Type: {told}\r\n" if told else "")
            case "tampered":
                at = len(body) // 2
                self._reply(200, body[:at] + bytes((body[at] ^ 1,)) + body[at + 1 :], kind)
            case "short":
                self._reply(200, body, kind, length=len(body) // 2)
            case "long":
                self._reply(200, body, kind, length=len(body) + 1000)
                self._server.closing.wait()
                raise Gone
            case "close":
                self._reply(200, body[: len(body) // 2], kind, length=len(body))
                raise Gone
            case "trickle":
                self._reply(200, b"", kind, length=len(body))
                for n in range(len(body)):
                    self._sock.sendall(body[n : n + 1])
                    if self._server.closing.wait(self._server.faults.pace):
                        raise Gone


def _identify(known: bool) -> str:
    """What the service says of itself; who has not logged in is not told the version of the system."""
    system = "OS: 6.3.9600 SP: 0.0" if known else "OS: 0.0.0 SP: 0.0"
    return (
        '<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
        f'<wsmid:IdentifyResponse xmlns:wsmid="{IDENTITY}">'
        "<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
        "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>{system} Stack: 3.0</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>"
    )


_dates: dict[int, str] = {}


def _date(now: int) -> str:
    """The header's date, made once a second."""
    if now not in _dates:
        _dates.clear()
        _dates[now] = formatdate(now, usegmt=True)
    return _dates[now]
