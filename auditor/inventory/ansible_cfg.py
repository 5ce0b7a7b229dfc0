"""What Ansible's own settings say of how hosts are reached, as variables that every other one overrides.

They stand in one file, the first of $ANSIBLE_CONFIG, ansible.cfg of the working folder (and, here, beside the inventory),
~/.ansible.cfg and /etc/ansible/ansible.cfg; and in the environment, which wins (Ansible Configuration Settings).
`ansible-inventory` does not show them.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from auditor.errors import FileFaults
from auditor.inventory.ansible_groups import Variables

_MOST = 1_000_000  # bytes
# Section and key, variable of the environment, variable of a host.
_SETTINGS = (
    ("defaults", "remote_user", "ANSIBLE_REMOTE_USER", "ansible_user"),
    ("defaults", "remote_port", "ANSIBLE_REMOTE_PORT", "ansible_port"),
    ("defaults", "private_key_file", "ANSIBLE_PRIVATE_KEY_FILE", "ansible_private_key_file"),
    ("defaults", "transport", "ANSIBLE_TRANSPORT", "ansible_connection"),
    ("ssh_connection", "ssh_args", "ANSIBLE_SSH_ARGS", "ansible_ssh_args"),
    ("ssh_connection", "ssh_common_args", "ANSIBLE_SSH_COMMON_ARGS", "ansible_ssh_common_args"),
    ("ssh_connection", "ssh_extra_args", "ANSIBLE_SSH_EXTRA_ARGS", "ansible_ssh_extra_args"),
    ("paramiko_connection", "proxy_command", "ANSIBLE_PARAMIKO_PROXY_COMMAND", "ansible_paramiko_proxy_command"),
    ("privilege_escalation", "become", "ANSIBLE_BECOME", "ansible_become"),
    ("privilege_escalation", "become_method", "ANSIBLE_BECOME_METHOD", "ansible_become_method"),
    ("privilege_escalation", "become_user", "ANSIBLE_BECOME_USER", "ansible_become_user"),
)


def variables(inventory: Path) -> Variables:
    """The variables that Ansible's settings stand for. FileFaults where they cannot be read."""
    path = _file(inventory)
    cfg = _read(path) if path else configparser.ConfigParser(interpolation=None)
    found: Variables = {}
    for section, key, environment, name in _SETTINGS:
        value = os.environ.get(environment) or cfg.get(section, key, fallback="") or ""
        if not value.strip() or (name == "ansible_connection" and value.strip() == "smart"):
            continue
        if name == "ansible_private_key_file" and path and not os.environ.get(environment):
            value = str(path.parent / Path(value.strip()).expanduser())
        found[name] = value.strip()
    return found


def _file(inventory: Path) -> Path | None:
    named = os.environ.get("ANSIBLE_CONFIG")
    usual = (
        Path("ansible.cfg"),
        inventory.parent / "ansible.cfg",
        Path("~/.ansible.cfg").expanduser(),
        Path("/etc/ansible/ansible.cfg"),
    )
    places = ([Path(named) / "ansible.cfg" if Path(named).is_dir() else Path(named)] if named else []) + list(usual)
    return next((p.absolute() for p in places if p.is_file()), None)


def _read(path: Path) -> configparser.ConfigParser:
    cfg = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",), strict=False)
    try:
        if path.stat().st_size > _MOST:
            raise FileFaults([f"{path}:1: is larger than {_MOST // 1_000_000} MB"])
        cfg.read_string(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except OSError as e:
        raise FileFaults([f"{path}:1: cannot be read: {e.strerror}"]) from None
    except configparser.Error as e:
        raise FileFaults([f"{path}:1: is no file of settings: {' '.join(str(e).split())[:200]}"]) from None
    return cfg
