"""What ansible.cfg and the environment say of how hosts are reached; whoever contacts a host without it contacts another way."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import FileFaults
from auditor.inventory import ansible
from auditor.model.target import Target

INI = "[web]\nw1\nw2 ansible_user=kim ansible_port=2200 ansible_ssh_private_key_file=/k ansible_ssh_common_args='-4'\n"


def targets(home: Path, cfg: str = "", ini: str = INI) -> dict[str, Target]:
    (home / "inv").mkdir(exist_ok=True)
    (home / "inv" / "hosts.ini").write_text(ini)
    if cfg:
        (home / "inv" / "ansible.cfg").write_text(cfg)
    return ansible.read(home / "inv" / "hosts.ini").targets


def test_settings_stand_below_every_variable(home: Path) -> None:
    found = targets(
        home,
        "[defaults]\nremote_user = deploy ; who\nremote_port = 2222\nprivate_key_file = keys/id\n[ssh_connection]\nssh_common_args = -o ProxyJump=bastion\n",
    )
    w1, w2 = found["w1"], found["w2"]
    assert (w1.user, w1.port, w1.key_file, [h.address for h in w1.jump]) == (
        "deploy",
        2222,
        str(home / "inv/keys/id"),
        ["bastion"],
    )
    assert (w2.user, w2.port, w2.key_file, w2.jump, w2.address_family) == ("kim", 2200, "/k", (), "inet")


@pytest.mark.parametrize(
    ("cfg", "word"),
    [
        ("[ssh_connection]\nssh_args = -o ProxyCommand='nc %h %p'\n", "proxycommand"),
        ("[ssh_connection]\nssh_extra_args = -F other\n", "-F other"),
        ("[defaults]\nremote_port = {{ port }}\n", "made of other variables"),
        (
            "[defaults]\ntransport = paramiko\n[paramiko_connection]\nproxy_command = nc %h %p\n",
            "ansible_paramiko_proxy_command",
        ),
    ],
)
def test_what_is_not_understood_there_makes_the_host_unreachable(home: Path, cfg: str, word: str) -> None:
    assert word in targets(home, cfg)["w1"].fault


def test_where_the_settings_are_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, user in (
        (".ansible.cfg", "home"),
        ("inv/ansible.cfg", "beside"),
        ("ansible.cfg", "folder"),
        ("named.cfg", "named"),
    ):
        (home / "inv").mkdir(exist_ok=True)
        (home / place).write_text(f"[defaults]\nremote_user = {user}\n")
        if user == "named":
            monkeypatch.setenv("ANSIBLE_CONFIG", str(home / place))
        assert targets(home)["w1"].user == user
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "env")
    assert targets(home)["w1"].user == "env"
    (home / "named.cfg").write_text("no section\n")
    with pytest.raises(FileFaults, match="is no file of settings"):
        targets(home)


@pytest.mark.parametrize("plugin", ["paramiko", "ansible.builtin.paramiko_ssh", "ansible.netcommon.libssh"])
@pytest.mark.parametrize("name", ["proxy_command", "user", "port", "host", "private_key_file", "something_new"])
def test_variables_of_other_plugins_decide_the_way(home: Path, plugin: str, name: str) -> None:
    own = "libssh" if "libssh" in plugin else "paramiko"
    line = f"w1 ansible_connection={plugin} ansible_{own}_{name}=22 ansible_{own}_host_key_checking=false\nw2 ansible_{own}_{name}=22\n"
    found = targets(home, ini=line)
    assert f"ansible_{own}_{name} says how the plugin" in found["w1"].fault
    assert found["w2"].fault == ""  # ssh does not look at them
