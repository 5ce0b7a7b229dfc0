"""Our reader of Ansible's inventories beside Ansible's own (`ansible-inventory`, from tests/packages.sh): the same hosts, the same
way to each, or refused by both."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import FileFaults
from auditor.inventory.ansible import Taken, read
from auditor.model.target import Target
from tests.places import ROOT

PROGRAM = ROOT / ".schemas/ansible/bin/ansible-inventory"
Files = dict[str, str]

INVENTORIES: dict[str, Files] = {
    "comments": {"hosts": "# c\n; c\na ansible_port=23 # c\nb ansible_user=x#y\n[g] # c\nd\n[g:vars] # c\nansible_user=u # kept\n"},
    "ranges": {"hosts": "w[01:12:3].example.com:2222\ndb-[a:c]-[1:2]\nx[:2]\n[2001:db8::7]:2200\n2001:db8::8\nr[3:1]\n"},
    "types": {"hosts": "a ansible_port='22'\nb ansible_port=0x16\nc ansible_become=True\nd ansible_become='yes'\ne ansible_port=\"2_2\"\n"
                       "f ansible_user='1_000'\ng ansible_user=007\nh ansible_user=None\ni ansible_user=1e3\nj ansible_port=22.0\n"},
    "literals in vars": {"hosts": "[g]\na\n[g:vars]\nansible_port = 2222\nansible_user = 'quoted user'\nansible_become= on\n"},
    "quotes": {"hosts": "a ansible_user='a b'\nb ansible_user=\"'c'\"\nc ansible_user=CORP\\\\u\nd 'ansible_user=x y'\n"},
    "port twice": {"hosts": "a:1\na:2\nb:3 ansible_port=4\n[g]\nc:5\n[h]\nc\n"},
    "last wins": {"hosts": "[g]\na ansible_user=1st\n[h]\na ansible_user=2nd\n"},
    "depth": {"hosts": "[g]\na\n[z:children]\ng\n[z:vars]\nansible_user=parent\n[g:vars]\nansible_user=child\n"},
    "siblings by name": {"hosts": "[z]\na\n[b]\na\n[z:vars]\nansible_user=z\n[b:vars]\nansible_user=b\n"},
    "priority": {"hosts": "[z]\na\n[b]\na\n[z:vars]\nansible_user=z\n[b:vars]\nansible_user=b\nansible_group_priority=10\n"},
    "diamond": {"hosts": "[g]\na\n[l:children]\ng\n[r:children]\ng\n[t:children]\nl\nr\n[l:vars]\nansible_user=l\n[r:vars]\nansible_user=r\n"},
    "all and ungrouped": {"hosts": "u\n[g]\na\n[all:vars]\nansible_user=all\n[ungrouped:vars]\nansible_user=none\n"},
    "group_vars": {"hosts": "[g]\na\n[g:vars]\nansible_user=ini\n", "group_vars/g.yml": "ansible_user: file\n", "group_vars/all": "ansible_port: 23\n"},
    "group_vars over host": {"hosts": "[g]\na ansible_user=own\n", "group_vars/g.yml": "ansible_user: group\nansible_port: 24\n"},
    "host_vars": {"hosts": "[g]\na ansible_user=own\n", "host_vars/a.yml": "ansible_user: file\n", "group_vars/g": "ansible_user: group\n"},
    "a folder of vars": {"hosts": "[g]\na\n", "group_vars/g/10.yml": "ansible_user: x\n", "group_vars/g/20.yml": "ansible_user: y\n",
                         "group_vars/g/.hidden.yml": "ansible_user: no\n", "group_vars/g/b.yml~": "ansible_user: no\n"},
    "group_vars of all beside vars": {"hosts": "[g]\na\n[g:vars]\nansible_user=ini\n", "group_vars/all.yml": "ansible_user: all\n"},
    "json vars": {"hosts": "a\n", "host_vars/a.json": '{"ansible_port": 24}'},
    "yaml types": {"hosts.yml": "all:\n  hosts:\n    a: {ansible_become: yes}\n    b: {ansible_port: 0o22}\n    c: {ansible_port: 022}\n"
                                "    d: {ansible_user: !unsafe '{x}'}\n    e: {ansible_user: 2020-01-01}\n    f:\n    g: {ansible_port: 1:30}\n"},
    "yaml order": {"hosts.yml": "all:\n  children:\n    g: {hosts: {a: {ansible_port: 1}}}\n  hosts:\n    a: {ansible_port: 2}\n"},
    "yaml depth first": {"hosts.yml": "all:\n  children:\n    g:\n      children:\n        i: {hosts: {a: {ansible_port: 1}}}\n    h: {hosts: {a: {ansible_port: 2}}}\n"},
    "yaml anchors": {"hosts.yml": "x: &v {ansible_user: u}\nall:\n  vars: {<<: *v}\n  hosts: {'w[1:2]': }\n"},
    "yaml one name": {"hosts.yml": "all:\n  hosts: a\n  children:\n    g:\n      hosts: b\n"},
    "templates": {"hosts": "a ansible_host='{{ x }}'\nb ansible_user='{{ y }}'\nc ansible_password='{{ z }}'\n"},
    "older names": {"hosts": "a ansible_ssh_host=h ansible_ssh_port=23 ansible_ssh_user=u ansible_ssh_private_key_file=k\nb ansible_ssh_user=x ansible_user=y\n"},
    "ways": {"hosts": "a ansible_ssh_common_args='-J u@b:22'\nb ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q b\"'\n"
                      "c ansible_ssh_extra_args='-p 24'\nd ansible_ssh_args=''\ne ansible_ssh_common_args='-o ProxyCommand=\"nc %h %p\"'\n"},
    "windows": {"hosts": "[w]\na ansible_port=5985\nb ansible_winrm_transport=kerberos\nc ansible_winrm_scheme=http\nd ansible_connection=psrp\n"
                         "[w:vars]\nansible_connection=winrm\n"},
    "methods": {"hosts": "a ansible_become=1\nb ansible_become=yes ansible_become_method=su\nc ansible_become=yes ansible_become_user=x\n"},
    "addresses": {"hosts": "a ansible_host=2001:db8::1\nb ansible_host=u@h\nc ansible_host='a; rm'\nd ansible_host=\n"},
    # What Ansible refuses: of such a file it reads nothing.
    "refused: no section": {"hosts": "[g:things]\na\n"},
    "refused: no such group": {"hosts": "[g:vars]\nx=1\n"},
    "refused: no such child": {"hosts": "[g:children]\nh\n"},
    "refused: not closed": {"hosts": "a x='1\n"},
    "refused: a word alone": {"hosts": "a b\n"},
    "refused: vars without a value": {"hosts": "a\n[all:vars]\nx\n"},
    "refused: range of letters and numbers": {"hosts": "w[a:1]\n"},
    "refused: range without end": {"hosts": "w[1:]\n"},
    "refused: range of two widths": {"hosts": "w[01:100]\n"},
    "refused: below itself": {"hosts": "[a:children]\nb\n[b:children]\na\n"},
    "refused: no yaml": {"hosts.yml": "all: [\n"},
    "refused: a list of hosts": {"hosts.yml": "all:\n  hosts: [a, b]\n"},
    "refused: a name that is a number": {"hosts.yml": "all:\n  hosts:\n    10: {}\n"},
}  # fmt: skip


def _read(path: Path) -> Taken | None:
    try:
        return read(path)
    except FileFaults:
        return None


@pytest.mark.parametrize("name", INVENTORIES)
def test_our_reader_says_what_ansible_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, text in INVENTORIES[name].items():
        (tmp_path / at).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / at).write_text(text)
    path = tmp_path / next(iter(INVENTORIES[name]))
    which = shutil.which
    monkeypatch.setattr("shutil.which", lambda p: str(PROGRAM) if p == "ansible-inventory" else which(p))
    theirs = _read(path)
    monkeypatch.setattr("shutil.which", lambda p: None if p == "ansible-inventory" else which(p))
    ours = _read(path)
    assert (theirs is None) is name.startswith("refused")
    assert (ours is None) is (theirs is None)
    if ours and theirs:
        assert _ways(ours) == _ways(theirs)
        assert ours.remarks == theirs.remarks


def _ways(taken: Taken) -> dict[str, Target]:
    """`--list` loses the priority of groups, and so their order."""
    return {name: replace(target, groups=tuple(sorted(target.groups))) for name, target in taken.targets.items()}
