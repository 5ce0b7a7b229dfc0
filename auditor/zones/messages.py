"""What travels: orders to a zone, and its workers' words home. JSON, sealed (sealing.py); typed and bounded when it is read.

An order names targets and what is to be read of them. It holds no secret and no path, and says nothing of how far a worker
trusts a host: that is in the worker's own file (worker_settings.py).
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from auditor import __version__
from auditor.collectors.linux.script import DIGEST
from auditor.collectors.windows.readers.powershell import SCRIPT as POWERSHELL
from auditor.model.requirements import DataRequirements
from auditor.model.run import Outcome, TargetError
from auditor.model.target import Auth, Timeouts
from auditor.zones.sealing import Unsealed

# What must be the same on both sides, since facts are read of an answer to these very texts.
READING = hashlib.sha256(f"{__version__} {DIGEST} {hashlib.sha256(POWERSHELL.encode()).hexdigest()}".encode()).hexdigest()[:16]
MOST_ASKS = 256  # hosts of one order
ZoneConnection = Literal["ssh", "openssh", "winrm", "winreg"]


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all of them have in common."""


class Hop(Message, frozen=True):
    """A host on the way; `secret` is an alias of the worker's file."""

    address: str
    port: int | None = None
    user: str | None = None
    secret: str | None = None


class Ask(Message, frozen=True):
    """One host of an order. Secrets are aliases of the worker's file. `has`: by section, the digest (hex) of what the centre
    has of this host, which need not be sent again."""

    name: str
    connection: ZoneConnection
    address: str
    port: int | None = None
    user: str | None = None
    secret: str | None = None
    sudo: bool = False
    sudo_secret: str | None = None
    scheme: Literal["https", "http"] = "https"
    auth: Auth = "ntlm"
    address_family: Literal["any", "inet", "inet6"] = "any"
    family: Literal["linux", "windows"] | None = None
    missing_updates: bool = False
    timeouts: Timeouts = Timeouts()
    jump: tuple[Hop, ...] = ()
    has: dict[str, str] = {}


class Place(Message, frozen=True):
    """Which order: of a run of the centre's, its number in it."""

    run: str
    number: int


class Order(Message, frozen=True):
    """`made` is the centre's time (UTC), `seconds` how long a worker may be at it once it has it. `linux`, `windows`: what is to be
    read of a host of that family beyond what is always read; None where no host of the order can be of it."""

    place: Place
    zone: str
    made: datetime
    seconds: float
    auditor: str
    reading: str
    asks: tuple[Ask, ...]
    deep: bool = False
    linux: DataRequirements | None = None
    windows: DataRequirements | None = None


class Hello(Message, frozen=True, tag="hello"):
    """A worker is there. `worker` is its name, `now` its time (UTC), `jobs` how many hosts it asks at once."""

    worker: str
    now: datetime
    auditor: str
    reading: str
    jobs: int


class OrderTaken(Message, frozen=True, tag="taken"):
    """A worker begins with an order."""

    worker: str
    place: Place


class OrderRefused(Message, frozen=True, tag="refused"):
    """A worker does nothing of an order, and no host of it was asked. `busy`: it is fit for it, and has no free jobs now."""

    worker: str
    place: Place
    why: str
    busy: bool = False


class HostAnswer(Message, frozen=True):
    """What came of one host: its facts by section, as JSON; `same` are the sections that the centre has."""

    name: str
    outcome: Outcome
    error: TargetError | None = None
    sections: dict[str, Raw] = {}
    same: tuple[str, ...] = ()
    seconds: float = 0.0
    relaxed: tuple[str, ...] = ()


class Answer(Message, frozen=True, tag="answer"):
    """What came of some hosts of an order; `now` is the worker's time (UTC)."""

    worker: str
    place: Place
    now: datetime
    hosts: tuple[HostAnswer, ...]


Word = Hello | OrderTaken | OrderRefused | Answer
encode = msgspec.json.Encoder().encode
_order = msgspec.json.Decoder(Order).decode
_word: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)


def read_order(plain: bytes) -> Order:
    """An order; Unsealed where it is none."""
    try:
        order = _order(plain)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as e:
        raise Unsealed(f"it is no order: {e}") from None
    if not 0 < len(order.asks) <= MOST_ASKS or not 0 < order.seconds <= 86_400:
        raise Unsealed(f"it has {len(order.asks)} hosts and {order.seconds:g} s")
    return order


def read_word(plain: bytes) -> Word:
    """A worker's word; Unsealed where it is none."""
    try:
        return _word.decode(plain)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as e:
        raise Unsealed(f"it is no answer: {e}") from None


def order_purpose(zone: str) -> str:
    """What an order is sealed for."""
    return f"order {zone}"


def answer_purpose(zone: str) -> str:
    """What a worker's word is sealed for."""
    return f"answer {zone}"
