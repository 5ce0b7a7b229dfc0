"""No order goes further than the worker's own file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import FileFaults
from auditor.zones.messages import Ask, Hop
from auditor.zones.worker_settings import Served, WorkerSettings, read

ASK = Ask(name="anything", connection="ssh", address="10.20.0.5", port=2222, user="audit")
FILE = """
zone: plant
broker: {url: "amqps://mq.example.com/auditor", ca_file: f, cert_file: f, key_file: f, signing_key: f}
centre_key: f
secrets: {sudo: "file:s", other: "file:s"}
targets:
  - {hosts: [10.20.0.0/16, "*.plant.example.com"], key_file: f, secrets: [sudo]}
  - {hosts: ["fe80::/10", 10.21.0.7], known_hosts: f, host_key_checking: accept-new, weak_ciphers: true, certificate_checking: ignore}
"""


def written(folder: Path, text: str = FILE) -> Path:
    (folder / "f").touch()
    (folder / "s").write_text("secret\n")
    (folder / "s").chmod(0o600)
    path = folder / "worker.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    return read(written(tmp_path))


@pytest.mark.parametrize(
    ("address", "served"),
    [
        ("10.20.0.5", True),
        ("10.20.255.255", True),
        ("10.21.0.5", False),
        ("10.21.0.7", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:10.20.0.5", False),
        ("gw.plant.example.com", True),
        ("GW.PLANT.example.com", True),
        ("plant.example.com", False),
        ("gw.plant.example.com.evil", False),
        ("0xa140005", False),
        ("10.20.5", False),
        ("169.254.169.254", False),
        ("localhost", False),
    ],
)
def test_whom_it_asks(settings: WorkerSettings, address: str, served: bool) -> None:
    """The address decides; the name is the centre's word for the host."""
    for ask in (replace(ASK, address=address), replace(ASK, jump=(Hop(address=address),))):
        if served:
            assert settings.target(ask).address in (address, ASK.address)
        else:
            with pytest.raises(ValueError, match="none of the `targets:`"):
                settings.target(ask)
    with pytest.raises(ValueError, match="none of"):
        settings.target(replace(ASK, name="gw.plant.example.com", address="8.8.8.8"))


def test_how_it_trusts_is_its_own(settings: WorkerSettings, tmp_path: Path) -> None:
    target = settings.target(replace(ASK, address="10.21.0.7", jump=(Hop(address="10.20.0.1", port=22, user="x"),)))
    assert (target.name, target.address, target.port, target.user) == ("anything", "10.21.0.7", 2222, "audit")
    assert (target.host_key_checking, target.weak_ciphers, target.certificate_checking) == ("accept-new", True, "ignore")
    assert target.known_hosts == (str(tmp_path / "f"),)
    assert target.key_file is None
    hop = target.jump[0]
    assert (hop.address, hop.key_file, hop.host_key_checking) == ("10.20.0.1", str(tmp_path / "f"), "strict")
    assert target.zone is None


def test_secrets_by_alias_and_only_where_it_says(settings: WorkerSettings, tmp_path: Path) -> None:
    target = settings.target(replace(ASK, secret="sudo", sudo=True, sudo_secret="sudo"))
    assert target.password == f"file:{tmp_path / 's'}"
    assert target.become
    assert target.become.password == f"file:{tmp_path / 's'}"
    for alias in ("other", "none", "file:/etc/shadow", "command:id", "env:HOME", ""):
        for ask in (
            replace(ASK, secret=alias),
            replace(ASK, sudo=True, sudo_secret=alias),
            replace(ASK, jump=(Hop(address="10.20.0.1", secret=alias),)),
        ):
            with pytest.raises(ValueError, match="no secret"):
                settings.target(ask)
    with pytest.raises(ValueError, match="no secret"):
        settings.target(replace(ASK, address="10.21.0.7", secret="sudo"))


def test_a_recording_is_the_file_s_own_word(tmp_path: Path) -> None:
    served = Served(hosts=("10.0.0.0/8",), recording="/r")
    settings = replace(read(written(tmp_path)), targets=(served,))
    assert settings.target(ASK).connection == "replay"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.replace("zone: plant", "zone: Plant"), ":2: 'Plant' cannot be a zone's name"),
        (lambda t: t.replace("amqps://", "amqp://"), "is not of the form amqps://"),
        (lambda t: t.replace("amqps://mq", "amqps://user:pw@mq"), "no account is named"),
        (lambda t: t.replace("ca_file: f", "ca_file: gone"), "there is no"),
        (lambda t: t.replace("secrets: [sudo]", "secrets: [sodu]"), "'sodu' is not among"),
        (lambda t: t.replace('sudo: "file:s"', "sudo: hunter2"), "a secret is written out"),
        (lambda t: t.replace('sudo: "file:s"', 'sudo: "file:gone"'), "cannot be had"),
        (lambda t: t.replace("10.20.0.0/16", "10.20.0.0/36"), "is no network"),
        (lambda t: t.replace("10.20.0.0/16", "10.20.0.5/16"), "is no network"),
        (lambda t: t.replace("key_file: f, secrets", "key_file: gone, secrets"), "key_file: there is no"),
        (lambda t: t + "jobs: 0\n", "from 1 to 1024"),
        (lambda t: t + "job: 3\n", "unknown key 'job'"),
        (lambda t: t.replace("accept-new", "no"), "'no' is not one of"),
        (lambda t: "", "is empty"),
    ],
)
def test_faults_of_the_file(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    text = change(FILE)
    assert text != FILE
    with pytest.raises(FileFaults) as raised:
        read(written(tmp_path, text))
    assert any(said in fault for fault in raised.value.faults), raised.value.faults
