"""The lab's WS-Management server, held against the unmodified client that auditor uses (pywinrm)."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import spnego
import winrm
from spnego.exceptions import BadMICError
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from tests.lab.windows import wsman_auth, wsman_shell
from tests.lab.windows.host import HOSTS, RegValue, WindowsHost, load_host, read_reg
from tests.lab.windows.wsman import WsmanServer
from tests.lab.windows.wsman_faults import Faults
from tests.lab.windows.wsman_tls import Authority
from tests.places import ROOT

REGISTRY = r"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Lab]
@="default"
"Text"="a <b> & \"c\""
"Empty"=""
"Number"=dword:ffffffff
"Path"=hex(2):25,00,41,00,25,00,00,00
"Big"=hex(b):00,00,00,00,01,00,00,00
"List"=hex(7):61,00,00,00,62,00,00,00,00,00
"None"=hex(7):00,00
"Bytes"=hex:00,ff

[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\b]

[HKEY_LOCAL_MACHINE\SOFTWARE\Lab\A]
@="alone"

[HKEY_LOCAL_MACHINE\SOFTWARE\Secret]
"Text"="x"
"""
CIMV2 = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*"
STDREGPROV = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
ENUMERATION = "{http://schemas.xmlsoap.org/ws/2004/09/enumeration}"
WSMAN = "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}"
HKLM = "2147483650"


