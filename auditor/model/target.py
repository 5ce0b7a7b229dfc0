"""A target: one entry of the inventory, and how to reach the host behind it."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct, field

# The transports this release has; each is one file in auditor/transports and one line in its list.
Connection = Literal["local", "ssh", "openssh", "winrm", "winreg", "replay"]
HostKeyChecking = Literal["strict", "accept-new"]
Auth = Literal["ntlm", "kerberos", "basic", "certificate"]
NETWORKED: tuple[Connection, ...] = ("ssh", "openssh", "winrm", "winreg")


_ADDRESS = re.compile(r"[A-Za-z0-9_](?:[\w.-]{0,252})|[0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,20})?")


def is_host(text: str) -> bool:
    """Could it be a host's name or address (RFC 1123, RFC 4291; the underscore of old names of Windows too)? Nothing that a
    program might read as an option, an address of another kind, or two words."""
    return bool(_ADDRESS.fullmatch(text))


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds: `connect` for reaching the host (three times that for logging in), `command` for one command, `total`
    for the target as a whole."""

    connect: float = 5.0
    command: float = 60.0
    total: float = 180.0


class Become(Struct, frozen=True, forbid_unknown_fields=True):
    """How privilege is asked for; `password` is a secret reference, absent where sudo asks for none."""

    method: Literal["sudo"] = "sudo"
    password: str | None = None


class Target(Struct, frozen=True, kw_only=True):
    """`password`, `key_passphrase` and `become.password` are secret references, never secrets.

    `address` is a host name or an IP address; None for `local` and `replay`. `path` is the recording of `replay`.
    `zone`: whose workers ask it, None for this machine; its secret references are then aliases of theirs, `zone:NAME`.
    `fault`: why it is not reached as the inventory says,
    which is then all that is said of it. `weak_ciphers`: CBC ciphers, MD5 and 96-bit MACs are offered too. `jump` are the hosts to go through, nearest first. `key_file` is the one key to use; `identity_files` are those that
    ssh_config offers, `address_family` which of a name's addresses are tried (AddressFamily there). `alias` is the name looked up in known_hosts (HostKeyAlias); `known_hosts` () = the usual files.
    """

    name: str
    connection: Connection = "ssh"
    address: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = None
    key_file: str | None = None
    key_passphrase: str | None = None
    certificate_file: str | None = None
    identity_files: tuple[str, ...] = ()
    known_hosts: tuple[str, ...] = ()
    host_key_checking: HostKeyChecking = "strict"
    weak_ciphers: bool = False
    alias: str | None = None
    jump: tuple[Target, ...] = ()
    become: Become | None = None
    path: str | None = None
    scheme: Literal["https", "http"] = "https"
    auth: Auth = "ntlm"
    cert_file: str | None = None
    cert_key_file: str | None = None
    ca_file: str | None = None
    address_family: Literal["any", "inet", "inet6"] = "any"
    certificate_checking: Literal["validate", "ignore"] = "validate"
    proxy: str | None = None
    missing_updates: bool = False
    family: Literal["linux", "windows"] | None = None
    groups: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    fault: str = ""
    zone: str | None = None

    @property
    def relaxed(self) -> tuple[str, ...]:
        """What the operator relaxed in security settings, on any hop; the report prints it (docs/contracts.md: host keys and certificates)."""
        hops = (*self.jump, self)
        keys = [f"{hop.name}: unknown host keys are accepted" for hop in hops if hop.host_key_checking == "accept-new"]
        keys += [f"{hop.name}: weak ciphers and MACs are accepted (CBC, MD5, 96 bits)" for hop in hops if hop.weak_ciphers]
        if self.connection == "winrm" and self.scheme == "https" and self.certificate_checking == "ignore":
            keys.append(f"{self.name}: the server's certificate is not checked")
        if self.connection == "winreg":
            keys.append(f"{self.name}: the remote registry's answers are not protected against change on the way")
        return tuple(keys)

    @property
    def real_port(self) -> int | None:
        """The port given, or the usual one of the connection."""
        usual = {"ssh": 22, "openssh": None, "winrm": 5986 if self.scheme == "https" else 5985, "winreg": 445}
        return self.port or usual.get(self.connection)


class ShownKey(Struct, frozen=True):
    """`state`: known | unknown | changed | revoked | error (then `message` says why and the rest is empty)."""

    target: str
    host: str
    port: int
    state: str
    key_type: str = ""
    fingerprint: str = ""
    line: str = ""
    message: str = ""


def parse_hop(text: str) -> Target:
    """`[user@]host[:port]`, IPv6 addresses in brackets; ValueError for anything else."""
    user, at, rest = text.rpartition("@")
    host, _, port = rest.partition("]") if rest.startswith("[") else rest.partition(":")
    host, port = host.removeprefix("["), port.removeprefix(":")
    if not host or any(c.isspace() for c in text) or (port and not port.isdecimal()) or not is_host(host):
        raise ValueError(f"{text!r} is not of the form [user@]host[:port]")
    return Target(name=text, address=host, port=int(port) if port else None, user=user if at else None)
