"""The WinRS shell: Create, Command, Send, Receive, Signal, Delete. A shell outlives the connection that made it.

The command runs when its input is complete, in no time; what it printed is handed out in pieces. An interpreter that
reads its commands from the input and gets none keeps a Receive waiting until its operation times out, as on Windows.
"""

from __future__ import annotations

import base64
import html
import re
import threading
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.lab.windows.cmd import run
from tests.lab.windows.host import WindowsHost
from tests.lab.windows.wsman_faults import Faults, quota_exceeded
from tests.lab.windows.wsman_soap import (
    SHELL,
    TRANSFER,
    Request,
    SoapFault,
    access_denied,
    answer,
    attribute,
    element,
    new_id,
    operation_timeout,
)

RESOURCE = SHELL + "/cmd"
PIECE = 32_768  # bytes of a stream in one answer
_READS_COMMANDS = re.compile(r"cmd(\.exe)?(?!.*\s/[ck]\b).*|powershell(\.exe)?.*\s-", re.IGNORECASE)


@dataclass
class _Command:
    line: str
    stdin: bytearray = field(default_factory=bytearray)
    ready: threading.Event = field(default_factory=threading.Event)
    output: list[tuple[str, bytes]] | None = None
    status: int = 0


@dataclass
class _Shell:
    codepage: int | None
    commands: dict[str, _Command] = field(default_factory=dict)


class Shells:
    def __init__(self, host: WindowsHost, faults: Faults, log: list[str], closing: threading.Event) -> None:
        self._host, self._faults, self._log, self._closing = host, faults, log, closing
        self.open: dict[str, _Shell] = {}

    @staticmethod
    def line(request: Request) -> str:
        operation = request.action.rpartition("/")[2]
        if operation == "Command":
            return "Command " + _command_line(request)
        return {"Create": "Create shell", "Delete": "Delete shell"}.get(operation, operation)

    def handle(self, request: Request, owner: str, client: str, address: str) -> str:
        operation = request.action.rpartition("/")[2]
        if operation == "Create":
            return self._create(request, owner, client, address)
        shell = self.open.get(request.selectors.get("ShellId", ""))
        if shell is None:
            shell_id = request.selectors.get("ShellId")
            raise _invalid_selectors(f"There is no shell {shell_id}.")
        match operation:
            case "Command":
                return self._command(request, shell)
            case "Send":
                return self._send(request, shell)
            case "Receive":
                return self._receive(request, shell)
            case "Signal":
                shell.commands.pop(attribute("CommandId", request.body) or "", None)
                return answer("shell", f"{SHELL}/SignalResponse", "<rsp:SignalResponse/>", request)
            case "Delete":
                del self.open[request.selectors["ShellId"]]
                return answer("shell", f"{TRANSFER}/DeleteResponse", "", request)
        raise SoapFault(2150858771, "a:ActionNotSupported", "No such action.")

    def _create(self, request: Request, owner: str, client: str, address: str) -> str:
        if self._faults.no_shell:
            raise access_denied()
        if self._faults.quota:
            raise quota_exceeded(self._faults.quota)
        shell_id = new_id()
        codepage = request.options.get("WINRS_CODEPAGE")
        self.open[shell_id] = _Shell(int(codepage) if codepage else None)
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        body = (
            f"<x:ResourceCreated><a:Address>{address}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{RESOURCE}</w:ResourceURI>{selector}</a:ReferenceParameters></x:ResourceCreated>"
            f'<rsp:Shell xmlns:rsp="{SHELL}"><rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{RESOURCE}</rsp:ResourceUri>'
            f"<rsp:Owner>{escape(owner)}</rsp:Owner><rsp:ClientIP>{client}</rsp:ClientIP>"
            "<rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams><rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime>"
            "<rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>"
        )
        return answer("shell", f"{TRANSFER}/CreateResponse", body, request)

    def _command(self, request: Request, shell: _Shell) -> str:
        command_id, command = new_id(), _Command(_command_line(request))
        shell.commands[command_id] = command
        if not _READS_COMMANDS.fullmatch(command.line.strip()):
            self._run(command, shell)
        body = f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
        return answer("shell", f"{SHELL}/CommandResponse", body, request)

    def _send(self, request: Request, shell: _Shell) -> str:
        command = _command(request, shell)
        command.stdin += base64.b64decode(element("Stream", request.body) or "")
        if (attribute("End", request.body) or "").lower() == "true" and command.output is None:
            self._run(command, shell)
        return answer("shell", f"{SHELL}/SendResponse", "<rsp:SendResponse/>", request)

    def _run(self, command: _Command, shell: _Shell) -> None:
        self._log.extend(f"Stdin {line}" for line in command.stdin.decode("utf-8", "replace").splitlines())
        if self._faults.no_output:
            stdout, stderr, command.status = b"", b"", 0
        else:
            stdout, stderr, command.status = run(self._host, command.line, bytes(command.stdin), shell.codepage)
        pieces = [(n, s[i : i + PIECE]) for n, s in (("stdout", stdout), ("stderr", stderr)) for i in range(0, len(s), PIECE)]
        command.output = pieces
        command.ready.set()

    def _receive(self, request: Request, shell: _Shell) -> str:
        command = _command(request, shell)
        command_id = attribute("CommandId", request.body) or ""
        waited = 0.0
        while not command.ready.is_set() and waited < request.seconds and not self._closing.is_set():
            command.ready.wait(min(0.2, request.seconds - waited))
            waited += 0.2
        if command.output is None:
            raise operation_timeout()
        pieces, command.output = command.output[:1], command.output[1:]
        streams = "".join(
            f'<rsp:Stream Name="{name}" CommandId="{command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'
            for name, data in pieces
        )
        state = f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/'
        if command.output:
            state += 'Running"></rsp:CommandState>'
        else:
            streams += "".join(
                f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"></rsp:Stream>' for name in ("stdout", "stderr")
            )
            state += f'Done"><rsp:ExitCode>{command.status}</rsp:ExitCode></rsp:CommandState>'
        body = f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"
        return answer("shell", f"{SHELL}/ReceiveResponse", body, request)


def _command_line(request: Request) -> str:
    words = re.findall(r"<(?:\w+:)?(?:Command|Arguments)\b[^>]*>([^<]*)<", request.body)
    return " ".join(html.unescape(w).strip() for w in words if w.strip())


def _command(request: Request, shell: _Shell) -> _Command:
    command = shell.commands.get(attribute("CommandId", request.body) or "")
    if command is None:
        raise _invalid_selectors("There is no such command.")
    return command


def _invalid_selectors(said: str) -> SoapFault:
    return SoapFault(
        2150858843, "w:InvalidSelectors", "The selectors do not fit the resource.", detail="UnexpectedSelectors", message=said
    )
