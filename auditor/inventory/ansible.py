"""Ansible's inventories: INI, YAML, and the JSON of `ansible-inventory --list`.

Where Ansible itself is installed it reads its files (`ansible-inventory --list`, scripts and plugins left out); elsewhere our
reader does, with group_vars and host_vars beside the file. Taken are the hosts, their groups and what says how they are
reached; a password written out is not, since a secret is a reference here. Whatever is left out is said, with the hosts' names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from auditor.errors import FileFaults
from auditor.foundation.yaml_file import MAX_BYTES
from auditor.inventory import ansible_cfg, ansible_targets
from auditor.inventory import ansible_forms as forms
from auditor.inventory.ansible_groups import Groups, Merged, Variables, Vaulted
from auditor.inventory.ansible_targets import Notes
from auditor.model.target import Target

_SECONDS = 120  # for ansible-inventory; 20,000 hosts take five
_MOST_NAMED = 5  # hosts that a remark names
_VAULT = "$ANSIBLE_VAULT;"


class Taken(Struct, frozen=True):
    """`remarks` say what was left out, and of which hosts."""

    targets: dict[str, Target]
    groups: tuple[str, ...]
    remarks: tuple[str, ...]


def is_ansible(text: str, suffix: str) -> bool:
    """Is a file Ansible's rather than our own? By its suffix, and for YAML by its top keys: ours has `hosts`, Ansible's has groups,
    each with hosts, children or vars."""
    if suffix not in (".yaml", ".yml"):
        return suffix in (".ini", ".cfg", ".json", ".inv", "") or not re.search(r"^(?:hosts|defaults|groups):", text, re.M)
    if re.search(r"^(?:all|ungrouped):", text, re.M):
        return not re.search(r"^hosts:", text, re.M)
    tops = re.findall(r"^([^\s#:&][^:\n]*):[^\n]*(?:\n[ \t]+(hosts|children|vars):)?", text, re.M)
    return bool(tops) and any(inner for _, inner in tops) and not re.search(r"^(?:hosts|defaults|groups|ansible):", text, re.M)


def read(path: Path) -> Taken:
    """The targets of an inventory. Raises FileFaults (file:line: what is wrong)."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileFaults([f"{path}:1: is larger than {MAX_BYTES // 1_000_000} MB"])
        content = path.read_bytes()
    except OSError as e:
        raise FileFaults([f"{path}:1: cannot be read: {e.strerror or e}"]) from None
    text = content.decode("utf-8-sig" if path.suffix in (".yaml", ".yml", ".json") else "utf-8", "surrogateescape")
    if text.startswith(_VAULT):
        raise FileFaults([f"{path}:1: is encrypted; take `ansible-inventory --list > hosts.json`"])
    if _is_list(path, text):
        return _taken(forms.read_json(path, text), path, lambda kind, name: {})
    if program := shutil.which("ansible-inventory"):
        return _taken(forms.read_json(path, _by_ansible(program, path)), path, lambda kind, name: {})
    return _taken(_own(path, text), path, _Beside(path.parent).variables)


def _is_list(path: Path, text: str) -> bool:
    return path.suffix == ".json" or text.lstrip().startswith("{")


def _own(path: Path, text: str) -> Groups:
    if os.access(path, os.X_OK) and text.startswith("#!"):
        raise FileFaults([f"{path}:1: is a program, which is not run; take `ansible-inventory --list > hosts.json`"])
    if path.suffix in (".yaml", ".yml") or (
        not path.suffix and re.match(r"(?:\s|#[^\n]*\n|---)*[\w.-]+:[ \t]*(?:#[^\n]*)?\n", text)
    ):
        if re.search(r"^plugin:", text, re.M):
            raise FileFaults([f"{path}:1: is for a plugin of Ansible's; take `ansible-inventory --list > hosts.json`"])
        return forms.read_yaml(path)
    return forms.read_ini(path, text)


def _by_ansible(program: str, path: Path) -> str:
    """What Ansible says of its own file. No scripts and no plugins are run; a file that it cannot read is a fault."""
    settings = {
        "ANSIBLE_INVENTORY_ENABLED": "yaml,ini,toml", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", "ANSIBLE_INVENTORY_EXPORT": "0",
        "ANSIBLE_VERBOSITY": "0", "ANSIBLE_DEBUG": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    try:
        done = subprocess.run(
            [program, "-i", str(path), "--list"],
            env={**os.environ, **settings}, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as e:
        raise FileFaults([f"{path}:1: ansible-inventory did not read it: {e}"]) from None
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise FileFaults([f"{path}:1: Ansible cannot read it: {said[:400]}"])
    return done.stdout.decode("utf-8", "replace")


class _Beside:
    """group_vars and host_vars beside an inventory: per name the first of a folder or file without suffix, .yml, .yaml, .json;
    of a folder everything below it, in the order of the names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.variables = cache(self._variables)

    def _variables(self, kind: str, name: str) -> Variables:
        base = self._folder / f"{kind}_vars"
        if "/" in name or not base.is_dir():
            return {}
        found: Variables = {}
        for suffix in ("", ".yml", ".yaml", ".json"):
            path = base / f"{name}{suffix}"
            if path.is_dir():
                inner = [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix in ("", ".yml", ".yaml", ".json")]
                for file in (p for p in inner if not p.name.startswith(".") and not p.name.endswith("~")):
                    found.update(self._file(file))
                return found
            if path.is_file():
                return self._file(path)
        return found

    @staticmethod
    def _file(path: Path) -> Variables:
        try:
            with path.open("rb") as file:
                encrypted = file.read(len(_VAULT)) == _VAULT.encode()
        except OSError as e:
            raise FileFaults([f"{path}:1: cannot be read: {e.strerror}"]) from None
        if encrypted:  # whatever it holds may say how its hosts are reached
            return {"ansible_connection": Vaulted()}
        given = forms.load_yaml(path)
        if given is not None and not isinstance(given, dict):
            raise FileFaults([f"{path}:1: holds no variables"])
        return dict(given or {})


def _taken(groups: Groups, path: Path, beside: Any) -> Taken:
    try:
        merged = Merged(groups, beside)
    except ValueError as e:
        raise FileFaults([f"{path}:1: {e}"]) from None
    names = tuple(sorted(g for g in groups.members if g not in ("all", "ungrouped")))
    notes: Notes = defaultdict(list)
    targets = {}
    configured = ansible_cfg.variables(path)
    for host in groups.hosts:
        made = ansible_targets.target(host, {**configured, **merged.variables_of(host)}, tuple(merged.groups_of(host)), notes)
        if made:
            targets[host] = made
    return Taken(targets, names, tuple(f"{path}: {what}: {_hosts(hosts)}" for what, hosts in sorted(notes.items())))


def _hosts(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
