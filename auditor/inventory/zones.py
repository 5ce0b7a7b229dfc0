"""`zones:` and `broker:` of a native inventory."""

from __future__ import annotations

from pathlib import Path

import yaml
from msgspec.structs import replace

from auditor.foundation.yaml_file import bind, pairs
from auditor.inventory.source import Source
from auditor.model.zone import BrokerSettings, Zone, is_zone

_FILES = ("ca_file", "cert_file", "key_file", "signing_key")


def read_zones(source: Source, node: yaml.Node | None) -> dict[str, Zone]:
    """`zones: {plant: {jobs: 32}}`; the public key of a zone's workers lies in zones/NAME-signing.pub unless it is named."""
    found: dict[str, Zone] = {}
    for name, where, value in pairs(node, source.faults, "zones") if node is not None else ():
        if not is_zone(name):
            source.faults.add(
                where,
                f"{name!r} cannot be a zone's name: small letters, digits and hyphens, at most 40, and not ca, broker, centre or …-signing",
            )
        empty = isinstance(value, yaml.ScalarNode) and not value.value
        zone = Zone() if empty else bind(value, Zone, source.faults)
        if zone is None:
            continue
        if not 0 < zone.batch <= zone.jobs <= 1024:
            source.faults.add(value, "jobs is from 1 to 1024, and batch from 1 to jobs")
        if zone.grace <= 0:
            source.faults.add(value, "grace must be above 0 seconds")
        key = str(source.absolute(zone.key or f"zones/{name}-signing.pub"))
        if source.strict and not Path(key).is_file():
            source.faults.add(
                where,
                f"there is no {key}, the public key of this zone's workers; `auditor zones setup {name}` prints how it is made",
            )
        found[name] = replace(zone, key=key)
    return found


def read_broker(source: Source, node: yaml.Node | None, zones: yaml.Node | None) -> BrokerSettings | None:
    """`broker: amqps://HOST/VHOST`, or a mapping that names the files too."""
    if node is None:
        if zones is not None:
            source.faults.add(zones, "zones need a `broker: amqps://HOST[:PORT][/VHOST]`")
        return None
    broker = BrokerSettings(url=node.value) if isinstance(node, yaml.ScalarNode) else bind(node, BrokerSettings, source.faults)
    if broker is None:
        return None
    if fault := broker.problem():
        source.faults.add(node, f"broker: {fault}")
    broker = replace(broker, **{key: str(source.absolute(getattr(broker, key))) for key in _FILES})
    if source.strict and (missing := broker.missing()):
        source.faults.add(node, f"broker: {missing}")
    return broker
