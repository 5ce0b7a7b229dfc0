"""What ssh_config(5) says of a target and of its jump hosts, as the system's own ssh reads it: `ssh -G` (ssh(1)).

Nothing is run by that but ssh itself: ProxyCommand and KnownHostsCommand are only printed, and `Match exec`, which ssh runs while it
reads, meets a shell that is a folder, so that ssh refuses just the hosts for which it would have run something. What cannot be
honoured is the fault of the host concerned, with its file and line; the other hosts are reached.

Where the files say nothing that matters here, ssh is not asked: it takes some seven milliseconds a host.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from msgspec.structs import replace

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline
from auditor.model.target import Target, Timeouts, parse_hop
from auditor.transports.openssh import options
from auditor.transports.ssh.config_files import budget, config_files, lines, own_home, where
from auditor.transports.ssh.config_query import SshConfigValues, ask, defaults_of, program
from auditor.transports.ssh.stamp import Stamp, stamp

_MOST_HOPS = 8
# What can change who is reached, how, and as whom; and what reads other files or runs something. Any other keyword is
# ssh's own business.
_MATTERS = frozenset(
    [
        "hostname",
        "user",
        "port",
        "identityfile",
        "certificatefile",
        "proxyjump",
        "proxycommand",
        "userknownhostsfile",
        "hostkeyalias",
        "connecttimeout",
        "canonicalizehostname",
        "canonicaldomains",
        "canonicalizepermittedcnames",
        "identitiesonly",
        "addressfamily",
        "bindaddress",
        "bindinterface",
        "match",
    ]
)
# Keywords that `ssh -G` does not print, and that say nothing of where and who.
_SILENT = frozenset(
    ("host", "include", "sendenv", "setenv", "localforward", "remoteforward", "dynamicforward", "ignoreunknown")
)
_NOWHERE = "/dev/null"  # where a file is asked for and ssh_config says "none"


def resolved(target: Target, deadline: Deadline) -> Target:
    """A target with what ssh_config says of it and of its jump hosts, those of a jump host's own among them. HostError where
    it says what cannot be honoured, or cannot be read. Any connection but ssh stays what it is."""
    files = tuple(config_files())
    if target.connection != "ssh" or not _matters(tuple((str(f), stamp(f)) for f in files)):
        return target
    said = ask(target, deadline)
    hops = target.jump or _jumps(said, target)
    if not hops and "proxycommand" in said:
        command = said["proxycommand"][0]
        why = "ProxyCommand is not run; use ProxyJump there, or `jump` in the inventory, or connection openssh"
        raise HostError("jump-failed", f"{where('proxycommand', command)}{why}")
    return replace(_login(target, said), jump=_route(hops, deadline, ()))


def _route(hops: tuple[Target, ...], deadline: Deadline, before: tuple[Target, ...]) -> tuple[Target, ...]:
    """The jump hosts by their own settings. Each is an ssh of its own, so the first one's own ProxyJump comes before it."""
    if not hops:
        return ()
    answers = [ask(hop, deadline) for hop in hops]
    found = tuple(_login(hop, said) for hop, said in zip(hops, answers, strict=True))
    if "proxycommand" in answers[0]:
        why = f"the jump host {hops[0].name} has a ProxyCommand, which is not run; use ProxyJump there"
        raise HostError("jump-failed", f"{where('proxycommand', answers[0]['proxycommand'][0])}{why}")
    route = (*found, *before)
    places = [(h.address, h.port or 22, h.user) for h in route]
    if len(route) > _MOST_HOPS or len(set(places)) < len(places):
        raise HostError("jump-failed", f"ProxyJump leads in a circle, or through more than {_MOST_HOPS} hosts: {_names(route)}")
    return (*_route(_jumps(answers[0], hops[0]), deadline, route), *found)


def _names(route: tuple[Target, ...]) -> str:
    return " → ".join(hop.name for hop in route)


def _jumps(said: SshConfigValues, target: Target) -> tuple[Target, ...]:
    """The value of ProxyJump; a line of `ssh -G` with `none` is a host of that name."""
    if "proxyjump" not in said:
        return ()
    text = said["proxyjump"][0]
    try:
        return tuple(_hop(_expanded(word.strip(), said, target)) for word in text.split(","))
    except ValueError as e:
        raise HostError("jump-failed", f"{where('proxyjump', text)}ProxyJump: {e}") from None


