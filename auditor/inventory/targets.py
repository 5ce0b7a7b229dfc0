"""The hosts of a native inventory: defaults, groups and hosts, merged into targets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from auditor.foundation.secret_refs import ZONE
from auditor.foundation.yaml_file import FaultList, bind, did_you_mean, pairs
from auditor.inventory.source import Source, field_of
from auditor.model.target import (
    NETWORKED,
    Auth,
    Become,
    Connection,
    HostKeyChecking,
    Target,
    Timeouts,
    is_host,
    parse_hop,
)

Entry = tuple[str, yaml.Node, yaml.Node]
_PATHS = ("key_file", "known_hosts", "path", "cert_file", "cert_key_file", "ca_file")
_SECRETS = ("password", "key_passphrase")
# What a worker takes from its own file alone.
_WORKERS = ("key_file", "key_passphrase", "known_hosts", "host_key_checking", "weak_ciphers", "path", "cert_file", "cert_key_file", "ca_file",
            "certificate_checking", "proxy")  # fmt: skip
_PLAIN = {
    **dict.fromkeys(_WORKERS),
    "known_hosts": (),
    "host_key_checking": "strict",
    "weak_ciphers": False,
    "certificate_checking": "validate",
}


class PartialTimeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Time limits in seconds, as far as one mapping gives them."""

    connect: float | None = None
    command: float | None = None
    total: float | None = None


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What defaults, a group or a host may say; None where it says nothing."""

    connection: Connection | None = None
    address: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = None
    key_file: str | None = None
    key_passphrase: str | None = None
    known_hosts: str | None = None
    host_key_checking: HostKeyChecking | None = None
    weak_ciphers: bool | None = None
    jump: tuple[str, ...] | None = None
    become: Become | None = None
    path: str | None = None
    scheme: Literal["https", "http"] | None = None
    auth: Auth | None = None
    cert_file: str | None = None
    cert_key_file: str | None = None
    ca_file: str | None = None
    certificate_checking: Literal["validate", "ignore"] | None = None
    proxy: str | None = None
    missing_updates: bool | None = None
    family: Literal["linux", "windows"] | None = None
    groups: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    timeouts: PartialTimeouts | None = None
    zone: str | None = None


class TargetReader:
    """Reads `defaults`, `groups` and `hosts`, each a list of (name, node of the name, node of the options)."""

    def __init__(self, source: Source, zones: Collection[str] = ()) -> None:
        self.source, self.zones = source, zones
        self.groups: dict[str, Options] = {}

    def read(self, defaults: yaml.Node | None, groups: Iterable[Entry], hosts: Iterable[Entry]) -> dict[str, Target]:
        """The targets by name. Precedence: defaults < groups in listed order < host."""
        common = self._options(defaults) if defaults is not None else Options()
        for name, _, node in groups:
            self.groups[name] = self._options(node)
        targets: dict[str, Target] = {}
        jumps: list[tuple[str, yaml.Node, tuple[str, ...]]] = []
        for name, where, node in hosts:
            targets[name], hops = self._target(name, where, node, common)
            jumps.append((name, node, hops))
        own = {n: h for n, _, h in jumps}
        for name, node, hops in jumps:
            targets[name] = self._with_jumps(targets[name], node, hops, targets, own)
        return targets

    def _options(self, node: yaml.Node) -> Options:
        """One mapping of options, its paths made absolute and its secrets looked at."""
        fields = {key: value for key, _, value in pairs(node, FaultList(""))}
        options = bind(node, Options, self.source.faults) or Options()
        for name, place in fields.items():
            value = getattr(options, name, None)
            if name in _SECRETS and isinstance(place, yaml.ScalarNode):  # looked at even where another key is at fault
                self.source.secret(place.value, place)
            if name == "key_file" and value and self.source.strict and not self.source.absolute(value).is_file():
                self.source.faults.add(place, f"the key file {value} does not exist")
            if name == "port" and isinstance(value, int) and not 0 < value < 65536:
                self.source.faults.add(place, f"port {value} does not exist (1 to 65535)")
            if name == "timeouts" and value and any(v is not None and v <= 0 for v in msgspec.structs.asdict(value).values()):
                self.source.faults.add(place, "a time limit must be above 0 seconds")
        if options.become and options.become.password:
            self.source.secret(options.become.password, fields["become"])
        changed = {p: str(self.source.absolute(value)) for p in _PATHS if (value := getattr(options, p))}
        return msgspec.structs.replace(options, **changed)

    def _target(self, name: str, where: yaml.Node, node: yaml.Node, defaults: Options) -> tuple[Target, tuple[str, ...]]:
        own = self._options(node) if not (isinstance(node, yaml.ScalarNode) and not node.value) else Options()
        layers = [defaults]
        for group in own.groups or ():
            if group in self.groups:
                layers.append(self.groups[group])
            else:
                near = did_you_mean(group, self.groups) or "; declare it under `groups:` ({} suffices)"
                self.source.faults.add(field_of(node, "groups") or where, f"{name}: the group {group!r} is not declared{near}")
        layers.append(own)
        merged: dict[str, Any] = {}
        labels: dict[str, str] = {}
        times = msgspec.structs.asdict(Timeouts())
        for layer in layers:
            said = {k: v for k, v in msgspec.structs.asdict(layer).items() if v is not None}
            labels |= said.pop("labels", {})
            times |= {k: v for k, v in msgspec.structs.asdict(said.pop("timeouts", PartialTimeouts())).items() if v is not None}
            merged |= said
        hops = merged.pop("jump", ())
        for key in _SECRETS:
            if merged.get(key):
                merged[key] = self.source.anchored(merged[key])
        if merged.get("become") and merged["become"].password:
            merged["become"] = Become(password=self.source.anchored(merged["become"].password))
        merged["groups"] = own.groups or ()
        if "known_hosts" in merged:
            merged["known_hosts"] = (merged["known_hosts"],)
        target = Target(name=name, labels=labels, timeouts=Timeouts(**times), **merged)
        if target.zone:
            target = self._zoned(target, layers[1:], hops, node, where)
        elif any(s and s.startswith(ZONE) for s in _references(target)):
            self.source.faults.add(where, f"{name}: zone: references are for hosts of a zone (`zone: NAME`)")
        if target.connection == "replay" and not target.path:
            self.source.faults.add(where, f"{name}: connection replay needs `path`, the folder of a recording")
        if target.connection in NETWORKED and target.address is None:
            target = msgspec.structs.replace(target, address=name)
        if target.connection in NETWORKED and not is_host(target.address or ""):
            wrong = f"the address {(target.address or '')[:60]!r} is no host name and no address"
            if self.source.strict:
                self.source.faults.add(field_of(node, "address") or where, f"{name}: {wrong}")
            line = (field_of(node, "address") or where).start_mark.line + 1
            target = msgspec.structs.replace(target, fault=f"{self.source.path}:{line}: {wrong}")
        if target.connection == "winrm":
            self._winrm(target, hops, where)
        return target, hops

    def _zoned(
        self, target: Target, own: Iterable[Options], hops: tuple[str, ...], node: yaml.Node, where: yaml.Node
    ) -> Target:
        """A host of a zone: how it is trusted and logged in to is its worker's; what defaults say of that is for other hosts."""
        place = field_of(node, "zone") or where
        if target.zone not in self.zones:
            self.source.faults.add(
                place,
                f"{target.name}: the zone {target.zone!r} is not declared{did_you_mean(target.zone or '', self.zones) or '; declare it under `zones:` ({} suffices)'}",
            )
        if target.connection not in NETWORKED:
            self.source.faults.add(
                place, f"{target.name}: connection {target.connection} is this machine's own; no zone has it"
            )
        for key in _WORKERS:
            if any(getattr(layer, key) is not None for layer in own):
                self.source.faults.add(
                    field_of(node, key) or where, f"{target.name}: {key} of a host in a zone stands in its worker's file"
                )
        for reference in _references(target):
            if reference and not reference.startswith(ZONE):
                scheme = reference.partition(":")[0]
                self.source.faults.add(
                    where, f"{target.name}: a host in a zone gets its secrets from its worker, as zone:NAME, not by {scheme}:"
                )
        plain = {key: _PLAIN[key] for key in _WORKERS}
        return msgspec.structs.replace(target, **plain)

    def _winrm(self, target: Target, hops: tuple[str, ...], where: yaml.Node) -> None:
        """What WinRM's options must have together."""
        if target.auth == "certificate" and not (target.cert_file and target.cert_key_file):
            self.source.faults.add(where, f"{target.name}: auth certificate needs `cert_file` and `cert_key_file`")
        if target.proxy and hops:
            self.source.faults.add(where, f"{target.name}: `proxy` and `jump` are two ways; give one")

    def _with_jumps(self, target: Target, node: yaml.Node, hops: tuple[str, ...], targets: dict[str, Target],
                    named: dict[str, tuple[str, ...]]) -> Target:  # fmt: skip
        chain: list[Target] = []
        for hop in hops:
            place = field_of(node, "jump") or node
            if hop == target.name or (named.get(hop)):
                self.source.faults.add(
                    place,
                    f"{target.name}: the jump host {hop!r} goes through jump hosts itself; list them all here, nearest first",
                )
            elif hop in targets:
                if targets[hop].zone != target.zone:
                    self.source.faults.add(place, f"{target.name}: the jump host {hop!r} is not in the same zone")
                chain.append(targets[hop])
            else:
                try:
                    chain.append(parse_hop(hop))
                except ValueError as e:
                    self.source.faults.add(place, f"{target.name}: {e}")
        return msgspec.structs.replace(target, jump=tuple(chain))


def _references(target: Target) -> tuple[str | None, ...]:
    return (target.password, target.become.password if target.become else None)
