"""The command line and the environment of ssh(1): what the inventory says, what is never left to ssh_config, and nothing else.

Left to ssh_config, and so to the operator: algorithms, keys and agents, GSSAPI, certificate authorities, aliases, proxies, and
a shared connection that is open already (ControlPath). What the command line says wins over ssh_config.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Container, Mapping, Sequence

from auditor.model.target import Target
from auditor.transports.ssh.algorithms import WEAK_CIPHERS, WEAK_MACS

# For the target and for every jump host of the inventory. `ssh -J` would hand none of this on to the jump host.
ALWAYS = (
    "BatchMode=yes",  # never a question: not for a password, a passphrase or a host key
    "LogLevel=DEBUG1",  # tells how far it came; goes into a log of its own (-E), not to stderr
    "NoHostAuthenticationForLocalhost=no",
    "UpdateHostKeys=no",  # known_hosts is written for accept-new only
    "ControlMaster=no",  # an open connection may be used, none is left behind
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RequestTTY=no",
    "RemoteCommand=none",
    "Tunnel=no",
)
# Only where this ssh has them (OpenSSH 8.7): each would part ssh from us, or the command from its input.
WHERE_KNOWN = ("ForkAfterAuthentication=no", "SessionType=default", "StdinNull=no")
LOCALE = ("LANG", "LANGUAGE")  # and LC_*: none is C, which is what is read here; and what is not set, SendEnv does not send


def words(ssh: str, target: Target, logs: Sequence[str], command: str, known: Container[str]) -> list[str]:
    """The whole call. `logs` are the files for the logs of the jump hosts, nearest first, and of the target; `known` are the
    options that this ssh has, in lower case."""
    later = [word for option in WHERE_KNOWN if option.partition("=")[0].lower() in known for word in ("-o", option)]
    return [*_to(ssh, (*target.jump, target), logs), *later, "-T", "-e", "none", "--", address(target), command]


def _to(ssh: str, route: Sequence[Target], logs: Sequence[str]) -> list[str]:
    """Options for the last host of a way. A jump host is an ssh of its own, as a ProxyCommand: so it is held to the same
    rules, may have a key and known_hosts of its own, and tells in a log of its own what is wrong."""
    *before, host = route
    out = [ssh, "-k", "-E", logs[len(before)], *login(host)]  # -k: no Kerberos ticket of ours goes to the host
    for option in (*ALWAYS, *_of(host)):
        out += ["-o", option]
    if before:
        first = shlex.join(_to(ssh, before, logs)).replace("%", "%%")
        out += ["-o", f"ProxyCommand={first} -W '[%h]:%p' -- {shlex.quote(address(before[-1])).replace('%', '%%')}"]
    return out


def login(host: Target) -> list[str]:
    """User and port, where the inventory gives them."""
    return [*(("-l", host.user) if host.user else ()), *(("-p", str(host.port)) if host.port else ())]


def _of(host: Target) -> list[str]:
    """What the inventory says of one host."""
    out = [
        f"StrictHostKeyChecking={'accept-new' if host.host_key_checking == 'accept-new' else 'yes'}",
        f"ConnectTimeout={math.ceil(host.timeouts.connect)}",
    ]
    if host.weak_ciphers:
        out += [f"Ciphers=+{WEAK_CIPHERS}", f"MACs=+{WEAK_MACS}"]
    if host.key_file:
        out += [f"IdentityFile={_quoted(host.key_file)}", "IdentitiesOnly=yes"]
    if host.known_hosts:
        out += [f"UserKnownHostsFile={' '.join(_quoted(p) for p in host.known_hosts)}", "GlobalKnownHostsFile=/dev/null"]
    return out


def _quoted(path: str) -> str:
    """A path as one word of ssh_config, its % being no token."""
    escaped = os.path.expanduser(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def address(host: Target | None) -> str:
    """What ssh_config knows the host by."""
    return host.address or host.name if host else "localhost"


def environment(outside: Mapping[str, str]) -> dict[str, str]:
    """What ssh, and what it starts, get of our environment."""
    kept = {k: v for k, v in outside.items() if k not in LOCALE and not k.startswith("LC_") and k != "SSH_ASKPASS"}
    return kept | {"SSH_ASKPASS_REQUIRE": "never"}
