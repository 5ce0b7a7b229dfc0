"""Every exception of impacket and of sockets as one of the error kinds of docs/contracts.md, with what to do about it."""

from __future__ import annotations

import socket

from impacket import nmb, nt_errors, smb, smb3, smbconnection
from impacket.dcerpc.v5.rpcrt import DCERPCException

from auditor.errors import ErrorKind, HostError
from auditor.foundation.sanitize import one_line

_LOGIN = "check user (DOMAIN\\name, or name), password and the account's state; NT 4.0 needs service pack 4 for NTLMv2"
_RIGHTS = "the account may not read the registry from the network; see docs/windows.md for the rights it needs"
_SERVICE = "the Remote Registry service is not running there, or IPC$ is not shared"

# NTSTATUS (MS-ERREF 2.3); the rest is "protocol".
STATUSES: dict[int, tuple[ErrorKind, str]] = {
    **dict.fromkeys(
        (
            nt_errors.STATUS_LOGON_FAILURE, nt_errors.STATUS_WRONG_PASSWORD, nt_errors.STATUS_NO_SUCH_USER,
            nt_errors.STATUS_ACCOUNT_RESTRICTION, nt_errors.STATUS_INVALID_LOGON_HOURS, nt_errors.STATUS_INVALID_WORKSTATION,
            nt_errors.STATUS_PASSWORD_EXPIRED, nt_errors.STATUS_ACCOUNT_DISABLED, nt_errors.STATUS_PASSWORD_MUST_CHANGE,
            nt_errors.STATUS_ACCOUNT_LOCKED_OUT, nt_errors.STATUS_ACCOUNT_EXPIRED, nt_errors.STATUS_LOGON_TYPE_NOT_GRANTED,
            nt_errors.STATUS_NO_LOGON_SERVERS, nt_errors.STATUS_TRUSTED_RELATIONSHIP_FAILURE,
            nt_errors.STATUS_TRUSTED_DOMAIN_FAILURE, nt_errors.STATUS_INVALID_PARAMETER,
        ),
        ("auth-failed", _LOGIN),
    ),
    nt_errors.STATUS_ACCESS_DENIED: ("access-denied", _RIGHTS),
    nt_errors.STATUS_NETWORK_ACCESS_DENIED: ("access-denied", _RIGHTS),
    nt_errors.STATUS_OBJECT_NAME_NOT_FOUND: ("no-listener", _SERVICE),
    nt_errors.STATUS_PIPE_NOT_AVAILABLE: ("no-listener", _SERVICE),
    nt_errors.STATUS_BAD_NETWORK_NAME: ("no-listener", _SERVICE),
    nt_errors.STATUS_REQUEST_NOT_ACCEPTED: ("quota", "the server has as many sessions as it takes; try later"),
    nt_errors.STATUS_INSUFF_SERVER_RESOURCES: ("quota", "the server has no resources left for a session; try later"),
    nt_errors.STATUS_NOT_SUPPORTED: ("no-common-algorithm", "the server takes none of the SMB versions 1 to 3.1.1"),
}  # fmt: skip

# The first class that fits decides; statuses go by the table above.
KINDS: tuple[tuple[type[BaseException], ErrorKind, str], ...] = (
    (socket.gaierror, "resolve", "check the address and this machine's name service"),
    (smb.UnsupportedFeature, "no-common-algorithm", "the server does not know NT LM 0.12, the oldest SMB spoken here"),
    (DCERPCException, "protocol", "the service does not answer as it should"),
    (nmb.NetBIOSTimeout, "timeout", "see `timeouts` in the inventory"),
    (nmb.NetBIOSError, "protocol", "the server closed the connection, or is no SMB server"),
    (TimeoutError, "timeout", "the host does not answer; is it up, and is the port open to this machine?"),
    (ConnectionRefusedError, "refused", "nothing listens there, or a firewall says no"),
    (ConnectionError, "protocol", "the server closed the connection, or is no SMB server"),
    (OSError, "refused", "the host cannot be reached from here"),
)


def as_host_error(e: BaseException, what: str) -> HostError:
    """The exception as a HostError that names the host; `what` is e.g. "nt4a (10.0.0.5 port 139)"."""
    if isinstance(e, HostError):
        return HostError(e.kind, f"{what}: {e}")
    status = _status(e)
    if status is not None:
        kind, remedy = STATUSES.get(status, ("protocol", "the server refuses it; see its log"))
        return HostError(kind, f"{what}: {nt_errors.ERROR_MESSAGES.get(status, (f'status 0x{status:08x}',))[0]}; {remedy}")
    for kind_of, kind, remedy in KINDS:
        if isinstance(e, kind_of):
            return HostError(kind, f"{what}: {_said(e)}; {remedy}")
    # impacket's parsers raise whatever comes (struct.error, KeyError, TypeError) where an answer is not as it should be.
    return HostError(
        "protocol", f"{what}: an answer that cannot be read ({type(e).__name__}: {_said(e)}); is it an SMB server?"
    )


def _status(e: BaseException) -> int | None:
    if isinstance(e, smbconnection.SessionError):
        return int(e.getErrorCode())
    if isinstance(e, smb.SessionError | smb3.SessionError):
        return int(e.get_error_code())
    return None


def _said(e: BaseException) -> str:
    text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
    return one_line(text, 200).strip().rstrip(".") or type(e).__name__
