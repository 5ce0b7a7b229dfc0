"""The worker's own file: whom it may ask, with which secrets, how far it trusts them. No order goes further."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal

import yaml
from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import FileFaults
from auditor.foundation.yaml_file import bind, compose
from auditor.inventory.source import Source, field_of
from auditor.model.target import Become, HostKeyChecking, Target
from auditor.model.zone import BrokerSettings, is_zone
from auditor.zones.messages import Ask, Hop

_BROKER = ("ca_file", "cert_file", "key_file", "signing_key")
_PATHS = ("key_file", "certificate_file", "known_hosts", "ca_file", "cert_file", "cert_key_file", "recording")


class Served(Struct, frozen=True, forbid_unknown_fields=True):
    """Hosts that the worker asks: networks (CIDR) and globs of names, which an order's addresses must match; `secrets` are the
    aliases that may be used for them. The rest is how they are logged in to and trusted, as in an inventory. `recording`: they answer
    from a recording, for trying out."""

    hosts: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    key_file: str | None = None
    key_passphrase: str | None = None
    certificate_file: str | None = None
    known_hosts: str | None = None
    host_key_checking: HostKeyChecking = "strict"
    weak_ciphers: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    cert_key_file: str | None = None
    certificate_checking: Literal["validate", "ignore"] = "validate"
    recording: str | None = None

    def match(self, address: str) -> bool:
        """Is this address one of them? A name matches globs only, and an IP address networks and globs."""
        return any(_matches(pattern, address) for pattern in self.hosts)


class WorkerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The worker's file, its paths made absolute. `secrets`: by alias, the reference. `rules`: files whose settings may be read
    beside those of the shipped rules."""

    zone: str
    broker: BrokerSettings
    centre_key: str
    targets: tuple[Served, ...]
    secrets: dict[str, str] = {}
    rules: tuple[str, ...] = ()
    jobs: int = 32
    per_jump: int | None = None

    def target(self, ask: Ask) -> Target:
        """The target that an order means, with what this file says of it. ValueError, with the reason, where it is not served."""
        served = self._served(ask.address)
        if served.recording:
            return Target(name=ask.name, connection="replay", path=served.recording, timeouts=ask.timeouts)
        become = Become(password=self._secret(ask.sudo_secret, served)) if ask.sudo else None
        hops = tuple(self._hop(hop) for hop in ask.jump)
        return replace(
            self._trusted(served, ask.name),
            connection=ask.connection,
            address=ask.address,
            port=ask.port,
            user=ask.user,
            password=self._secret(ask.secret, served),
            become=become,
            scheme=ask.scheme,
            auth=ask.auth,
            address_family=ask.address_family,
            family=ask.family,
            missing_updates=ask.missing_updates,
            timeouts=ask.timeouts,
            jump=hops,
        )

    def _hop(self, hop: Hop) -> Target:
        served = self._served(hop.address)
        there = self._trusted(served, hop.address)
        return replace(there, address=hop.address, port=hop.port, user=hop.user, password=self._secret(hop.secret, served))

    def _served(self, address: str) -> Served:
        found = next((s for s in self.targets if s.match(address)), None)
        if found is None:
            raise ValueError(f"{address} is none of the `targets:` of this zone's worker")
        return found

    def _secret(self, alias: str | None, served: Served) -> str | None:
        if alias is None:
            return None
        if alias not in served.secrets:
            raise ValueError(f"this zone's worker has no secret {alias!r} for it (`secrets:` of its `targets:`)")
        return self.secrets[alias]

    def _trusted(self, served: Served, name: str) -> Target:
        return Target(
            name=name,
            key_file=served.key_file,
            key_passphrase=served.key_passphrase,
            certificate_file=served.certificate_file,
            known_hosts=(served.known_hosts,) if served.known_hosts else (),
            host_key_checking=served.host_key_checking,
            weak_ciphers=served.weak_ciphers,
            ca_file=served.ca_file,
            cert_file=served.cert_file,
            cert_key_file=served.cert_key_file,
            certificate_checking=served.certificate_checking,
        )


def read(path: Path) -> WorkerSettings:
    """The worker's file. FileFaults with every fault of it; secrets and keys have to be there."""
    source = Source(path, strict=True)
    root = compose(path, source.faults)
    found = bind(root, WorkerSettings, source.faults) if root is not None else None
    if found is None or root is None:
        if not source.faults:
            source.faults.add(1, "is empty; `auditor zones setup ZONE` prints how it begins")
        raise FileFaults(source.faults.texts())
    settings = _absolute(found, source)
    for place, fault in _faults(settings, root, source):
        source.faults.add(place, fault)
    if source.faults:
        raise FileFaults(source.faults.texts())
    return settings


def _absolute(found: WorkerSettings, source: Source) -> WorkerSettings:
    broker = replace(found.broker, **{k: str(source.absolute(getattr(found.broker, k))) for k in _BROKER})
    return replace(
        found,
        broker=broker,
        centre_key=str(source.absolute(found.centre_key)),
        secrets={alias: source.anchored(reference) for alias, reference in found.secrets.items()},
        rules=tuple(r if r == "shipped" else str(source.absolute(r)) for r in found.rules),
        targets=tuple(
            replace(
                served,
                key_passphrase=source.anchored(served.key_passphrase) if served.key_passphrase else None,
                **{key: str(source.absolute(value)) for key in _PATHS if (value := getattr(served, key))},
            )
            for served in found.targets
        ),
    )


def _faults(settings: WorkerSettings, root: yaml.Node, source: Source) -> Iterator[tuple[yaml.Node, str]]:
    def at(key: str) -> yaml.Node:
        return field_of(root, key) or root

    if not is_zone(settings.zone):
        yield at("zone"), f"{settings.zone!r} cannot be a zone's name: small letters, digits and hyphens, at most 40"
    if fault := settings.broker.problem() or settings.broker.missing():
        yield at("broker"), f"broker: {fault}"
    if not 0 < settings.jobs <= 1024:
        yield at("jobs"), "jobs: from 1 to 1024 hosts at once"
    for alias, reference in settings.secrets.items():
        place = field_of(at("secrets"), alias) or root
        source.secret(reference, place)
    for served in settings.targets:
        for alias in served.secrets:
            if alias not in settings.secrets:
                yield at("targets"), f"targets: the secret {alias!r} is not among `secrets:`"
        for pattern in served.hosts:
            if "/" in pattern and _network(pattern) is None:
                yield at("targets"), f"targets: {pattern!r} is no network (10.1.2.0/24)"
        if served.key_passphrase:
            source.secret(served.key_passphrase, at("targets"))
        for key in _PATHS:
            if (value := getattr(served, key)) and not Path(value).exists():
                yield at("targets"), f"targets: {key}: there is no {value}"


def _matches(pattern: str, address: str) -> bool:
    try:
        number = ip_address(address.partition("%")[0])
    except ValueError:
        return "/" not in pattern and fnmatchcase(address.lower(), pattern.lower())
    network = _network(pattern)
    return number in network if network else fnmatchcase(address, pattern)


def _network(pattern: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(pattern, strict=True)
    except ValueError:
        return None
