"""Ansible's inventories: the three forms give the same targets, and what cannot be taken is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import FileFaults
from auditor.inventory.ansible import Taken, read, spread
from auditor.inventory.select import open_inventory, select
from tests.conftest import Run as Auditor

INI = """\
# one host outside every group
lone ansible_host=192.0.2.9 ansible_connection=local

[web]
web[01:03] ansible_user=deploy  # the web servers
[db]
db-[a:b].example.com ansible_port=2222 ansible_ssh_private_key_file=keys/db

[windows]
sql1 ansible_host=sql1.corp.example
[windows:vars]
ansible_connection=winrm
ansible_winrm_transport=kerberos
ansible_winrm_server_cert_validation=ignore
ansible_password="s3cret"

[linux:children]
web
db
[linux:vars]
ansible_user=audit
ansible_become=yes
ansible_ssh_common_args='-o ProxyJump=jump@bastion.example.com:2200'

[boxes]
c1 ansible_connection=docker
"""
YAML = """\
all:
  hosts:
    lone: {ansible_host: 192.0.2.9, ansible_connection: local}
  children:
    linux:
      vars: {ansible_user: audit, ansible_become: true, ansible_ssh_common_args: "-o ProxyJump=jump@bastion.example.com:2200"}
      children:
        web:
          hosts: {"web[01:03]": {ansible_user: deploy}}
        db:
          hosts: {"db-[a:b].example.com": {ansible_port: 2222, ansible_ssh_private_key_file: keys/db}}
    windows:
      hosts: {sql1: {ansible_host: sql1.corp.example}}
      vars: {ansible_connection: winrm, ansible_winrm_transport: kerberos, ansible_winrm_server_cert_validation: ignore, ansible_password: !vault x}
    boxes:
      hosts: {c1: {ansible_connection: docker}}
"""
# What `ansible-inventory --list` of ansible-core 2.19.14 made of INI.
JSON = """\
{"_meta": {"hostvars": {
  "c1": {"ansible_connection": "docker"},
  "db-a.example.com": {"ansible_become": "yes", "ansible_port": 2222, "ansible_ssh_common_args": "-o ProxyJump=jump@bastion.example.com:2200", "ansible_ssh_private_key_file": "keys/db", "ansible_user": "audit"},
  "db-b.example.com": {"ansible_become": "yes", "ansible_port": 2222, "ansible_ssh_common_args": "-o ProxyJump=jump@bastion.example.com:2200", "ansible_ssh_private_key_file": "keys/db", "ansible_user": "audit"},
  "lone": {"ansible_connection": "local", "ansible_host": "192.0.2.9"},
  "sql1": {"ansible_connection": "winrm", "ansible_host": "sql1.corp.example", "ansible_password": "s3cret", "ansible_winrm_server_cert_validation": "ignore", "ansible_winrm_transport": "kerberos"},
  "web01": {"ansible_become": "yes", "ansible_ssh_common_args": "-o ProxyJump=jump@bastion.example.com:2200", "ansible_user": "deploy"},
  "web02": {"ansible_become": "yes", "ansible_ssh_common_args": "-o ProxyJump=jump@bastion.example.com:2200", "ansible_user": "deploy"},
  "web03": {"ansible_become": "yes", "ansible_ssh_common_args": "-o ProxyJump=jump@bastion.example.com:2200", "ansible_user": "deploy"}}, "profile": "inventory_legacy"},
 "all": {"children": ["ungrouped", "windows", "linux", "boxes"]},
 "boxes": {"hosts": ["c1"]}, "db": {"hosts": ["db-a.example.com", "db-b.example.com"]}, "linux": {"children": ["web", "db"]},
 "ungrouped": {"hosts": ["lone"]}, "web": {"hosts": ["web01", "web02", "web03"]}, "windows": {"hosts": ["sql1"]}}
