"""Ansible's inventories: INI, YAML, and the JSON of `ansible-inventory --list`.

Taken are the hosts, their groups and what says how they are reached. Variables in group_vars/ and host_vars/, and those
made of other ones, are Ansible's to work out: `ansible-inventory --list > hosts.json` has them all. A password written
out is not taken: a secret is a reference here. Whatever is left out is said, once for each kind.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, field
from msgspec.structs import replace

from auditor.errors import FileFaults
from auditor.model.target import Auth, Become, Connection, Target, parse_hop
from auditor.yamlfile import MAX_BYTES

# ansible_connection: ours. Others (docker, network_cli, …) reach no host that could be audited.
_CONNECTIONS: dict[str, Connection] = {
    "ssh": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "ansible.netcommon.libssh": "ssh",
    "local": "local", "winrm": "winrm", "psrp": "winrm",
}  # fmt: skip
_TRANSPORTS: dict[str, Auth] = {
    "ntlm": "ntlm",
    "kerberos": "kerberos",
    "basic": "basic",
    "plaintext": "basic",
    "certificate": "certificate",
}
_PROXY_JUMP = re.compile(r"(?:-J\s*|-o\s*\"?'?ProxyJump[=\s])([^\s'\"]+)")
_RANGE = re.compile(r"\[(?P<from>\w+):(?P<to>\w+)(?::(?P<step>\d+))?\]")
_TRUE = ("yes", "true", "1", "on")


class Groups(Struct):
    """Ansible's tree: by group its hosts, its children and its variables; by host its own variables."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, group: str, host: str, variables: dict[str, Any]) -> None:
        self.hosts.setdefault(host, {}).update(variables)
        if host not in self.members.setdefault(group, []):
            self.members[group].append(host)


class Taken(Struct, frozen=True):
    """`remarks` say what was left out."""

    targets: dict[str, Target]
    groups: tuple[str, ...]
    remarks: tuple[str, ...]


def is_ansible(text: str, suffix: str) -> bool:
    """Is a file Ansible's rather than our own? By its suffix, and for YAML by its top keys."""
    if suffix in (".ini", ".cfg", ".json") or not suffix:
        return True
    return (
        suffix in (".yaml", ".yml")
        and bool(re.search(r"^(?:all|ungrouped):", text, re.M))
        and not re.search(r"^hosts:", text, re.M)
    )


def read(path: Path) -> Taken:
    """The targets of an inventory. Raises FileFaults (file:line: what is wrong)."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileFaults([f"{path}:1: is larger than {MAX_BYTES // 1_000_000} MB"])
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise FileFaults([f"{path}:1: cannot be read: {e}"]) from None
    if path.suffix == ".json" or text.lstrip().startswith("{"):
        groups = _json(path, text)
    elif path.suffix in (".yaml", ".yml"):
        groups = _yaml(path, text)
    else:
        groups = _ini(path, text)
    return _targets(groups, path)


def _json(path: Path, text: str) -> Groups:
    try:
        given = json.loads(text)
        made = Groups()
        for name, variables in given.get("_meta", {}).get("hostvars", {}).items():
            made.hosts[name] = dict(variables)
        for group, said in given.items():
            if group == "_meta":
                continue
            said = {"hosts": said} if isinstance(said, list) else said
            made.children[group] = list(said.get("children", ()))
            made.variables[group] = dict(said.get("vars", {}))
            for host in said.get("hosts", ()):
                made.add(group, host, {})
    except ValueError as e:
        line = getattr(e, "lineno", 1)
        raise FileFaults([f"{path}:{line}: is no JSON of `ansible-inventory --list`: {e}"]) from None
    except (AttributeError, TypeError, RecursionError):
        raise FileFaults(
            [f"{path}:1: is no JSON of `ansible-inventory --list`: groups with hosts, children and vars"]
        ) from None
    return made


class _Loader(yaml.SafeLoader):
    """Ansible's tags (!vault, !unsafe) give None: what is behind them is not for us."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def _yaml(path: Path, text: str) -> Groups:
    made = Groups()
    try:
        given = yaml.load(text, Loader=_Loader) or {}  # a SafeLoader
        for group, said in given.items():
            _group(made, str(group), said or {})
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        raise FileFaults([f"{path}:{mark.line + 1 if mark else 1}: is no YAML: {getattr(e, 'problem', e)}"]) from None
    except ValueError as e:  # a date that no calendar has
        raise FileFaults([f"{path}:1: is no YAML: {e}"]) from None
    except (AttributeError, TypeError, RecursionError):
        raise FileFaults([f"{path}:1: is no inventory of Ansible's: groups with hosts, vars and children"]) from None
    return made


