"""SMB 1 to 3.1.1 by impacket over a socket of our own: negotiation, a login that never falls back, and pipes.

impacket's own login falls back to NTLMv1 where NTLMv2 is refused, sends LM and NTLMv1 responses side by side to servers
without extended security (NT 4.0), and the password itself to those that ask for it. None of these is used.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

from impacket import nmb, nt_errors, ntlm, smb
from impacket.dcerpc.v5 import transport
from impacket.smbconnection import SessionError, SMBConnection

from auditor.errors import HostError

MAX_BYTES = 64_000_000  # of one session; a large host's registry values are below 1 MB
_ENCRYPTED_PASSWORDS, _SIGNATURES_REQUIRED = 2, 8  # SecurityMode of SMB_COM_NEGOTIATE (MS-CIFS 2.2.4.52.2)
_EPOCH = 116_444_736_000_000_000  # 1970 in 100 ns since 1601
# Pads to the same NetBIOS name as "*SMBSERVER", which every NT 4.0 answers to; for that itself impacket would first ask
# around by broadcast.
_ANY_SERVER = "*SMBSERVER "


class Meter:
    """The socket as impacket uses it, which ends after MAX_BYTES: a peer must not fill our memory."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self.left, self.spent = sock, MAX_BYTES, False

    def recv(self, size: int) -> bytes:
        data = self._sock.recv(size)
        self.left -= len(data)
        self.spent = self.spent or self.left < 0
        return b"" if self.spent else data  # an exception of ours would not come through impacket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class RpcPipe:
    """A connection to one server."""

    def __init__(self, sock: socket.socket, address: str, port: int, timeout: float) -> None:
        self.meter = Meter(sock)
        self._connection = _Connection(self.meter, address, port, timeout)

    def log_in(self, domain: str, user: str, password: str) -> None:
        """Log in with NTLM. Raises what the library raises."""
        server = self._connection.getSMBServer()
        if self._connection.getDialect() == smb.SMB_DIALECT and not (
            server._dialects_parameters["Capabilities"] & smb.SMB.CAP_EXTENDED_SECURITY
        ):
            _log_in_plainly(server, domain, user, password)
        else:
            self._connection.login(user, password, domain, ntlmFallback=False)
        if self._connection.isGuestSession():
            raise HostError(
                "auth-failed", "the server does not know this account and let it in as a guest, which may read nothing"
            )

    def pipe(self, name: str, interface: bytes) -> Any:
        """An RPC connection to the interface behind a pipe."""
        route = transport.SMBTransport(self._connection.getRemoteHost(), filename=f"\\{name}", smb_connection=self._connection)
        rpc = route.get_dce_rpc()
        rpc.connect()
        rpc.bind(interface)
        return rpc

    def starts(self, error: Exception) -> bool:
        """Does this error of `pipe` say that the service behind it is being started?"""
        return isinstance(error, SessionError) and error.getErrorCode() == nt_errors.STATUS_PIPE_NOT_AVAILABLE

    def log_off(self) -> None:
        """End the session; the host may be gone."""
        self._connection.logoff()


class _Connection(SMBConnection):  # type: ignore[misc]  # impacket has no types
    """impacket's, but over a socket that is there already."""

    def __init__(self, meter: Meter, address: str, port: int, timeout: float) -> None:
        self._meter = meter
        super().__init__(remoteName=address, remoteHost=address, sess_port=port, timeout=timeout)

    def negotiateSessionWildcard(
        self, myName: str | None, remoteName: str, remoteHost: str, sess_port: int, timeout: float,
        extended_security: bool = True, flags1: int = 0, flags2: int = 0, data: bytes | None = None,
    ) -> bytes:  # fmt: skip
        called = _ANY_SERVER if sess_port == nmb.NETBIOS_SESSION_PORT else remoteName
        own = (myName or socket.gethostname()).partition(".")[0]
        self._nmbSession = nmb.NetBIOSTCPSession(
            own, called, remoteHost, sess_port=sess_port, timeout=timeout, sock=self._meter
        )
        packet, negotiate = smb.NewSMBPacket(), smb.SMBCommand(smb.SMB.SMB_COM_NEGOTIATE)
        packet["Flags1"] = flags1
        packet["Flags2"] = flags2 | smb.SMB.FLAGS2_UNICODE | smb.SMB.FLAGS2_EXTENDED_SECURITY
        negotiate["Data"] = data
        packet.addCommand(negotiate)
        self._nmbSession.send_packet(packet.getData())
        answer: bytes = self._nmbSession.recv_packet(timeout).get_trailer()
        return answer


