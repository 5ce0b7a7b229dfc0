"""The remote registry, by the real impacket against a real smbd, and against servers that are none."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from impacket import nmb, nt_errors, ntlm, smb, smb3, smbconnection
from impacket.dcerpc.v5.rpcrt import DCERPCException

from auditor.collectors.windows.host_facts import all_queries
from auditor.errors import HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.requirements import DataRequirements
from auditor.model.target import Target, Timeouts
from auditor.model.windows import Subkeys, Value
from auditor.transports.remote_registry import rpc
from auditor.transports.remote_registry import session as registry_session
from auditor.transports.remote_registry import smb as registry_smb
from auditor.transports.remote_registry.errors import as_host_error
from auditor.transports.remote_registry.session import WinregSession, typed
from tests.lab import samba
from tests.lab.anything import ANYTHING
from tests.lab.hostile import Address, Serve, black_hole, listening, pours, relay, says, shut, trickles
from tests.lab.samba import Samba
from tests.lab.sshd import free_port
from tests.lab.windows.host import load_host
from tests.lab.windows.offline import export

NT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
BIG = ",".join(["ab"] * 200_000)
REGISTRY = rf"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion]
"CSDVersion"="Service Pack 5"
"Größe"="Ärger, Жя 日本"
"two lines"=hex(1):61,00,0d,00,0a,00,62,00,00,00
"with NUL"=hex(1):61,00,00,00,62,00,00,00
"no NUL"=hex(1):61,00,62,00
"odd"=hex(1):61,00,62
"empty"=""
"path"=hex(2):25,00,53,00,25,00,5c,00,78,00,00,00
"number"=dword:ffffffff
"short number"=hex(4):01,02
"long number"=hex(b):01,00,00,00,00,00,00,80
"other end"=hex(5):00,00,00,01
"several"=hex(7):61,00,00,00,62,00,20,00,63,00,00,00,00,00
"none of several"=hex(7):00,00
"gap"=hex(7):61,00,00,00,00,00,62,00,00,00,00,00
"bytes"=hex:00,01,02,ff
"no bytes"=hex:
"no type"=hex(0):aa
@="the default"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\HotFix\Q147222]
"Installed"=dword:1

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\HotFix\Q246009]

[HKEY_LOCAL_MACHINE\SOFTWARE\Closed]
"secret"="text"

[HKEY_LOCAL_MACHINE\SOFTWARE\Closed\Below]

[HKEY_LOCAL_MACHINE\SOFTWARE\Big]
"200 kB"=hex:{BIG}
"over 1 MB"=hex:{BIG},{BIG},{BIG},{BIG},{BIG},00
"""
VALUES = {
    "CSDVersion": Value("present", "REG_SZ", "Service Pack 5"),
    "csdversion": Value("present", "REG_SZ", "Service Pack 5"),
    "Größe": Value("present", "REG_SZ", "Ärger, Жя 日本"),
    "two lines": Value("present", "REG_SZ", "a\r\nb"),
    "with NUL": Value("present", "REG_SZ", "a"),
    "no NUL": Value("present", "REG_SZ", "ab"),
    "odd": Value("present", "REG_SZ", "a\ufffd"),
    "empty": Value("present", "REG_SZ", ""),
    "path": Value("present", "REG_EXPAND_SZ", "%S%\\x"),
    "number": Value("present", "REG_DWORD", 0xFFFFFFFF),
    "short number": Value("unreadable", "REG_DWORD", reason="a REG_DWORD of 2 bytes"),
    "long number": Value("present", "REG_QWORD", 0x8000000000000001),
    "other end": Value("present", "REG_DWORD_BIG_ENDIAN", "00000001"),
    "several": Value("present", "REG_MULTI_SZ", ("a", "b c")),
    "none of several": Value("present", "REG_MULTI_SZ", ()),
    "gap": Value("present", "REG_MULTI_SZ", ("a", "b")),
    "bytes": Value("present", "REG_BINARY", "000102ff"),
    "no bytes": Value("present", "REG_BINARY", ""),
    "no type": Value("present", "REG_NONE", "aa"),
    "": Value("present", "REG_SZ", "the default"),
    "not there": Value("absent"),
}
# Enough of a registry for tests of everything else.
SMALL = REGISTRY.partition("\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Big]")[0]


