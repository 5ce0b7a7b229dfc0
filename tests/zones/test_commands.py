"""`auditor zones` and `auditor worker` as they are typed, rightly and wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from auditor.errors import UsageFault
from auditor.zones import check_extra
from auditor.zones.topology import definitions
from tests.conftest import Run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("zones", "setup", "Plant"), "cannot be a zone's name"),
        (("zones", "setup", "centre"), "cannot be a zone's name"),
        (("zones", "setup", "ca"), "cannot be a zone's name"),
        (("zones", "setup", "broker"), "cannot be a zone's name"),
        (("zones", "setup", "centre-signing"), "cannot be a zone's name"),
        (("zones", "setup", "plant", "--broker", "127.0.0.1:5673"), "is no host name"),
        (("zones", "setup", "a b; rm -rf /"), "cannot be a zone's name"),
        (("zones", "setup"), "Missing argument"),
        (("zones", "setpu", "plant"), "No such command"),
        (("zones", "setup", "plant", "--broker", "x; rm -rf /"), "is no host name"),
        (("worker",), "Missing option '--zone'"),
        (("worker", "--zone", "plant"), "there is no worker's file"),
        (("worker", "--zone", "plant", "--settings", "gone.yaml"), "there is no worker's file gone.yaml"),
        (("worker", "--zone", "plant", "--settings", "empty.yaml"), "empty.yaml:1: is empty"),
        (("worker", "--zone", "plant", "--settings", "other.yaml"), "other.yaml:"),
    ],
)
def test_typed_wrongly(auditor: Run, home: Path, words: tuple[str, ...], said: str) -> None:
    (home / "empty.yaml").write_text("")
    (home / "other.yaml").write_text("zone: port\n")
    done = auditor(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_printed_script(auditor: Run, home: Path) -> None:
    """Every part of it can be had by itself; it names one zone, one broker and nothing else."""
    script = auditor("zones", "setup", "plant", "--broker", "mq.example.com").stdout
    (home / "setup.sh").write_text(script)

    def part(name: str) -> str:
        return subprocess.run(["sh", "setup.sh", name], cwd=home, capture_output=True, text=True, check=True).stdout

    assert json.loads(part("definitions")) == definitions("plant", "auditor")
    assert yaml.safe_load(part("inventory")) == {"broker": "amqps://mq.example.com/auditor", "zones": {"plant": {"jobs": 32}}}
    worker = yaml.safe_load(part("worker"))
    assert worker["zone"] == "plant"
    assert worker["broker"]["url"] == "amqps://mq.example.com/auditor"
    assert "listeners.tcp = none" in part("settings")
    assert "127.0.0.1" in part("environment")
    part("certificates")
    before = {p: p.read_bytes() for p in (home / "zones").iterdir()}
    part("certificates")
    assert {p: p.read_bytes() for p in (home / "zones").iterdir() if p.suffix != ".srl"} == {
        p: b for p, b in before.items() if p.suffix != ".srl"
    }, "nothing is made anew"
    assert {p.name for p in before if p.stat().st_mode & 0o077} == {p.name for p in before if p.suffix in (".pem", ".pub")}
    # Another zone later: by the same authority, or not at all.
    (home / "second.sh").write_text(script.replace("plant", "second"))
    (home / "zones" / "ca.key").rename(home / "ca.key")
    without = subprocess.run(["sh", "second.sh", "certificates"], cwd=home, capture_output=True, text=True)
    assert (without.returncode, "zones/ca.key is not there" in without.stderr) == (1, True)
    (home / "ca.key").rename(home / "zones" / "ca.key")
    subprocess.run(["sh", "second.sh", "certificates"], cwd=home, capture_output=True, check=True)
    subprocess.run(["openssl", "verify", "-CAfile", "ca.pem", "plant.pem", "second.pem"], cwd=home / "zones", check=True)
    refused = subprocess.run(["sh", "setup.sh", "nothing"], cwd=home, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (64, "")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kombu", None)
    monkeypatch.delitem(sys.modules, "kombu")
    monkeypatch.setattr("auditor.zones.find_spec", lambda name: None)
    with pytest.raises(UsageFault, match=r"pip install 'auditor\[zones\]'"):
        check_extra()
