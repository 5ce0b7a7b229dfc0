"""The inventory in its native form (docs/contracts.md), read into an Inventory.

Relative paths are relative to the inventory file. Secrets are references. All faults are reported at once, as
file:line: message.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from auditor.errors import FileFaults
from auditor.foundation.yaml_file import FaultList, compose, did_you_mean, pairs
from auditor.inventory.inventory import Inventory
from auditor.inventory.plans import read_agent, read_schedule
from auditor.inventory.sections import SectionReader
from auditor.inventory.source import Source, field_of
from auditor.inventory.targets import TargetReader
from auditor.inventory.waivers import read_attestations, read_waivers
from auditor.inventory.zones import read_broker, read_zones
from auditor.model.plan import AgentSettings

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
    "advisories",
    "retention",
    "deadlines",
    "max_age",
    "situational",
    "accept_unknown",
    "zones",
    "broker",
    "ansible",
)


def load(path: Path, *, strict: bool = False) -> Inventory:
    """Read an inventory and the files it names. Raises FileFaults with every fault of all of them.

    `strict`: what concerns one host or one record is a fault too (a secret that cannot be had, a waiver without an owner);
    otherwise a run goes on without it, and says so."""
    source = Source(path, strict)
    faults = source.faults
    top = _top(source)
    hosts = TargetReader(
        source, frozenset(key for key, _, _ in pairs(top["zones"], FaultList(""))) if "zones" in top else frozenset()
    )
    sections = SectionReader(source, top, hosts.groups)
    targets = hosts.read(top.get("defaults"), sections.entries("groups"), sections.entries("hosts"))
    foreign = sections.foreign()
    for name, target in foreign.targets.items():
        targets.setdefault(name, target)  # one of our own stands in for Ansible's of the same name
    waivers = sections.given("waivers", read_waivers)
    attestations = sections.given("attestations", read_attestations)
    retention, mail, policy = sections.retention(), sections.mail(), sections.policy()
    zones, broker = read_zones(source, top.get("zones")), read_broker(source, top.get("broker"), top.get("zones"))
    folder = path.parent.absolute()
    plans = read_schedule(top["schedule"], faults, folder) if "schedule" in top else ()
    agent = read_agent(top["agent"], faults, folder) if "agent" in top else AgentSettings()
    if lines := faults.texts() + sections.others:
        raise FileFaults(lines)
    return Inventory(
        path=path,
        targets=targets,
        groups=tuple(dict.fromkeys((*hosts.groups, *foreign.groups))),
        remarks=(*sections.remarks, *foreign.remarks),
        left_out=tuple(f"{fault}; it is left out" for fault in sections.left_out),
        waivers=waivers,
        attestations=attestations,
        history=sections.file("history"),
        advisories=sections.file("advisories"),
        retention=retention,
        mail=mail,
        policy=policy,
        plans=plans,
        agent=agent,
        zones=zones,
        broker=broker,
    )


def _top(source: Source) -> dict[str, yaml.Node]:
    """The nodes of the inventory's keys; unknown keys are faults."""
    root = compose(source.path, source.faults)
    if root is None and not source.faults:
        source.faults.add(1, "is empty; it needs at least `hosts:`")
    top: dict[str, yaml.Node] = {}
    for key, where, value in pairs(root, source.faults, "an inventory") if root is not None else ():
        if key in _TOP:
            top[key] = value
        else:
            source.faults.add(where, f"unknown key {key!r}{did_you_mean(key, _TOP)}")
    return top


def named_file(path: Path, key: str) -> Path | None:
    """The file that an inventory names under a key, which need not be there yet. FileFaults where it is no YAML."""
    faults = FaultList(path)
    root = compose(path, faults)
    if faults:
        raise FileFaults(faults.texts())
    named = field_of(root, key) if root is not None else None
    return (
        path.parent.absolute() / Path(named.value).expanduser() if isinstance(named, yaml.ScalarNode) and named.value else None
    )