@pytest.fixture(autouse=True)
def _posed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, (_, password) in samba.USERS.items():
        monkeypatch.setenv(name.upper(), password)
    with samba.posed(monkeypatch):
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[Samba]:
    with Samba(REGISTRY) as server:
        server.deny(r"SOFTWARE\Closed")
        yield server


def target(at: Samba | Address, user: str = "audit", times: tuple[float, float, float] = (20, 60, 60), **more: Any) -> Target:
    address, port = at if isinstance(at, tuple) else (at.address, at.port)
    said: dict[str, Any] = {"name": "t", "connection": "winreg", "address": address, "port": port, "user": user}
    return Target(**said | {"password": f"env:{user.rpartition(chr(92))[2].upper()}", "timeouts": Timeouts(*times)} | more)


@contextlib.contextmanager
def session(at: Samba | Address, user: str = "audit", **more: Any) -> Iterator[WinregSession]:
    t = target(at, user, **more)
    with WinregSession(t, Deadline(t.timeouts.total, "auditing"), ANYTHING) as opened:
        yield opened


def refused(at: Samba | Address, kind: str, word: str, user: str = "audit", **more: Any) -> str:
    """The message of a session that came to nothing; it names the place."""
    with pytest.raises(HostError) as caught, session(at, user, **more) as opened:
        opened.value(NT, "CSDVersion")
    assert (caught.value.kind, word in str(caught.value)) == (kind, True), caught.value
    return str(caught.value)


def test_values_of_every_type(server: Samba) -> None:
    with session(server) as s:
        assert {name: s.value(NT, name) for name in VALUES} == VALUES


def test_absent_and_denied_are_told_apart(server: Samba) -> None:
    closed = r"HKLM\SOFTWARE\Closed"
    with session(server, "reader") as s:
        assert s.value(r"HKLM\SOFTWARE\Not there", "x") == Value("absent")
        assert s.value(closed, "secret") == Value("unreadable", reason="access denied")
        assert s.value(closed, "not there") == Value("unreadable", reason="access denied")
        assert s.subkeys(closed) == Subkeys("unreadable", reason="access denied")
        assert s.subkeys(r"HKLM\SOFTWARE\Not there") == Subkeys("absent")
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]  # the rest is still read
    with session(server) as s:
        assert s.value(closed, "secret") == Value("present", "REG_SZ", "text")
        assert s.subkeys(closed) == Subkeys("present", ("Below",))


def test_subkeys(server: Samba) -> None:
    with session(server) as s:
        assert set(s.subkeys(NT + r"\HotFix").names) == {"Q147222", "Q246009"}
        assert s.subkeys(NT + r"\HotFix\Q246009") == Subkeys("present")
        assert s.value(r"HKCU\Software", "x").state == "unreadable"
        assert set(s.subkeys("HKLM").names) == {"SOFTWARE"}


@pytest.mark.parametrize("name", ["nt40-enterprise-sp5-node", "windows-2000-server-sp4"])
def test_posed_hosts(name: str) -> None:
    """Whatever is asked of a host, as the lab's own reader of its registry has it."""
    host, asked = load_host(name), all_queries(DataRequirements(programs=True))
    with Samba(export(host, "HKEY_LOCAL_MACHINE", "unicode").decode("utf-16")) as server, session(server) as s:
        for what in (a.what for a in asked.values):
            key, _, value_name = what.partition("#")
            expected, value = host.value(key, value_name), s.value(key, value_name)
            if expected is None:
                assert value == Value("absent"), what
            else:
                data = expected.data
                plain = data.hex() if isinstance(data, bytes) else tuple(data) if isinstance(data, list) else data
                assert value == Value("present", expected.type, plain), what
        for key in (a.what for a in asked.keys):
            found = s.subkeys(key)
            assert found.state == ("absent" if host.key(key) is None else "present"), key
            assert {n.lower() for n in found.names} == {n.lower() for n in host.subkeys(key)}, key


