"""What a native inventory says beside its hosts: mail, policy, retention, and the files that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from auditor.errors import FileFaults
from auditor.foundation.durations import FORM, span
from auditor.foundation.yaml_file import bind, did_you_mean, pairs
from auditor.inventory import ansible
from auditor.inventory.inventory import Retention
from auditor.inventory.source import Source, field_of
from auditor.model.finding import SEVERITIES
from auditor.model.mailing import Mailing, is_address
from auditor.model.policy import Policy


class SectionReader:
    """Reads what an inventory says beside its hosts. `top` has the nodes of its keys."""

    def __init__(self, source: Source, top: Mapping[str, yaml.Node], groups: Collection[str]) -> None:
        self.source, self.top, self.groups = source, top, groups
        self.remarks, self.left_out = list[str](), list[str]()
        self.others = list[str]()  # faults of the files that it names

    def foreign(self) -> ansible.Taken:
        """`ansible: hosts.ini`: the targets of an inventory of Ansible's."""
        path = self.file("ansible")
        if path is None:
            return ansible.Taken({}, (), ())
        try:
            return ansible.read(path)
        except FileFaults as e:
            self.others.extend(e.faults)
            return ansible.Taken({}, (), ())

    def given(self, key: str, read: Any) -> Any:
        """The records of the file that is named under a key; `read` is read_waivers or read_attestations."""
        node, path = self.top.get(key), self.file(key)
        if node is not None and path is None:
            self.source.faults.add(node, f"{key} must name a file")
        if path and not path.exists():
            self.remarks.append(f"{path} is not there yet, so there are no {key}")
        return read(path, self.others, self.others if self.source.strict else self.left_out) if path else ()

    def retention(self) -> Retention | None:
        """`retention: {nightly: 90d, monthly: 3y}`; either may be left out."""
        node = self.top.get("retention")
        if node is None:
            return None
        found: dict[str, timedelta] = {}
        for key, where, value in pairs(node, self.source.faults, "retention"):
            if key not in ("nightly", "monthly"):
                self.source.faults.add(where, f"unknown key {key!r}{did_you_mean(key, ('nightly', 'monthly'))}")
            elif (length := self._span(f"retention: {key}", value)) is not None:
                found[key] = length
        kept = Retention(**found)
        if kept.monthly < kept.nightly:
            self.source.faults.add(node, "retention: monthly is shorter than nightly")
        return kept

    def policy(self) -> Policy:
        """`deadlines: {critical: 14d, …, groups: {legacy: {critical: 90d}}}` and `max_age: 90d`."""
        own: dict[str, timedelta] = {}
        groups: dict[str, dict[str, timedelta]] = {}
        for key, where, value in self.entries("deadlines"):
            if key == "groups":
                for group, place, spans in pairs(value, self.source.faults, "groups"):
                    if group not in self.groups:
                        self.source.faults.add(
                            place, f"deadlines: the group {group!r} is not declared{did_you_mean(group, self.groups)}"
                        )
                    groups[group] = dict(self._deadlines(pairs(spans, self.source.faults, f"groups of deadlines, {group}")))
            else:
                own.update(self._deadlines([(key, where, value)]))
        oldest = self._span("max_age", self.top["max_age"]) if "max_age" in self.top else None
        return Policy(own, groups, oldest, dict(self._accepted()), self._situational())

    def _situational(self) -> bool:
        """`situational: true`."""
        node = self.top.get("situational")
        word = node.value.lower() if isinstance(node, yaml.ScalarNode) else ""
        if node is not None and word not in ("true", "false"):
            self.source.faults.add(node, "situational is true or false")
        return word == "true"

    def _accepted(self) -> Iterator[tuple[str, str]]:
        """`accept_unknown: {linux-stale-processes: why}`."""
        for rule, where, value in self.entries("accept_unknown"):
            if isinstance(value, yaml.ScalarNode) and value.value.strip():
                yield rule, value.value.strip()
            else:
                self.source.faults.add(where, f"accept_unknown: {rule} needs a reason, which reports show")

    def _deadlines(self, given: Iterable[tuple[str, yaml.Node, yaml.Node]]) -> Iterator[tuple[str, timedelta]]:
        for severity, where, value in given:
            if severity not in SEVERITIES:
                self.source.faults.add(where, f"deadlines: {severity!r} is no severity{did_you_mean(severity, SEVERITIES)}")
            elif (length := self._span(f"deadlines: {severity}", value)) is not None:
                yield severity, length

    def mail(self) -> Mailing | None:
        """`mail:`; None where it is not there, or is faulty."""
        node = self.top.get("mail")
        found = bind(node, Mailing, self.source.faults) if node is not None else None
        if node is None or found is None:
            return None
        for address in (found.sender, *found.to):
            if not is_address(address):
                self.source.faults.add(node, f"mail: {address!r} is no address that mail can be sent to")
        if not found.to:
            self.source.faults.add(node, "mail: `to` needs at least one address")
        if found.heartbeat and span(found.heartbeat) is None:
            self.source.faults.add(node, f"mail: heartbeat is no span; {FORM}")
        if found.security == "none" and found.password:
            self.source.faults.add(node, "mail: a password is not sent in the clear; set security to starttls or tls")
        if bool(found.user) != bool(found.password):
            self.source.faults.add(node, "mail: user and password belong together")
        if found.link and not found.link.startswith("https://"):
            self.source.faults.add(node, "mail: link must begin with https://")
        if found.timeout <= 0:
            self.source.faults.add(node, "mail: a time limit must be above 0 seconds")
        if found.password:
            self.source.secret(found.password, field_of(node, "password") or node)
        anchored = self.source.anchored(found.password) if found.password else None
        return msgspec.structs.replace(
            found, password=anchored, ca_file=str(self.source.absolute(found.ca_file)) if found.ca_file else None
        )

    def _span(self, what: str, node: yaml.Node) -> timedelta | None:
        length = span(node.value) if isinstance(node, yaml.ScalarNode) else None
        if length is None:
            self.source.faults.add(node, f"{what} is no span; {FORM}")
        return length

    def entries(self, key: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """The entries of the mapping under a key: name, node of the name, node of the value."""
        return list(pairs(self.top[key], self.source.faults, key)) if key in self.top else []

    def file(self, key: str) -> Path | None:
        """The path of the file that is named under a key."""
        node = self.top.get(key)
        return self.source.absolute(node.value) if isinstance(node, yaml.ScalarNode) and node.value else None