def _group(made: Groups, name: str, said: dict[str, Any]) -> None:
    made.variables.setdefault(name, {}).update(said.get("vars") or {})
    made.members.setdefault(name, [])
    for pattern, variables in (said.get("hosts") or {}).items():
        for host in spread(str(pattern)):
            made.add(name, host, variables or {})
    for child, inner in (said.get("children") or {}).items():
        made.children.setdefault(name, []).append(str(child))
        _group(made, str(child), inner or {})


def _ini(path: Path, text: str) -> Groups:
    made, faults = Groups(), list[str]()
    group, kind = "ungrouped", ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if head := re.fullmatch(r"\[([^\]:]+)(?::(vars|children))?\]\s*(?:[#;].*)?", line):
            group, kind = head[1].strip(), head[2] or ""
            made.members.setdefault(group, [])
        elif line.startswith("["):
            faults.append(f"{path}:{number}: {line} is no section; [group], [group:vars] or [group:children]")
        elif kind == "children":
            made.children.setdefault(group, []).append(line.split("#")[0].strip())
        elif kind == "vars":
            key, equals, value = line.partition("=")
            if not equals:
                faults.append(f"{path}:{number}: a variable is key=value")
            made.variables.setdefault(group, {})[key.strip()] = _plain(value.strip())
        else:
            try:
                name, *words = shlex.split(line, comments=True)
                variables = dict(word.split("=", 1) for word in words)
            except ValueError:
                faults.append(f"{path}:{number}: a host is a name and key=value words")
                continue
            for host in spread(name):
                made.add(group, host, dict(variables))
    if faults:
        raise FileFaults(faults)
    return made