def test_a_key_with_too_many_subkeys(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_session, "MAX_SUBKEYS", 2)
    with session(server) as s:
        assert s.subkeys(NT + r"\HotFix") == Subkeys("unreadable", reason="more than 2 subkeys, which no such key has")


def test_large_values(server: Samba) -> None:
    with session(server) as s:
        assert s.value(r"HKLM\SOFTWARE\Big", "200 kB") == Value("present", "REG_BINARY", "ab" * 200_000)
        assert s._line
        left = s._line.meter.left
        over = s.value(r"HKLM\SOFTWARE\Big", "over 1 MB")
        assert left - s._line.meter.left < 10_000  # it was not even fetched
        assert over == Value("unreadable", "REG_BINARY", reason="1000001 bytes, of which more than 1000000 are not read")


def test_services(server: Samba) -> None:
    """Samba's own list; its service manager poses as Windows'."""
    with session(server) as s:
        table = s.services()
        assert {"Name": "RemoteRegistry", "State": "Running", "StartMode": None} in table.rows
        assert {"Name": "WINS", "State": "Stopped", "StartMode": None} in table.rows
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]  # one pipe does not disturb the other


def test_an_account_of_a_domain(server: Samba) -> None:
    with session(server, r"POSED\audit") as s:
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]


def test_logins_that_fail(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBODY", "x")
    monkeypatch.setenv("AUDIT", "wrong secret")
    said = refused(server, "auth-failed", "STATUS_LOGON_FAILURE")
    assert f"{server.address} port {server.port}" in said
    assert "wrong secret" not in said
    refused(server, "auth-failed", "STATUS_LOGON_FAILURE", "nobody")
    refused(server, "auth-failed", "needs `user` and `password`", password=None)
    refused(server, "secret-unavailable", "NOT_SET", password="env:NOT_SET")
    refused(server, "jump-failed", "directly", jump=(Target(name="j"),))


def test_a_guest_is_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANGER", "x")
    with Samba(SMALL, "map to guest = bad user") as server:
        refused(server, "auth-failed", "guest", "stranger")


@pytest.mark.parametrize("dialect", ["NT1", "SMB2_02", "SMB3_00", "SMB3_11"])
@pytest.mark.parametrize("more", ["server signing = default", "server signing = mandatory"])
def test_a_server_with_one_dialect(dialect: str, more: str) -> None:
    with (
        Samba(SMALL, f"server min protocol = {dialect}", f"server max protocol = {dialect}", more) as server,
        session(server) as s,
    ):
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]
        assert s.services().state == "present"


def test_a_server_that_wants_encryption() -> None:
    with Samba(SMALL, "server smb encrypt = required") as server, session(server) as s:
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]


def test_netbios_sessions_on_port_139() -> None:
    with Samba(SMALL, address="127.83.7.9", port=139) as server, session(server) as s:
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]


def test_netbios_calls_a_name_that_nt4_answers_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """smbd takes any name, Windows only its own and this one."""
    asked: list[bytes] = []

    def serve(c: socket.socket, over: threading.Event) -> None:
        asked.append(c.recv(65536))
        c.sendall(b"\x83\x00\x00\x01\x82")  # "called name not present"

    with listening(serve) as address:
        monkeypatch.setattr(nmb, "NETBIOS_SESSION_PORT", address[1])
        refused(address, "protocol", "Cannot request session")
    name = b"*SMBSERVER".ljust(16)  # its last byte is the type, 0x20 for a server
    encoded = bytes(b for byte in name for b in (0x41 + (byte >> 4), 0x41 + (byte & 15)))
    assert asked[0].startswith(b"\x81\x00\x00\x44\x20" + encoded + b"\x00")