@pytest.fixture
def host() -> WindowsHost:
    services = [{"Name": f"svc{n:03}", "State": "Running" if n % 2 else "Stopped", "Started": bool(n % 2)} for n in range(250)]
    system = {
        "Caption": "Microsoft <Windows>",
        "CSDVersion": None,
        "BuildNumber": "3790",
        "Roles": ["NT", "Server"],
        "LastBootUpTime": "20240109083015.500000+060",
        "InstallDate": "20240101000000.000000+000",
    }
    return WindowsHost(
        name="LAB1",
        ver="",
        registry=read_reg(REGISTRY),
        wmi={"Win32_Service": services, "Win32_OperatingSystem": [system], "Win32_Secret": [{"A": "b"}], "Win32_None": []},
        services={},
        files={},
        expected={},
        denied_keys=[r"HKLM\SOFTWARE\Secret"],
        denied_classes=["Win32_Secret"],
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def client(server: WsmanServer, seconds: int = 20, **given: Any) -> Protocol:
    given = {"transport": "ntlm", "username": "auditor", "password": "Secret-1", "ca_trust_path": None, **given}
    return Protocol(server.url, proxy=None, read_timeout_sec=seconds + 1, operation_timeout_sec=seconds, **given)


class DataRequirements:
    """A client that is closed at the end, and the requests a WMI client makes."""

    def __init__(self, server: WsmanServer, **given: Any) -> None:
        self.protocol = client(server, **given)

    def __enter__(self) -> DataRequirements:
        return self

    def __exit__(self, *_: object) -> None:
        self.protocol.transport.close_session()

    def send(self, resource: str, action: str, body: str, size: int = 512_000) -> ET.Element:
        head = (
            f"<a:MessageID>uuid:1-2-3</a:MessageID><w:MaxEnvelopeSize>{size}</w:MaxEnvelopeSize>"
            f"<w:OperationTimeout>PT1S</w:OperationTimeout><w:ResourceURI>{resource}</w:ResourceURI><a:Action>{action}</a:Action>"
        )
        spaces = (
            'xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
            f' xmlns:w="{WSMAN[1:-1]}" xmlns:n="{ENUMERATION[1:-1]}"'
        )
        message = f"<e:Envelope {spaces}><e:Header>{head}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        self.raw = self.protocol.send_message(message)
        answer = ET.fromstring(self.raw)
        found = answer.find("{http://www.w3.org/2003/05/soap-envelope}Body")
        assert found is not None
        return found

    def enumerate(self, query: str, most: int | None = 32000, size: int = 512_000) -> ET.Element:
        optimised = "" if most is None else f"<w:OptimizeEnumeration/><w:MaxElements>{most}</w:MaxElements>"
        query = query.replace("&", "&amp;").replace("<", "&lt;")
        body = f'<n:Enumerate>{optimised}<w:Filter Dialect="{WQL}">{query}</w:Filter></n:Enumerate>'
        return self.send(CIMV2, f"{ENUMERATION[1:-1]}/Enumerate", body, size)[0]

    def pull(self, context: str | None, most: int = 32000, size: int = 512_000) -> ET.Element:
        body = f"<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext><n:MaxElements>{most}</n:MaxElements></n:Pull>"
        return self.send(CIMV2, f"{ENUMERATION[1:-1]}/Pull", body, size)[0]

    def registry(
        self, method: str, key: str, name: str | None = None, root: str = HKLM, size: int = 512_000
    ) -> tuple[str, Any]:
        value = "" if name is None else f"<r:sValueName>{name}</r:sValueName>"
        body = (
            f'<r:{method}_INPUT xmlns:r="{STDREGPROV}"><r:hDefKey>{root}</r:hDefKey>'
            f"<r:sSubKeyName>{key}</r:sSubKeyName>{value}</r:{method}_INPUT>"
        )
        out = self.send(STDREGPROV, f"{STDREGPROV}/{method}", body, size)[0]
        assert out.tag == f"{{{STDREGPROV}}}{method}_OUTPUT"
        code = out[-1].text
        assert out[-1].tag.endswith("ReturnValue")
        assert code
        return code, [None if "nil" in str(e.attrib) else e.text or "" for e in out[:-1]]


def names(found: ET.Element) -> list[str | None]:
    return [e.text for e in found.iter() if e.tag.endswith("Name")]


@pytest.fixture
def asked(host: WindowsHost) -> Iterator[DataRequirements]:
    with WsmanServer(host) as server, DataRequirements(server) as asked:
        yield asked


def test_a_login_costs_two_connections_and_three_requests(host: WindowsHost) -> None:
    with WsmanServer(host) as server, DataRequirements(server) as asked:
        asked.registry("GetStringValue", r"SOFTWARE\Lab", "Text")
        asked.registry("GetStringValue", r"SOFTWARE\Lab", "Text")
        assert (server.requests, server.connections) == (5, 2)
        assert server.log == [r"StdRegProv.GetStringValue HKLM\SOFTWARE\Lab#Text"] * 2


# WMI


def test_instances_are_written_as_windows_writes_them(asked: DataRequirements) -> None:
    asked.enumerate("SELECT * FROM Win32_OperatingSystem")
    assert re.search(rb"<w:Items>(.*)</n:EnumerateResponse>", asked.raw)[1].decode() == (  # type: ignore[index]
        '<p:Win32_OperatingSystem xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_OperatingSystem"'
        ' xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:Win32_OperatingSystem_Type">'
        "<p:BuildNumber>3790</p:BuildNumber><p:Caption>Microsoft &lt;Windows&gt;</p:Caption>"
        '<p:CSDVersion xsi:nil="true"/><p:InstallDate><cim:Datetime>2024-01-01T00:00:00Z</cim:Datetime></p:InstallDate>'
        "<p:LastBootUpTime><cim:Datetime>2024-01-09T08:30:15.5+01:00</cim:Datetime></p:LastBootUpTime>"
        "<p:Roles>NT</p:Roles><p:Roles>Server</p:Roles></p:Win32_OperatingSystem></w:Items><w:EndOfSequence/>"
    )


def test_named_properties_come_as_nameless_fragments(asked: DataRequirements) -> None:
    asked.enumerate("select lastbootuptime, Caption from win32_operatingsystem")
    assert re.search(rb"<w:XmlFragment[^>]*>(.*)</w:XmlFragment>", asked.raw)[1].decode() == (  # type: ignore[index]
        "<Caption>Microsoft &lt;Windows&gt;</Caption>"
        "<LastBootUpTime><Datetime>2024-01-09T08:30:15.5+01:00</Datetime></LastBootUpTime>"
    )


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'SVC001'", ["svc001"]),
        ("Name='svc001' OR Name='svc003'", ["svc001", "svc003"]),
        ("Name='svc001' or name='svc002' AND State='Running'", ["svc001"]),
        ("Name = 'svc002' AND State <> 'Running'", ["svc002"]),
        ('Name = "svc002" AND Started = FALSE', ["svc002"]),
        (r"Name = 'C:\\x' OR Name = 'it\'s'", []),
    ],
)
def test_where(asked: DataRequirements, where: str, expected: list[str]) -> None:
    assert names(asked.enumerate(f"SELECT Name FROM Win32_Service WHERE {where}")) == expected


