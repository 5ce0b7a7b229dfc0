"""The inventory: what it says becomes targets; all its faults come at once, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import FileFaults
from auditor.inventory.native import load
from auditor.model.target import Target, Timeouts, parse_hop
from tests.places import ROOT

FULL = """
defaults: {user: audit, timeouts: {connect: 3}, labels: {owner: ops}}
groups:
  web: {port: 2222, labels: {site: fra}}
  slow: {timeouts: {connect: 9, total: 600}}
  empty: {}
hosts:
  web1: {address: 10.0.0.5, groups: [web, slow], labels: {owner: web-team}, user: root}
  web2: {groups: web, jump: [gate, "me@[2001:db8::1]:2200"]}
  gate: {address: gate.example}
  here: {connection: local}
  old: {connection: replay, path: rec/old}
  sudo: {become: {method: sudo, password: env:PW}, password: file:pw}
waivers: waivers.yaml
attestations: attestations.yaml
history: audit.db
schedule: {}
"""


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PW", "x")
    (tmp_path / "pw").write_text("secret\n")
    (tmp_path / "pw").chmod(0o600)
    (tmp_path / "waivers.yaml").write_text(
        "- {rules: [linux-*], targets: ['@web'], owner: kim, reason: soon, expires: 2027-01-01}\n"
    )
    (tmp_path / "attestations.yaml").write_text("- {rule: Q181350, targets: [n1], state: done, by: kim, date: 2026-01-01}\n")
    (tmp_path / "inventory.yaml").write_text(FULL)
    return tmp_path / "inventory.yaml"


def test_precedence_is_defaults_then_groups_in_order_then_host(full: Path) -> None:
    inventory = load(full)
    web1 = inventory.targets["web1"]
    assert (web1.user, web1.port, web1.address) == ("root", 2222, "10.0.0.5")
    assert web1.timeouts == Timeouts(connect=9, command=60, total=600)
    assert web1.labels == {"owner": "web-team", "site": "fra"}
    assert inventory.targets["web2"].address == "web2"
    assert inventory.targets["web2"].jump == (
        inventory.targets["gate"],
        Target(name="me@[2001:db8::1]:2200", address="2001:db8::1", port=2200, user="me"),
    )
    assert inventory.targets["old"].path == str(full.parent / "rec/old")
    assert inventory.history == full.parent / "audit.db"
    assert (len(inventory.waivers), len(inventory.attestations), inventory.plans) == (1, 1, ())
    assert inventory.targets["sudo"].password == f"file:{full.parent / 'pw'}"


def faults(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(FileFaults) as e:
        load(path, strict=True)
    return [f.replace(str(tmp_path) + "/", "") for f in e.value.faults]


def test_every_fault_at_once(tmp_path: Path) -> None:
    text = """\
hosts:
  a: {address: x, prot: 22}
  a: {address: y}
  b: {groups: [nope]}
  c: {port: 99999}
  d: {password: hunter2}
  e: {password: env:NO_SUCH_VARIABLE_HERE}
  f: {connection: replay}
  g: {key_file: missing_key}
  h: {jump: ["two words"]}
  i: {jump: [i]}
  j: {timeouts: {connect: 0}}
  k: {connection: telnet}
hots: {}
waivers: w.yaml
"""
    (tmp_path / "w.yaml").write_text("- {rules: ['*'], targets: ['*'], owner: a, reason: b}\n")
    found = faults(tmp_path, text)
    assert [f.split(": ")[0] for f in found] == [
        f"inventory.yaml:{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
    ] + ["w.yaml:1"]
    assert "unknown key 'prot'; did you mean port or proxy?" in found[0]
    assert "duplicate key 'a', first given in line 2" in found[1]
    assert "the group 'nope' is not declared" in found[2]
    assert "a secret is written out" in found[4]
    assert "hunter2" not in "".join(found), "a fault must not repeat a secret"
    assert "NO_SUCH_VARIABLE_HERE is not set" in found[5]
    assert "unknown key 'hots'; did you mean hosts?" in found[12]
    assert "permanent: true" in found[13]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "pw").write_text("x")
    (tmp_path / "pw").chmod(mode)
    assert "can be read by others" in faults(tmp_path, "hosts: {a: {password: file:pw}}")[0]


def test_the_example_is_complete_and_loads() -> None:
    example = ROOT / "inventory.example.yaml"
    inventory = load(example)
    assert {t.connection for t in inventory.targets.values()} == {"local", "ssh", "openssh", "winrm", "replay"}
    text = example.read_text()
    for key in (
        "jump",
        "become",
        "known_hosts",
        "host_key_checking",
        "key_passphrase",
        "timeouts",
        "labels",
        "waivers",
        "attestations",
        "history",
        "ca_file",
        "scheme",
        "missing_updates",
    ):
        assert f"{key}:" in text, key


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("h", (None, "h", None)),
        ("u@h:22", ("u", "h", 22)),
        ("[::1]:5", (None, "::1", 5)),
        ("u@[fe80::1]", ("u", "fe80::1", None)),
    ],
)
def test_hops(text: str, parts: tuple[str | None, str, int | None]) -> None:
    hop = parse_hop(text)
    assert (hop.user, hop.address, hop.port) == parts


@pytest.mark.parametrize("text", ["", "a b", "h:x", "-oProxyCommand=x", "u@"])
def test_what_is_no_hop(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        parse_hop(text)


def test_a_large_fleet_loads(tmp_path: Path) -> None:
    hosts = "".join(f"  h{n}: {{address: 10.0.{n // 250}.{n % 250}, groups: [g]}}\n" for n in range(3000))
    (tmp_path / "i.yaml").write_text("groups: {g: {}}\nhosts:\n" + hosts)
    assert len(load(tmp_path / "i.yaml").targets) == 3000