def test_the_second_port_where_none_is_given(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_session, "PORTS", (free_port(), server.port))
    with session(server, port=None) as s:
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]
    monkeypatch.setattr(registry_session, "PORTS", ports := (free_port(), free_port()))
    refused(server, "refused", f"ports {ports[0]} and {ports[1]}", port=None)
    refused(server, "refused", "nothing listens", port=ports[0])


def test_a_server_without_a_remote_registry() -> None:
    with Samba(SMALL, pipes=False) as server:
        refused(server, "no-listener", "Remote Registry service is not running")


@pytest.mark.parametrize("times", [1, 2])
def test_a_service_that_is_started_by_the_first_who_asks(server: Samba, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    real, left = registry_smb.RpcPipe.pipe, [times]

    def pipe(self: registry_smb.RpcPipe, name: str, interface: bytes) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise smbconnection.SessionError(nt_errors.STATUS_PIPE_NOT_AVAILABLE)
        return real(self, name, interface)

    monkeypatch.setattr(registry_smb.RpcPipe, "pipe", pipe)
    monkeypatch.setattr(registry_session, "START_SECONDS", 0.0)
    if times == 2:
        refused(server, "no-listener", "STATUS_PIPE_NOT_AVAILABLE")
        return
    with session(server) as s:
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]


@dataclass
class Tap:
    """Passes everything on between a client and smbd, keeps what the client sent, and takes the bit "extended security"
    out of its first message, so that the server talks to it as NT 4.0 would."""

    to: Address
    old: bool = True
    sent: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)

    def serve(self, c: socket.socket, over: threading.Event) -> None:
        with socket.create_connection(self.to) as up:
            first = bytearray(c.recv(65536))
            assert first[4:8] == b"\xffSMB"
            if self.old:
                first[15] &= ~0x08
            self.sent += first
            up.sendall(first)

            def back() -> None:
                with contextlib.suppress(OSError):
                    while data := up.recv(65536):
                        self.answered.extend(data)
                        c.sendall(data)
                shut(c)

            thread = threading.Thread(target=back, name="back")
            thread.start()
            with contextlib.suppress(OSError):
                while data := c.recv(65536):
                    self.sent += data
                    up.sendall(data)
            shut(up)
            thread.join()


@contextlib.contextmanager
def tapped(*config: str, old: bool = True) -> Iterator[tuple[Tap, Address]]:
    with Samba(SMALL, "server max protocol = NT1", "server min protocol = NT1", *config) as server:
        tap = Tap((server.address, server.port), old)
        with listening(tap.serve) as address:
            yield tap, address


def challenge_and_responses(tap: Tap) -> tuple[bytes, bytes, bytes]:
    """The old server's challenge, and the two responses in the client's session setup (MS-CIFS 2.2.4.52, 2.2.4.53)."""
    challenge = bytes(tap.answered[4 + 32 + 1 + 34 + 2 :][:8])
    at = tap.sent.index(b"\xffSMB\x73") + 32
    words = tap.sent[at + 1 :]
    sizes = [int.from_bytes(words[i : i + 2], "little") for i in (14, 16)]
    data = words[tap.sent[at] * 2 + 2 :]
    return challenge, bytes(data[: sizes[0]]), bytes(data[sizes[0] : sum(sizes)])


def test_the_login_of_nt4_is_ntlmv2_and_nothing_weaker() -> None:
    """smbd takes NTLMv2 without extended security only where `raw NTLMv2 auth` allows it, as NT 4.0 does since SP4."""
    password = samba.USERS["audit"][1]
    with tapped("raw NTLMv2 auth = yes") as (tap, address):
        with session(address) as s:
            assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]
        challenge, lm, nt = challenge_and_responses(tap)
        assert (lm, nt) != (b"", b"")
        for weak in (ntlm.compute_lmhash(password), ntlm.compute_nthash(password)):
            response = ntlm.get_ntlmv1_response(weak, challenge)
            assert response not in (lm, nt)
            assert response not in tap.sent
        assert len(nt) > 24
        assert password.encode() not in tap.sent
        assert password.encode("utf-16-le") not in tap.sent