@pytest.mark.parametrize(
    "query",
    ["SELECT", "SELECT * FROM Win32_Nothing", "SELECT Nothing FROM Win32_Service", "SELECT * FROM Win32_Service WHERE x"],
)
def test_a_query_that_wmi_cannot_process(asked: DataRequirements, query: str) -> None:
    with pytest.raises(WSManFaultError) as e:
        asked.enumerate(query)
    assert e.value.wsman_fault_code == 2150858778


def test_a_big_table_needs_pulls_and_every_answer_fits(asked: DataRequirements) -> None:
    size, seen, answers = 12_000, [], 1
    found = asked.enumerate("SELECT * FROM Win32_Service", size=size)
    while True:
        assert len(asked.raw) <= size
        seen += names(found)
        context = found.find(f"{ENUMERATION}EnumerationContext")
        kind = WSMAN if answers == 1 else ENUMERATION
        if found.find(f"{kind}EndOfSequence") is not None:
            break
        assert context is not None
        found, answers = asked.pull(context.text, size=size), answers + 1
    assert seen == [f"svc{n:03}" for n in range(250)]
    assert answers > 5
    assert context is None


def test_a_batch_that_was_just_filled_does_not_know_that_it_is_the_last(asked: DataRequirements) -> None:
    found = asked.enumerate("SELECT * FROM Win32_OperatingSystem", most=1)
    assert [e.tag.split("}")[1] for e in found] == ["EnumerationContext", "Items"]
    rest = asked.pull(found[0].text)
    assert [(e.tag, len(e)) for e in rest] == [(f"{ENUMERATION}Items", 0), (f"{ENUMERATION}EndOfSequence", 0)]


def test_without_optimisation_the_first_answer_is_only_a_context(asked: DataRequirements) -> None:
    found = asked.enumerate("SELECT Name FROM Win32_Service", most=None)
    assert len(found) == 1
    first = asked.pull(found[0].text, most=2)
    assert names(first) == ["svc000", "svc001"]
    with pytest.raises(WSManFaultError) as e:
        asked.pull(found[0].text)  # a used context
    assert e.value.wsman_fault_code == 2150858779
    release = f"<n:Release><n:EnumerationContext>{first[0].text}</n:EnumerationContext></n:Release>"
    assert len(asked.send(CIMV2, f"{ENUMERATION[1:-1]}/Release", release)) == 0
    with pytest.raises(WSManFaultError):
        asked.pull(first[0].text)


def test_no_rows(asked: DataRequirements) -> None:
    found = asked.enumerate("SELECT A, B FROM Win32_None")
    assert [(e.tag.split("}")[1], len(e)) for e in found] == [("EnumerationContext", 0), ("Items", 0), ("EndOfSequence", 0)]


def test_a_class_that_is_denied(asked: DataRequirements) -> None:
    with pytest.raises(WSManFaultError) as e:
        asked.enumerate("SELECT * FROM Win32_Secret")
    assert e.value.wsman_fault_code == 2150859012


def test_a_row_larger_than_the_envelope(asked: DataRequirements) -> None:
    with pytest.raises(WSManFaultError) as e:
        asked.enumerate("SELECT * FROM Win32_OperatingSystem", size=1500)
    assert e.value.wsman_fault_code == 2150858824


# The registry