def _log_in_plainly(server: Any, domain: str, user: str, password: str) -> None:
    """Session setup without extended security, which is all that NT 4.0 has, with the NTLMv2 and LMv2 responses that it
    knows since service pack 4 (Q147706)."""
    mode = server._dialects_parameters["SecurityMode"]
    challenge = bytes(server._dialects_data["Challenge"])
    if not mode & _ENCRYPTED_PASSWORDS or len(challenge) != 8:
        raise HostError(
            "unencrypted-refused", "the server wants the password itself, which would show it to everybody on the way"
        )
    if mode & _SIGNATURES_REQUIRED:
        raise HostError("no-common-algorithm", "the server requires SMB signatures of the old kind, which are not supported")
    lm, nt = ntlmv2(challenge, domain, user, password)
    flags1, flags2 = server.get_flags()
    server.set_flags(flags1, flags2 & ~smb.SMB.FLAGS2_UNICODE)  # impacket's texts of this message are 8-bit
    setup = smb.SMBCommand(smb.SMB.SMB_COM_SESSION_SETUP_ANDX)
    setup["Parameters"], setup["Data"] = smb.SMBSessionSetupAndX_Parameters(), smb.SMBSessionSetupAndX_Data()
    for name, value in {
        "MaxBuffer": 61440, "MaxMpxCount": 2, "VCNumber": os.getpid() & 0xFFFF,
        "SessionKey": server._dialects_parameters["SessionKey"], "AnsiPwdLength": len(lm), "UnicodePwdLength": len(nt),
        "Capabilities": smb.SMB.CAP_USE_NT_ERRORS | smb.SMB.CAP_LARGE_READX | smb.SMB.CAP_LARGE_WRITEX,
    }.items():  # fmt: skip
        setup["Parameters"][name] = value
    for name, text in {
        "AnsiPwd": lm, "UnicodePwd": nt, "Account": user, "PrimaryDomain": domain, "NativeOS": "Unix", "NativeLanMan": "auditor",
    }.items():  # fmt: skip
        setup["Data"][name] = text
    packet = smb.NewSMBPacket()
    packet.addCommand(setup)
    server.sendSMB(packet)
    answer = server.recvSMB()
    if not answer.isValidAnswer(smb.SMB.SMB_COM_SESSION_SETUP_ANDX):
        raise HostError("protocol", "the server answers the login with something else")
    server._uid = answer["Uid"]
    server._action = smb.SMBSessionSetupAndXResponse_Parameters(smb.SMBCommand(answer["Data"][0])["Parameters"])["Action"]
    server.set_flags(flags1, flags2)


def ntlmv2(challenge: bytes, domain: str, user: str, password: str) -> tuple[bytes, bytes]:
    """The LMv2 and NTLMv2 responses (MS-NLMP 3.3.2), with nothing but the time and a nonce in what is signed."""
    key: bytes = ntlm.NTOWFv2(user, password, domain)
    nonce = os.urandom(8)
    now = struct.pack("<q", _EPOCH + int(time.time()) * 10_000_000)
    signed = b"\x01\x01" + bytes(6) + now + nonce + bytes(4) + bytes(4)  # the list of names ends at once; 4 bytes of padding
    proof: bytes = ntlm.hmac_md5(key, challenge + signed)
    lm: bytes = ntlm.hmac_md5(key, challenge + nonce)
    return lm + nonce, proof + signed