def _hop(word: str) -> Target:
    word = word.strip('"')
    if not word.lower().startswith("ssh://"):
        return parse_hop(word)
    user, at, host = word[6:].rstrip("/").rpartition("@")
    return parse_hop(f"{unquote(user)}{at}{host}")


def _login(target: Target, said: SshConfigValues) -> Target:
    """What the inventory leaves open, from ssh_config."""
    for keyword, name in (("bindaddress", "BindAddress"), ("bindinterface", "BindInterface")):
        if keyword in said:
            why = f"{name} is not honoured, and what it leaves out may be another way; use connection openssh"
            raise HostError("protocol", f"{where(keyword, said[keyword][0])}{why}")
    usual = defaults_of(program())
    first = {key: values[0] for key, values in said.items()}
    timeouts, limit = target.timeouts, first.get("connecttimeout", "")
    if limit.isdecimal() and timeouts.connect == Timeouts().connect:
        timeouts = replace(timeouts, connect=float(limit))
    keys = said.get("identityfile", [])
    return replace(
        target,
        address=first.get("hostname") or target.address,
        user=target.user or first.get("user"),
        port=target.port or (int(first["port"]) if first.get("port", "").isdecimal() else None),
        identity_files=target.identity_files or (() if keys == usual.get("identityfile") else _paths(keys, said, target)),
        certificate_file=target.certificate_file or next(iter(_paths(said.get("certificatefile", [])[:1], said, target)), None),
        known_hosts=target.known_hosts or _known_hosts(first.get("userknownhostsfile", ""), usual),
        alias=target.alias or first.get("hostkeyalias"),
        address_family=_family(first.get("addressfamily", "any")),
        timeouts=timeouts,
    )


def _family(text: str) -> Literal["any", "inet", "inet6"]:
    return "inet" if text == "inet" else "inet6" if text == "inet6" else "any"


def _known_hosts(text: str, usual: SshConfigValues) -> tuple[str, ...]:
    """ssh expands the paths and leaves out their quotes, so a path with blanks is known by being there."""
    if [text] == usual.get("userknownhostsfile"):
        return ()
    if text.lower() == "none":
        return (_NOWHERE,)
    return (text,) if " " in text and Path(text).is_file() else tuple(text.split())


def _paths(values: list[str], said: SshConfigValues, target: Target) -> tuple[str, ...]:
    """Paths as ssh would open them; those that it would not open are none of ours either."""
    try:
        return tuple(_NOWHERE if v.lower() == "none" else _home(_expanded(v, said, target)) for v in values)
    except ValueError as e:
        raise HostError("auth-failed", f"{where('identityfile', values[0])}{e}; write the path out") from None


def _expanded(text: str, said: SshConfigValues, target: Target) -> str:
    """ssh_config(5), TOKENS and ENVIRONMENT VARIABLES. ValueError for one that ssh does not know there."""
    me = pwd.getpwuid(os.getuid())
    host = socket.gethostname()
    tokens = {
        "%": "%", "d": me.pw_dir, "h": said.get("hostname", [""])[0], "i": str(me.pw_uid), "l": socket.getfqdn() if "%l" in text else "",
        "k": said.get("hostkeyalias", [options.address(target)])[0], "L": host.partition(".")[0], "n": options.address(target), "p": said.get("port", ["22"])[0],
        "r": said.get("user", [""])[0], "u": me.pw_name,
    }  # fmt: skip

    def value(found: re.Match[str]) -> str:
        name, token = found[1], found[2]
        if name is not None:
            if name not in os.environ:
                raise ValueError(f"the environment variable {name} is not set")
            return os.environ[name]
        if token not in tokens:
            raise ValueError(f"the token %{token} is not known here")
        return tokens[token]

    return re.sub(r"\$\{(\w+)\}|%(.)", value, text)


def _home(path: str) -> str:
    """`~` is the home that the system knows of a user, whatever HOME says (ssh(1)); but a HOME of its own is meant."""
    if path.startswith("~/") or path == "~":
        return str(own_home()) + path[1:]
    return os.path.expanduser(path)


@lru_cache(maxsize=64)
def _matters(files: tuple[tuple[str, Stamp], ...]) -> bool:
    """Does any of these files, or of those that they include, say what matters here? Where that is not sure, yes."""
    said = {keyword for file, _ in files for _, _, keyword, _ in lines(file, budget())} - _SILENT
    return bool(said & _MATTERS or (said and not said <= defaults_of(program()).keys()))