@pytest.mark.parametrize(
    ("method", "key", "name", "code", "values"),
    [
        ("GetStringValue", r"SOFTWARE\Lab", "text", "0", ['a <b> & "c"']),
        ("GetStringValue", r"SOFTWARE\Lab", "Empty", "0", [""]),
        ("GetStringValue", r"software\LAB\ ".strip(), "", "0", ["default"]),
        ("GetStringValue", r"SOFTWARE\Lab", "Absent", "1", [None]),
        ("GetStringValue", r"SOFTWARE\Absent", "Text", "2", [None]),
        ("GetStringValue", r"SOFTWARE\Secret", "Text", "5", [None]),
        ("GetStringValue", r"SOFTWARE\Lab", "Number", "2147749893", [None]),
        ("GetExpandedStringValue", r"SOFTWARE\Lab", "Path", "0", ["%A%"]),
        ("GetDWORDValue", r"SOFTWARE\Lab", "Number", "0", ["4294967295"]),
        ("GetQWORDValue", r"SOFTWARE\Lab", "Big", "0", ["4294967296"]),
        ("GetMultiStringValue", r"SOFTWARE\Lab", "List", "0", ["a", "b"]),
        ("GetMultiStringValue", r"SOFTWARE\Lab", "None", "0", [None]),
        ("GetBinaryValue", r"SOFTWARE\Lab", "Bytes", "0", ["0", "255"]),
        ("EnumKey", r"SOFTWARE\Lab", None, "0", ["A", "b"]),
        ("EnumKey", r"SOFTWARE\Lab\b", None, "0", [None]),
        ("EnumKey", r"SOFTWARE\Secret", None, "5", [None]),
        ("EnumValues", r"SOFTWARE\Lab\b", None, "0", [None, None]),
        ("EnumValues", r"SOFTWARE\Lab\A", None, "0", [None, None]),
        ("GetStringValue", r"SOFTWARE\Lab\A", "", "0", ["alone"]),
    ],
)
def test_stdregprov(
    asked: DataRequirements, method: str, key: str, name: str | None, code: str, values: list[str | None]
) -> None:
    assert asked.registry(method, key, name) == (code, values)


def test_stdregprov_names_and_types(asked: DataRequirements) -> None:
    code, cells = asked.registry("EnumValues", r"SOFTWARE\Lab")
    half = len(cells) // 2
    assert code == "0"
    assert dict(zip(cells[:half], cells[half:], strict=True)) == {
        "": "1", "Text": "1", "Empty": "1", "Number": "4", "Path": "2", "Big": "11", "List": "7", "None": "7", "Bytes": "3",
    }  # fmt: skip
    assert asked.registry("EnumKey", "", root="1")[0] == "6"


def test_large_and_odd_values(host: WindowsHost) -> None:
    lab = host.key(r"HKLM\SOFTWARE\Lab")
    assert lab is not None
    lab["Large"] = RegValue("REG_SZ", "x" * 2_000_000)
    lab["Nul"] = RegValue("REG_MULTI_SZ", ["a\0b", ""])
    with WsmanServer(host, faults=Faults(service_envelope=9_000_000)) as server, DataRequirements(server) as asked:
        assert len(asked.registry("GetStringValue", r"SOFTWARE\Lab", "Large", size=8_000_000)[1][0]) == 2_000_000
        with pytest.raises(WSManFaultError) as e:
            asked.registry("GetStringValue", r"SOFTWARE\Lab", "Large")
        assert e.value.wsman_fault_code == 2150858824
        with pytest.raises(ET.ParseError, match="invalid character"):
            asked.registry("GetMultiStringValue", r"SOFTWARE\Lab", "Nul")


# The shell


