"""The inventory in its native form (design, section 6): defaults, groups and hosts, merged into targets.

Precedence: defaults < groups in listed order < host. Relative paths are relative to the inventory file. Secrets are
references. All faults are reported at once, as file:line: message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from auditor.errors import FileFaults
from auditor.foundation import secret_refs
from auditor.foundation.durations import FORM, span
from auditor.foundation.yaml_file import Faults, bind, compose, did_you_mean, pairs
from auditor.inventory import ansible
from auditor.inventory.plans import read_agent, read_schedule
from auditor.inventory.waivers import read_attestations, read_waivers
from auditor.model.finding import SEVERITIES, Attestation, Waiver
from auditor.model.mailing import Mailing, is_address
from auditor.model.plan import AgentSettings, Plan
from auditor.model.policy import Policy
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


class PartialTimeouts(Struct, frozen=True, forbid_unknown_fields=True):
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


class Retention(Struct, frozen=True):
    """How long the history keeps every run, and then the first of each month."""

    nightly: timedelta = timedelta(days=90)
    monthly: timedelta = timedelta(days=3 * 365)


class Inventory(Struct, frozen=True, kw_only=True):
    """`path` is None where there is no inventory; `remarks` say what was left out of a foreign one, `left_out` which
    waivers and attestations are none."""

    path: Path | None = None
    targets: dict[str, Target] = {}
    groups: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    history: Path | None = None
    retention: Retention | None = None
    mail: Mailing | None = None
    policy: Policy = Policy()
    plans: tuple[Plan, ...] = ()
    agent: AgentSettings = AgentSettings()
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


_TOP = (
    "defaults",
    "hosts",
    "groups",
    "waivers",
    "attestations",
    "schedule",
    "agent",
    "mail",
    "history",
    "retention",
    "deadlines",
    "max_age",
    "accept_unknown",
    "ansible",
)
_PATHS = ("key_file", "known_hosts", "path", "cert_file", "cert_key_file", "ca_file")
_SECRETS = ("password", "key_passphrase")


def load(path: Path, *, strict: bool = False) -> Inventory:
    """Read an inventory and the files it names. Raises FileFaults with every fault of all of them.

    `strict`: what concerns one host or one record is a fault too (a secret that cannot be had, a waiver without an owner);
    otherwise a run goes on without it, and says so."""
    return _Reader(path, strict).read()


def named_file(path: Path, key: str) -> Path | None:
    """The file that an inventory names under a key, which need not be there yet. FileFaults where it is no YAML."""
    faults = Faults(path)
    root = compose(path, faults)
    if faults:
        raise FileFaults(faults.texts())
    named = _field(root, key) if root is not None else None
    return (
        path.parent.absolute() / Path(named.value).expanduser() if isinstance(named, yaml.ScalarNode) and named.value else None
    )


class _Reader:
    """One reading of one file; keeps the nodes, for the lines of faults that show only once all is read."""

    def __init__(self, path: Path, strict: bool) -> None:
        self.path, self.strict = path, strict
        self.faults, self.others = Faults(path), list[str]()
        self.remarks, self.left_out = list[str](), list[str]()
        self.groups: dict[str, Options] = {}
        self.top: dict[str, yaml.Node] = {}

    def read(self) -> Inventory:
        root = compose(self.path, self.faults)
        if root is None and not self.faults:
            self.faults.add(1, "is empty; it needs at least `hosts:`")
        for key, where, value in pairs(root, self.faults, "an inventory") if root is not None else ():
            if key in _TOP:
                self.top[key] = value
            else:
                self.faults.add(where, f"unknown key {key!r}{did_you_mean(key, _TOP)}")
        defaults = self._options(self.top["defaults"]) if "defaults" in self.top else Options()
        for name, _, node in self._entries("groups"):
            self.groups[name] = self._options(node)
        targets: dict[str, Target] = {}
        jumps: list[tuple[str, yaml.Node, tuple[str, ...]]] = []
        for name, where, node in self._entries("hosts"):
            targets[name], hops = self._target(name, where, node, defaults)
            jumps.append((name, node, hops))
        own = {n: h for n, _, h in jumps}
        for name, node, hops in jumps:
            targets[name] = self._with_jumps(targets[name], node, hops, targets, own)
        foreign = self._foreign()
        for name, target in foreign.targets.items():
            targets.setdefault(name, target)  # one of our own stands in for Ansible's of the same name
        waivers = self._given("waivers", read_waivers)
        attestations = self._given("attestations", read_attestations)
        retention = self._retention()
        mail = self._mail()
        policy = self._policy()
        folder = self.path.parent.absolute()
        plans = read_schedule(self.top["schedule"], self.faults, folder) if "schedule" in self.top else ()
        agent = read_agent(self.top["agent"], self.faults, folder) if "agent" in self.top else AgentSettings()
        lines = self.faults.texts() + self.others
        if lines:
            raise FileFaults(lines)
        return Inventory(
            path=self.path,
            targets=targets,
            groups=tuple(dict.fromkeys((*self.groups, *foreign.groups))),
            remarks=(*self.remarks, *foreign.remarks),
            left_out=tuple(f"{fault}; it is left out" for fault in self.left_out),
            waivers=waivers,
            attestations=attestations,
            history=self._file("history"),
            retention=retention,
            mail=mail,
            policy=policy,
            plans=plans,
            agent=agent,
        )

    def _entries(self, key: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        return list(pairs(self.top[key], self.faults, key)) if key in self.top else []

    def _file(self, key: str) -> Path | None:
        node = self.top.get(key)
        return self._absolute(node.value) if isinstance(node, yaml.ScalarNode) and node.value else None

    def _foreign(self) -> ansible.Taken:
        """`ansible: hosts.ini`: the targets of an inventory of Ansible's."""
        path = self._file("ansible")
        if path is None:
            return ansible.Taken({}, (), ())
        try:
            return ansible.read(path)
        except FileFaults as e:
            self.others.extend(e.faults)
            return ansible.Taken({}, (), ())

    def _retention(self) -> Retention | None:
        """`retention: {nightly: 90d, monthly: 3y}`; either may be left out."""
        node = self.top.get("retention")
        if node is None:
            return None
        found: dict[str, timedelta] = {}
        for key, where, value in pairs(node, self.faults, "retention"):
            if key not in ("nightly", "monthly"):
                self.faults.add(where, f"unknown key {key!r}{did_you_mean(key, ('nightly', 'monthly'))}")
            elif (length := self._span(f"retention: {key}", value)) is not None:
                found[key] = length
        kept = Retention(**found)
        if kept.monthly < kept.nightly:
            self.faults.add(node, "retention: monthly is shorter than nightly")
        return kept

    def _policy(self) -> Policy:
        """`deadlines: {critical: 14d, …, groups: {legacy: {critical: 90d}}}` and `max_age: 90d`."""
        own: dict[str, timedelta] = {}
        groups: dict[str, dict[str, timedelta]] = {}
        for key, where, value in self._entries("deadlines"):
            if key == "groups":
                for group, place, spans in pairs(value, self.faults, "groups"):
                    if group not in self.groups:
                        self.faults.add(
                            place, f"deadlines: the group {group!r} is not declared{did_you_mean(group, self.groups)}"
                        )
                    groups[group] = dict(self._deadlines(pairs(spans, self.faults, f"groups of deadlines, {group}")))
            else:
                own.update(self._deadlines([(key, where, value)]))
        oldest = self._span("max_age", self.top["max_age"]) if "max_age" in self.top else None
        return Policy(own, groups, oldest, dict(self._accepted()))

    def _accepted(self) -> Iterator[tuple[str, str]]:
        """`accept_unknown: {linux-stale-processes: why}`."""
        for rule, where, value in self._entries("accept_unknown"):
            if isinstance(value, yaml.ScalarNode) and value.value.strip():
                yield rule, value.value.strip()
            else:
                self.faults.add(where, f"accept_unknown: {rule} needs a reason, which reports show")

    def _deadlines(self, given: Iterable[tuple[str, yaml.Node, yaml.Node]]) -> Iterator[tuple[str, timedelta]]:
        for severity, where, value in given:
            if severity not in SEVERITIES:
                self.faults.add(where, f"deadlines: {severity!r} is no severity{did_you_mean(severity, SEVERITIES)}")
            elif (length := self._span(f"deadlines: {severity}", value)) is not None:
                yield severity, length

    def _span(self, what: str, node: yaml.Node) -> timedelta | None:
        length = span(node.value) if isinstance(node, yaml.ScalarNode) else None
        if length is None:
            self.faults.add(node, f"{what} is no span; {FORM}")
        return length

    def _mail(self) -> Mailing | None:
        node = self.top.get("mail")
        found = bind(node, Mailing, self.faults) if node is not None else None
        if node is None or found is None:
            return None
        for address in (found.sender, *found.to):
            if not is_address(address):
                self.faults.add(node, f"mail: {address!r} is no address that mail can be sent to")
        if not found.to:
            self.faults.add(node, "mail: `to` needs at least one address")
        if found.heartbeat and span(found.heartbeat) is None:
            self.faults.add(node, f"mail: heartbeat is no span; {FORM}")
        if found.security == "none" and found.password:
            self.faults.add(node, "mail: a password is not sent in the clear; set security to starttls or tls")
        if bool(found.user) != bool(found.password):
            self.faults.add(node, "mail: user and password belong together")
        if found.link and not found.link.startswith("https://"):
            self.faults.add(node, "mail: link must begin with https://")
        if found.timeout <= 0:
            self.faults.add(node, "mail: a time limit must be above 0 seconds")
        if found.password:
            self._secret(found.password, _field(node, "password") or node)
        anchored = _anchored(found.password, self.path) if found.password else None
        return msgspec.structs.replace(
            found, password=anchored, ca_file=str(self._absolute(found.ca_file)) if found.ca_file else None
        )

    def _given(self, key: str, read: Any) -> Any:
        node, path = self.top.get(key), self._file(key)
        if node is not None and path is None:
            self.faults.add(node, f"{key} must name a file")
        if path and not path.exists():
            self.remarks.append(f"{path} is not there yet, so there are no {key}")
        return read(path, self.others, self.others if self.strict else self.left_out) if path else ()

    def _absolute(self, text: str) -> Path:
        return self.path.parent.absolute() / Path(text).expanduser()

    def _options(self, node: yaml.Node) -> Options:
        """One mapping of options, its paths made absolute and its secrets looked at."""
        fields = {key: value for key, _, value in pairs(node, Faults(""))}
        options = bind(node, Options, self.faults) or Options()
        for name, place in fields.items():
            value = getattr(options, name, None)
            if name in _SECRETS and isinstance(place, yaml.ScalarNode):  # looked at even where another key is at fault
                self._secret(place.value, place)
            if name == "key_file" and value and self.strict and not self._absolute(value).is_file():
                self.faults.add(place, f"the key file {value} does not exist")
            if name == "port" and isinstance(value, int) and not 0 < value < 65536:
                self.faults.add(place, f"port {value} does not exist (1 to 65535)")
            if name == "timeouts" and value and any(v is not None and v <= 0 for v in msgspec.structs.asdict(value).values()):
                self.faults.add(place, "a time limit must be above 0 seconds")
        if options.become and options.become.password:
            self._secret(options.become.password, fields["become"])
        changed = {p: str(self._absolute(value)) for p in _PATHS if (value := getattr(options, p))}
        return msgspec.structs.replace(options, **changed)

    def _secret(self, reference: str, place: yaml.Node) -> None:
        if not secret_refs.is_reference(reference):  # said without repeating it: it may be the secret itself
            self.faults.add(
                place, "a secret is written out; put a reference: env:NAME, file:PATH, keyring:SERVICE/USER or command:WORDS"
            )
        elif self.strict and (wrong := secret_refs.problem(_anchored(reference, self.path))):
            self.faults.add(place, f"the secret {reference} cannot be had: {wrong}")

    def _target(self, name: str, where: yaml.Node, node: yaml.Node, defaults: Options) -> tuple[Target, tuple[str, ...]]:
        own = self._options(node) if not (isinstance(node, yaml.ScalarNode) and not node.value) else Options()
        layers = [defaults]
        for group in own.groups or ():
            if group in self.groups:
                layers.append(self.groups[group])
            else:
                near = did_you_mean(group, self.groups) or "; declare it under `groups:` ({} suffices)"
                self.faults.add(_field(node, "groups") or where, f"{name}: the group {group!r} is not declared{near}")
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
                merged[key] = _anchored(merged[key], self.path)
        if merged.get("become") and merged["become"].password:
            merged["become"] = Become(password=_anchored(merged["become"].password, self.path))
        merged["groups"] = own.groups or ()
        if "known_hosts" in merged:
            merged["known_hosts"] = (merged["known_hosts"],)
        target = Target(name=name, labels=labels, timeouts=Timeouts(**times), **merged)
        if target.connection == "replay" and not target.path:
            self.faults.add(where, f"{name}: connection replay needs `path`, the folder of a recording")
        if target.connection in NETWORKED and target.address is None:
            target = msgspec.structs.replace(target, address=name)
        if target.connection in NETWORKED and not is_host(target.address or ""):
            wrong = f"the address {(target.address or '')[:60]!r} is no host name and no address"
            if self.strict:
                self.faults.add(_field(node, "address") or where, f"{name}: {wrong}")
            line = (_field(node, "address") or where).start_mark.line + 1
            target = msgspec.structs.replace(target, fault=f"{self.path}:{line}: {wrong}")
        if target.connection == "winrm":
            self._winrm(target, hops, where)
        return target, hops

    def _winrm(self, target: Target, hops: tuple[str, ...], where: yaml.Node) -> None:
        """What WinRM's options must have together."""
        if target.auth == "certificate" and not (target.cert_file and target.cert_key_file):
            self.faults.add(where, f"{target.name}: auth certificate needs `cert_file` and `cert_key_file`")
        if target.proxy and hops:
            self.faults.add(where, f"{target.name}: `proxy` and `jump` are two ways; give one")

    def _with_jumps(self, target: Target, node: yaml.Node, hops: tuple[str, ...], targets: dict[str, Target],
                    named: dict[str, tuple[str, ...]]) -> Target:  # fmt: skip
        chain: list[Target] = []
        for hop in hops:
            place = _field(node, "jump") or node
            if hop == target.name or (named.get(hop)):
                self.faults.add(
                    place,
                    f"{target.name}: the jump host {hop!r} goes through jump hosts itself; list them all here, nearest first",
                )
            elif hop in targets:
                chain.append(targets[hop])
            else:
                try:
                    chain.append(parse_hop(hop))
                except ValueError as e:
                    self.faults.add(place, f"{target.name}: {e}")
        return msgspec.structs.replace(target, jump=tuple(chain))


def _anchored(reference: str, path: Path) -> str:
    """`file:` references are relative to the file that names them."""
    scheme, _, rest = reference.partition(":")
    return f"file:{path.parent.absolute() / Path(rest).expanduser()}" if scheme == "file" else reference


def _field(node: yaml.Node, key: str) -> yaml.Node | None:
    return next((v for k, v in node.value if k.value == key), None) if isinstance(node, yaml.MappingNode) else None
