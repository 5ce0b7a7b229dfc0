"""Ansible's inventories: the three forms give the same targets, and what cannot be taken is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.errors import FileFaults
from auditor.inventory.ansible import Taken, read
from auditor.inventory.ansible_patterns import spread
from auditor.inventory.selection import open_inventory, select
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


@pytest.fixture(autouse=True)
def no_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own reader; tests/inventory/test_ansible_itself.py holds it against Ansible's."""
    monkeypatch.setattr("shutil.which", lambda program: None)


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
    assert (db.user, db.port, db.key_file) == ("audit", 2222, str(Path("keys/db").absolute()))
    assert (sql.connection, sql.address, sql.auth, sql.scheme) == ("winrm", "sql1.corp.example", "kerberos", "https")
    assert (sql.certificate_checking, sql.password) == ("ignore", None)
    assert (lone.connection, lone.address, lone.groups) == ("local", None, ())
    told = " ".join(found.remarks)
    assert "connection docker reaches no host" in told
    assert "a password or key written out, or encrypted, is not taken" in told
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
    ("pattern", "hosts", "port"),
    [
        ("web", ["web"], None),
        ("web:2222", ["web"], 2222),
        ("web[1:3]", ["web1", "web2", "web3"], None),
        ("web[:1]", ["web0", "web1"], None),
        ("web[08:10]:22", ["web08", "web09", "web10"], 22),
        ("w[1:5:2]-[a:b]", ["w1-a", "w1-b", "w3-a", "w3-b", "w5-a", "w5-b"], None),
        ("w[y:B]", ["wy", "wz", "wA", "wB"], None),
        ("[2001:db8::7]:2222", ["2001:db8::7"], 2222),
        ("2001:db8::7", ["2001:db8::7"], None),
        ("fe80::1%eth0", ["fe80::1%eth0"], None),
    ],
)
def test_ranges_and_ports(pattern: str, hosts: list[str], port: int | None) -> None:
    assert spread(pattern) == (hosts, port)


@pytest.mark.parametrize(
    "pattern", ["w[x:1]", "w[1]", "w[1:", "w[1:2:0]", "w[1:2:]", "w[1:]", "w[b:a]", "w[01:100]", "w[1:2:3:4]", "---"]
)
def test_a_range_that_ansible_refuses(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"w|---"):
        spread(pattern)


def test_a_range_of_millions_is_counted_before_it_is_made() -> None:
    with pytest.raises(ValueError, match="stands for 99,980,001 hosts"):
        spread("w[1:9999]-[1:9999]")


def test_many_ranges_of_one_file_count_together(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a[1:60000]\nb[1:60000]\n")
    with pytest.raises(FileFaults, match=r"hosts:2: .* stands for 60,000 hosts; 40,000 are read"):
        read(tmp_path / "hosts")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("hosts.ini", "[web\nw1\n", "hosts.ini:1: '[web': a bracket is not closed"),
        ("hosts.ini", "[web]\nw1 'unclosed\n", "hosts.ini:2: a host is a name and key=value words"),
        ("hosts.ini", "[web:vars]\nnothing\n", "hosts.ini:2: a variable is key=value"),
        ("hosts.json", '{"a": \n', "hosts.json:2: is no JSON"),
        ("hosts.json", '{"a": 3}', "hosts.json:1: is no JSON of"),
        ("hosts.yaml", "all:\n  hosts: [a, b]\n", "hosts.yaml:1: is no inventory of Ansible's"),
        ("hosts.yaml", "all:\n  hosts: {a: [}\n", "hosts.yaml:2: is not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FileFaults) as caught:
        read(tmp_path / name)
    assert said in caught.value.faults[0].replace(f"{tmp_path}/", "")


# What decides the way to a host and is not understood: never another address, port or route, and the host is not dropped.
NOT_UNDERSTOOD = {
    'ansible_host="{{ inventory_hostname }}.example.com"': "ansible_host is made of other variables",
    "ansible_port='{{ port }}'": "ansible_port is made of other variables",
    "ansible_user={%x%}": "ansible_user is made of other variables",
    "ansible_port=http": "ansible_port 'http' is no port",
    "ansible_port=70000": "ansible_port 70000 is no port",
    "ansible_port=-1": "ansible_port -1 is no port",
    "ansible_host=http://x/": "no host name and no address",
    "ansible_host='a; rm'": "no host name and no address",
    "ansible_host=-oProxyCommand=x": "no host name and no address",
    "ansible_become=maybe": "neither yes nor no",
    "ansible_ssh_common_args='-o ProxyCommand=\"nc %h %p\"'": "ssh's arguments have proxycommand nc %h %p",
    "ansible_ssh_extra_args='-o HostName=other'": "ssh's arguments have hostname other",
    "ansible_ssh_common_args='-F other_config'": "ssh's arguments have -F other_config",
    "ansible_ssh_common_args='-J a -J b'": "two ways",
    "ansible_ssh_common_args='-J a' ansible_ssh_extra_args='-J b'": "two ways",
    "ansible_ssh_args='-b 192.0.2.1'": "ssh's arguments have -b 192.0.2.1",
    "ansible_connection=winrm ansible_winrm_transport=credssp": "the login by credssp is not had here",
    "ansible_connection=winrm ansible_winrm_scheme=ftp": "neither http nor https",
}


@pytest.mark.parametrize(("variables", "said"), NOT_UNDERSTOOD.items())
def test_what_decides_the_way_is_understood_or_the_host_is_not_reached(tmp_path: Path, variables: str, said: str) -> None:
    (tmp_path / "hosts").write_text(f"a {variables}\nb\n")
    found = read(tmp_path / "hosts")
    assert said in found.targets["a"].fault
    assert found.targets["b"].fault == ""


def test_such_a_host_is_unreachable_and_the_others_are_audited(auditor: Auditor, home: Path) -> None:
    (home / "hosts.ini").write_text('a ansible_host="{{ x }}"\nb ansible_connection=local\n')
    done = auditor("audit", "--inventory", "hosts.ini", "--format", "json")
    hosts = {h["name"]: h for h in json.loads(done.stdout)["targets"]}
    assert "ansible_host is made of other variables" in hosts["a"]["error"]["message"]
    assert (hosts["a"]["error"]["kind"], hosts["b"]["error"]) == ("resolve", None)


WAYS = {
    "-J u@b:2200": [("u", "b", 2200)],
    "-o ProxyJump=b,c": [(None, "b", None), (None, "c", None)],
    "-oProxyJump=none": [],
    "-o 'ProxyJump b'": [(None, "b", None)],
    "-o ProxyCommand='ssh -W %h:%p -q u@b'": [("u", "b", None)],
    "-o ProxyCommand='ssh -W %h:%p -p 2200 -l u b'": [("u", "b", 2200)],
    "-C -o ControlMaster=auto -o ServerAliveInterval=60": [],
}


@pytest.mark.parametrize(("words", "jump"), WAYS.items())
def test_ways_through_other_hosts(tmp_path: Path, words: str, jump: list[tuple[str | None, str, int | None]]) -> None:
    (tmp_path / "hosts").write_text(f'a ansible_ssh_common_args="{words}"\n')
    target = read(tmp_path / "hosts").targets["a"]
    assert (target.fault, [(h.user, h.address, h.port) for h in target.jump]) == ("", jump)


def test_what_is_left_out_names_its_hosts(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[a]\nh[1:7]\n[a:vars]\nansible_become=yes\nansible_become_method=su\n")
    (remark,) = read(tmp_path / "hosts").remarks
    assert "become by su to root is not taken; it is read without root's rights: h1, h2, h3, h4, h5 and 2 more" in remark


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