def _plain(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def spread(pattern: str) -> list[str]:
    """`web[01:12:2]` and `db-[a:c]`: every host that it stands for, ten thousand at most."""
    parts: list[list[str]] = []
    at = 0
    for m in _RANGE.finditer(pattern):
        parts += [[pattern[at : m.start()]], list(_range(m["from"], m["to"], int(m["step"] or 1)))]
        at = m.end()
    parts.append([pattern[at:]])
    return ["".join(words) for _, words in zip(range(10_000), product(*parts), strict=False)]


def _range(first: str, last: str, step: int) -> Iterator[str]:
    if first.isdigit() and last.isdigit():
        for number in range(int(first), int(last) + 1, max(1, step)):
            yield str(number).zfill(len(first) if first.startswith("0") else 0)
    elif len(first) == len(last) == 1:
        yield from (chr(c) for c in range(ord(first), ord(last) + 1, max(1, step)))


def _targets(groups: Groups, path: Path) -> Taken:
    above = _ancestors(groups)
    names = [
        g for g in groups.members.keys() | groups.children.keys() | groups.variables.keys() if g not in ("all", "ungrouped")
    ]
    of_host: dict[str, list[str]] = {}
    for group, hosts in groups.members.items():
        for host in hosts:
            of_host.setdefault(host, []).append(group)
    left_out: Counter[str] = Counter()
    targets = {}
    for host, own in groups.hosts.items():
        direct = of_host.get(host, [])
        mine = sorted({g for d in direct for g in (d, *above(d))}, key=lambda g: (-len(above(g)), g))
        merged: dict[str, Any] = dict(groups.variables.get("all", {}))
        for group in sorted(mine, key=lambda g: (len(above(g)), g)):  # Ansible: a child's variable goes before its parent's
            if group != "all":
                merged |= groups.variables.get(group, {})
        merged |= own
        target = _target(host, merged, tuple(g for g in mine if g in names), path, left_out)
        if target:
            targets[host] = target
    remarks = tuple(f"{path}: {what} ({count} {'host' if count == 1 else 'hosts'})" for what, count in sorted(left_out.items()))
    return Taken(targets, tuple(sorted(names)), remarks)


def _ancestors(groups: Groups) -> Any:
    parents: dict[str, set[str]] = {}
    for parent, children in groups.children.items():
        for child in children:
            parents.setdefault(child, set()).add(parent)

    def above(group: str) -> set[str]:
        found: set[str] = set()
        todo = list(parents.get(group, ()))
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo.extend(parents.get(one, ()))
        return found

    return above


def _target(name: str, said: dict[str, Any], groups: tuple[str, ...], path: Path, left_out: Counter[str]) -> Target | None:
    def text(*keys: str) -> str | None:
        for key in keys:
            value = said.get(f"ansible_{key}")
            if value is not None and "{{" in str(value):
                left_out[f"ansible_{key} is made of other variables; take `ansible-inventory --list`"] += 1
            elif value is not None and str(value).strip():
                return str(value)
        return None

    named = text("connection") or "ssh"
    connection = _CONNECTIONS.get(named)
    if connection is None:
        left_out[f"connection {named} reaches no host that can be audited"] += 1
        return None
    if any(said.get(f"ansible_{key}") for key in ("password", "ssh_pass", "winrm_password", "become_password", "become_pass")):
        left_out["a password written out is not taken; give a reference in an inventory of our own, or use keys"] += 1
    port = text("port", "ssh_port", "winrm_port", "psrp_port")
    address = None if connection == "local" else text("host", "ssh_host") or name
    target = Target(
        name=name,
        connection=connection,
        address=address,
        port=int(port) if port and port.isdigit() else None,
        user=text("user", "ssh_user", "winrm_user"),
        groups=groups,
        become=_become(said, text),
    )
    return _winrm(target, text) if connection == "winrm" else _ssh(target, text, path, left_out)


def _become(said: dict[str, Any], text: Any) -> Become | None:
    asked = str(said.get("ansible_become", "")).lower() in _TRUE
    return Become() if asked and (text("become_method") or "sudo") == "sudo" else None


def _ssh(target: Target, text: Any, path: Path, left_out: Counter[str]) -> Target:
    key = text("ssh_private_key_file", "private_key_file")
    arguments = " ".join(filter(None, (text("ssh_common_args"), text("ssh_extra_args"))))
    hops: Iterable[str] = m[1].split(",") if (m := _PROXY_JUMP.search(arguments)) else ()
    try:
        jump = tuple(parse_hop(hop) for hop in hops)
    except ValueError:
        jump = ()
        left_out["a ProxyJump that is no [user@]host[:port]"] += 1
    if arguments and not hops:
        left_out["ssh arguments other than ProxyJump are not taken"] += 1
    found = str(path.parent.absolute() / Path(key).expanduser()) if key else None
    return replace(target, key_file=found, jump=jump)


def _winrm(target: Target, text: Any) -> Target:
    scheme = text("winrm_scheme", "psrp_protocol") or ("http" if target.port == 5985 else "https")
    auth = next(
        (
            _TRANSPORTS[t.strip()]
            for t in (text("winrm_transport", "psrp_auth") or "ntlm").split(",")
            if t.strip() in _TRANSPORTS
        ),
        "ntlm",
    )
    checking = "ignore" if text("winrm_server_cert_validation", "psrp_cert_validation") == "ignore" else "validate"
    return replace(
        target,
        scheme="http" if scheme == "http" else "https",
        auth=auth,
        certificate_checking=checking,
        ca_file=text("winrm_ca_trust_path"),
        cert_file=text("winrm_cert_pem"),
        cert_key_file=text("winrm_cert_key_pem"),
    )
