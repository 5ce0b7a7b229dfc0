"""ssh_config as OpenSSH reads it: our answers beside those of `ssh -G`, and what is refused for the host concerned alone."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from auditor.audit.context import AuditContext
from auditor.audit.executor import scan_all
from auditor.errors import HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.target import Target, parse_hop
from auditor.transports.ssh import config, config_query
from auditor.transports.tcp import connect
from tests.lab.hostile import Host

# name: the files below ~/.ssh, and the hosts to ask about
CONFIGS: dict[str, tuple[dict[str, str], list[str]]] = {
    "plain": ({"config": "Host w\n HostName 192.0.2.1\n User u\n Port 2222\n"}, ["w", "x"]),
    "first value wins": ({"config": "Host w\n User a\nHost *\n User b\n Port 7\n"}, ["w", "x"]),
    "nested jump": ({"config": "Host w\n ProxyJump inner\nHost inner\n ProxyJump outer\n User i\nHost outer\n HostName 192.0.2.9\n"}, ["w"]),
    "jump of three": ({"config": "Host w\n ProxyJump a:7,u@b,c\nHost a\n ProxyJump d\nHost b\n ProxyJump never\n"}, ["w"]),
    "jump with a star": ({"config": "Host gw\n HostName 192.0.2.3\nHost * !gw\n ProxyJump gw\n"}, ["w", "gw"]),
    "jump of none": ({"config": "Host w\n ProxyJump none\nHost w v\n ProxyJump gw\n"}, ["w", "v"]),
    "jump by address": ({"config": "Host w\n ProxyJump u@[2001:db8::1]:2200\n"}, ["w"]),
    "jump as a url": ({"config": "Host w\n ProxyJump ssh://u%40corp@gw\n"}, ["w"]),
    "jump with tokens": ({"config": "Host w\n HostName w.example\n ProxyJump gw-%h\n"}, ["w"]),
    "include in a block": ({"config": "Host w\n Include part\nHost x\n User x\n", "part": "User p\nHost y\n User y\n"}, ["w", "x", "y"]),
    "include, then global": ({"config": "Include part\nUser g\n", "part": "Host w\n User p\n"}, ["w", "x"]),
    "include of a folder's files": ({"config": "Include conf.d/*\nHost *\n Port 9\n", "conf.d/b": "Host w\n Port 2\n", "conf.d/a": "Host w\n Port 1\n"}, ["w"]),
    "include of a folder": ({"config": "Include conf.d\nHost w\n Port 3\n", "conf.d/a": "Port 1\n"}, ["w"]),
    "include of nothing": ({"config": "Include nothing/*.conf\nHost w\n Port 3\n"}, ["w"]),
    "include of two": ({"config": 'Include one "two three"\n', "one": "Host w\n User one\n", "two three": "Host w\n Port 23\n"}, ["w"]),
    "include in include": ({"config": "Include a\nPort 9\n", "a": "Host w\n Include b\n", "b": "Port 5\nHost x\n Port 6\n"}, ["w", "x"]),
    "match": ({"config": "Match host w\n User m\nMatch originalhost x user u\n Port 8\nMatch all\n Port 4\n"}, ["w", "x"]),
    "match after hostname": ({"config": "Host w\n HostName h.example\nMatch host h.example\n User m\n"}, ["w", "h.example"]),
    "match final": ({"config": "Match final host w.example\n User f\nHost w\n HostName w.example\n"}, ["w", "x"]),
    "match with equals": ({"config": "Match host=w\n User m\n"}, ["w", "x"]),
    "match not": ({"config": "Match !host w\n User m\n"}, ["w", "x"]),
    "comments at the end": ({"config": "Host w # not x\n HostName 192.0.2.1 # here\n User u # me\n Port 22 # the usual\n"}, ["w", "x", "#"]),
    "quotes": ({"config": 'Host "w"\n User "a b"\n HostName "192.0.2.1"\n IdentityFile "/keys/a b"\n'}, ["w"]),
    "equals": ({"config": "Host=w\n User = u\n Port=9\n"}, ["w"]),
    "case": ({"config": "HOST w\n HOSTNAME H.Example\n pOrT 9\n"}, ["w", "W"]),
    "tabs and carriage returns": ({"config": "Host w\r\n\tUser\tu\r\n\tPort\t9\r\n"}, ["w"]),
    "percent": ({"config": "Host w\n HostName %h.example\n IdentityFile /keys/%%n-%n-%h-%r-%p\n User u\n"}, ["w"]),
    "several keys": ({"config": "Host w\n IdentityFile ~/a\n IdentityFile ~/b\nHost *\n IdentityFile ~/c\n"}, ["w", "x"]),
    "no key": ({"config": "Host w\n IdentityFile none\n"}, ["w", "x"]),
    "known hosts": ({"config": "Host w\n UserKnownHostsFile /a /b\nHost x\n UserKnownHostsFile none\n"}, ["w", "x", "y"]),
    "alias and certificate": ({"config": "Host w\n HostKeyAlias k\n CertificateFile /c\n ConnectTimeout 7\n"}, ["w"]),
    "patterns": ({"config": "Host web* !web9 ?b\n User p\n"}, ["web1", "web9", "ab", "b"]),
    "what does not matter": ({"config": "Host *\n SendEnv LANG\n ServerAliveInterval 5\n"}, ["w"]),
}  # fmt: skip


@pytest.fixture
def ssh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh"


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)


def ask(name: str, **more: object) -> Target:
    return config.resolved(Target(name=name, address=name, **more), Deadline(20, "x"))  # type: ignore[arg-type]


def told(folder: Path, *words: str) -> dict[str, list[str]]:
    """What ssh itself says, read anew here."""
    done = subprocess.run(
        ["ssh", "-G", "-F", str(folder / "config"), *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        said.setdefault(line.split(" ")[0], []).append(line.partition(" ")[2])
    return said


def held(target: Target, said: dict[str, list[str]], name: str) -> None:
    me = os.path.expanduser("~")
    assert target.address == said["hostname"][0]
    assert target.port in (int(said["port"][0]), None)
    assert target.user in (said["user"][0], None)
    if target.identity_files and target.identity_files != ("/dev/null",):
        tokens = {"%%": "%", "%n": name, "%h": said["hostname"][0], "%r": said["user"][0], "%p": said["port"][0], "~": me}
        keys = list(said["identityfile"])
        for n, key in enumerate(keys):
            out, at = "", 0
            while at < len(key):
                pair = key[at : at + 2] if key[at] == "%" else key[at] if (key[at] == "~" and at == 0) else ""
                out, at = (out + tokens[pair], at + len(pair)) if pair else (out + key[at], at + 1)
            keys[n] = out
        assert list(target.identity_files) == keys
    if target.known_hosts and target.known_hosts != ("/dev/null",):
        assert " ".join(target.known_hosts) == said["userknownhostsfile"][0]
    assert (target.alias or name) == said.get("hostkeyalias", [target.alias or name])[0]


@pytest.mark.parametrize("what", CONFIGS)
def test_every_answer_is_that_of_ssh(ssh_folder: Path, what: str) -> None:
    files, hosts = CONFIGS[what]
    lay(ssh_folder, files)
    for name in hosts:
        target = ask(name)
        said = told(ssh_folder, "--", name)
        held(target, said, name)
        jump = said.get("proxyjump", ["none"])[0]
        assert bool(target.jump) == (jump != "none")
        assert jump == "none" or len(target.jump) >= len(jump.split(","))
        for hop in target.jump:
            word = hop.name if not hop.name.startswith("[") else ""
            if word and "@" not in word and ":" not in word:
                held(hop, told(ssh_folder, "--", word), word)


WAYS = {
    "nested jump": ["192.0.2.9:22", "i@inner:22"],
    "jump of three": ["d:22", "a:7", "u@b:22", "c:22"],  # only the first one's own jump applies
    "jump with a star": ["192.0.2.3:22"],
    "jump by address": ["u@2001:db8::1:2200"],
    "jump as a url": ["u@corp@gw:22"],
    "jump with tokens": ["gw-w.example:22"],
}


@pytest.mark.parametrize("what", WAYS)
def test_the_way_is_the_one_that_ssh_takes(ssh_folder: Path, what: str) -> None:
    """From what `ssh -v` was seen to run for ProxyJump: each hop an ssh of its own, the first one with its own ProxyJump."""
    files, hosts = CONFIGS[what]
    lay(ssh_folder, files)
    me = told(ssh_folder, "--", "nobody")["user"][0]
    way = [f"{'' if h.user in (None, me) else h.user + '@'}{h.address}:{h.port}" for h in ask(hosts[0]).jump]
    assert way == WAYS[what]


def test_the_inventorys_user_and_port_are_told_to_ssh(ssh_folder: Path) -> None:
    lay(ssh_folder, {"config": "Match user deploy\n IdentityFile /keys/deploy\nHost w\n User other\n Port 9\n"})
    target = ask("w", user="deploy", port=2200)
    assert (target.user, target.port, target.identity_files) == ("deploy", 2200, ("/keys/deploy",))
    assert ask("w").identity_files == ()
    jumping = ask("w", jump=(parse_hop("deploy@gw"),))
    assert jumping.jump[0].identity_files == ("/keys/deploy",)


def test_the_family_of_addresses_is_honoured(ssh_folder: Path) -> None:
    """A name with addresses of both families is reached by that of ssh_config, and by no other."""
    lay(ssh_folder, {"config": "Host four\n AddressFamily inet\nHost six\n AddressFamily inet6\n"})
    assert [ask(name).address_family for name in ("four", "six", "else")] == ["inet", "inet6", "any"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect("localhost", port, Deadline(5, "x"), "inet").close()
        with pytest.raises(OSError, match=r"no address of the family inet6|refused"):
            connect("localhost", port, Deadline(5, "x"), "inet6")
        with pytest.raises(socket.gaierror, match="no address of the family inet6, which ssh_config asks for"):
            connect("127.0.0.1", port, Deadline(5, "x"), "inet6")


REFUSED = {
    "exec": ("Match exec \"touch {ran}\"\n User m\n", "config:1: `Match exec` would run a command"),
    "exec behind a host": ("Host w\n User u\nMatch host w exec \"touch {ran}\"\n User m\n", "config:3: `Match exec`"),
    "exec not": ("Match !exec \"touch {ran}\"\n User m\n", "config:1: `Match exec`"),
    "exec with equals": ("Match exec=\"touch {ran}\"\n User m\n", "config:1: `Match exec`"),
    "exec in quotes": ("Match \"exec\" \"touch {ran}\"\n User m\n", "config:1: `Match exec`"),
    "exec in an include": ("Host zz\n Include part\n", "part:1: `Match exec`"),
    "proxy command": ("Host w\n ProxyCommand nc %h %p\n", "config:2: ProxyCommand is not run"),
    "proxy command of a jump": ("Host w\n ProxyJump gw\nHost gw\n ProxyCommand nc %h %p\n", "config:4: the jump host gw has a ProxyCommand"),
    "a circle": ("Host w\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n", "in a circle"),
    "itself": ("Host *\n ProxyJump gw\nHost gw\n HostName h\n", "in a circle"),
    "an unknown keyword": ("Host w\n Bogus yes\n", "config:2: Bad configuration option: bogus"),
    "an unknown criterion": ("Match nonsense x\n User u\n", "config:1: Unsupported Match attribute nonsense"),
    "a bad port": ("Host w\n Port nine\n", "config:2: "),
    "open quotes": ("Host w\n User \"a\n", "config:2: "),
    "a loop of includes": ("Include config\n", "Too many recursive"),
    "an unknown token": ("Host w\n IdentityFile /k/%z\n", "config:2: the token %z"),
    "another address to come from": ("Host w\n BindAddress 192.0.2.7\n", "config:2: BindAddress is not honoured"),
    "another interface": ("Host w\n BindInterface wg0\n", "config:2: BindInterface is not honoured"),
    "a jump's address to come from": ("Host w\n ProxyJump gw\nHost gw\n BindAddress 192.0.2.7\n", "config:4: BindAddress is not honoured"),
    "an unset variable": ("Host w\n IdentityFile /k/${{NO_SUCH}}\n", "config:2: the environment variable NO_SUCH"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_said_with_its_place_and_nothing_is_run(ssh_folder: Path, what: str) -> None:
    text, said = REFUSED[what]
    ran = ssh_folder / "ran"
    lay(ssh_folder, {"config": text.format(ran=ran), "part": f'Match exec "touch {ran}"\n User m\n'})
    with pytest.raises(HostError) as caught:
        ask("w")
    assert said in str(caught.value)
    assert not ran.exists()


def test_one_fault_is_one_hosts(ssh_folder: Path, audit: AuditContext, tmp_path: Path) -> None:
    """A ProxyCommand, and a Match exec that concerns one host, stop nobody else."""
    from concurrent.futures import ThreadPoolExecutor

    lay(
        ssh_folder,
        {
            "config": 'Host a\n ProxyCommand nc\nMatch originalhost b exec "true"\n Port 1\nHost c\n ProxyJump c2\nHost c2\n ProxyJump c\n'
        },
    )
    with Host(tmp_path / "host") as host, ThreadPoolExecutor(4) as pool:
        targets = [host.target(name=n, address=n, port=None) for n in "abc"] + [host.target(name="good")]
        found = {r.target.name: r for batch in scan_all(targets, audit, pool, Stop()) for r in batch}
    assert {n: r.outcome for n, r in found.items()} == {
        "a": "unreachable",
        "b": "unreachable",
        "c": "unreachable",
        "good": found["good"].outcome,
    }
    assert found["good"].outcome in ("assessed", "partial")
    for name, said in (("a", "config:2: ProxyCommand"), ("b", "config:3: `Match exec`"), ("c", "circle")):
        error = found[name].error
        assert error
        assert said in error.message


def test_files_that_say_nothing_that_matters_cost_no_process(ssh_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(ssh_folder, {"config": "Host *\n SendEnv LANG\n HashKnownHosts yes\n"})
    monkeypatch.setattr(config_query, "_run", lambda *_: pytest.fail("ssh was asked"))
    assert ask("w").address == "w"
    assert config.resolved(Target(name="w", connection="winrm"), Deadline(1, "x")).name == "w"