def test_an_old_server_that_does_not_take_ntlmv2() -> None:
    with tapped("raw NTLMv2 auth = no", "ntlm auth = yes", "lanman auth = yes") as (tap, address):
        refused(address, "auth-failed", "service pack 4")
        assert tap.sent.count(b"\xffSMB\x73") == 1  # one login, and no second try with less


def test_a_server_with_extended_security_gets_no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT", "wrong secret")
    with tapped(old=False) as (tap, address):
        refused(address, "auth-failed", "STATUS_LOGON_FAILURE")
        assert tap.sent.count(b"NTLMSSP\x00\x03") == 1


def test_a_server_that_wants_the_password_itself() -> None:
    with tapped("encrypt passwords = no") as (tap, address):
        refused(address, "unencrypted-refused", "password itself")
        assert b"\xffSMB\x73" not in tap.sent


def test_an_old_server_that_wants_signatures() -> None:
    with tapped("raw NTLMv2 auth = yes", "server signing = mandatory") as (_, address):
        refused(address, "no-common-algorithm", "signatures")


def _after(answer: bytes) -> Serve:
    def serve(c: socket.socket, over: threading.Event) -> None:
        c.recv(65536)
        c.sendall(answer)
        over.wait()

    return serve


NO_DIALECT = b"\x00\x00\x00\x23\xffSMB\x72\x00\x00\x00\x00\x88\x01\x00" + bytes(20) + b"\x01\xff\xff\x00\x00"
# What answers on the port; the kind; a word that the message must have; does only a time limit end it?
SERVERS: dict[str, tuple[Serve, str, str, bool]] = {
    "silent": (says(b""), "timeout", "logging in", True),
    "head-only": (says(b"\x00\x00\x10\x00\xffSMB"), "timeout", "logging in", True),
    "trickles": (trickles(b"\x00\x00\xff\xff"), "timeout", "logging in", True),
    "keepalives": (trickles(b"\x85\x00\x00\x00"), "timeout", "logging in", True),
    "pours": (pours(b"\x00\xff\xff\xff", []), "protocol", "", False),
    "pours-keepalives": (says(b"\x85\x00\x00\x00" * 4000), "protocol", "", False),
    "closes": (says(b"", then_closes=True), "protocol", "no SMB server", False),
    "http": (says(b"HTTP/1.0 400 Bad Request\r\n" * 4000, then_closes=True), "protocol", "SMB server", False),
    "noise": (says(bytes(range(11, 255)) * 800, then_closes=True), "protocol", "SMB server", False),
    "no-dialect": (_after(NO_DIALECT), "protocol", "", False),
}


