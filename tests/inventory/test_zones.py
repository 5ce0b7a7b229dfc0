"""Zones in an inventory: what belongs to a worker is refused here, when the inventory is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.audit.scan import prepared
from auditor.errors import FileFaults, HostError, UsageFault
from auditor.foundation.deadline import Stop
from auditor.inventory.native import load
from auditor.inventory.selection import ad_hoc

TOP = "broker: amqps://mq.example.com/auditor\nzones: {plant: {jobs: 16}, port: {}}\n"


def read(folder: Path, text: str, top: str = TOP) -> dict[str, object]:
    path = folder / "inventory.yaml"
    path.write_text(top + text)
    return dict(load(path).targets)


def faults(folder: Path, text: str, top: str = TOP) -> list[str]:
    with pytest.raises(FileFaults) as raised:
        read(folder, text, top)
    return [fault.removeprefix(f"{folder / 'inventory.yaml'}:") for fault in raised.value.faults]


def test_a_zone_by_group_host_and_default(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        TOP
        + "defaults: {key_file: ~/k, host_key_checking: accept-new, user: audit}\n"
        + "groups: {hall: {zone: plant}}\n"
        + "hosts:\n  a: {groups: [hall]}\n  b: {zone: port, groups: [hall], become: {method: sudo, password: 'zone:sudo'}}\n  c: {}\n"
    )
    opened = load(tmp_path / "inventory.yaml")
    a, b, c = opened.targets.values()
    assert (a.zone, b.zone, c.zone) == ("plant", "port", None)
    assert a.key_file is None, "the centre's key is not the worker's"
    assert (a.host_key_checking, c.host_key_checking) == ("strict", "accept-new")
    assert a.user == "audit"
    assert b.become
    assert b.become.password == "zone:sudo"
    assert (opened.zones["plant"].jobs, opened.zones["plant"].batch) == (16, 8)
    assert opened.zones["plant"].key == str(tmp_path / "zones/plant-signing.pub")
    assert opened.broker
    assert (opened.broker.host, opened.broker.port, opened.broker.vhost) == ("mq.example.com", 5671, "auditor")
    assert opened.broker.ca_file == str(tmp_path / "zones/ca.pem")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("{zone: plan}", "5: h: the zone 'plan' is not declared; did you mean plant?"),
        ("{zone: plant, connection: local}", "5: h: connection local is this machine's own"),
        ("{zone: plant, connection: replay, path: x}", "5: h: connection replay is this machine's own"),
        ("{zone: plant, password: 'env:PW'}", "not by env:"),
        ("{zone: plant, password: 'command:pass show x'}", "not by command:"),
        ("{zone: plant, password: 'prompt:'}", "a secret is written out"),
        ("{zone: plant, become: {method: sudo, password: 'file:x'}}", "not by file:"),
        ("{zone: plant, key_file: k}", "key_file of a host in a zone stands in its worker's file"),
        ("{zone: plant, host_key_checking: accept-new}", "host_key_checking of a host in a zone"),
        ("{zone: plant, known_hosts: k}", "known_hosts of a host in a zone"),
        ("{zone: plant, connection: winrm, certificate_checking: ignore}", "certificate_checking of a host in a zone"),
        ("{zone: plant, connection: winrm, ca_file: c}", "ca_file of a host in a zone"),
        ("{zone: plant, jump: [other]}", "the jump host 'other' is not in the same zone"),
        ("{password: 'zone:sudo'}", "zone: references are for hosts of a zone"),
        ("{become: {method: sudo, password: 'zone:sudo'}}", "zone: references are for hosts of a zone"),
    ],
)
def test_what_a_host_of_a_zone_cannot_say(tmp_path: Path, host: str, said: str) -> None:
    found = faults(tmp_path, f"hosts:\n  other: {{}}\n  h: {host}\n")
    assert any(said in fault for fault in found), found


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("broker: amqps://b\nzones: {plant: {}, plant: {}}\n", "2: duplicate key 'plant'"),
        ("broker: amqps://b\nzones: {Plant: {}}\n", "cannot be a zone's name"),
        ("broker: amqps://b\nzones: {centre: {}}\n", "cannot be a zone's name"),
        ("broker: amqps://b\nzones: {plant: {jobs: 4, batch: 8}}\n", "batch from 1 to jobs"),
        ("broker: amqps://b\nzones: {plant: {grace: 0}}\n", "grace must be above 0"),
        ("broker: amqps://b\nzones: {plant: {job: 4}}\n", "unknown key 'job'"),
        ("zones: {plant: {}}\n", "zones need a `broker:"),
        ("broker: amqp://b\nzones: {plant: {}}\n", "is not of the form amqps://"),
        ("broker: amqps://user:pw@b\nzones: {plant: {}}\n", "no account is named"),
        ("broker: {url: amqps://b, ca: x}\nzones: {plant: {}}\n", "unknown key 'ca'"),
    ],
)
def test_faults_of_zones_and_broker(tmp_path: Path, top: str, said: str) -> None:
    found = faults(tmp_path, "hosts: {h: {}}\n", top)
    assert any(said in fault for fault in found), found


def test_what_does_not_go_through_zones_says_so(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(f"{TOP}hosts: {{h: {{zone: plant}}}}\n")
    target = load(tmp_path / "inventory.yaml").targets["h"]
    with pytest.raises(HostError, match="asked by the workers of its zone plant"):
        prepared(target, Stop())
    with pytest.raises(UsageFault, match="its worker has the keys"):
        ad_hoc([target], user=None, key_file=None, password="prompt:", auth=None)
    with pytest.raises(FileFaults) as raised:
        load(tmp_path / "inventory.yaml", strict=True)
    assert any("zones setup plant" in fault for fault in raised.value.faults)
    assert any("broker: there is no" in fault for fault in raised.value.faults)