"""  # fmt: skip
FORMS = {"hosts.ini": INI, "hosts.yaml": YAML, "hosts.json": JSON}


def taken(folder: Path, name: str) -> Taken:
    (folder / name).write_text(FORMS[name])
    return read(folder / name)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_taken(tmp_path: Path, name: str) -> None:
    found = taken(tmp_path, name)
    assert set(found.targets) == {"lone", "web01", "web02", "web03", "db-a.example.com", "db-b.example.com", "sql1"}
    assert set(found.groups) == {"web", "db", "windows", "linux", "boxes"}
    web, db, sql, lone = (found.targets[n] for n in ("web02", "db-b.example.com", "sql1", "lone"))
    assert (web.user, web.address, set(web.groups), web.become is not None) == ("deploy", "web02", {"web", "linux"}, True)
    assert [(h.user, h.address, h.port) for h in web.jump] == [("jump", "bastion.example.com", 2200)]
    assert (db.user, db.port, db.key_file) == ("audit", 2222, str(tmp_path / "keys" / "db"))
    assert (sql.connection, sql.address, sql.auth, sql.scheme) == ("winrm", "sql1.corp.example", "kerberos", "https")
    assert (sql.certificate_checking, sql.password) == ("ignore", None)
    assert (lone.connection, lone.address, lone.groups) == ("local", None, ())
    told = " ".join(found.remarks)
    assert "connection docker reaches no host" in told
    assert ("a password written out is not taken" in told) is (name != "hosts.yaml")  # there it was vaulted
    assert "s3cret" not in told


def test_the_three_forms_say_the_same(tmp_path: Path) -> None:
    one, two, three = (taken(tmp_path, name).targets for name in FORMS)
    for name, target in one.items():
        for other in (two[name], three[name]):
            assert (target.groups and set(target.groups)) == (other.groups and set(other.groups))
            assert [getattr(target, f) for f in target.__struct_fields__ if f != "groups"] == [
                getattr(other, f) for f in other.__struct_fields__ if f != "groups"
            ]


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("web", ["web"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[08:10]", ["web08", "web09", "web10"]),
        ("w[1:5:2]-[a:b]", ["w1-a", "w1-b", "w3-a", "w3-b", "w5-a", "w5-b"]),
        ("w[x:1]", []),
    ],
)
def test_ranges(pattern: str, hosts: list[str]) -> None:
    assert spread(pattern) == hosts


def test_a_range_of_millions_is_cut() -> None:
    assert len(spread("w[1:9999]-[1:9999]")) == 10_000


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("hosts.ini", "[web\nw1\n", "hosts.ini:1: [web is no section"),
        ("hosts.ini", "[web]\nw1 'unclosed\n", "hosts.ini:2: a host is a name and key=value words"),
        ("hosts.ini", "[web:vars]\nnothing\n", "hosts.ini:2: a variable is key=value"),
        ("hosts.json", '{"a": \n', "hosts.json:2: is no JSON"),
        ("hosts.json", '{"a": 3}', "hosts.json:1: is no JSON of"),
        ("hosts.yaml", "all:\n  hosts: [a, b]\n", "hosts.yaml:1: is no inventory of Ansible's"),
        ("hosts.yaml", "all:\n  hosts: {a: [}\n", "hosts.yaml:2: is no YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FileFaults) as caught:
        read(tmp_path / name)
    assert said in caught.value.faults[0].replace(f"{tmp_path}/", "")


def test_what_is_made_of_other_variables_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text('a ansible_host="{{ inventory_hostname }}.example.com"\n')
    found = read(tmp_path / "hosts")
    assert found.targets["a"].address == "a"
    assert "take `ansible-inventory --list`" in found.remarks[0]


def test_beside_our_own_inventory(tmp_path: Path) -> None:
    """`ansible: hosts.ini` brings its hosts; one of ours of the same name stands in for Ansible's."""
    (tmp_path / "hosts.ini").write_text(INI)
    (tmp_path / "inventory.yaml").write_text("hosts:\n  web01: {address: 192.0.2.1, user: me}\nansible: hosts.ini\n")
    opened = open_inventory(str(tmp_path / "inventory.yaml"))
    assert (opened.targets["web01"].user, opened.targets["web02"].user) == ("me", "deploy")
    assert {t.name for t in select(["@db"], opened)} == {"db-a.example.com", "db-b.example.com"}


def test_from_the_command_line(auditor: Auditor, home: Path) -> None:
    (home / "hosts.ini").write_text(INI)
    listed = auditor("inventory", "list", "--inventory", "hosts.ini").stdout
    assert "sql1" in listed
    assert "web03" in listed
    assert "connection docker" in auditor("inventory", "check", "--inventory", "hosts.ini").stdout
    (home / "hosts.ini").write_text("[web\n")
    done = auditor("inventory", "check", "--inventory", "hosts.ini")
    assert (done.returncode, "hosts.ini:1: " in done.stderr) == (2, True)