@pytest.fixture
def shell(host: WindowsHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[WsmanServer]:
    """A server whose command processor prints what it was given."""

    def run(host: WindowsHost, line: str, stdin: bytes, page: int | None) -> tuple[bytes, bytes, int]:
        return f"{line}|{page}|".encode() + stdin, b"oops", 3

    monkeypatch.setattr(wsman_shell, "run", run)
    with WsmanServer(host) as server:
        yield server


def test_a_command_with_input(shell: WsmanServer) -> None:
    with DataRequirements(shell) as asked:
        p = asked.protocol
        shell_id = p.open_shell(codepage=65001)
        command = p.run_command(shell_id, "cmd", ["/q", "/d"], console_mode_stdin=False)
        p.send_command_input(shell_id, command, b"ver & echo <\r\n")
        p.send_command_input(shell_id, command, b"x" * 70_000 + b"\r\n", end=True)
        output, errors, status = p.get_command_output(shell_id, command)
        assert output.startswith(b"cmd /q /d|65001|ver & echo <\r\nxxx")
        assert len(output) == 70_000 + len(b"cmd /q /d|65001|ver & echo <\r\n\r\n")
        assert (errors, status) == (b"oops", 3)
        p.cleanup_command(shell_id, command)
        with pytest.raises(WSManFaultError) as e:
            p.get_command_output_raw(shell_id, command)
        assert e.value.wsman_fault_code == 2150858843
        p.close_shell(shell_id, close_session=False)
        with pytest.raises(WSManFaultError):
            p.run_command(shell_id, "ver")
    assert shell.shells.open == {}
    assert [line for line in shell.log if line != "Receive"] == [
        "Create shell", "Command cmd /q /d", "Send", "Send", "Stdin ver & echo <", "Stdin " + "x" * 70_000, "Signal",
        "Delete shell", "Command ver",
    ]  # fmt: skip
    assert shell.log.count("Receive") == 5  # three of 32 KiB and less, one of errors, and the refused one


def test_an_interpreter_without_input_waits_until_the_operation_times_out(shell: WsmanServer) -> None:
    with DataRequirements(shell, seconds=1) as asked:
        shell_id = asked.protocol.open_shell()
        command = asked.protocol.run_command(shell_id, "cmd", ["/q"])
        with pytest.raises(WinRMOperationTimeoutError):
            asked.protocol.get_command_output_raw(shell_id, command)


def test_the_session_that_people_use(shell: WsmanServer) -> None:
    session = winrm.Session(shell.url, auth=("auditor", "Secret-1"), transport="ntlm", ca_trust_path=None)
    answer = session.run_cmd("ver", ["/?"])
    assert (answer.std_out, answer.status_code) == (b"ver /?|437|", 3)


# Logins


@pytest.mark.parametrize(("user", "password"), [("auditor", "wrong"), ("nobody", "Secret-1"), (r"OTHER\auditor", "Secret-1")])
def test_wrong_credentials(host: WindowsHost, user: str, password: str) -> None:
    with WsmanServer(host) as server, DataRequirements(server, username=user, password=password) as asked:
        with pytest.raises(InvalidCredentialsError):
            asked.registry("EnumKey", "SOFTWARE")
        assert server.log == []


def test_a_domain_account(host: WindowsHost) -> None:
    with WsmanServer(host, user=r"CORP\audit") as server:
        for user in (r"CORP\audit", "audit"):
            with DataRequirements(server, username=user) as asked:
                assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"


def test_two_servers_with_two_passwords_at_once(host: WindowsHost) -> None:
    with WsmanServer(host, password="one") as one, WsmanServer(host, password="two") as two:
        failed: list[BaseException] = []

        def log_in(server: WsmanServer, password: str) -> None:
            try:
                for _ in range(5):
                    with DataRequirements(server, password=password) as asked:
                        asked.registry("EnumKey", "SOFTWARE")
            except BaseException as e:
                failed.append(e)

        threads = [threading.Thread(target=log_in, args=a) for a in ((one, "one"), (two, "two")) * 2]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert failed == []


def test_spnego_with_message_encryption(host: WindowsHost) -> None:
    """What Windows' own client does: Negotiate with a SPNEGO token at once, and the server's last word is checked."""
    with WsmanServer(host) as server:
        context = spnego.client("auditor", "Secret-1", protocol="negotiate", hostname="127.0.0.1", service="http")
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        token = context.step()
        for expected in (401, 200):
            connection.request(
                "POST", "/wsman", headers={"Authorization": "Negotiate " + base64.b64encode(token or b"").decode()}
            )
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (expected, b"")
            token = context.step(base64.b64decode((answer.getheader("WWW-Authenticate") or "").removeprefix("Negotiate ")))
        assert context.complete
        assert (server.requests, server.connections) == (2, 1)
        message = b'<Envelope><Body><IdentifyRequest xmlns="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></Body></Envelope>'
        connection.request("POST", "/wsman", wsman_auth.encrypt(context, message), {"Content-Type": wsman_auth.ENCRYPTED})
        answer = connection.getresponse()
        assert b"Microsoft Corporation" in wsman_auth.decrypt(context, answer.read())
        connection.close()


def test_unencrypted_messages_are_refused(host: WindowsHost) -> None:
    for given in ({"message_encryption": "never"}, {"transport": "basic"}):
        with WsmanServer(host, auth=("ntlm", "basic")) as server, DataRequirements(server, **given) as asked:
            with pytest.raises(WinRMTransportError) as e:
                asked.registry("EnumKey", "SOFTWARE")
            assert (e.value.code, server.log) == (500, [])


def test_a_server_that_offers_only_basic(host: WindowsHost) -> None:
    with WsmanServer(host, auth=("basic",), require_encryption=False) as server:
        with DataRequirements(server) as asked, pytest.raises(InvalidCredentialsError) as e:
            asked.registry("EnumKey", "SOFTWARE")
        refused = e.value.__context__
        assert isinstance(refused, requests.HTTPError)
        assert refused.response is not None
        assert refused.response.headers["WWW-Authenticate"] == 'Basic realm="WSMAN"'
        with DataRequirements(server, transport="basic") as asked:
            assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"
        with DataRequirements(server, transport="basic", password="wrong") as asked, pytest.raises(InvalidCredentialsError):
            asked.registry("EnumKey", "SOFTWARE")


# TLS


@pytest.mark.parametrize("auth", ["ntlm", "basic"])
def test_tls(host: WindowsHost, authority: Authority, auth: str) -> None:
    given = {"transport": auth, "ca_trust_path": str(authority.file)}
    with WsmanServer(host, auth=(auth,), tls=authority.server()) as server, DataRequirements(server, **given) as asked:
        assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"


def test_channel_bindings_of_another_certificate(
    host: WindowsHost, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that was relayed: CbtHardeningLevel=Relaxed refuses a wrong binding, and takes none at all."""
    with WsmanServer(host, tls=authority.server()) as server:
        with DataRequirements(server, ca_trust_path=str(authority.file), send_cbt=False) as asked:
            assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"
        monkeypatch.setattr("requests_ntlm.HttpNtlmAuth._get_server_cert", lambda *_: b"x" * 32)
        with DataRequirements(server, ca_trust_path=str(authority.file)) as asked, pytest.raises(InvalidCredentialsError):
            asked.registry("EnumKey", "SOFTWARE")


@pytest.mark.parametrize(
    ("names", "expired", "trusted", "code"),
    [((), False, False, 20), ((), True, True, 10), (("other.example",), False, True, 64)],
    ids=["untrusted", "expired", "wrong name"],
)
def test_bad_certificates(host: WindowsHost, authority: Authority, names: Any, expired: bool, trusted: bool, code: int) -> None:
    ca = str(authority.file) if trusted else None
    cause: Any = None
    with (
        WsmanServer(host, tls=authority.server(*names, expired=expired)) as server,
        DataRequirements(server, ca_trust_path=ca) as asked,
    ):
        try:
            asked.registry("EnumKey", "SOFTWARE")
        except requests.exceptions.SSLError as e:
            cause = e
    while cause and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    assert cause.verify_code == code
    assert server.requests == 0


def test_client_certificates(host: WindowsHost, authority: Authority, tmp_path: Path) -> None:
    def given(certificate: tuple[Path, Path]) -> dict[str, Any]:
        pem = {"cert_pem": str(certificate[0]), "cert_key_pem": str(certificate[1])}
        return {"transport": "certificate", "ca_trust_path": str(authority.file), **pem}

    with WsmanServer(host, auth=("certificate",), tls=authority.server(clients=True)) as server:
        with DataRequirements(server, **given(authority.client("auditor@localhost"))) as asked:
            assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"
        with (
            DataRequirements(server, **given(authority.client("nobody@localhost"))) as asked,
            pytest.raises(InvalidCredentialsError),
        ):
            asked.registry("EnumKey", "SOFTWARE")
        other = Authority(tmp_path / "other", "Other authority").client("auditor@localhost")
        with (
            DataRequirements(server, **given(other)) as asked,
            pytest.raises(requests.ConnectionError),
        ):  # an SSLError is one, too
            asked.registry("EnumKey", "SOFTWARE")


def test_tls_at_a_plain_port(host: WindowsHost) -> None:
    with WsmanServer(host) as server, socket.create_connection(("127.0.0.1", server.port)) as s, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(s, server_hostname="localhost")


def test_every_posed_host_can_be_served() -> None:
    """Each class and each key of the data, written and read."""
    for name in HOSTS:
        host = load_host(name)
        with WsmanServer(host) as server, DataRequirements(server) as asked:
            for table, rows in host.wmi.items():
                if not host.class_denied(table):
                    items = asked.enumerate(f"SELECT * FROM {table}")[1]
                    assert len(items) == len(rows), (name, table)
            assert asked.registry("EnumKey", "SYSTEM")[0] == "0"


# Faults


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("http-500", WinRMTransportError),
        ("soap-500", WSManFaultError),
        ("garbage", ET.ParseError),
        ("garbage-500", WinRMTransportError),
        ("bomb", ET.ParseError),
        ("bomb-500", WinRMTransportError),
        ("html", ET.ParseError),
        ("empty", ET.ParseError),
        ("tampered", BadMICError),
        ("close", requests.exceptions.ChunkedEncodingError),
        ("drop", requests.ConnectionError),
        ("silence", requests.ReadTimeout),
        ("short", BadMICError),
        ("long", requests.ConnectionError),
    ],
)
def test_a_fault_at_the_second_value(host: WindowsHost, answer: Any, raised: type[Exception]) -> None:
    with (
        WsmanServer(host, faults=Faults(answer=answer, match="GetStringValue", nth=2)) as server,
        DataRequirements(server, seconds=1) as asked,
    ):
        asked.registry("EnumKey", "SOFTWARE")
        asked.registry("GetStringValue", r"SOFTWARE\Lab", "Text")
        with pytest.raises(raised):
            asked.registry("GetStringValue", r"SOFTWARE\Lab", "Text")
    if answer in ("http-500", "soap-500", "bomb"):
        with WsmanServer(host, faults=Faults(answer=answer, nth=1, times=2)) as server, DataRequirements(server) as asked:
            for expected in (raised, raised, None):
                if expected is None:
                    assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"
                else:
                    with pytest.raises(expected):
                        asked.registry("EnumKey", "SOFTWARE")


def test_an_answer_in_clear(host: WindowsHost) -> None:
    """pywinrm takes it; who requires encryption must look at the Content-Type."""
    with WsmanServer(host, faults=Faults(answer="plain")) as server, DataRequirements(server) as asked:
        asked.protocol.transport.build_session().hooks["response"].append(
            lambda r, **_: kinds.append(r.headers["Content-Type"])
        )
        kinds: list[str] = []
        assert asked.registry("EnumKey", "SOFTWARE")[0] == "0"
        assert kinds == ["application/soap+xml;charset=UTF-8"]


def test_trickle_and_gigantic_bodies(host: WindowsHost) -> None:
    for answer, least in (("trickle", 3), ("gigantic", 1_000_000)):
        faults = Faults(answer=answer, pace=0.01)  # type: ignore[arg-type]
        with WsmanServer(host, auth=("basic",), require_encryption=False, faults=faults) as server:
            body = f"<E><ResourceURI>{STDREGPROV}</ResourceURI><Action>{STDREGPROV}/EnumKey</Action><Body>x</Body></E>"
            with requests.Session() as session:
                session.trust_env = False
                reply = session.post(server.url, body, auth=("auditor", "Secret-1"), stream=True, timeout=10)
                assert int(reply.headers["Content-Length"]) > 500
                got = 0
                for piece in reply.raw.stream(1 if answer == "trickle" else 65536):
                    got += len(piece)
                    if got >= least:
                        break
                reply.close()
                assert got >= least


def test_what_is_refused_throughout(host: WindowsHost) -> None:
    for faults, codes in (
        (Faults(unauthorised=True), (5, 5, 5)),
        (Faults(no_wmi=True), (2150859012, 2150859012, None)),
        (Faults(denied_namespaces=("root/default",)), (None, 2150859012, None)),
        (Faults(denied_namespaces=("ROOT/CIMV2",)), (2150859012, None, None)),
        (Faults(no_shell=True), (None, None, 5)),
        (Faults(quota="shells"), (None, None, 2150859173)),
        (Faults(quota="users"), (None, None, 2150859179)),
        (Faults(quota="operations"), (2150859174, 2150859174, 2150859174)),
    ):
        with WsmanServer(host, faults=faults) as server, DataRequirements(server) as asked:
            got: list[int | None] = []
            for ask in (
                lambda: asked.enumerate("SELECT * FROM Win32_OperatingSystem"),
                lambda: asked.registry("EnumKey", "SOFTWARE"),
                lambda: asked.protocol.open_shell(),
            ):
                try:
                    ask()
                    got.append(None)
                except WSManFaultError as e:
                    got.append(e.wsman_fault_code or e.wmierror_code)
            assert tuple(got) == codes, faults


def test_an_enumeration_that_never_ends(host: WindowsHost) -> None:
    with WsmanServer(host, faults=Faults(endless=True)) as server, DataRequirements(server) as asked:
        found = asked.enumerate("SELECT * FROM Win32_OperatingSystem")
        for _ in range(5):
            assert found.find(f"{WSMAN}EndOfSequence") is None
            assert found.find(f"{ENUMERATION}EndOfSequence") is None
            found = asked.pull(found[0].text)
            assert len(found[1]) == 1


def test_no_output(shell: WsmanServer, host: WindowsHost) -> None:
    with WsmanServer(host, faults=Faults(no_output=True)) as server:
        session = winrm.Session(server.url, auth=("auditor", "Secret-1"), transport="ntlm", ca_trust_path=None)
        answer = session.run_cmd("systeminfo")
        assert (answer.std_out, answer.std_err, answer.status_code) == (b"", b"", 0)


def test_redirects_come_before_any_login(host: WindowsHost) -> None:
    with WsmanServer(host) as other, WsmanServer(host, faults=Faults(redirect=other.url)) as server:
        with DataRequirements(server) as asked:
            session = asked.protocol.transport
            with pytest.raises(WinRMTransportError):
                session.build_session()  # requests goes there, with a GET, which Windows does not take
        assert other.requests > 0


def test_the_server_ends_while_clients_hang(host: WindowsHost) -> None:
    with WsmanServer(host, faults=Faults(answer="silence")) as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        half = socket.create_connection(("127.0.0.1", server.port))
        half.sendall(b"POST /wsman HTTP/1.1\r\nContent-Length: 10\r\n\r\nx")
        while server.connections < 2:
            time.sleep(0.01)
    for s in (idle, half):
        assert s.recv(10) == b""
        s.close()


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.lab.windows", "one=nt40-enterprise-sp5-node", "two=nt40-enterprise-sp5-node"]
    words += ["--tls", str(tmp_path / "tls"), "--auth", "basic"]
    root = ROOT
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdin
        assert child.stdout
        ports = json.loads(child.stdout.readline())
        assert list(ports) == ["one", "two"]
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                f"https://127.0.0.1:{ports['two']}/wsman", verify=str(tmp_path / "tls" / "authority.pem"), timeout=20
            )
            assert answer.status_code == 401
        child.stdin.write("\n")
        child.stdin.flush()
        counts = json.loads(child.stdout.readline())
        assert counts["two"] == {"requests": 1, "connections": 1}
        child.stdin.close()
        assert child.wait() == 0