@pytest.mark.parametrize("name", SERVERS)
def test_what_answers_on_the_port(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serve, kind, word, hangs = SERVERS[name]
    monkeypatch.setattr(registry_smb, "MAX_BYTES", 1_000_000)
    start = time.monotonic()
    with listening(serve) as address:
        said = refused(address, kind, word, times=(0.1, 60, 60) if hangs else (60, 60, 60))
    assert f"port {address[1]}" in said
    assert time.monotonic() - start < 30  # far above what is needed, far below the limits


def test_a_port_that_swallows_everything() -> None:
    with black_hole() as address:
        refused(address, "timeout", "connecting", times=(0.2, 60, 60))


def test_a_name_that_nobody_knows() -> None:
    refused(("no-such-host.invalid", 445), "resolve", "name service")


@pytest.mark.parametrize("allow", [0, 50, 300, 600, 900, 1400])
@pytest.mark.parametrize("slow", [0.0, 0.05])
def test_a_server_that_falls_silent(server: Samba, allow: int, slow: float) -> None:
    with listening(relay((server.address, server.port), allow, slow=slow)) as address:
        refused(address, "timeout", "", times=(0.2, 0.5, 3))


def test_a_server_that_sends_without_end(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_smb, "MAX_BYTES", 100_000)
    with pytest.raises(HostError, match="without end") as caught, session(server) as s:
        s.value(r"HKLM\SOFTWARE\Big", "200 kB")
    assert caught.value.kind == "protocol"


def test_after_an_error_there_are_no_more_answers(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    """ScriptOutput and questions may be out of step then."""

    def stumble(*_: object) -> None:
        raise TypeError("'NoneType' object is not subscriptable")

    with session(server) as s:
        with monkeypatch.context() as patch:
            patch.setattr(rpc.Registry, "value", stumble)
            with pytest.raises(HostError) as first:
                s.value(NT, "CSDVersion")
        for ask in (lambda: s.value(NT, "CSDVersion"), lambda: s.subkeys(NT), s.services):
            with pytest.raises(HostError) as later:
                ask()
            assert str(later.value) == str(first.value)


def test_a_connection_that_is_lost(server: Samba) -> None:
    with contextlib.ExitStack() as stack, listening(relay((server.address, server.port), 1_000_000)) as address:
        s = stack.enter_context(session(address))
        assert s.value(NT, "CSDVersion") == VALUES["CSDVersion"]
        assert s._sock
        shut(s._sock)
        with pytest.raises(HostError) as caught:
            s.subkeys(NT)
        assert caught.value.kind == "protocol"


def test_the_operator_stops_it(server: Samba) -> None:
    stop = Stop()
    with listening(relay((server.address, server.port), 300)) as address:
        t = target(address)
        ringing = threading.Timer(0.2, stop.now)
        ringing.start()
        with pytest.raises(HostError) as caught, WinregSession(t, Deadline(60, "auditing", stop), ANYTHING):
            pass
        ringing.join()
    assert caught.value.kind == "interrupted"


def test_without_impacket(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "impacket", None)
    refused(server, "internal", "pip install 'auditor[smb]'")


EXCEPTIONS: dict[str, tuple[Callable[[], BaseException], str]] = {
    "smb1-status": (lambda: smb.SessionError("x", 0x22, 0xC000, 1), "access-denied"),
    "smb3-status": (lambda: smb3.SessionError(error=nt_errors.STATUS_ACCOUNT_LOCKED_OUT), "auth-failed"),
    "status": (lambda: smbconnection.SessionError(nt_errors.STATUS_REQUEST_NOT_ACCEPTED), "quota"),
    "unheard-of": (lambda: smbconnection.SessionError(0xC0FFEE00), "protocol"),
    "feature": (lambda: smb.UnsupportedFeature("Remote server does not know NT LM 0.12"), "no-common-algorithm"),
    "fault": (lambda: DCERPCException("nca_s_op_rng_error"), "protocol"),
    "netbios": (lambda: nmb.NetBIOSError("Cannot request session"), "protocol"),
    "netbios-timeout": (nmb.NetBIOSTimeout, "timeout"),
    "reset": (lambda: ConnectionResetError(104, "Connection reset by peer"), "protocol"),
    "no-route": (lambda: OSError(113, "No route to host"), "refused"),
    "parser": (lambda: TypeError("'NoneType' object is not subscriptable"), "protocol"),
}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_has_its_kind(name: str) -> None:
    make, kind = EXCEPTIONS[name]
    error = as_host_error(make(), "10.0.0.5 port 445")
    assert (error.kind, str(error).startswith("10.0.0.5 port 445: ")) == (kind, True)
    assert ";" in str(error)


def test_types_without_a_name() -> None:
    assert typed("REG_4096", b"\xab") == Value("present", "REG_4096", "ab")
