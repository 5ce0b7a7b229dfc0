"""A host is told the same, whoever asks it; and a worker keeps its secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.history.store import Store
from tests.lab.installed import need
from tests.lab.person import Person
from tests.lab.rabbit import SERVER
from tests.lab.sshd import Sshd, keygen
from tests.lab.zones import ZoneLab
from tests.places import ROOT

need("rabbitmq-server", SERVER)
PASSWORD = "pass word$1'2"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZoneLab]:
    with ZoneLab(tmp_path_factory.mktemp("zones"), ("plant",)) as lab:
        yield lab


def audited(inventory: Path, *words: str) -> tuple[dict[str, Any], str]:
    command = [
        sys.executable,
        "-m",
        "auditor",
        "audit",
        "--inventory",
        str(inventory),
        "--format",
        "json",
        "--no-report",
        *words,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    return {t["name"]: t for t in json.loads(done.stdout)["targets"]}, done.stderr


def test_the_same_host_from_here_and_through_a_zone(lab: ZoneLab, tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    with Sshd(tmp_path / "sshd") as server:
        server.allow(key.with_suffix(".pub"))
        (tmp_path / "known").write_text(server.known_hosts_line())
        where = f"address: 127.0.0.1, port: {server.port}, user: root"
        settings = lab.settings("plant", f"[{{hosts: [127.0.0.1], key_file: {key}, known_hosts: {tmp_path / 'known'}}}]")
        inventory = lab.inventory(
            f"history: {tmp_path / 'a.db'}\nhosts:\n"
            f"  here: {{{where}, key_file: {key}, known_hosts: {tmp_path / 'known'}}}\n  there: {{{where}, zone: plant}}\n"
        )
        with lab.worker("plant", settings):
            for _night in range(2):  # the second one sends what has changed alone
                targets, _ = audited(inventory)
                told = {name: {f["rule"]: (f["verdict"], f["required"]) for f in t["findings"]} for name, t in targets.items()}
                assert told["here"] == told["there"]
                assert len(told["here"]) > 5
                assert targets["here"]["platform"] == targets["there"]["platform"]
    with Store(tmp_path / "a.db") as store:
        here, there = sorted(store.run("latest").results, key=lambda r: r.target.name)
        assert here.facts
        assert there.facts
        for field in ("packages", "repositories", "kernels", "services", "settings", "updates", "containers", "machine_id"):
            assert getattr(here.facts, field) == getattr(there.facts, field), field
        zone = store.run("latest").zones[0]
    assert (zone.name, zone.hosts, zone.lost, len(zone.workers)) == ("plant", 1, 0, 1)
    assert zone.received < 20_000, "the second night's facts are not sent again"


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a user with a password")
def test_secrets_of_the_worker(lab: ZoneLab, tmp_path: Path) -> None:
    """They are in no log, answer or inventory; one that is gone, or that the worker has not, costs its host alone."""
    with Person(PASSWORD) as person, Sshd(tmp_path / "sshd", "PasswordAuthentication yes") as server:
        (tmp_path / "known").write_text(server.known_hosts_line())
        (lab.keys / "pw").write_text(PASSWORD + "\n")
        (lab.keys / "pw").chmod(0o600)
        (lab.keys / "gone").write_text("x\n")
        (lab.keys / "gone").chmod(0o600)
        settings = lab.settings(
            "plant",
            f"[{{hosts: [127.0.0.1], known_hosts: {tmp_path / 'known'}, secrets: [login, gone]}}]",
            "secrets: {login: file:pw, gone: file:gone}\n",
        )
        where = f"address: 127.0.0.1, port: {server.port}, user: {person.name}, zone: plant"
        inventory = lab.inventory(
            f"history: {tmp_path / 'a.db'}\nhosts:\n  good: {{{where}, password: 'zone:login'}}\n"
            f"  gone: {{{where}, password: 'zone:gone'}}\n  unknown: {{{where}, password: 'zone:other'}}\n"
        )
        with lab.worker("plant", settings):
            (lab.keys / "gone").unlink()
            targets, errors = audited(inventory)
        assert targets["good"]["outcome"] in ("assessed", "partial"), targets["good"]["error"]
        assert targets["gone"]["error"]["kind"] == "secret-unavailable"
        assert "no secret 'other'" in targets["unknown"]["error"]["message"]
        everything = settings.with_suffix(".log").read_text() + errors + json.dumps(targets) + inventory.read_text()
        assert PASSWORD not in everything
