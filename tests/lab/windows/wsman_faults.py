"""What can go wrong with a WS-Man server, on purpose: the faults a test asks for, and their making.

`answer` replaces the answer to chosen requests; the other fields change how the service behaves throughout.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.lab.windows.wsman_soap import SoapFault

RawCollection = Literal[
    "http-500",  # no body
    "soap-500",  # a SOAP fault with `code`
    "garbage",  # not XML, status 200
    "garbage-500",
    "bomb",  # entities that would grow to a gigabyte, status 200
    "bomb-500",
    "html",  # a proxy's page, status 200
    "empty",  # no body, status 200
    "plain",  # the right answer, but in clear where it should be encrypted
    "tampered",  # the right answer, encrypted, with one bit turned
    "trickle",  # the right answer, a byte every `pace` seconds
    "close",  # the connection ends in the middle of the right answer
    "drop",  # the connection ends without an answer
    "silence",  # no answer, and the connection stays open
    "short",  # Content-Length smaller than the answer
    "long",  # Content-Length larger than the answer
    "gigantic",  # a body that goes on for 8 GB
    "forged",  # what `forge` makes of the right answer and of its sealed form
]
# (the right answer in clear, its sealed body) -> status, Content-Type, body
Forge = Callable[[bytes, bytes], tuple[int, str, bytes]]


@dataclass(frozen=True)
class Faults:
    """`match`: only requests whose line in the log contains it; of these the `nth` and, from there, `times` in all
    (None: every further one). The fault is made after `delay` seconds."""

    answer: RawCollection | None = None
    match: str = ""
    nth: int = 1
    times: int | None = 1
    code: int = 1359  # ERROR_INTERNAL_ERROR
    delay: float = 0.0
    pace: float = 0.3
    forge: Forge | None = None
    redirect: str | None = None  # every request, before any authentication, is sent elsewhere
    unauthorised: bool = False  # the login is accepted, then every operation is refused
    no_wmi: bool = False  # WMI refuses this account everything, a shell it gets
    no_shell: bool = False  # the other way round
    denied_namespaces: tuple[str, ...] = ()  # such as root/default
    quota: Literal["shells", "operations", "users"] | None = None
    endless: bool = False  # an enumeration starts again where it should end
    no_output: bool = False  # every command prints nothing and ends with 0
    service_envelope: int = 512_000  # the service's own MaxEnvelopeSizekb, in bytes


class Mischief:
    """Counts the matching requests of a server."""

    def __init__(self, faults: Faults) -> None:
        self.faults, self._seen, self._lock = faults, 0, threading.Lock()

    def due(self, line: str) -> RawCollection | None:
        f = self.faults
        if f.answer is None or f.match not in line:
            return None
        with self._lock:
            self._seen += 1
            seen = self._seen
        return f.answer if seen >= f.nth and (f.times is None or seen < f.nth + f.times) else None


def quota_exceeded(kind: str) -> SoapFault:
    match kind:
        case "shells":
            said = "More than 30 shells of this user at once."
            return SoapFault(2150859173, "w:QuotaLimit", said)
        case "operations":
            said = "More than 1500 operations of this user at once."
            return SoapFault(2150859174, "w:InternalError", said, side="s:Receiver", wmi_error=True)
    said = "More than 10 users with shells."
    return SoapFault(2150859179, "w:QuotaLimit", said)


def bomb() -> str:
    """Billion laughs in an envelope."""
    entities = '<!ENTITY a "lollollollol">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return (
        f'<?xml version="1.0"?><!DOCTYPE s:Envelope [{entities}]>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>&i;</s:Body></s:Envelope>'
    )


GARBAGE = "<s:Envelope><s:Body><oh dear\x00\x01 </not xml>"
PAGE = "<html><head><title>Sign in</title></head><body><p>Please sign in to use this network.<br></body></html>"
