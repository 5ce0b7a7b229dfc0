"""`schedule:` of an inventory, the agent's named audits, and `agent:`, how it works."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, time, timedelta, tzinfo
from pathlib import Path

import yaml
from msgspec.structs import replace

from auditor.foundation.durations import SHORT_FORM, short_span
from auditor.foundation.yaml_file import FaultList, bind, did_you_mean, pairs
from auditor.model.mailing import is_address
from auditor.model.plan import DAYS, AgentSettings, Plan

_KEYS = ("at", "every", "days", "timezone", "targets", "rules", "mail", "window", "catch_up", "deep")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_DAY = timedelta(days=1)
_LEAST = timedelta(minutes=15)


def read_schedule(node: yaml.Node, faults: FaultList, folder: Path) -> tuple[Plan, ...]:
    """Every named audit. Relative paths of rules are relative to `folder`."""
    plans = []
    for name, where, body in pairs(node, faults, "schedule"):
        before = len(faults.lines)
        if not _NAME.fullmatch(name):
            faults.add(where, f"schedule: {name!r} is no name of an audit; use letters, digits, dots, hyphens")
        plan = _Reader(name, where, faults, folder).read(body)
        if len(faults.lines) == before:
            plans.append(plan)
    return tuple(plans)


def read_agent(node: yaml.Node, faults: FaultList, folder: Path) -> AgentSettings:
    """How the agent works. Relative paths are relative to `folder`."""
    found = bind(node, AgentSettings, faults) or AgentSettings()
    if found.jobs is not None and not 1 <= found.jobs <= 1024:
        faults.add(node, "agent: jobs must be from 1 to 1024")
    if found.per_jump is not None and found.per_jump < 1:
        faults.add(node, "agent: per_jump must be 1 or more")
    paths = {key: str(folder / Path(value).expanduser()) for key in ("report", "metrics") if (value := getattr(found, key))}
    return replace(found, **paths)


class _Reader:
    """One reading of one audit."""

    def __init__(self, name: str, where: yaml.Node, faults: FaultList, folder: Path) -> None:
        self.name, self.where, self.faults, self.folder = name, where, faults, folder

    def read(self, body: yaml.Node) -> Plan:
        given = {}
        for key, place, value in pairs(body, self.faults, f"schedule: {self.name}"):
            if key in _KEYS:
                given[key] = value
            else:
                self._fault(place, f"unknown key {key!r}{did_you_mean(key, _KEYS)}")
        if ("at" in given) == ("every" in given):
            self._fault(self.where, "give either `at` (02:00) or `every` (6h)")
        return Plan(
            name=self.name,
            at=tuple(sorted({t for word in self._words(given.get("at")) if (t := self._time(given["at"], word))})),
            every=self._every(given.get("every")),
            days=self._days(given.get("days")),
            zone=self._zone(given.get("timezone")),
            targets=self._words(given.get("targets")) or ("@all",),
            rules=tuple(
                r if r == "shipped" else str(self.folder / Path(r).expanduser()) for r in self._words(given.get("rules"))
            ),
            mail=self._mail(given.get("mail")),
            window=self._span("window", given.get("window")),
            catch_up=self._yes("catch_up", given.get("catch_up"), otherwise=True),
            deep=self._yes("deep", given.get("deep"), otherwise=False),
        )

    def _fault(self, place: yaml.Node, message: str) -> None:
        self.faults.add(place, f"schedule: {self.name}: {message}")

    def _words(self, node: yaml.Node | None) -> tuple[str, ...]:
        nodes: Iterable[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node] if node is not None else []
        words = []
        for one in nodes:
            if isinstance(one, yaml.ScalarNode) and one.value:
                words.append(str(one.value))
            else:
                self._fault(one, "one word or a list of words is needed here")
        return tuple(words)

    def _time(self, node: yaml.Node, word: str) -> time | None:
        if not _TIME.fullmatch(word):
            self._fault(node, f"{word!r} is no time of day; write it as 02:00, up to 23:59")
            return None
        return time.fromisoformat(word)

    def _span(self, key: str, node: yaml.Node | None) -> timedelta | None:
        if node is None:
            return None
        found = short_span(node.value) if isinstance(node, yaml.ScalarNode) else None
        if not found:
            self._fault(node, f"`{key}` is no span; {SHORT_FORM}")
        return found or None

    def _every(self, node: yaml.Node | None) -> timedelta | None:
        found = self._span("every", node)
        if node is not None and found and (found < _LEAST or _DAY % found):
            self._fault(node, "`every` must be from 15min to 24h and divide a day evenly, such as 30min, 6h or 8h")
            return None
        return found

    def _days(self, node: yaml.Node | None) -> frozenset[int]:
        words = self._words(node)
        for word in words:
            if node is not None and word not in DAYS:
                self._fault(node, f"{word!r} is no day{did_you_mean(word, DAYS)}; they are {', '.join(DAYS)}")
        if node is not None and not words:
            self._fault(node, "`days` names none, so this audit would never run")
        return frozenset(DAYS.index(word) for word in words if word in DAYS) or frozenset(range(7))

    def _zone(self, node: yaml.Node | None) -> tzinfo:
        name = str(node.value) if isinstance(node, yaml.ScalarNode) else "UTC"
        if name == "UTC":
            return UTC
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = zoneinfo.available_timezones()
            near = did_you_mean(name, known) if known else "; this machine has no time zone data: install tzdata"
            self._fault(node or self.where, f"{name!r} is no time zone{near}")
        return UTC

    def _mail(self, node: yaml.Node | None) -> tuple[str, ...] | None:
        """`false` for no mail, or other recipients than the inventory's."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("true", "")):
            return None
        if isinstance(node, yaml.ScalarNode) and node.value == "false":
            return ()
        words = self._words(node)
        for word in words:
            if not is_address(word):
                self._fault(node, f"mail: {word!r} is no address that mail can be sent to")
        return words

    def _yes(self, key: str, node: yaml.Node | None, *, otherwise: bool) -> bool:
        if node is None:
            return otherwise
        if not isinstance(node, yaml.ScalarNode) or node.value not in ("true", "false"):
            self._fault(node, f"`{key}` is true or false")
            return otherwise
        return bool(node.value == "true")
