"""Opening sealed WinRM messages (MS-WSMV 2.2.9.1), without believing anything that is not sealed.

pywinrm decrypts an answer where its Content-Type names the protocol, and takes any other body as it is. Whoever stands
between can write both, so here nothing but what `unwrap` returned is handed on, and the form around it has to be exact.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from email.message import Message
from typing import Any

from spnego import ContextReq

from auditor.errors import HostError

Unwrap = Callable[[bytes, bytes], bytes]  # (sealed message, its signature) -> message; raises where the seal is not good

_PROTOCOL = "application/http-spnego-session-encrypted"
_BOUNDARY = "Encrypted Boundary"
_MARK = re.escape(f"--{_BOUNDARY}".encode())
_PART = re.compile(
    _MARK + rb"\r\n[ \t]*Content-Type:[ \t]*" + re.escape(_PROTOCOL.encode()) + rb"[ \t]*\r\n"
    rb"[ \t]*OriginalContent:[ \t]*type=application/soap\+xml;[ \t]*charset=[\w-]{1,20};[ \t]*Length=(\d{1,9})[ \t]*\r\n"
    + _MARK + rb"\r\n[ \t]*Content-Type:[ \t]*application/octet-stream[ \t]*\r\n",
    re.IGNORECASE,
)  # fmt: skip
_END = re.compile(_MARK + rb"--(?:\r\n)?")
NTLM_SIGNATURE = 16  # bytes (MS-NLMP 2.2.2.9)
_LONGEST_SIGNATURE = 256  # Kerberos: 28 to 76 bytes, by cipher (RFC 4121, RFC 4757)
# NegotiateFlags (MS-NLMP 2.2.2.5) without which NTLM's seal is a checksum that can be made without a key, or a key of 40
# bits: signing, sealing, extended session security, a fresh key, 128 bits.
_STRONG = 0x10 | 0x20 | 0x80000 | 0x40000000 | 0x20000000


def opened(content_type: str, body: bytes, unwrap: Unwrap, signature: int | None) -> bytes:
    """The message of a sealed body. `signature`: the length in bytes that its signature must have, None where that depends
    on the cipher.

    Raises HostError `unencrypted-refused` where type, protocol or boundary are not those of a sealed message, `protocol` where
    the form is not, or the message has another length than it says; what `unwrap` raises where the seal is not good."""
    if not _is_sealed(content_type):
        raise _refused(f"it is {content_type[:100] or 'of no type'!r}")
    part = _PART.match(body)
    end = None if part is None else _last(body, part.end())
    if part is None or end is None:
        raise _altered("it holds no whole sealed part")
    sealed = body[part.end() : end]
    size = struct.unpack_from("<I", sealed)[0] if len(sealed) >= 4 else 0
    whole = size == signature if signature is not None else NTLM_SIGNATURE <= size <= _LONGEST_SIGNATURE
    if not whole or len(sealed) < 4 + size:
        raise _altered("its signature is not whole")
    message = unwrap(sealed[4 + size :], sealed[4 : 4 + size])
    if len(message) != int(part[1]):
        raise _altered("it has another length than it says")
    return message


def _is_sealed(content_type: str) -> bool:
    if len(content_type) > 300:  # taking its parameters apart is not linear
        return False
    said = Message()
    said["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    parameters = said.get_params(failobj=[])
    names = sorted(name.lower() for name, _ in parameters[1:])
    values = {name.lower(): value for name, value in parameters[1:]}
    return (
        said.get_content_type() == "multipart/encrypted"
        and names == ["boundary", "protocol"]
        and values["protocol"].lower() == _PROTOCOL
        and values["boundary"] == _BOUNDARY
    )


def _last(body: bytes, start: int) -> int | None:
    """Where the closing boundary begins that ends the body; sealed bytes may hold its like by chance."""
    at = body.rfind(f"--{_BOUNDARY}--".encode(), start)
    return at if at >= 0 and _END.fullmatch(body, at) else None


def _refused(why: str) -> HostError:
    said = f"an answer came unencrypted where encryption was agreed; it was not read ({why})"
    return HostError("unencrypted-refused", said)


def _altered(why: str) -> HostError:
    return HostError("protocol", f"a sealed answer was altered on its way, or forged: {why}; it was not read")


def demand_strong_ntlm(context: Any) -> None:
    """`context`: spnego's, of a login that is complete. HostError `unencrypted-refused` where whoever answered left out what
    makes its seal one: the flags of a challenge are not protected until the seal is."""
    agreed = getattr(getattr(context, "_context", context), "_context_attr", 0)
    both = ContextReq.integrity | ContextReq.confidentiality
    if context.context_attr & both != both or int(agreed) & _STRONG != _STRONG:
        raise HostError(
            "unencrypted-refused",
            "the server agreed on a weak seal that can be forged (NTLM without signing, sealing, session security or 128 bits); "
            "use scheme https",
        )
