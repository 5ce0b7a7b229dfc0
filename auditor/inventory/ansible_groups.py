"""Ansible's tree of groups, and which value a variable has on a host: groups by depth, priority and name, then the host.

Lowest to highest: the variables of `all`; of the other groups by (depth, ansible_group_priority, name); group_vars/all;
group_vars/GROUP in the same order; the host's own; host_vars/HOST (Ansible's documentation, Variable precedence; the order of
siblings as `ansible-inventory --list` shows it).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import Struct, field

from auditor.inventory.ansible_patterns import MAX_HOSTS, spread

Variables = dict[str, Any]
_PRIORITY = "ansible_group_priority"


class Vaulted:
    """A value that is encrypted: it is not for us."""

    def __repr__(self) -> str:
        return "(encrypted)"


class Groups(Struct):
    """By group its hosts, its children and its variables; by host its own variables. Dicts for their order."""

    hosts: dict[str, Variables] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)
    children: dict[str, dict[str, None]] = field(default_factory=dict)
    variables: dict[str, Variables] = field(default_factory=dict)

    def group(self, name: str) -> str:
        """A group that is there from now on."""
        self.members.setdefault(name, {})
        return name

    def add(self, group: str, pattern: str, variables: Variables) -> None:
        """The hosts of a pattern; ValueError where Ansible refuses it, or where there are too many."""
        names, port = spread(pattern, MAX_HOSTS - len(self.hosts))
        for name in names:
            if name not in self.hosts:
                self.hosts[name] = {} if port is None else {"ansible_port": port}
            self.members[self.group(group)][name] = None
            if variables:  # as Ansible does it: a group of that name is found first
                (self.variables.setdefault(name, {}) if name in self.members else self.hosts[name]).update(variables)

    def put(self, group: str, variables: Variables) -> None:
        """Add a group's variables to those it has."""
        self.variables.setdefault(self.group(group), {}).update(variables)

    def below(self, parent: str, child: str) -> None:
        """Note that one group is a child of another."""
        self.children.setdefault(self.group(parent), {})[self.group(child)] = None


class Merged:
    """What a host's variables and groups are. ValueError where a group is below itself, or a priority is no number."""

    def __init__(self, groups: Groups, beside: Callable[[str, str], Variables]) -> None:
        """`beside`: what lies in group_vars and host_vars, by kind (`group`, `host`) and name."""
        self._groups, self._beside = groups, beside
        self._parents: dict[str, set[str]] = {}
        for parent, children in groups.children.items():
            for child in children:
                self._parents.setdefault(child, set()).add(parent)
        self._depths: dict[str, int] = {"all": 0}
        self._above: dict[str, frozenset[str]] = {}
        for name in groups.members:
            self._walk(name)
        self._priorities = {name: self._priority(name) for name in groups.members}
        self._direct: dict[str, list[str]] = {}
        for group, hosts in groups.members.items():
            for host in hosts:
                self._direct.setdefault(host, []).append(group)
        self._of = cache(self._merged)

    def groups_of(self, host: str) -> list[str]:
        """All groups that a host is in, the deepest first; `all` and `ungrouped` are none."""
        return [g for g in reversed(self._ordered(self._key(host))) if g not in ("all", "ungrouped")]

    def variables_of(self, host: str) -> Variables:
        """A host's variables, its groups' merged below its own."""
        return {**self._of(self._key(host)), **self._groups.hosts[host], **self._beside("host", host)}

    def _key(self, host: str) -> frozenset[str]:
        direct = set(self._direct.get(host, ()))
        others = direct - {"all", "ungrouped"}
        return frozenset(others or (direct | {"ungrouped"}) - {"all"})

    def _ordered(self, direct: frozenset[str]) -> list[str]:
        names = {g for d in direct for g in (d, *self._above.get(d, ()))} - {"all"}
        return sorted(names, key=lambda g: (self._depths.get(g, 1), self._priorities.get(g, 1), g))

    def _merged(self, direct: frozenset[str]) -> Variables:
        """Shared by all hosts of the same groups."""
        found = dict(self._groups.variables.get("all", {}))
        ordered = self._ordered(direct)
        for group in ordered:
            found.update(self._groups.variables.get(group, {}))
        found.pop(_PRIORITY, None)
        for group in ("all", *ordered):
            found.update(self._beside("group", group))
        return found

    def _priority(self, group: str) -> int:
        said = self._groups.variables.get(group, {}).get(_PRIORITY, 1)
        try:
            return int(said)
        except (TypeError, ValueError):
            raise ValueError(f"{_PRIORITY} of the group {group} is no number") from None

    def _walk(self, start: str) -> None:
        """Depth (the longest way from `all`) and ancestors of a group and of those above it, without recursion."""
        todo = [start]
        under_way: dict[str, None] = {}
        while todo:
            name = todo[-1]
            parents = self._parents.get(name, set()) - {"all"}
            left = [p for p in parents if p not in self._depths]
            if name in self._depths:
                todo.pop()
            elif left:
                if name in under_way:
                    raise ValueError(f"the group {name} is below itself")
                under_way[name] = None
                todo += left
            else:
                self._depths[name] = 1 + max((self._depths[p] for p in parents), default=0)
                self._above[name] = frozenset(parents).union(*(self._above.get(p, frozenset()) for p in parents))
                todo.pop()
