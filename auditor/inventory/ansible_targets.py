"""From a host's variables, as Ansible names them, to how it is reached here.

What is not understood is never another address, port or route: such a host is there, is not reached, and says why
(Target.fault). What is left out and changes none of that is noted, with the host's name.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from auditor.inventory import ansible_ssh_options
from auditor.inventory.ansible_groups import Variables, Vaulted
from auditor.model.target import Auth, Become, Connection, Target, Timeouts, is_host

Notes = defaultdict[str, list[str]]  # what was left out: the hosts

# ansible_connection without its collection: ours. Others (docker, network_cli, …) reach no host that could be audited.
_CONNECTIONS: dict[str, Connection] = {
    "ssh": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "libssh": "ssh", "local": "local",
    "winrm": "winrm", "psrp": "winrm",
}  # fmt: skip
_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.", "ansible.netcommon.")
_TRANSPORTS: dict[str, Auth] = {"ntlm": "ntlm", "negotiate": "ntlm", "kerberos": "kerberos", "basic": "basic", "plaintext": "basic",
                                "ssl": "basic", "certificate": "certificate"}  # fmt: skip
_TRUE, _FALSE = ("y", "yes", "on", "1", "true", "t", "1.0"), ("n", "no", "off", "0", "false", "f", "0.0")
_SECRETS = ("password", "ssh_pass", "ssh_password", "winrm_pass", "winrm_password", "psrp_password", "become_pass", "become_password",
            "sudo_pass", "ssh_private_key_passphrase", "ssh_private_key", "private_key_passphrase", "key_passphrase")  # fmt: skip
# What says how a host is reached, and has no like here: left out, and said.
_UNTAKEN = ("become_exe", "become_flags", "winrm_message_encryption", "winrm_kerberos_delegation", "winrm_kinit_mode", "psrp_proxy",
            "psrp_reconnection_retries", "ssh_pkcs11_provider", "ssh_executable", "ssh_transfer_method", "ssh_timeout", "timeout")  # fmt: skip


# Variables of the plugins paramiko and libssh that change neither who is reached nor how, nor as whom.
_HARMLESS = ("host_key_checking", "host_key_auto_add", "pty", "timeout", "banner_timeout", "record_host_keys", "look_for_keys", "pass",
             "password", "use_persistent_connections", "config_file")  # fmt: skip


_FAMILIES: dict[str, Literal["any", "inet", "inet6"]] = {"inet": "inet", "inet6": "inet6"}


class _Odd(Exception):
    """A variable that decides the way and is not understood."""


class _Said:
    """One host's variables."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables

    def value(self, *names: str) -> Any:
        """The last of these that is set, as Ansible looks them up. _Odd for what is a template or encrypted."""
        return self._last(names)[1]

    def _last(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in reversed(names):
            found = self._variables.get(f"ansible_{name}")
            if found is None or found == "None" or (isinstance(found, str) and not found.strip()):
                continue
            if isinstance(found, Vaulted):
                raise _Odd(f"ansible_{name} is encrypted")
            if isinstance(found, (str, list)) and any(mark in str(found) for mark in ("{{", "{%", "{#")):
                raise _Odd(f"ansible_{name} is made of other variables")
            return name, found
        return names[0], None

    def text(self, *names: str) -> str | None:
        name, found = self._last(names)
        if found is None:
            return None
        if isinstance(found, (dict, list)):
            raise _Odd(f"ansible_{name} is no text")
        return str(found).strip()

    def port(self, *names: str) -> int | None:
        name, found = self._last(names)
        if found is None:
            return None
        try:
            number = int(found) if isinstance(found, float) else int(str(found).strip().strip("'\""), 0)
        except (ValueError, OverflowError):
            raise _Odd(f"ansible_{name} {str(found)[:40]!r} is no port") from None
        if not 0 < number < 65536:
            raise _Odd(f"ansible_{name} {number} is no port")
        return number

    def true(self, *names: str) -> bool:
        found = self.text(*names)
        if found is None or found.lower() in _FALSE:
            return False
        if found.lower() in _TRUE:
            return True
        raise _Odd(f"ansible_{names[-1]} {found[:40]!r} is neither yes nor no")

    def others_of(self, plugin: str) -> list[str]:
        """The variables of a plugin that decide the way, whose values are not looked at here."""
        begin = f"ansible_{plugin}_"
        return sorted(
            name
            for name, value in self._variables.items()
            if name.startswith(begin) and name.removeprefix(begin) not in _HARMLESS and value not in (None, "")
        )

    def has(self, name: str) -> bool:
        return self._variables.get(f"ansible_{name}") not in (None, "")


def target(name: str, variables: Variables, groups: tuple[str, ...], notes: Notes) -> Target | None:
    """The host; None for one that nothing here reaches (a container, a switch), which is noted."""
    said = _Said(variables)
    connection: Connection = "ssh"
    try:
        named = said.text("connection") or "ssh"
        plain = next((named[len(c) :] for c in _COLLECTIONS if named.startswith(c)), named)
        found = _CONNECTIONS.get(plain)
        if found is None:
            notes[f"connection {named[:60]} reaches no host that can be audited"].append(name)
            return None
        connection = found
        made = Target(name=name, connection=connection, groups=groups, become=_become(said, name, notes))
        for secret in _SECRETS:
            if said.has(secret):
                notes[
                    "a password or key written out, or encrypted, is not taken; give a reference in an inventory of our own, or use keys"
                ].append(name)
                break
        for untaken in _UNTAKEN:
            if said.has(untaken):
                notes[f"ansible_{untaken} is not taken"].append(name)
        if plain in ("paramiko", "paramiko_ssh", "libssh") and (own := said.others_of(plain.removesuffix("_ssh"))):
            raise _Odd(f"{own[0]} says how the plugin {plain} reaches it")
        made = (
            made
            if connection == "local"
            else _winrm(made, said, plain, name)
            if connection == "winrm"
            else _ssh(made, said, name, notes)
        )
        if made.address is not None and not is_host(made.address):
            raise _Odd(f"the address {made.address[:60]!r} is no host name and no address")
        return made
    except _Odd as e:
        fault = f"Ansible's inventory says how to reach it in a way that is not understood here: {e}; take what `ansible-inventory --list` says, or give the host in an inventory of our own"
        return Target(name=name, connection=connection, groups=groups, address=name, fault=fault)


def _become(said: _Said, name: str, notes: Notes) -> Become | None:
    if not said.true("become"):
        return None
    method = (said.text("become_method") or "sudo").rpartition(".")[2]
    user = said.text("sudo_user", "become_user")
    if method != "sudo" or user not in (None, "root"):
        notes[f"become by {method} to {user or 'root'} is not taken; it is read without root's rights"].append(name)
        return None
    return Become()


def _ssh(made: Target, said: _Said, name: str, notes: Notes) -> Target:
    """ssh takes the first of each setting, and this is the order in which Ansible hands them on."""
    words = [ansible_ssh_options.read(said.text(key) or "") for key in ("ssh_args", "ssh_common_args", "ssh_extra_args")]
    first, *rest = words
    if odd := next((w.odd for w in words if w.odd), ""):
        raise _Odd(f"ssh's arguments have {odd}")
    ways = [w.jump for w in words if w.jump is not None]
    if len(ways) > 1:
        raise _Odd("ssh's arguments have two ways through other hosts")
    for keyword in sorted({k for w in words for k in w.left}):
        notes[f"{keyword} in ssh's arguments is not taken; host keys and algorithms are checked as this inventory says"].append(
            name
        )
    if said.has("host_key_checking") or said.has("ssh_host_key_checking"):
        notes["ansible_host_key_checking is not taken; unknown host keys are refused"].append(name)
    key = first.key or said.text("private_key_file", "ssh_private_key_file") or next((w.key for w in rest if w.key), None)
    address, user = said.text("host", "ssh_host") or name, said.text("user", "ssh_user")
    if "@" in address:  # ssh takes it apart
        inner, _, address = address.rpartition("@")
        user = user or inner
    return replace(
        made,
        address=address,
        port=first.port or said.port("port", "ssh_port") or next((w.port for w in rest if w.port), None),
        user=first.user or user or next((w.user for w in rest if w.user), None),
        key_file=str(Path(key).expanduser().absolute()) if key else None,
        jump=ways[0] if ways else (),
        address_family=_FAMILIES.get(next((w.family for w in words if w.family), ""), "any"),
    )


def _winrm(made: Target, said: _Said, plugin: str, name: str) -> Target:
    """Windows Remote Management, by either of Ansible's plugins; each knows only its own names."""
    own = "winrm" if plugin == "winrm" else "psrp"
    port = said.port("port", f"{own}_port")
    scheme = said.text("winrm_scheme" if own == "winrm" else "psrp_protocol") or ("http" if port == 5985 else "https")
    if scheme not in ("http", "https"):
        raise _Odd(f"the scheme {scheme[:40]!r} is neither http nor https")
    usual = 5986 if own == "winrm" or scheme == "https" else 5985  # winrm's is 5986, whatever the scheme
    checking = said.text("winrm_server_cert_validation" if own == "winrm" else "psrp_cert_validation")
    return replace(
        made,
        address=said.text("host", f"{own}_host") or name,
        port=port or usual,
        user=said.text("user", f"{own}_user"),
        scheme="http" if scheme == "http" else "https",
        auth=_auth(said.value("winrm_transport" if own == "winrm" else "psrp_auth")),
        certificate_checking="ignore" if checking == "ignore" else "validate",
        path=said.text(f"{own}_path"),
        proxy=said.text(f"{own}_proxy"),
        ca_file=said.text("winrm_ca_trust_path" if own == "winrm" else "psrp_ca_cert"),
        cert_file=said.text("winrm_cert_pem" if own == "winrm" else "psrp_certificate_pem"),
        cert_key_file=said.text("winrm_cert_key_pem" if own == "winrm" else "psrp_certificate_key_pem"),
        timeouts=Timeouts(),
    )


def _auth(said: Any) -> Auth:
    """The first of the ways to log in that is had here; NTLM where none is named, which every WinRM service offers."""
    named = [str(t).strip() for t in (said if isinstance(said, list) else str(said or "ntlm").split(","))]
    found = next((_TRANSPORTS[t] for t in named if t in _TRANSPORTS), None)
    if found is None:
        raise _Odd(f"the login by {', '.join(named)[:60]} is not had here")
    return found
