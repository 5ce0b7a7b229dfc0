"""The list behind `auditor commands`, as the transports enforce it: what is on it may reach a host, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import SCRIPT
from auditor.collectors.windows import products
from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.queries import FILE_WQL, UNINSTALL, WQL, QuerySet
from auditor.collectors.windows.readers import powershell, shell, wmi
from auditor.model.requirements import DataRequirements
from auditor.transports.command import Command
from auditor.transports.permits import refused

_MARKER = re.compile(r"[0-9A-Za-z-]{4,64}")
_WORD = re.compile(r"'((?:[^']|'')*)'(?:, |$)")
_BY_NAME = ("DisplayName", "DisplayVersion")  # of a program's key below Uninstall


class Permitted:
    """All that what the loaded rules need can lead to (transports/permits.py: Permits). `requirements` tells what they need of a family, or of
    all hosts; what may be asked of Windows is worked out once something is asked of it."""

    def __init__(self, requirements: Callable[..., DataRequirements]) -> None:
        self._requirements = requirements
        self._settings = frozenset(arguments(requirements(family="linux").linux))
        before, after = FILE_WQL.split("{path}")
        self._queries = frozenset(WQL.values())
        self._files = re.compile(re.escape(before) + r"[^'\"]+" + re.escape(after))
        self._programs = tuple(f"{key}\\".upper() for key in UNINSTALL)

    @cached_property
    def _wanted(self) -> QuerySet:
        return all_queries(self._requirements())

    @cached_property
    def _plain(self) -> set[str]:
        return {a.what for a in (*self._wanted.values, *self._wanted.keys)} | {wmi.PROGRAM_FILES}

    @cached_property
    def _lines(self) -> set[str]:
        return {*shell.framed(self._wanted, "MARKER"), "exit", ""}

    @cached_property
    def _words(self) -> set[str]:
        return self._plain | {rf"{a.what}\*" for a in self._wanted.keys if a.deep} | {"wua", "-"}

    @cached_property
    def _registry(self) -> set[str]:
        return {what.upper() for what in self._plain | set(UNINSTALL)}

    @cached_property
    def _below(self) -> tuple[str, ...]:
        return tuple(f"{a.what}\\".upper() for a in self._wanted.keys if a.deep)

    def command(self, command: Command) -> None:
        """Raises HostError unless just this command is on the list."""
        by = {"sh": self._posix, "cmd": self._shell, "powershell": self._powershell}.get(command.argv[0])
        if not (by and _MARKER.fullmatch(command.marker) and by(command)):
            raise refused(" ".join(command.argv))

    def query(self, wql: str) -> None:
        """Raises HostError unless this WQL query is on the list."""
        if wql not in self._queries and not self._files.fullmatch(wql):
            raise refused(wql)

    def registry(self, method: str, key: str, name: str | None) -> None:
        """Raises HostError unless this registry question is on the list. `name` None: the key itself."""
        full = f"HKLM\\{key.removeprefix('HKLM' + chr(92))}".upper()
        if name is None:
            good = full in self._registry or full.startswith(self._below)
        else:
            good = (
                f"{full}#{name}".upper() in self._registry
                or (full.startswith(self._programs) and name in _BY_NAME)
                or any(pattern.fullmatch(f"{full}#{name}") for pattern in products.PATTERNS)
            )
        if not (good and method in (*wmi.METHODS, "value", "subkeys")):
            raise refused(f"{method} {key} {name or ''}")

    def _posix(self, command: Command) -> bool:
        if command.argv[:4] != ("sh", "-c", SCRIPT, "auditor") or len(command.argv) < 8:
            return False
        (marker, form, depth, sudo), settings = command.argv[4:8], command.argv[8:]
        return (
            marker == command.marker
            and form in ("gzip", "plain")
            and depth in ("usual", "deep")
            and sudo in ("none", "sudo", "sudo-password")
            and self._settings.issuperset(settings)
            and (not command.stdin or sudo == "sudo-password")
        )

    def _shell(self, command: Command) -> bool:
        lines = command.stdin.decode("ascii", "replace").split("\r\n")
        return command.argv == shell.ARGV and all(line.replace(command.marker, "MARKER") in self._lines for line in lines)

    def _powershell(self, command: Command) -> bool:
        first, _, script = command.stdin.decode("ascii", "replace").partition("\n")
        words, rest = list[str](), first.removeprefix("$auditor = ")
        while found := _WORD.match(rest):
            words.append(found[1].replace("''", "'"))
            rest = rest[found.end() :]
        return (
            command.argv == powershell.ARGV
            and script == powershell.SCRIPT
            and not rest
            and first.startswith("$auditor = ")
            and words[:1] == [command.marker]
            and self._words.issuperset(words[1:])
        )
