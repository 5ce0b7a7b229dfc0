"""The three forms of Ansible's inventories into one tree: INI, YAML, and the JSON of `ansible-inventory --list`.

What Ansible refuses is a fault with its line: it reads nothing of such a file. Values are typed as Ansible types them: Python's
literals in INI, YAML 1.1 in YAML.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from auditor.errors import FileFaults
from auditor.foundation.yaml_file import FaultList, compose
from auditor.inventory.ansible_groups import Groups, Variables, Vaulted

MAX_LINE = 8_000  # characters of a line or of one value
_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")


def read_json(path: Path, text: str) -> Groups:
    """The groups of `ansible-inventory --list`. FileFaults where the text is no such document."""
    try:
        given = json.loads(text)
        made = Groups()
        variables = {name: dict(v) for name, v in given.get("_meta", {}).get("hostvars", {}).items()}
        for group, said in given.items():
            if group == "_meta":
                continue
            said = {"hosts": said} if isinstance(said, list) else said
            if not {"hosts", "children", "vars"} & said.keys():
                said = {"hosts": [group]}  # as Ansible reads it
            if isinstance(said.get("hosts"), dict) or isinstance(said.get("children"), dict):
                _group(made, group, said)  # the shape of YAML
                continue
            made.put(group, _plain(dict(said.get("vars", {}))))
            for child in said.get("children", ()):
                made.below(group, child)
            for host in _names(said.get("hosts", [])):
                made.hosts.setdefault(host, {}).update(_plain(variables.get(host, {})))
                made.members[made.group(group)][host] = None
    except (json.JSONDecodeError, ValueError) as e:
        line = getattr(e, "lineno", 1)
        raise FileFaults([f"{path}:{line}: is no JSON of `ansible-inventory --list`: {e}"]) from None
    except (AttributeError, TypeError, RecursionError):
        raise FileFaults(
            [f"{path}:1: is no JSON of `ansible-inventory --list`: groups with hosts, children and vars"]
        ) from None
    return made


def _names(hosts: Any) -> list[str]:
    if not isinstance(hosts, list) or not all(isinstance(h, str) for h in hosts):
        raise TypeError("hosts are a list of names")
    return hosts


def _plain(value: Any) -> Any:
    """What Ansible marks in JSON: a text that is no template, and one that is encrypted."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return Vaulted() if set(value) == {"__ansible_vault"} else {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml's, where there is one
    """YAML with Ansible's tags; any other is an error."""


def _vaulted(loader: Any, node: yaml.Node) -> Vaulted:
    return Vaulted()


def _unsafe(loader: Any, node: yaml.Node) -> Any:
    """A text that is no template; typed as it would be without the tag."""
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_object(yaml.ScalarNode(loader.resolve(yaml.ScalarNode, node.value, (True, False)), node.value))
    return loader.construct_mapping(node) if isinstance(node, yaml.MappingNode) else loader.construct_sequence(node)


for _tag in ("!vault", "!vault-encrypted"):
    _Loader.add_constructor(_tag, _vaulted)
_Loader.add_constructor("!unsafe", _unsafe)


def load_yaml(path: Path) -> Any:
    """A YAML file's data. FileFaults where it is none, expands without end, or has a value that is too long."""
    faults = FaultList(path)
    root = compose(path, faults)
    if faults:
        raise FileFaults(faults.texts())
    todo, seen = [root] if root is not None else [], set[int]()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if len(node.value) > MAX_LINE:
                raise FileFaults(
                    [f"{path}:{node.start_mark.line + 1}: a value of more than {MAX_LINE:,} characters is not read"]
                )
        else:
            todo += [p for v in node.value for p in (v if isinstance(v, tuple) else (v,))]
    try:
        return yaml.load(path.read_bytes().decode("utf-8-sig"), Loader=_Loader)  # made from SafeLoader
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        raise FileFaults([f"{path}:{mark.line + 1 if mark else 1}: is no YAML: {getattr(e, 'problem', e)}"]) from None
    except (ValueError, TypeError, RecursionError) as e:  # a date that no calendar has, a key that cannot be one
        raise FileFaults([f"{path}:1: is no YAML: {e}"]) from None


def read_yaml(path: Path) -> Groups:
    """The groups of a YAML inventory. FileFaults where it is none."""
    given = load_yaml(path)
    made = Groups()
    try:
        for group, said in (given or {}).items():
            if said is None or isinstance(said, dict):
                _group(made, _key(group), said or {})
    except ValueError as e:
        raise FileFaults([f"{path}:1: {e}"]) from None
    except (AttributeError, TypeError, RecursionError):
        raise FileFaults([f"{path}:1: is no inventory of Ansible's: groups with hosts, vars and children"]) from None
    return made


def _group(made: Groups, name: str, said: Variables) -> None:
    """A group and those below it, in the file's own order: of two values of one variable the later stands. The depth is bounded
    by what `compose` lets through."""
    made.group(name)
    for key, value in said.items():
        if key == "vars":
            made.put(name, dict(value or {}))
        elif key == "hosts":
            for pattern, variables in _mapping(value):
                made.add(name, _key(pattern), dict(variables or {}))
        elif key == "children":
            for child, below in _mapping(value):
                _group(made, _key(child), below or {})
                made.below(name, child)


def _mapping(value: Any) -> list[tuple[Any, Any]]:
    """A mapping, or one name alone."""
    return [(value, None)] if isinstance(value, str) else list((value or {}).items())


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"the name {name!r} is no text; put it in quotes")
    return name


def read_ini(path: Path, text: str) -> Groups:
    """The groups of an INI inventory. FileFaults with every line that cannot be read."""
    made, faults = Groups(), list[str]()
    group, kind = "ungrouped", "hosts"
    later: dict[str, int] = {}  # groups that are named before they are declared
    declared = {"all", "ungrouped"}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        try:
            if len(line) > MAX_LINE:
                raise ValueError(f"a line of more than {MAX_LINE:,} characters is not read")
            if head := _SECTION.fullmatch(line):
                group, kind = head[1], head[2] or "hosts"
                if kind not in ("hosts", "children", "vars"):
                    raise ValueError(f"{line} is no section; [group], [group:vars] or [group:children]")
                if kind == "vars":
                    later.setdefault(group, number)
                else:
                    declared.add(group)
                made.group(group)
            elif line.startswith("[") and line.endswith("]"):
                raise ValueError(f"{line} is no section; [group], [group:vars] or [group:children]")
            elif kind == "children":
                child = _CHILD.fullmatch(line)
                if not child:
                    raise ValueError(f"{line[:60]!r} is no group's name")
                later.setdefault(child[1], number)
                made.below(group, child[1])
            elif kind == "vars":
                key, equals, value = line.partition("=")
                if not equals:
                    raise ValueError("a variable is key=value")
                made.put(group, {key.strip(): _value(value.strip())})
            else:
                _host(made, group, line)
        except ValueError as e:
            faults.append(f"{path}:{number}: {e}")
    faults += [
        f"{path}:{number}: the group {name} is declared nowhere" for name, number in later.items() if name not in declared
    ]
    if faults:
        raise FileFaults(faults)
    return made


def _host(made: Groups, group: str, line: str) -> None:
    """`#` begins a comment, also within a word."""
    try:
        name, *words = shlex.split(line, comments=True)
    except ValueError:
        raise ValueError("a host is a name and key=value words") from None
    pairs = [word.partition("=") for word in words]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError("a host is a name and key=value words")
    if name.endswith(":"):
        raise ValueError(f"{name[:60]!r}: behind the colon a port is missing")
    made.add(group, name, {key: _value(value) for key, _, value in pairs})


def _value(text: str) -> Any:
    """A literal of Python's, or the text as it stands, with its quotes."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    except (TypeError, MemoryError, RecursionError) as e:
        raise ValueError(f"{text[:60]!r} is no value: {e}") from None
    return list(found) if isinstance(found, (tuple, set)) else found
